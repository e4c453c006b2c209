// What the tests of the loop share: tools made of lambdas and a session on a scripted model.
#pragma once

#include "agent/loop.h"
#include "agent/scripted_chat_model.h"
#include "base/clock.h"
#include "tests/agent/lambda_tool.h"
#include "tests/support/catch.h"
#include "tools/executor.h"
#include "tools/tool.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace facet::test {

struct SessionFixture {
  std::unique_ptr<agent::ScriptedChatModel> model;
  tools::Registry registry;
  tools::Executor executor;
  ManualClock clock;
  agent::PassageBook passages;
  agent::SessionOptions options;
  agent::Journal* journal = nullptr;
  std::vector<agent::Event> events;

  explicit SessionFixture(std::vector<std::string> outputs, agent::ScriptedOptions scripted = {}) {
    auto created = agent::ScriptedChatModel::create(std::move(outputs), std::move(scripted));
    REQUIRE(created);
    model = *std::move(created);
  }

  void add(const std::string& name,
           LambdaTool::Body body,
           tools::Effect effect = tools::Effect::read_only) {
    REQUIRE(registry.add(std::make_shared<LambdaTool>(name, std::move(body), effect)));
  }
  /// A tool that gives {"result": 2 * x}.
  void add_double(const std::string& name) {
    add(name, [](const Json& arguments) -> Result<Json> {
      return Json{{"result", 2 * arguments.at("x").get<int>()}};
    });
  }

  std::unique_ptr<agent::Session> open() {
    auto session = agent::Session::open({.model = model.get(),
                                         .registry = &registry,
                                         .executor = &executor,
                                         .clock = &clock,
                                         .passages = &passages,
                                         .journal = journal},
                                        options);
    REQUIRE(session);
    return *std::move(session);
  }
  agent::EventSink sink() {
    return [this](const agent::Event& event) { events.push_back(event); };
  }
  agent::RunResult run(const std::string& question, const std::stop_token& stop = {}) {
    return open()->run(question, sink(), stop);
  }
  /// The "type" of each event, in order.
  [[nodiscard]] std::vector<std::string> event_types() const {
    std::vector<std::string> types;
    for (const auto& event : events) {
      types.push_back(agent::event_json(event).at("type").get<std::string>());
    }
    return types;
  }
};

}  // namespace facet::test
