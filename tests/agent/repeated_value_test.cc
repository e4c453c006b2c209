// Calls of which two arguments hold what was said once, and how they are written anew.
#include "agent/repeated_value.h"

#include "agent/local_chat_model.h"
#include "base/grammar/copy_places.h"
#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/copied_ref.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <utility>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

using Json = nlohmann::ordered_json;
using Mode = prompts::ToolChoice::Mode;

const ToolSpec kBook{
    .name = "book",
    .description = "Books a car.",
    .parameters =
        R"({"type":"object","properties":{"town":{"type":"string"},"from":{"type":"string"},)"
        R"("until":{"type":"string"},"seats":{"type":"integer"},"colour":{"enum":["red","blue"]},)"
        R"("extras":{"type":"array","items":{"type":"string"}},)"
        R"("size":{"type":"object","properties":{"width":{"type":"integer"}}}},)"
        R"("required":["town","from"]})"};
const ToolSpec kFly{.name = "fly",
                    .description = "Flies.",
                    .parameters = R"({"type":"object","properties":{"from":{"type":"string"},)"
                                  R"("to":{"type":"string"}},"required":["from","to"]})"};

std::optional<RepeatedValue> repeated(const ToolSpec& tool,
                                      const std::string& arguments,
                                      const grammar::CopySource& source) {
  return repeated_value(said_once(tool, {.name = tool.name, .arguments = arguments}, source));
}

std::optional<RepeatedValue> repeated(const char* arguments, const grammar::CopySource& source) {
  return repeated(kBook, arguments, source);
}

/// Two strings "a" and "b"; the schema of "b", and what stands at the root besides.
ToolSpec tool_of(const std::string& b, const std::string& root = {}) {
  return {.name = "t",
          .parameters = R"({"type":"object","properties":{"a":{"type":"string"},"b":)" + b + "}" +
                        root + "}"};
}

Json parameters_of(const Revision& revision) {
  const auto json = parse_json(revision.tool.parameters, "parameters");
  REQUIRE(json);
  return *json;
}

}  // namespace

TEST_CASE("a value is repeated where it was said once", "[agent]") {
  const auto once = source_of({"a red car for 4 in  Rome from 3 May"});
  const RepeatedValue days{"from", "until"};
  CHECK(repeated(R"({"from":"3 May","until":"3 May"})", once) == days);
  CHECK(repeated(R"({"from":"3 May","town":"Rome","until":"3 May"})", once) == days);
  CHECK(repeated(R"({"seats":4,"town":"4"})", once) == RepeatedValue{"seats", "town"});
  CHECK(repeated(R"({"extras":["car","4"],"seats":4})", once) == RepeatedValue{"extras", "seats"});
  CHECK(repeated(R"({"seats":4,"size":{"width":4}})", once) == RepeatedValue{"seats", "size"});
  CHECK(repeated(R"({"from":"car  in","until":"car in"})", source_of({"a car\nin"})) == days);
  // A number that is part of what another argument holds.
  CHECK(repeated(R"({"from":"3 May","seats":3})", once) == RepeatedValue{"from", "seats"});
  CHECK(repeated(R"({"seats":4,"town":"car for 4"})", once) == RepeatedValue{"seats", "town"});
  CHECK(repeated(R"({"from":"2031-09-06","size":{"width":2031}})",
                 source_of({"from 2031-09-06"})) == RepeatedValue{"from", "size"});

  CHECK_FALSE(repeated(R"({"from":"3 May","town":"Rome"})", once));
  CHECK_FALSE(repeated(R"({"extras":["car","car"]})", once));        // In one argument.
  CHECK_FALSE(repeated(R"({"colour":"red","town":"red"})", once));   // The schema lists it.
  CHECK_FALSE(repeated(R"({"from":"3 May","until":"May"})", once));  // Two values, not one.
  CHECK_FALSE(repeated(R"({"from":"3 May","seats":4})", once));
  CHECK_FALSE(repeated(R"({"from":"3 May","seats":3})", source_of({"3 of them from 3 May"})));
  CHECK_FALSE(repeated(R"({"from":"May car","until":"May car"})", once));  // Said nowhere.
  CHECK_FALSE(repeated(R"({"from":null,"until":null})", once));
  CHECK_FALSE(repeated(R"({"from":"3 May","until":"3 May"})",
                       source_of({"from 3 May", "and back on 3 May as well"})));
  CHECK_FALSE(repeated(R"({"from":"3 May","nonsense":"3 May"})", once));
  CHECK_FALSE(repeated("[]", once));
  CHECK_FALSE(repeated("{", once));
}

TEST_CASE("what was said in two messages was said twice", "[agent]") {
  CHECK(repeated(kFly, R"({"from":"Rome","to":"Rome"})", source_of({"Rome"})));
  CHECK_FALSE(repeated(kFly, R"({"from":"Rome","to":"Rome"})", source_of({"Rome", "Rome"})));
  CHECK_FALSE(repeated(kFly, R"({"from":"Rome","to":"Rome"})", source_of({"Rome", " Rome\n"})));
  grammar::CopySource result;
  result.add_result(R"({"adults":2,"rooms":2})");
  CHECK_FALSE(repeated(R"({"seats":2,"town":"2"})", result));
}

TEST_CASE("only what must be copied is repeated", "[agent]") {
  const auto source = source_of({"it is red"});
  const auto is_repeated = [&](const ToolSpec& tool, const char* b) {
    return repeated(tool, std::string(R"({"a":"red","b":)") + b + "}", source).has_value();
  };
  CHECK(is_repeated(tool_of(R"({"type":"string"})"), R"("red")"));
  CHECK(is_repeated(tool_of(R"({"type":"array","items":{"type":"string"}})"), R"(["red"])"));
  // A member may have the name of a keyword.
  CHECK(is_repeated(tool_of(R"({"type":"object","properties":{"format":{"type":"string"}}})"),
                    R"({"format":"red"})"));
  for (const char* keyword : {R"("enum":["red"])",
                              R"("pattern":"r.*")",
                              R"("x-facet-free":true)",
                              R"("anyOf":[{"type":"string"}])"}) {
    INFO(keyword);
    CHECK_FALSE(is_repeated(tool_of(std::string("{") + keyword + "}"), R"("red")"));
  }
  CHECK_FALSE(is_repeated(tool_of(R"({"type":"string"})", R"(,"x-facet-free":true)"), R"("red")"));
  CHECK_FALSE(is_repeated(tool_of(R"({"type":"object"})"), R"({"any":"red"})"));
  CHECK_FALSE(is_repeated(tool_of(R"({"type":"array"})"), R"(["red"])"));
}

TEST_CASE("a call is written anew without what its other arguments hold", "[agent]") {
  const auto source = source_of({"in Rome from 3 May with 4 seats"});
  const ToolCall call{.name = "book",
                      .arguments = R"({"from":"3 May","seats":4,"town":"Rome","until":"3 May"})"};
  const auto ways =
      revisions(kBook, call, {"from", "until"}, said_once(kBook, call, source), source);
  REQUIRE(ways.size() == 3);  // `from` chosen anew, `until` chosen anew, `until` left out.
  const Json kept = {{"const", "3 May"}, {"x-facet-free", true}};
  CHECK(parameters_of(ways[0])["properties"]["from"] == Json{{"type", "string"}});
  CHECK(parameters_of(ways[0])["properties"]["until"] == kept);
  CHECK(ways[0].may_lack);
  CHECK(parameters_of(ways[1])["properties"]["from"] == kept);
  CHECK(parameters_of(ways[1])["properties"]["until"] == Json{{"type", "string"}});
  CHECK_FALSE(ways[1].may_lack);
  CHECK_FALSE(parameters_of(ways[2])["properties"].contains("until"));
  CHECK_FALSE(ways[2].may_lack);
  for (const Revision& way : ways) {
    CHECK(way.tool.name == "book");
    CHECK(parameters_of(way)["required"].size() == parameters_of(way)["properties"].size());
  }
  for (const Revision* way : {&ways[0], &ways[1]}) {
    CHECK(places_of(way->source, "3 May").empty());
    CHECK(places_of(way->source, "Rome").empty());
    CHECK(places_of(way->source, 4).empty());
    CHECK(places_of(way->source, "seats").size() == 1);
  }
  CHECK(ways[2].source.texts().empty());  // Nothing is open.
}

namespace {

/// `has_more_rows`: the embedding has some that are no tokens, as Gemma 3's folders do.
std::unique_ptr<LocalChatModel> tiny_model(bool has_more_rows = false) {
  const TempDir dir;
  TinyModel shape{.context_tokens_max = 2048};
  std::filesystem::path path = dir.path() / "tiny.gguf";
  if (has_more_rows) {
    path = dir.path() / "folder";
    shape.embedding_rows = static_cast<int>(tiny_vocabulary().pieces.size()) + 200;
    write_tiny_folder(path, shape);
  } else {
    write_tiny_gguf(path, shape);
  }
  auto engine = engine::Engine::load({.model = path, .threads = 1});
  INFO((engine ? "" : engine.error().message));
  REQUIRE(engine);
  auto model = LocalChatModel::create(*engine, "functiongemma");
  REQUIRE(model);
  return *std::move(model);
}

std::unique_ptr<Conversation> ask(const LocalChatModel& model, std::string_view user) {
  auto conversation = model.start({.plan_first = false,
                                   .tools = {kFly},
                                   .rules = {.choice = {.mode = Mode::required}, .calls_max = 3},
                                   .arguments = ArgumentForm::copied});
  REQUIRE(conversation);
  REQUIRE((*conversation)->add_user(user));
  return *std::move(conversation);
}

StepOptions noise(std::uint64_t seed, std::int64_t tokens_max = 300) {
  return {.tokens_max = tokens_max, .sampling = {.temperature = 1.0F, .seed = seed}};
}

}  // namespace

TEST_CASE("a model without sense says once what was said once", "[agent]") {
  const auto model = tiny_model(GENERATE(false, true));
  const std::string user = GENERATE("Rome", "Rome-x Oslo");
  const auto source = source_of({user});
  int halves = 0;
  int outputs_of_several = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const auto conversation = ask(*model, user);
    std::vector<ToolCall> told;
    std::string pieces;
    const auto step = conversation->generate(noise(seed), [&](const prompts::ParseEvent& event) {
      using Kind = prompts::ParseEvent::Kind;
      if (event.kind == Kind::call_arguments) pieces += event.text;
      if (event.kind != Kind::call_finished) return;
      CHECK(std::exchange(pieces, "") == event.call.arguments);
      told.push_back(event.call);
    });
    INFO((step ? step->raw : step.error().message));
    REQUIRE(step);
    CHECK(std::ssize(step->ids) == step->usage.completion_tokens);
    CHECK(step->usage.forced_tokens <= step->usage.completion_tokens);
    CHECK(step->finish_reason == engine::FinishReason::stop);
    CHECK(told == step->tool_calls);
    outputs_of_several += told.size() > 1 ? 1 : 0;
    for (const ToolCall& call : step->tool_calls) {
      CHECK_FALSE(repeated(kFly, call.arguments, source));
      const auto arguments = parse_json(call.arguments, "arguments");
      REQUIRE(arguments);
      halves += (*arguments)["from"].is_null() != (*arguments)["to"].is_null() ? 1 : 0;
    }
    // The output put back in its place leaves the same state: what follows is the same.
    const auto again = ask(*model, user);
    REQUIRE(again->replay(*step));
    CHECK(again->context_tokens() == conversation->context_tokens());
    const std::vector<ToolOutput> outputs(told.size(), ToolOutput{.content = R"({"v":"Oslo"})"});
    REQUIRE(conversation->add_tool_outputs(told, outputs));
    REQUIRE(again->add_tool_outputs(told, outputs));
    const auto next = conversation->generate(noise(seed), {});
    const auto same = again->generate(noise(seed), {});
    REQUIRE(next);
    REQUIRE(same);
    CHECK(next->ids == same->ids);
  }
  CHECK(halves > 0);
  CHECK(outputs_of_several > 0);
}

TEST_CASE("a call is written anew within the limits of its output", "[agent]") {
  const auto model = tiny_model();
  const auto source = source_of({"Rome"});
  for (std::int64_t tokens_max = 1; tokens_max <= 60; ++tokens_max) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      const auto conversation = ask(*model, "Rome");
      const auto step = conversation->generate(noise(seed, tokens_max), {});
      INFO(tokens_max << " " << (step ? step->raw : step.error().message));
      REQUIRE(step);
      CHECK(std::ssize(step->ids) <= tokens_max);
      if (step->finish_reason != engine::FinishReason::stop) continue;
      for (const ToolCall& call : step->tool_calls) {
        CHECK_FALSE(repeated(kFly, call.arguments, source));
      }
    }
  }
  // Stopped or late at any time: what was written is whole, and no error.
  for (int wait = 0; wait < 12; ++wait) {
    const auto conversation = ask(*model, "Rome");
    StepOptions options = noise(static_cast<std::uint64_t>(wait));
    options.time_max = std::chrono::milliseconds(1 + wait);
    const auto step = conversation->generate(options, {});
    INFO((step ? step->raw : step.error().message));
    REQUIRE(step);
    CHECK(std::ssize(step->ids) == step->usage.completion_tokens);
  }
}
