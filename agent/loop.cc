#include "agent/loop.h"

#include "agent/run.h"
#include "base/check.h"

#include <algorithm>
#include <utility>

namespace facet::agent {

Status validate(const Budgets& budgets) {
  const auto positive = [](std::int64_t value, std::string_view name) -> Status {
    if (value > 0) return ok();
    return Error{Code::invalid_argument,
                 std::string(name) + " is " + std::to_string(value) + ", it must be positive"};
  };
  FACET_TRY_STATUS(positive(budgets.steps_max, "steps_max"));
  FACET_TRY_STATUS(positive(budgets.tokens_max, "tokens_max"));
  FACET_TRY_STATUS(positive(budgets.step_tokens_max, "step_tokens_max"));
  FACET_TRY_STATUS(positive(budgets.tool_calls_max, "tool_calls_max"));
  FACET_TRY_STATUS(positive(budgets.seconds_max.count(), "seconds_max"));
  return positive(budgets.answer_tokens_reserved, "answer_tokens_reserved");
}

Session::Session(const SessionParts& parts,
                 SessionOptions options,
                 std::unique_ptr<Conversation> conversation)
    : parts_(parts), options_(std::move(options)), conversation_(std::move(conversation)) {}

Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(const SessionParts& parts, SessionOptions options) {
  FACET_CHECK(parts.model != nullptr && parts.registry != nullptr && parts.executor != nullptr &&
              parts.clock != nullptr);
  FACET_TRY_STATUS(validate(options.budgets));
  FACET_TRY_STATUS(engine::validate(options.sampling));
  ConversationSpec spec;
  spec.instructions = options.instructions;
  spec.plan_first = options.plan_first;
  spec.tools = parts.registry->specs();
  spec.history = options.history;
  spec.pictures = options.pictures;
  for (const ToolSpec& tool : options.client_tools) {
    const bool is_taken =
        std::any_of(spec.tools.begin(), spec.tools.end(), [&](const ToolSpec& known) {
          return known.name == tool.name;
        });
    if (is_taken) {
      return Error{Code::invalid_argument, "the tool '" + tool.name + "' is declared twice"};
    }
    spec.tools.push_back(tool);
  }
  FACET_TRY(auto conversation, parts.model->start(spec));
  return std::unique_ptr<Session>(new Session(parts, std::move(options), std::move(conversation)));
}

void Session::show(std::vector<Picture> pictures) {
  for (Picture& picture : pictures) next_pictures_.push_back(std::move(picture));
}

RunResult Session::run(std::string_view question,
                       const EventSink& sink,
                       const std::stop_token& stop) {
  auto run = std::make_unique<Run>(parts_, options_, *conversation_);
  run->show(std::exchange(next_pictures_, {}));
  const RunStarted started{
      .run_id = new_run_id(), .question = std::string(question), .model = parts_.model->name()};
  if (parts_.journal != nullptr) {
    auto lease = parts_.journal->lease(started.run_id);
    if (!lease) return run->fail(lease.error(), sink);
    run->hold(*std::move(lease));
    const auto status = parts_.journal->begin_run({.id = started.run_id,
                                                   .created_ms = parts_.clock->unix_ms(),
                                                   .question = started.question,
                                                   .model = parts_.model->identity(),
                                                   .options = options_.journal_options});
    if (!status) return run->fail(status.error(), sink);
  }
  RunResult result = run->start(Recording(parts_.journal, started.run_id), started, sink, stop);
  if (result.finish == RunFinish::client_tools) waiting_ = std::move(run);
  return result;
}

RunResult Session::go_on(const std::vector<ToolOutput>& outputs,
                         const EventSink& sink,
                         const std::stop_token& stop) {
  FACET_CHECK(waiting_ != nullptr && waiting_->client_calls() == outputs.size());
  auto run = std::move(waiting_);
  RunResult result = run->go_on(outputs, sink, stop);
  if (result.finish == RunFinish::client_tools) waiting_ = std::move(run);
  return result;
}

Result<RunResult> Session::resume(std::string_view run_id,
                                  const EventSink& sink,
                                  const std::stop_token& stop) {
  FACET_CHECK(parts_.journal != nullptr);
  FACET_TRY(const RunRecord record, parts_.journal->run(run_id));
  FACET_TRY(RunLease lease, parts_.journal->lease(run_id));
  if (record.model != parts_.model->identity()) {
    return Error{Code::invalid_argument,
                 "run '" + record.id + "' was made with model " + record.model + ", this is " +
                     parts_.model->identity()};
  }
  Recording recording(parts_.journal, record.id);
  FACET_TRY_STATUS(recording.load(parts_.passages));
  auto run = std::make_unique<Run>(parts_, options_, *conversation_);
  run->hold(std::move(lease));
  const RunStarted started{.run_id = record.id,
                           .question = record.question,
                           .model = parts_.model->name(),
                           .is_resumed = true};
  RunResult result = run->start(std::move(recording), started, sink, stop);
  if (result.finish == RunFinish::client_tools) waiting_ = std::move(run);
  return result;
}

}  // namespace facet::agent
