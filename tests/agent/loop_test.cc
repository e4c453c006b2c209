#include "agent/loop.h"

#include "tests/agent/session_fixture.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;
using Strings = std::vector<std::string>;

TEST_CASE("an answer without calls ends the run after one step", "[agent]") {
  SessionFixture fixture({"Plan: answer.\nHello." + kEnd});
  const RunResult result = fixture.run("Hi");
  CHECK(result.finish == RunFinish::answered);
  CHECK(result.plan == "answer.");
  CHECK(result.answer == "Hello.");
  CHECK(result.steps == 1);
  CHECK(fixture.event_types() ==
        Strings{"run_started", "plan", "text_delta", "step", "run_finished"});
}

TEST_CASE("the result of a tool reaches the model and the run goes on", "[agent]") {
  SessionFixture fixture({"Plan: twice.\n" + call("twice", 4) + kWait, "It is 8." + kEnd});
  fixture.add_double("twice");
  const RunResult result = fixture.run("Twice 4?");
  CHECK(result.finish == RunFinish::answered);
  CHECK(result.answer == "It is 8.");
  REQUIRE(result.calls.size() == 1);
  CHECK(result.calls[0].call.id == "call_1");
  CHECK(result.calls[0].output.content == R"({"result":8})");
  CHECK(result.calls[0].outcome == "ok");
  REQUIRE(fixture.model->transcript().tool_outputs.size() == 1);
  CHECK(fixture.model->transcript().tool_outputs[0][0].content == R"({"result":8})");
  CHECK(fixture.event_types() == Strings{"run_started",
                                         "plan",
                                         "tool_call_started",
                                         "tool_call_delta",
                                         "tool_call_closed",
                                         "step",
                                         "tool_call",
                                         "tool_result",
                                         "text_delta",
                                         "step",
                                         "run_finished"});
}

TEST_CASE("two tools in a row are two steps, two in one output are one", "[agent]") {
  SessionFixture chained({call("a", 1) + kWait, call("b", 2) + kWait, "Done." + kEnd});
  chained.add_double("a");
  chained.add_double("b");
  CHECK(chained.run("go").steps == 3);

  SessionFixture parallel({call("a", 1) + call("b", 2) + kWait, "Done." + kEnd});
  parallel.add_double("a");
  parallel.add_double("b");
  const RunResult result = parallel.run("go");
  CHECK(result.steps == 2);
  REQUIRE(result.calls.size() == 2);
  CHECK(result.calls[0].output.content == R"({"result":2})");
  CHECK(result.calls[1].output.content == R"({"result":4})");
}

TEST_CASE("failing calls are data for the model, not the end of the run", "[agent]") {
  SessionFixture fixture({call("broken", 1) + call("unknown", 2) +
                              "<start_function_call>call:twice{x:<escape>no<escape>}<end_function_"
                              "call>" +
                              kWait,
                          "I could not." + kEnd});
  fixture.add("broken", [](const Json&) -> Result<Json> {
    return Error{Code::not_found, "no such city"};
  });
  fixture.add_double("twice");
  const RunResult result = fixture.run("go");
  CHECK(result.finish == RunFinish::answered);
  REQUIRE(result.calls.size() == 3);
  for (const auto& record : result.calls) CHECK(record.output.is_error);
  CHECK(result.calls[0].output.content == R"({"error":"no such city"})");
  CHECK(result.calls[0].outcome == "tool_error");
  CHECK(result.calls[1].outcome == "unknown_tool");
  CHECK(result.calls[2].outcome == "invalid_arguments");
}

TEST_CASE("an output that cannot be read is told once, then ends the run", "[agent]") {
  const std::string broken = "<start_function_call>call:twice{x:<end_function_call>" + kWait;
  SessionFixture once({broken, "Sorry." + kEnd});
  const RunResult recovered = once.run("go");
  CHECK(recovered.finish == RunFinish::answered);
  CHECK(once.model->transcript().user_turns.size() == 2);

  SessionFixture twice({broken, broken});
  const RunResult failed = twice.run("go");
  CHECK(failed.finish == RunFinish::failed);
  CHECK(failed.error.code == Code::invalid_data);
}

TEST_CASE("waiting for a result without a call is not an answer", "[agent]") {
  SessionFixture fixture({"Let me see." + kWait, "Nothing." + kEnd});
  const RunResult result = fixture.run("go");
  CHECK(result.answer == "Nothing.");
  CHECK(fixture.model->transcript().user_turns.size() == 2);
}

TEST_CASE("the same call again is told once and then ends the run", "[agent]") {
  const std::string again = call("twice", 4) + kWait;
  int runs = 0;
  SessionFixture fixture({again, again, again});
  fixture.add("twice", [&runs](const Json&) -> Result<Json> { return Json(++runs); });
  const RunResult result = fixture.run("go");
  CHECK(result.finish == RunFinish::limit);
  CHECK(result.error.code == Code::limit_exceeded);
  CHECK(runs == 1);
  REQUIRE(result.calls.size() == 2);
  CHECK(result.calls[1].outcome == "repeated");
}

TEST_CASE("each budget ends the run and is named", "[agent]") {
  std::vector<std::string> calls;
  for (int x = 0; x < 6; ++x) calls.push_back(call("twice", x) + kWait);
  SessionFixture fixture(calls);
  fixture.add_double("twice");
  std::string name;
  SECTION("steps") {
    fixture.options.budgets.steps_max = 3;
    name = "steps_max";
  }
  SECTION("tool calls") {
    fixture.options.budgets.tool_calls_max = 3;
    name = "tool_calls_max";
  }
  SECTION("tokens of the run") {
    fixture.options.budgets.tokens_max = static_cast<std::int64_t>(calls[0].size()) + 1;
    name = "tokens_max";
  }
  SECTION("tokens of a step") {
    fixture.options.budgets.step_tokens_max = 3;
    name = "step_tokens_max";
  }
  const RunResult result = fixture.run("go");
  CHECK(result.finish == RunFinish::limit);
  CHECK_THAT(result.error.message, Catch::Contains(name));
}

TEST_CASE("the clock ends a run", "[agent]") {
  SessionFixture fixture({call("slow", 1) + kWait, "never"});
  fixture.add("slow", [&fixture](const Json&) -> Result<Json> {
    fixture.clock.advance(std::chrono::hours(1));
    return Json("late");
  });
  const RunResult result = fixture.run("go");
  CHECK(result.finish == RunFinish::limit);
  CHECK_THAT(result.error.message, Catch::Contains("seconds_max"));
}

TEST_CASE("a budget that is not positive is refused by name", "[agent]") {
  CHECK(validate(Budgets{}));
  const auto status = validate(Budgets{.tool_calls_max = 0});
  REQUIRE_FALSE(status);
  CHECK_THAT(status.error().message, Catch::Contains("tool_calls_max"));
}

TEST_CASE("a stop ends the run as cancelled", "[agent]") {
  std::stop_source stop;
  SECTION("before it begins") {
    stop.request_stop();
    SessionFixture fixture({"Hello." + kEnd});
    CHECK(fixture.run("go", stop.get_token()).finish == RunFinish::cancelled);
  }
  SECTION("while the model writes") {
    SessionFixture fixture({"Hello." + kEnd},
                           {.on_generate = [&stop](int) { stop.request_stop(); }});
    CHECK(fixture.run("go", stop.get_token()).finish == RunFinish::cancelled);
  }
  SECTION("while a tool runs") {
    SessionFixture fixture({call("stopper", 1) + kWait, "never"});
    fixture.add("stopper", [&stop](const Json&) -> Result<Json> {
      stop.request_stop();
      return Json("done");
    });
    CHECK(fixture.run("go", stop.get_token()).finish == RunFinish::cancelled);
  }
}

TEST_CASE("a call that changes something needs a yes", "[agent]") {
  SessionFixture fixture({call("pay", 1) + kWait, "Done." + kEnd});
  int paid = 0;
  fixture.add(
      "pay",
      [&paid](const Json&) -> Result<Json> { return Json(++paid); },
      tools::Effect::changes_state);
  SECTION("nobody to ask") {
    const RunResult result = fixture.run("go");
    CHECK(result.finish == RunFinish::approval_needed);
    CHECK(result.error.code == Code::permission_denied);
    CHECK(paid == 0);
  }
  SECTION("allowed by flag") {
    fixture.options.policy.allow_all = true;
    CHECK(fixture.run("go").finish == RunFinish::answered);
    CHECK(paid == 1);
  }
  SECTION("a person says no: the model is told") {
    fixture.options.policy.ask = [](const ApprovalQuestion&) { return false; };
    const RunResult result = fixture.run("go");
    CHECK(result.finish == RunFinish::answered);
    CHECK(result.calls[0].outcome == "denied");
    CHECK(paid == 0);
  }
}

TEST_CASE("a result that does not fit the context is refused, never cut", "[agent]") {
  SessionFixture fixture({call("flood", 1) + kWait, "Too long." + kEnd},
                         {.context_tokens_max = 1000});
  fixture.add("flood", [](const Json&) -> Result<Json> { return Json(std::string(5000, 'x')); });
  const RunResult result = fixture.run("go");
  CHECK(result.finish == RunFinish::answered);
  CHECK(result.calls[0].outcome == "does_not_fit");
  CHECK_THAT(result.calls[0].output.content, Catch::Contains("5002 tokens"));
}

TEST_CASE("nothing is prefilled twice over the steps of a run", "[agent]") {
  SessionFixture fixture({call("twice", 1) + kWait, call("twice", 2) + kWait, "Done." + kEnd});
  fixture.add_double("twice");
  const RunResult result = fixture.run("go");
  // One token is one byte: the question and the two results {"result":2}, {"result":4}.
  CHECK(result.usage.prefilled_tokens == 2 + 12 + 12);
  CHECK(result.usage.prompt_tokens == result.usage.prefilled_tokens);
  CHECK(result.usage.cached_tokens > 0);
}

TEST_CASE("calls of client tools come out and their outputs go back in", "[agent]") {
  SessionFixture fixture({call("twice", 2) + call("mine", 1) + kWait, "Done." + kEnd});
  fixture.add_double("twice");
  fixture.options.client_tools = {{.name = "mine", .description = "The client's."}};
  const auto session = fixture.open();
  const RunResult first = session->run("go", fixture.sink());
  CHECK(first.finish == RunFinish::client_tools);
  REQUIRE(first.client_calls.size() == 1);
  CHECK(first.client_calls[0].name == "mine");
  const RunResult second = session->go_on({{.content = R"({"ok":true})"}}, fixture.sink());
  CHECK(second.finish == RunFinish::answered);
  CHECK(second.calls.size() == 2);
  const auto& outputs = fixture.model->transcript().tool_outputs;
  REQUIRE(outputs.size() == 1);
  CHECK(outputs[0][0].content == R"({"result":4})");
  CHECK(outputs[0][1].content == R"({"ok":true})");
}

TEST_CASE("a client tool may not take the name of one of ours", "[agent]") {
  SessionFixture fixture({});
  fixture.add_double("twice");
  fixture.options.client_tools = {{.name = "twice"}};
  const auto session = Session::open({.model = fixture.model.get(),
                                      .registry = &fixture.registry,
                                      .executor = &fixture.executor,
                                      .clock = &fixture.clock},
                                     fixture.options);
  REQUIRE_FALSE(session);
  CHECK(session.error().code == Code::invalid_argument);
}

TEST_CASE("a session answers one question after the other in one conversation", "[agent]") {
  SessionFixture fixture({"One." + kEnd, "Two." + kEnd});
  const auto session = fixture.open();
  CHECK(session->run("first").answer == "One.");
  const RunResult second = session->run("second");
  CHECK(second.answer == "Two.");
  CHECK(second.steps == 1);
  CHECK(fixture.model->transcript().user_turns == Strings{"first", "second"});
}

TEST_CASE("a tool has no more time than its run", "[agent]") {
  SessionFixture fixture({call("wait", 1) + kWait, "Done." + kEnd});
  fixture.options.budgets.seconds_max = std::chrono::seconds(1);
  // 990 ms of the run are over when the tool starts; it would take 300 ms and may take 10.
  fixture.add("wait", [](const Json&) -> Result<Json> {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return Json("late");
  });
  const auto session = fixture.open();
  const auto result = session->run("go", [&](const Event& event) {
    if (std::holds_alternative<ToolCallStarted>(event)) {
      fixture.clock.advance(std::chrono::milliseconds(990));
    }
  });
  REQUIRE(result.calls.size() == 1);
  CHECK(result.calls[0].outcome == "timeout");
}

TEST_CASE("a stop does not wait for a search that hangs", "[agent]") {
  // The search may end long behind the run, so what it touches here is shared with it.
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_open = false;
    bool has_ended = false;
  };
  const auto gate = std::make_shared<Gate>();
  SessionFixture fixture({call("search_documents", 1) + kWait, "Done." + kEnd});
  std::stop_source stop;
  fixture.add("search_documents", [gate, stop](const Json&) mutable -> Result<Json> {
    stop.request_stop();
    std::unique_lock lock(gate->mutex);
    gate->changed.wait(lock, [&] { return gate->is_open; });
    gate->has_ended = true;
    gate->changed.notify_all();
    return Json("found");
  });
  const RunResult result = fixture.run("go", stop.get_token());
  CHECK(result.finish == RunFinish::cancelled);
  std::unique_lock lock(gate->mutex);
  CHECK_FALSE(gate->has_ended);
  gate->is_open = true;
  gate->changed.notify_all();
  gate->changed.wait(lock, [&] { return gate->has_ended; });
}
