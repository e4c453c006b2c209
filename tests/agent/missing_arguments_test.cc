// Calls that say which of their arguments nothing is known of: they are not made, and the model is
// told, so that it asks.
#include "agent/call_eval.h"
#include "agent/local_chat_model.h"
#include "agent/missing_question.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

const std::string kLacking = "<start_function_call>call:pay{x:None}<end_function_call>" + kWait;
const std::string kAsks = "Please give me the x.";

}  // namespace

TEST_CASE("a call that lacks an argument is not made, approved or handed out", "[agent]") {
  SessionFixture fixture({kLacking, kAsks + kEnd});
  int paid = 0;
  int asked = 0;
  const bool is_client = GENERATE(false, true);
  if (is_client) {
    fixture.options.client_tools = {{.name = "pay",
                                     .description = "The client's.",
                                     .parameters = R"({"type":"object","properties":{"x":)"
                                                   R"({"type":"integer"}},"required":["x"]})"}};
  } else {
    fixture.add(
        "pay",
        [&paid](const Json&) -> Result<Json> { return Json(++paid); },
        tools::Effect::changes_state);
  }
  fixture.options.policy.ask = [&asked](const ApprovalQuestion&) { return ++asked > 0; };
  const RunResult result = fixture.run("Pay.");
  CHECK(result.finish == RunFinish::answered);
  CHECK(result.answer == kAsks);
  CHECK(paid == 0);
  CHECK(asked == 0);
  REQUIRE(result.calls.size() == 1);
  CHECK(result.calls[0].outcome == "missing_arguments");
  CHECK(fixture.model->transcript().tool_outputs[0][0].content ==
        R"({"error":"missing argument: x"})");
}

TEST_CASE("a tool that only reads does not start early without its arguments", "[agent]") {
  SessionFixture fixture({kLacking, kAsks + kEnd});
  fixture.add_double("pay");
  const RunResult result = fixture.run("Pay.");
  CHECK(result.answer == kAsks);
  REQUIRE(result.calls.size() == 1);
  CHECK(result.calls[0].outcome == "missing_arguments");
  for (const Event& event : fixture.events) {
    const auto json = event_json(event);
    if (json.contains("is_running")) CHECK_FALSE(json.at("is_running").get<bool>());
  }
}

TEST_CASE("other calls of the same output are made", "[agent]") {
  SessionFixture fixture(
      {call("twice", 2) + "<start_function_call>call:pay{x:None}<end_function_call>" + kWait,
       kAsks + kEnd});
  fixture.add_double("twice");
  fixture.add_double("pay");
  const RunResult result = fixture.run("go");
  REQUIRE(result.calls.size() == 2);
  CHECK(result.calls[0].outcome == "ok");
  CHECK(result.calls[1].outcome == "missing_arguments");
}

TEST_CASE("a case that wants to be asked back takes a call that lacks it", "[agent]") {
  constexpr const char* kCase =
      R"({"id":"1","kind":"ask","user":"Pay.","tools":[{"name":"pay","description":"d",)"
      R"("parameters":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}}],)"
      R"("steps":[],"reply_holds":"x"})";
  const auto score = [&](std::vector<std::string> outputs) {
    const auto test = read_call_case(kCase, "case");
    REQUIRE(test);
    const auto model = ScriptedChatModel::create(std::move(outputs));
    REQUIRE(model);
    const auto result = score_call_case(**model, *test, {});
    REQUIRE(result);
    return *result;
  };
  CHECK(score({kLacking, kAsks + kEnd}).is_right);
  const CallScore other = score({kLacking, "Which one?" + kEnd});
  CHECK_FALSE(other.is_right);
  CHECK_THAT(other.got, Catch::Contains("x:None") && Catch::Contains("Which one?"));
  CHECK_FALSE(score({kLacking, kLacking}).is_right);
  CHECK_FALSE(score({call("pay", 1) + kWait}).is_right);
  // One that can run is a call.
  CHECK_FALSE(score({call("pay", 1) + kLacking}).is_right);
}

TEST_CASE("the question back names what all the calls lack, each once", "[agent]") {
  const std::string xy = R"({"type":"object","properties":{"x":{"type":"integer"},)"
                         R"("y":{"type":"string"}},"required":["x","y"]})";
  const std::vector<ToolSpec> tools = {{.name = "a", .parameters = xy},
                                       {.name = "b", .parameters = xy}};
  const ToolCall x{.name = "a", .arguments = R"({"x":null,"y":"z"})"};
  const ToolCall both{.name = "b", .arguments = R"({"x":null,"y":null})"};
  const ToolCall whole{.name = "b", .arguments = R"({"x":1,"y":"z"})"};
  CHECK(missing_question(tools, {x}) == "Please give me the x.");
  CHECK(missing_question(tools, {x, both}) == "Please give me the x and the y.");
  CHECK(missing_question(tools, {x, whole}).empty());
  CHECK(missing_question(tools, {}).empty());
  CHECK(missing_question(tools, {{.name = "c", .arguments = R"({"x":null})"}}).empty());
}

TEST_CASE("a model made for it asks back word for word, and once", "[agent]") {
  const TempDir dir;
  GgufWriter file = tiny_gguf({.context_tokens_max = 2048});
  file.add_bool("facet.copies_arguments", true);
  write_bytes(dir.path() / "tiny.gguf", file.bytes());
  const auto engine = engine::Engine::load({.model = dir.path() / "tiny.gguf", .threads = 1});
  REQUIRE(engine);
  const auto model = LocalChatModel::create(*engine, "functiongemma");
  REQUIRE(model);
  CHECK((*model)->argument_form() == ArgumentForm::copied);
  const ToolSpec stop{.name = "stop",
                      .description = "Stops a song.",
                      .parameters = R"({"type":"object","properties":{"id":{"type":"integer"}},)"
                                    R"("required":["id"]})"};
  int questions = 0;
  const std::string schema = GENERATE("", R"({"type":"integer"})");
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const auto conversation =
        (*model)->start({.plan_first = false,
                         .tools = {stop},
                         .rules = {.choice = {.mode = prompts::ToolChoice::Mode::required},
                                   .calls_max = 1,
                                   .answer_schema = schema}});
    REQUIRE(conversation);
    const auto output = [&] {
      auto step =
          (*conversation)
              ->generate({.tokens_max = 60, .sampling = {.temperature = 1.0F, .seed = seed}}, {});
      REQUIRE(step);
      return *std::move(step);
    };
    REQUIRE((*conversation)->add_user("Stop it"));
    const StepResult lacking = output();
    REQUIRE(lacking.tool_calls.size() == 1);
    CHECK(lacking.tool_calls[0].arguments == R"({"id":null})");
    const ToolOutput told{.content = R"({"error":"missing argument: id"})", .is_error = true};
    REQUIRE((*conversation)->add_tool_outputs(lacking.tool_calls, {told}));
    const StepResult asked = output();
    if (!asked.tool_calls.empty()) continue;  // It may try again.
    if (!schema.empty()) {                    // What is held to a schema stays so.
      CHECK(asked.text.find("Please") == std::string::npos);
      ++questions;
      continue;
    }
    CHECK(asked.text == "Please give me the id.");
    ++questions;
    REQUIRE((*conversation)->add_user("Number 7, or 8"));
    const StepResult filled = output();
    REQUIRE(filled.tool_calls.size() == 1);
    CHECK_THAT(filled.tool_calls[0].arguments,
               Catch::Equals(R"({"id":7})") || Catch::Equals(R"({"id":8})") ||
                   Catch::Equals(R"({"id":null})"));
  }
  CHECK(questions > 0);
}
