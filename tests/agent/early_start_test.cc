// Read-only tools that start while the model still writes its turn.
#include "agent/loop.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/temp_dir.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

/// Something that happens once, and that others wait for; a test that waits in vain fails.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool wait(std::chrono::seconds time_max = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time_max, [this] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
};

bool is_call_end(const prompts::ParseEvent& event, const std::string& name) {
  return event.kind == prompts::ParseEvent::Kind::call_finished && event.call.name == name;
}

std::vector<std::string> kinds_of(const Journal& journal, const std::string& run_id) {
  std::vector<std::string> kinds;
  const auto entries = journal.entries(run_id);
  REQUIRE(entries);
  for (const JournalEntry& entry : *entries) {
    if (entry.kind != "event" && entry.kind != "tools") kinds.push_back(entry.kind);
  }
  return kinds;
}

const std::vector<std::string> kTwoCalls{call("look", 1) + call("twice", 2) + kWait,
                                         "Done." + kEnd};

}  // namespace

TEST_CASE("a tool that only reads runs while the turn goes on", "[agent]") {
  Gate began;
  bool has_begun_early = false;
  SessionFixture fixture(kTwoCalls, {.on_event = [&](const prompts::ParseEvent& event) {
                           // The second call has not been written yet.
                           if (is_call_end(event, "look")) has_begun_early = began.wait();
                         }});
  fixture.add("look", [&](const Json&) -> Result<Json> {
    began.open();
    return Json("seen");
  });
  fixture.add_double("twice");
  const RunResult result = fixture.run("go");
  CHECK(has_begun_early);
  REQUIRE(result.calls.size() == 2);
  CHECK(result.calls[0].output.content == "\"seen\"");
  CHECK(result.calls[1].output.content == R"({"result":4})");
  CHECK(fixture.event_types() == std::vector<std::string>{"run_started",
                                                          "tool_call_started",
                                                          "tool_call_delta",
                                                          "tool_call_closed",
                                                          "tool_call_started",
                                                          "tool_call_delta",
                                                          "tool_call_closed",
                                                          "step",
                                                          "tool_call",
                                                          "tool_call",
                                                          "tool_result",
                                                          "tool_result",
                                                          "text_delta",
                                                          "step",
                                                          "run_finished"});
  const auto* closed = std::get_if<ToolCallClosed>(&fixture.events[3]);
  REQUIRE(closed != nullptr);
  CHECK(closed->call.id == "call_1");
  CHECK(closed->is_running);
}

TEST_CASE("early or not, results are the same and in the same order", "[agent]") {
  std::vector<std::string> outputs;
  std::string turn;
  for (int i = 0; i < 12; ++i) turn += call(i % 3 == 2 ? "pay" : i % 3 == 1 ? "bad" : "slow", i);
  turn += call("slow", 0);  // Repeated: answered, not run.
  outputs = {turn + kWait, "Done." + kEnd};
  std::vector<std::string> seen[2];
  for (const bool early : {false, true}) {
    SessionFixture fixture(outputs);
    std::atomic<int> runs = 0;
    fixture.options.early_start = early;
    fixture.options.policy.allow_all = true;
    fixture.add("slow", [&](const Json& arguments) -> Result<Json> {
      // The earlier the call, the later its end.
      std::this_thread::sleep_for(std::chrono::milliseconds(12 - arguments.at("x").get<int>()));
      ++runs;
      return arguments;
    });
    fixture.add("bad", [](const Json& arguments) -> Result<Json> {
      return Error{Code::not_found, "no " + arguments.at("x").dump()};
    });
    fixture.add(
        "pay",
        [](const Json& arguments) -> Result<Json> { return arguments; },
        tools::Effect::changes_state);
    const RunResult result = fixture.run("go");
    CHECK(result.finish == RunFinish::answered);
    CHECK(runs == 4);
    for (const CallRecord& record : result.calls) {
      seen[early ? 1 : 0].push_back(record.call.id + record.call.name + record.outcome +
                                    record.output.content);
    }
    const auto& given = fixture.model->transcript().tool_outputs;
    REQUIRE(given.size() == 1);
    for (const ToolOutput& output : given[0]) seen[early ? 1 : 0].push_back(output.content);
  }
  CHECK(seen[0].size() == 26);
  CHECK(seen[0] == seen[1]);
}

TEST_CASE("what changes something, a search and what the client runs never start early",
          "[agent]") {
  const std::string name = GENERATE("pay", "send", "search_documents", "mine");
  std::atomic<int> runs = 0;
  bool has_run_early = false;
  SessionFixture fixture({call(name, 1) + call("twice", 2) + kWait, "Done." + kEnd},
                         {.on_event = [&](const prompts::ParseEvent& event) {
                           if (!is_call_end(event, "twice")) return;
                           std::this_thread::sleep_for(std::chrono::milliseconds(20));
                           has_run_early = runs > 0;
                         }});
  const auto run = [&](const Json&) -> Result<Json> { return Json(++runs); };
  fixture.add("pay", run, tools::Effect::changes_state);
  fixture.add("send", run, tools::Effect::external);
  fixture.add("search_documents", run);
  fixture.add_double("twice");
  fixture.options.client_tools = {{.name = "mine"}};
  fixture.options.policy.allow_all = true;
  const RunResult result = fixture.run("go");
  CHECK_FALSE(has_run_early);
  CHECK(runs == (name == "mine" ? 0 : 1));
  for (const Event& event : fixture.events) {
    const auto* closed = std::get_if<ToolCallClosed>(&event);
    if (closed != nullptr && closed->call.name == name) CHECK_FALSE(closed->is_running);
  }
}

TEST_CASE("the intent of an early call is on disk before its tool runs", "[agent]") {
  const TempDir dir;
  const auto journal = *Journal::open(dir.path() / "j.sqlite");
  SessionFixture fixture(kTwoCalls);
  fixture.journal = journal.get();
  std::string id;
  fixture.add("look", [&](const Json&) -> Result<Json> {
    const auto entries = journal->entries(journal->runs(1)->front().id);
    for (const JournalEntry& entry : *entries) {
      if (entry.kind == "intent") return Json(entry.body);
    }
    return Json("no intent");
  });
  fixture.add_double("twice");
  const RunResult result = fixture.run("go");
  REQUIRE(result.calls.size() == 2);
  CHECK_THAT(result.calls[0].output.content, Catch::Contains("call_1"));
  CHECK(kinds_of(*journal, result.run_id) ==
        std::vector<std::string>{"intent", "intent", "output", "result", "result", "output"});

  SessionFixture again(kTwoCalls);
  again.journal = journal.get();
  again.add("look", [](const Json&) -> Result<Json> { return Json("again"); });
  again.add_double("twice");
  const auto resumed = again.open()->resume(result.run_id, again.sink());
  REQUIRE(resumed);
  CHECK(resumed->calls[0].output.content == result.calls[0].output.content);
  CHECK(again.model->transcript().generated_steps == 0);
}

TEST_CASE("a turn that is cut behind an early start has no calls", "[agent]") {
  const TempDir dir;
  const auto journal = *Journal::open(dir.path() / "j.sqlite");
  std::atomic<int> looked = 0;
  std::atomic<int> paid = 0;
  // Resumed, the model may write another call under the id of the early one.
  const std::vector<std::string> cut_output{call("look", 1) + call("twice", 2) + kWait};
  const std::vector<std::string> later{call("pay", 1) + kWait, "Done." + kEnd};
  const auto make = [&](SessionFixture& fixture) {
    fixture.add("look", [&](const Json&) -> Result<Json> { return Json(++looked); });
    fixture.add_double("twice");
    fixture.add(
        "pay",
        [&](const Json&) -> Result<Json> { return Json(++paid); },
        tools::Effect::changes_state);
    fixture.journal = journal.get();
    fixture.options.policy.allow_all = true;
  };
  SessionFixture first(cut_output);
  make(first);
  first.options.budgets.step_tokens_max = static_cast<std::int64_t>(call("look", 1).size()) + 9;
  const RunResult cut = first.run("go");
  CHECK(cut.finish == RunFinish::limit);
  CHECK(cut.calls.empty());
  CHECK(kinds_of(*journal, cut.run_id) == std::vector<std::string>{"intent"});
  for (const Event& event : first.events) CHECK_FALSE(std::holds_alternative<ToolCalled>(event));

  // A call that changes something is no repetition of what had that id: nobody is asked.
  SessionFixture second(later);
  make(second);
  const auto resumed = second.open()->resume(cut.run_id, second.sink());
  REQUIRE(resumed);
  CHECK(resumed->finish == RunFinish::answered);
  CHECK(paid == 1);
  REQUIRE(resumed->calls.size() == 1);
  CHECK(resumed->calls[0].call.id == "call_1");
}

TEST_CASE("an unreadable turn throws away what was started early", "[agent]") {
  const TempDir dir;
  const auto journal = *Journal::open(dir.path() / "j.sqlite");
  const std::vector<std::string> outputs{
      call("look", 1) + "<start_function_call>call:look{x:<end_function_call>" + kWait,
      call("look", 1) + kWait,
      "Done." + kEnd};
  std::string id;
  for (const bool is_resumed : {false, true}) {
    SessionFixture fixture(outputs);
    fixture.journal = journal.get();
    std::atomic<int> runs = 0;
    fixture.add("look", [&](const Json&) -> Result<Json> {
      ++runs;
      return Json("seen");
    });
    const auto session = fixture.open();
    const auto resumed = is_resumed ? session->resume(id, fixture.sink())
                                    : Result<RunResult>(session->run("go", fixture.sink()));
    REQUIRE(resumed);
    id = resumed->run_id;
    CHECK(resumed->finish == RunFinish::answered);
    REQUIRE(resumed->calls.size() == 1);
    // The two calls of the first output have had ids, which are not given again.
    CHECK(resumed->calls[0].call.id == "call_3");
    CHECK(resumed->calls[0].output.content == "\"seen\"");
    CHECK(runs <= (is_resumed ? 0 : 2));
  }
}

TEST_CASE("a stop ends an early call that hangs", "[agent]") {
  const auto gate = std::make_shared<Gate>();
  std::stop_source stop;
  SessionFixture fixture(kTwoCalls, {.on_event = [&](const prompts::ParseEvent& event) {
                           if (is_call_end(event, "twice")) stop.request_stop();
                         }});
  fixture.add("look", [gate](const Json&) -> Result<Json> { return Json(gate->wait()); });
  fixture.add_double("twice");
  const auto begin = std::chrono::steady_clock::now();
  const RunResult result = fixture.run("go", stop.get_token());
  CHECK(result.finish == RunFinish::cancelled);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  gate->open();
}

TEST_CASE("an early call has no more time than its run", "[agent]") {
  const auto gate = std::make_shared<Gate>();
  SessionFixture fixture(kTwoCalls);
  fixture.options.budgets.seconds_max = std::chrono::seconds(1);
  fixture.add("look", [gate](const Json&) -> Result<Json> { return Json(gate->wait()); });
  fixture.add_double("twice");
  const auto session = fixture.open();
  const RunResult result = session->run("go", [&](const Event& event) {
    if (std::holds_alternative<ToolCallStarted>(event)) {
      fixture.clock.advance(std::chrono::milliseconds(490));
    }
  });
  REQUIRE(!result.calls.empty());
  CHECK(result.calls[0].outcome == "timeout");
  gate->open();
}

TEST_CASE("calls beyond the budget do not start early", "[agent]") {
  SessionFixture fixture({call("look", 1) + call("look", 2) + call("look", 3) + kWait});
  fixture.options.budgets.tool_calls_max = 2;
  std::atomic<int> most = 0;
  fixture.add("look", [&](const Json& arguments) -> Result<Json> {
    const int x = arguments.at("x").get<int>();
    if (x > most) most = x;
    return Json(x);
  });
  const RunResult result = fixture.run("go");
  CHECK(result.finish == RunFinish::limit);
  CHECK(result.calls.empty());
  CHECK(most <= 2);
}
