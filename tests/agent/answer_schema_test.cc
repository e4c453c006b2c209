// Answers that are held to a schema, and what must be called first.
#include "agent/loop.h"
#include "base/json.h"
#include "tests/agent/session_fixture.h"
#include "tests/agent/tiny_chat_model.h"
#include "tests/support/build_kind.h"

#include <chrono>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

constexpr const char* kSchema =
    R"({"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]})";

/// Why a session with these options is not opened.
Error refusal(SessionFixture& fixture, const ChatModel& model) {
  const auto begin = std::chrono::steady_clock::now();
  const auto session = Session::open({.model = &model,
                                      .registry = &fixture.registry,
                                      .executor = &fixture.executor,
                                      .clock = &fixture.clock},
                                     fixture.options);
  CHECK(std::chrono::steady_clock::now() - begin <
        std::chrono::milliseconds(static_cast<int>(50 * slowdown())));
  REQUIRE_FALSE(session);
  return session.error();
}

}  // namespace

TEST_CASE("an answer is an instance of its schema, behind calls too", "[agent]") {
  SessionFixture fixture({call("twice", 4) + kWait, R"({"ok": true})" + kEnd});
  fixture.add_double("twice");
  fixture.options.rules.answer_schema = kSchema;
  const RunResult result = fixture.run("go");
  CHECK(result.finish == RunFinish::answered);
  CHECK(result.calls.size() == 1);
  CHECK(result.answer == R"({"ok": true})");
  const auto json = run_result_json(result);
  CHECK(json.at("value").at("ok") == true);
}

TEST_CASE("an answer that breaks its schema is told once, then ends the run", "[agent]") {
  const std::string wrong = GENERATE(R"({"ok": 1})", "{}", "ok", R"({"ok": true} and more)");
  SessionFixture fixture({wrong + kEnd, R"({"ok": false})" + kEnd});
  fixture.options.rules.answer_schema = kSchema;
  const RunResult told = fixture.run("go");
  CHECK(told.finish == RunFinish::answered);
  CHECK(told.answer == R"({"ok": false})");
  CHECK(fixture.model->transcript().user_turns.size() == 2);
  SessionFixture again({wrong + kEnd, wrong + kEnd});
  again.options.rules.answer_schema = kSchema;
  const RunResult failed = again.run("go");
  CHECK(failed.finish == RunFinish::failed);
  CHECK(failed.error.code == Code::invalid_data);
  CHECK_FALSE(run_result_json(failed).contains("value"));
}

TEST_CASE("without a schema there is no value", "[agent]") {
  SessionFixture fixture({"{}" + kEnd});
  CHECK_FALSE(run_result_json(fixture.run("go")).contains("value"));
}

TEST_CASE("a model with random weights answers in the schema in every dialect", "[agent]") {
  const std::string dialect =
      GENERATE("functiongemma", "gemma3", "gemma3-json", "gemma3-python", "gemma3-tool-code");
  const auto model = tiny_chat_model(dialect);
  SessionFixture fixture({});
  if (dialect != "gemma3") fixture.add_double("twice");
  fixture.options.rules.answer_schema = kSchema;
  fixture.options.budgets.tool_calls_max = 4;
  int answers = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    fixture.options.sampling = {.temperature = 1.5F, .seed = seed};
    auto session = Session::open({.model = model.get(),
                                  .registry = &fixture.registry,
                                  .executor = &fixture.executor,
                                  .clock = &fixture.clock},
                                 fixture.options);
    INFO((session ? "" : session.error().message));
    REQUIRE(session);
    std::string streamed;
    const RunResult result = (*session)->run("Go", [&](const Event& event) {
      if (const auto* text = std::get_if<TextDelta>(&event)) streamed += text->text;
    });
    INFO(dialect << " seed " << seed << " " << dump_json(run_result_json(result)));
    REQUIRE(result.finish != RunFinish::failed);
    for (const CallRecord& record : result.calls) CHECK(record.outcome != "invalid_arguments");
    if (result.finish != RunFinish::answered) continue;
    ++answers;
    CHECK(run_result_json(result).at("value").at("ok").is_boolean());
    CHECK(streamed == result.answer);
  }
  CHECK(answers > 0);
}

TEST_CASE("what must be called is called first, and then the model may answer", "[agent]") {
  using Mode = prompts::ToolChoice::Mode;
  const auto model = tiny_chat_model();
  ConversationSpec spec;
  spec.tools = {{.name = "a", .description = ""}, {.name = "b", .description = ""}};
  spec.rules.answer_schema = kSchema;
  const auto first_output = [&](Mode mode, const std::string& name, int calls_max) {
    spec.rules.choice = {.mode = mode, .name = name};
    spec.rules.calls_max = calls_max;
    auto conversation = model->start(spec);
    REQUIRE(conversation);
    REQUIRE((*conversation)->add_user("Go"));
    std::vector<StepResult> steps;
    for (int i = 0; i < 2; ++i) {
      const auto step =
          (*conversation)
              ->generate({.tokens_max = 400, .sampling = {.temperature = 1.5F, .seed = 7}}, {});
      REQUIRE(step);
      steps.push_back(*step);
      if (step->tool_calls.empty()) break;
      const std::vector<ToolOutput> outputs(step->tool_calls.size());
      REQUIRE((*conversation)->add_tool_outputs(step->tool_calls, outputs));
    }
    return steps;
  };
  const auto named = first_output(Mode::named, "b", 1);
  REQUIRE(named[0].tool_calls.size() == 1);
  CHECK(named[0].tool_calls[0].name == "b");
  REQUIRE(named.size() == 2);
  const auto required = first_output(Mode::required, "", 3);
  CHECK(required[0].tool_calls.size() >= 1);
  CHECK(required[0].tool_calls.size() <= 3);
  CHECK(first_output(Mode::none, "", 3)[0].tool_calls.empty());
}

TEST_CASE("what cannot be enforced is refused when the session opens", "[agent]") {
  const auto model = tiny_chat_model();
  SessionFixture fixture({});
  std::string where;
  SECTION("a keyword of the answer") {
    fixture.options.rules.answer_schema = R"({"properties":{"a":{"not":{}}}})";
    where = "/properties/a/not";
  }
  SECTION("no JSON") {
    fixture.options.rules.answer_schema = "{";
    where = "the schema of the answer";
  }
  SECTION("an answer that cannot exist, beside tools that can be called") {
    fixture.add_double("twice");
    fixture.options.rules.answer_schema = R"({"type":"integer","minimum":2,"maximum":1})";
    where = "the schema allows nothing";
  }
  SECTION("a schema of extreme depth") {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += R"({"items":)";
    fixture.options.rules.answer_schema = deep;
    where = "levels deep";
  }
  SECTION("a tool that must be called and is not there") {
    fixture.add_double("twice");
    fixture.options.rules.choice = prompts::tool_choice_from_name("thrice");
    where = "thrice";
  }
  SECTION("a call where there are no tools") {
    fixture.options.rules.choice = prompts::tool_choice_from_name("required");
    where = "there is no tool";
  }
  SECTION("a client's tool that is not one") {
    fixture.options.client_tools = {
        {.name = "x", .parameters = R"({"properties":{"a":{"type":"z"}}})"}};
    where = "/properties/a/type";
  }
  SECTION("a client's tool with a name that no call can hold") {
    fixture.options.client_tools = {{.name = "a{<end_of_turn>"}};
    where = "cannot be written";
  }
  const Error error = refusal(fixture, *model);
  CHECK_THAT(error.message, Catch::Contains(where));
  CHECK(error.code != Code::internal);
}

TEST_CASE("what a schema asks and nothing enforces is told once in a session", "[agent]") {
  const auto model = tiny_chat_model();
  SessionFixture fixture({});
  fixture.options.client_tools = {
      {.name = "x",
       .parameters =
           R"({"type":"object","properties":{"a":{"not":{"const":1},"x-facet-relaxed":true}}})"}};
  fixture.options.budgets.step_tokens_max = 2;
  auto session = Session::open({.model = model.get(),
                                .registry = &fixture.registry,
                                .executor = &fixture.executor,
                                .clock = &fixture.clock},
                               fixture.options);
  INFO((session ? "" : session.error().message));
  REQUIRE(session);
  for (int i = 0; i < 2; ++i) (*session)->run("Go", fixture.sink());
  std::vector<std::string> told;
  for (const Event& event : fixture.events) {
    const auto* relaxed = std::get_if<SchemaRelaxed>(&event);
    if (relaxed != nullptr) told.push_back(relaxed->pointer);
  }
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], Catch::StartsWith("x/properties/a"));
  CHECK(event_json(fixture.events[1]).at("type") == "schema_relaxed");
}
