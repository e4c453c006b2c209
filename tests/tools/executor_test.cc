#include "tools/executor.h"

#include "tests/support/catch.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <latch>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using facet::Code;
using facet::Error;
using facet::Result;
using facet::ToolCall;
using facet::ToolSpec;
using facet::tools::CallContext;
using facet::tools::CallOutcome;
using facet::tools::Executor;
using facet::tools::Registry;
using facet::tools::Tool;
using Json = nlohmann::ordered_json;
using Kind = CallOutcome::Kind;
using std::chrono::milliseconds;

/// A tool made of a function.
class FakeTool final : public Tool {
 public:
  using Function = std::function<Result<Json>(const Json&, const CallContext&)>;
  FakeTool(std::string name, Function function, std::string parameters = R"({"type":"object"})")
      : spec_{std::move(name), "A fake.", std::move(parameters)}, function_(std::move(function)) {}
  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  Result<Json> call(const Json& arguments, const CallContext& context) const override {
    return function_(arguments, context);
  }

 private:
  ToolSpec spec_;
  Function function_;
};

Registry registry_of(const std::string& name,
                     FakeTool::Function function,
                     std::string parameters = R"({"type":"object"})") {
  Registry registry;
  REQUIRE(registry.add(std::make_shared<FakeTool>(name, std::move(function), std::move(parameters)))
              .has_value());
  return registry;
}

/// A gate that a hanging tool waits at, so that tests decide when it returns.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

CallOutcome run_one(const Executor& executor,
                    const Registry& registry,
                    const ToolCall& call,
                    std::stop_token stop = {}) {
  const auto outcomes = executor.run(registry, std::span(&call, 1), std::move(stop));
  REQUIRE(outcomes.size() == 1);
  return outcomes[0];
}

Result<Json> echo(const Json& arguments, const CallContext&) {
  return arguments;
}

}  // namespace

TEST_CASE("outcomes come in the order of the calls", "[tools][unit]") {
  const Registry registry = registry_of("echo", echo);
  std::vector<ToolCall> calls;
  for (int i = 0; i < 50; ++i) {
    calls.push_back({.id = "", .name = "echo", .arguments = "{\"i\":" + std::to_string(i) + "}"});
  }
  const auto outcomes = Executor().run(registry, calls);
  REQUIRE(outcomes.size() == 50);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    CHECK(outcomes[i].kind == Kind::ok);
    CHECK(outcomes[i].output.content == "{\"i\":" + std::to_string(i) + "}");
    CHECK_FALSE(outcomes[i].output.is_error);
  }
}

TEST_CASE("calls of one turn run at the same time", "[tools][unit]") {
  std::latch both(2);  // Each call waits for the other: only parallel calls can finish.
  const Registry registry = registry_of("meet", [&both](const Json&, const CallContext&) {
    both.arrive_and_wait();
    return Result<Json>(Json{{"met", true}});
  });
  const std::vector<ToolCall> calls{{.id = "1", .name = "meet"}, {.id = "2", .name = "meet"}};
  for (const CallOutcome& outcome : Executor().run(registry, calls))
    CHECK(outcome.kind == Kind::ok);
}

TEST_CASE("no more calls than allowed run at once", "[tools][unit]") {
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  const Registry registry = registry_of("count", [&](const Json&, const CallContext&) {
    const int running = ++now;
    for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
    }
    std::this_thread::yield();
    --now;
    return Result<Json>(Json::object());
  });
  const std::vector<ToolCall> calls(40, ToolCall{.id = "", .name = "count"});
  const auto outcomes = Executor({.parallel_calls_max = 3}).run(registry, calls);
  CHECK(outcomes.size() == 40);
  CHECK(most <= 3);
}

TEST_CASE("whatever goes wrong with a call is data that the model can read", "[tools][unit]") {
  Registry registry;
  const std::string parameters =
      R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})";
  const auto add = [&](const std::string& name, FakeTool::Function function) {
    REQUIRE(registry.add(std::make_shared<FakeTool>(name, std::move(function), parameters))
                .has_value());
  };
  add("fails", [](const Json&, const CallContext&) {
    return Result<Json>(Error{Code::not_found, "no such \"thing\""});
  });
  add("throws", [](const Json&, const CallContext&) -> Result<Json> {
    throw std::runtime_error("boom\xFF");
  });
  add("throws_int", [](const Json&, const CallContext&) -> Result<Json> { throw 7; });
  add("floods",
      [](const Json&, const CallContext&) { return Result<Json>(Json(std::string(1000, 'x'))); });
  struct Row {
    const char* name;
    const char* arguments;
    Kind kind;
    const char* content;
  };
  const Row row = GENERATE(values<Row>({
      {"fails", R"({"n":1})", Kind::tool_error, R"({"error":"no such \"thing\""})"},
      {"throws", R"({"n":1})", Kind::tool_error, "{\"error\":\"throws failed: boom\xEF\xBF\xBD\"}"},
      {"throws_int",
       R"({"n":1})",
       Kind::tool_error,
       R"({"error":"throws_int failed with an unknown exception"})"},
      {"floods",
       R"({"n":1})",
       Kind::too_large,
       R"({"error":"the result of floods has 1002 bytes; the limit is 500"})"},
      {"nothing",
       "{}",
       Kind::unknown_tool,
       R"({"error":"there is no tool \"nothing\"; the tools are: fails, throws, throws_int, floods"})"},
      {"fails",
       R"({"n":"x"})",
       Kind::invalid_arguments,
       R"~~({"error":"the arguments of fails: /n must be an integer, is \"x\" (schema: /properties/n/type)"})~~"},
      {"fails",
       "[1]",
       Kind::invalid_arguments,
       R"({"error":"the arguments of fails must be a JSON object, are array"})"},
      {"fails",
       "{",
       Kind::invalid_arguments,
       R"({"error":"the arguments of fails is not JSON: syntax error at byte 2"})"},
  }));
  const auto outcome = run_one(Executor({.output_bytes_max = 500}),
                               registry,
                               {.id = "", .name = row.name, .arguments = row.arguments});
  CHECK(outcome.kind == row.kind);
  CHECK(outcome.output.is_error);
  CHECK(outcome.output.content == row.content);
}

TEST_CASE("arguments beyond their limit are refused before they are read", "[tools][unit]") {
  const Registry registry = registry_of("echo", echo);
  const auto outcome =
      run_one(Executor({.arguments_bytes_max = 10}),
              registry,
              {.id = "", .name = "echo", .arguments = R"({"a":"aaaaaaaaaaaaaaaaaa"})"});
  CHECK(outcome.kind == Kind::invalid_arguments);
}

TEST_CASE("a tool that watches its stop is stopped at the deadline", "[tools][unit]") {
  const Registry registry = registry_of("waits", [](const Json&, const CallContext& context) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait(lock, context.stop, [] { return false; });
    return Result<Json>(Json::object());
  });
  const auto outcome =
      run_one(Executor({.tool_timeout = milliseconds(5), .stop_grace = milliseconds(20'000)}),
              registry,
              {.id = "", .name = "waits"});
  CHECK(outcome.kind == Kind::timeout);
  CHECK(outcome.output.content == R"({"error":"waits did not answer within 5 ms"})");
  CHECK(outcome.elapsed < milliseconds(20'000));
}

TEST_CASE("a tool that hangs is abandoned, keeps itself alive and is counted", "[tools][unit]") {
  auto gate = std::make_shared<Gate>();
  auto returned = std::make_shared<Gate>();
  // The tool's own state is destroyed by the abandoned thread, after the registry has gone.
  struct Signal {
    std::shared_ptr<Gate> gate;
    ~Signal() { gate->open(); }
  };
  auto signal = std::make_shared<Signal>(Signal{returned});
  const Executor executor(
      {.tool_timeout = milliseconds(1), .stop_grace = milliseconds(1), .abandoned_calls_max = 1});
  {
    Registry registry = registry_of("hangs", [gate, signal](const Json&, const CallContext&) {
      gate->wait();
      return Result<Json>(Json::object());
    });
    signal.reset();
    REQUIRE(registry.add(std::make_shared<FakeTool>("echo", echo)).has_value());
    CHECK(run_one(executor, registry, {.id = "", .name = "hangs"}).kind == Kind::timeout);
    const auto refused = run_one(executor, registry, {.id = "", .name = "echo"});
    CHECK(refused.kind == Kind::tool_error);
    CHECK(refused.output.content == R"({"error":"echo cannot run: 1 earlier calls still hang"})");
  }
  gate->open();
  returned->wait();
  // The worker reports right after the tool is gone; then calls run again.
  const Registry registry = registry_of("echo", echo);
  CallOutcome outcome;
  for (int i = 0; i < 100'000 && outcome.output.content != "{}"; ++i) {
    outcome = run_one(executor, registry, {.id = "", .name = "echo"});
  }
  CHECK(outcome.kind == Kind::ok);
}

TEST_CASE("a stop cancels what runs and what waits", "[tools][unit]") {
  std::stop_source stop;
  const Registry registry = registry_of("stops", [&stop](const Json&, const CallContext& context) {
    stop.request_stop();
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait(lock, context.stop, [] { return false; });
    return Result<Json>(Error{Code::cancelled, "stopped"});
  });
  const std::vector<ToolCall> calls(3, ToolCall{.id = "", .name = "stops"});
  const auto outcomes = Executor({.parallel_calls_max = 1, .stop_grace = milliseconds(20'000)})
                            .run(registry, calls, stop.get_token());
  REQUIRE(outcomes.size() == 3);
  for (const CallOutcome& outcome : outcomes) {
    CHECK(outcome.kind == Kind::cancelled);
    CHECK(outcome.output.content == R"({"error":"stops was cancelled"})");
  }
}

TEST_CASE("a registry refuses what no model could call", "[tools][unit]") {
  struct Row {
    const char* name;
    const char* parameters;
    Code code;
  };
  const Row row = GENERATE(values<Row>({
      {"", R"({"type":"object"})", Code::invalid_argument},
      {"has space", R"({"type":"object"})", Code::invalid_argument},
      {"taken", R"({"type":"object"})", Code::invalid_argument},
      {"new", R"({"type":"string"})", Code::invalid_argument},
      {"new", R"(true)", Code::invalid_argument},
      {"new", R"({"type":"object")", Code::invalid_data},
      {"new", R"({"type":"object","$recursiveRef":"#"})", Code::unsupported},
      {"new", R"({"type":"object","propertys":{}})", Code::invalid_argument},
  }));
  Registry registry = registry_of("taken", echo);
  const auto status = registry.add(std::make_shared<FakeTool>(row.name, echo, row.parameters));
  REQUIRE_FALSE(status.has_value());
  INFO(status.error().message);
  CHECK(status.error().code == row.code);
  CHECK(registry.size() == 1);
  CHECK_FALSE(registry.add(nullptr).has_value());
}
