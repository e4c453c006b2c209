// Calls of which two arguments hold what was said once, and how they are written anew.
#include "agent/repeated_value.h"

#include "agent/local_chat_model.h"
#include "base/grammar/copy_places.h"
#include "base/json.h"
#include "tests/agent/tiny_chat_model.h"

#include <nlohmann/json.hpp>

#include <algorithm>

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

grammar::CopySource said(std::initializer_list<const char*> texts) {
  grammar::CopySource out;
  for (const char* text : texts) out.add_text(text);
  return out;
}

std::optional<RepeatedValue> repeated(const char* arguments, const grammar::CopySource& source) {
  return repeated_value(kBook, {.name = "book", .arguments = arguments}, source);
}

Json parameters_of(const Revision& revision) {
  const auto json = parse_json(revision.tool.parameters, "parameters");
  REQUIRE(json);
  return *json;
}

}  // namespace

TEST_CASE("a value is repeated where it was said once", "[agent]") {
  const auto once = said({"a red car for 4 in  Rome from 3 May"});
  const RepeatedValue days{"from", "until"};
  CHECK(repeated(R"({"from":"3 May","until":"3 May"})", once) == days);
  CHECK(repeated(R"({"from":"3 May","town":"Rome","until":"3 May"})", once) == days);
  CHECK(repeated(R"({"seats":4,"town":"4"})", once) == RepeatedValue{"seats", "town"});
  CHECK(repeated(R"({"extras":["car","4"],"seats":4})", once) == RepeatedValue{"extras", "seats"});
  CHECK(repeated(R"({"seats":4,"size":{"width":4}})", once) == RepeatedValue{"seats", "size"});
  CHECK(repeated(R"({"from":"car  in","until":"car in"})", said({"a car\nin"})) == days);

  CHECK_FALSE(repeated(R"({"from":"3 May","town":"Rome"})", once));
  CHECK_FALSE(repeated(R"({"extras":["car","car"]})", once));              // In one argument.
  CHECK_FALSE(repeated(R"({"colour":"red","town":"red"})", once));         // The schema lists it.
  CHECK_FALSE(repeated(R"({"from":"3 May","until":"May"})", once));        // Two values, not one.
  CHECK_FALSE(repeated(R"({"from":"May car","until":"May car"})", once));  // Said nowhere.
  CHECK_FALSE(repeated(R"({"from":null,"until":null})", once));
  CHECK_FALSE(repeated(R"({"from":"3 May","until":"3 May"})",
                       said({"from 3 May", "and back on 3 May as well"})));
  CHECK_FALSE(repeated(R"({"from":"3 May","nonsense":"3 May"})", once));
  CHECK_FALSE(repeated("[]", once));
  CHECK_FALSE(repeated("{", once));
}

TEST_CASE("a call is written anew without what its other arguments hold", "[agent]") {
  const auto source = said({"in Rome from 3 May with 4 seats"});
  const ToolCall call{.name = "book",
                      .arguments = R"({"from":"3 May","seats":4,"town":"Rome","until":"3 May"})"};
  const auto ways = revisions(kBook, call, {"from", "until"}, source);
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
    CHECK(places_of(way.source, "3 May").empty());
    CHECK(places_of(way.source, "Rome").empty());
    CHECK(places_of(way.source, 4).empty());
    CHECK(places_of(way.source, "seats").size() == 1);
  }
}

TEST_CASE("a model without sense says once what was said once", "[agent]") {
  const auto model = tiny_chat_model("functiongemma");
  grammar::CopySource source;
  source.add_text("Rome");
  int halves = 0;
  int rewritten = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const auto conversation = model->start({.plan_first = false,
                                            .tools = {kFly},
                                            .rules = {.choice = {.mode = Mode::required}},
                                            .arguments = ArgumentForm::copied});
    REQUIRE(conversation);
    REQUIRE((*conversation)->add_user("Rome"));
    std::vector<ToolCall> told;
    std::string pieces;
    const auto step =
        (*conversation)
            ->generate({.tokens_max = 300, .sampling = {.temperature = 1.0F, .seed = seed}},
                       [&](const prompts::ParseEvent& event) {
                         using Kind = prompts::ParseEvent::Kind;
                         if (event.kind == Kind::call_arguments) pieces += event.text;
                         if (event.kind != Kind::call_finished) return;
                         CHECK(std::exchange(pieces, "") == event.call.arguments);
                         told.push_back(event.call);
                       });
    INFO((step ? step->raw : step.error().message));
    REQUIRE(step);
    CHECK(static_cast<std::int64_t>(step->ids.size()) == step->usage.completion_tokens);
    if (step->finish_reason == engine::FinishReason::stop) {
      CHECK(told == step->tool_calls);
      CHECK_FALSE(step->stopped_on.empty());
    }
    for (const ToolCall& call : step->tool_calls) {
      CHECK_FALSE(repeated_value(kFly, call, source));
      const auto arguments = parse_json(call.arguments, "arguments");
      REQUIRE(arguments);
      halves += (*arguments)["from"].is_null() != (*arguments)["to"].is_null() ? 1 : 0;
    }
    // What a replay of the output leaves is what was written.
    const auto again = model->start({.plan_first = false,
                                     .tools = {kFly},
                                     .rules = {.choice = {.mode = Mode::required}},
                                     .arguments = ArgumentForm::copied});
    REQUIRE(again);
    REQUIRE((*again)->add_user("Rome"));
    REQUIRE((*again)->replay(*step));
    CHECK((*again)->context_tokens() == (*conversation)->context_tokens());
    rewritten += step->usage.completion_tokens > 0 ? 1 : 0;
  }
  CHECK(rewritten == 24);
  CHECK(halves > 0);
}
