// The part of a run between a model's calls and the results it gets: routing, approval, the journal
// around the tools, and room in the context.
#include "agent/run.h"
#include "base/json.h"
#include "tools/builtin/search_documents.h"
#include "tools/missing_arguments.h"

#include <algorithm>
#include <utility>

namespace facet::agent {

bool Session::Run::is_client_tool(std::string_view name) const {
  return std::any_of(options_.client_tools.begin(),
                     options_.client_tools.end(),
                     [&](const ToolSpec& tool) { return tool.name == name; });
}

Session::Run::Verdict Session::Run::take_calls(const std::vector<ToolCall>& calls) {
  const int calls_max = options_.budgets.tool_calls_max;
  if (calls_made_ + static_cast<int>(calls.size()) > calls_max) {
    return limit("the run used its " + std::to_string(calls_max) +
                 " tool calls without an answer (tool_calls_max)");
  }
  std::vector<Pending> all;
  for (const ToolCall& call : calls) {
    Pending pending{.call = call};
    ++calls_made_;
    pending.call.id = call_id(static_cast<int>(all.size()) + 1);
    pending.record.call = pending.call;
    emit(ToolCalled{.call = pending.call});
    all.push_back(std::move(pending));
  }
  calls_numbered_ += static_cast<int>(all.size());
  for (Pending& pending : all) {
    if (Verdict verdict = route(pending)) return verdict;
  }
  return run_calls(all);
}

/// Decides what happens with one call, before anything runs.
Session::Run::Verdict Session::Run::route(Pending& pending) {
  const int count = breaker_.count(pending.call);
  if (count > 2) {
    return limit("the model made the call '" + pending.call.name + "' with the same arguments " +
                 std::to_string(count) + " times (loop breaker)");
  }
  if (auto recorded = recording_.result_of(pending.call)) {
    if (recorded->call.name != pending.call.name) {
      return failed({Code::invalid_data,
                     "the journal holds a result of '" + recorded->call.name + "' for " +
                         pending.call.id + ", a call of '" + pending.call.name + "'"});
    }
    pending.way = Pending::Way::recorded;
    pending.record = *std::move(recorded);
    if (auto status = restore_pictures(pending.record); !status) return failed(status.error());
    return std::nullopt;
  }
  if (count == 2) {
    pending.way = Pending::Way::answer;
    pending.record.outcome = "repeated";
    pending.record.output =
        error_output("this call was made before with the same arguments: use its result");
    return std::nullopt;
  }
  return route_new(pending);
}

/// Empty where nothing is missing.
std::vector<std::string> Session::Run::missing_of(const ToolCall& call) const {
  for (const ToolSpec& tool : options_.client_tools) {
    if (tool.name == call.name) return tools::missing_arguments(tool, call.arguments);
  }
  const tools::Tool* tool = parts_.registry->find(call.name);
  if (tool == nullptr) return {};
  return tools::missing_arguments(tool->spec(), call.arguments);
}

Session::Run::Verdict Session::Run::route_new(Pending& pending) {
  // Nobody is asked to approve what cannot run.
  if (const auto missing = missing_of(pending.call); !missing.empty()) {
    pending.way = Pending::Way::answer;
    pending.record.outcome = "missing_arguments";
    pending.record.output = error_output(tools::missing_arguments_text(missing));
    return std::nullopt;
  }
  if (is_client_tool(pending.call.name)) {
    pending.way = Pending::Way::client;
    return std::nullopt;
  }
  const tools::Tool* tool = parts_.registry->find(pending.call.name);
  if (tool == nullptr) return std::nullopt;  // The executor's answer names the known tools.
  const ApprovalQuestion question{.call = pending.call,
                                  .effect = tool->effect(),
                                  .may_have_run = recording_.has_intent(pending.call)};
  switch (options_.policy.decide(question)) {
    case Decision::allow:
      return std::nullopt;
    case Decision::deny:
      // Nobody said no: the question was cut off.
      if (stop_.stop_requested()) return stopped();
      pending.way = Pending::Way::answer;
      pending.record.outcome = "denied";
      pending.record.output = error_output("the user did not allow this call");
      return std::nullopt;
    case Decision::unavailable:
      break;
  }
  std::string message = pending.call.id + " of '" + pending.call.name + "' (" +
                        std::string(effect_name(question.effect)) + ") needs approval";
  if (question.may_have_run) message += ": it had begun when the run was killed";
  return End{.finish = RunFinish::approval_needed,
             .error = {Code::permission_denied, std::move(message)}};
}

Session::Run::Verdict Session::Run::run_calls(std::vector<Pending>& all) {
  std::vector<Pending*> runnable;
  std::vector<ToolCall> intents;
  for (Pending& pending : all) {
    if (pending.way != Pending::Way::run) continue;
    runnable.push_back(&pending);
    if (!recording_.has_intent(pending.call)) intents.push_back(pending.call);
  }
  if (auto status = recording_.write_intents(intents); !status) return failed(status.error());
  execute(runnable);
  if (auto status = refuse_what_does_not_fit(all); !status) return failed(status.error());
  std::vector<CallRecord> records;
  for (const Pending& pending : all) {
    const bool is_new = pending.way == Pending::Way::run || pending.way == Pending::Way::answer;
    // A call that was stopped has no result: on resume it is an intent, and asked for again.
    const bool was_stopped = stop_.stop_requested() && pending.record.outcome == "cancelled";
    if (is_new && !was_stopped) records.push_back(pending.record);
  }
  std::vector<NumberedPassage> passages;
  if (parts_.passages != nullptr) passages = parts_.passages->since(passages_before_);
  if (auto status = recording_.write_results(records, passages); !status) {
    return failed(status.error());
  }
  if (stop_.stop_requested()) return stopped();
  for (const Pending& pending : all) {
    if (pending.way == Pending::Way::client) result_.client_calls.push_back(pending.call);
  }
  if (!result_.client_calls.empty()) {
    waiting_ = std::move(all);
    return End{.finish = RunFinish::client_tools};
  }
  return deliver(all);
}

void Session::Run::execute(const std::vector<Pending*>& runnable) {
  if (parts_.passages != nullptr) {
    parts_.passages->set_room_tokens(conversation_.context_tokens_max() -
                                     conversation_.context_tokens() -
                                     options_.budgets.answer_tokens_reserved);
  }
  const auto keep = [](Pending& pending, tools::CallOutcome outcome) {
    pending.record.output = std::move(outcome.output);
    pending.record.outcome = tools::outcome_name(outcome.kind);
    pending.record.elapsed = outcome.elapsed;
  };
  // Searches number their passages, so they go one after the other, behind everything else.
  std::vector<std::vector<Pending*>> rounds(1);
  for (Pending* pending : runnable) {
    if (early_.has(pending->call)) continue;
    if (is_find_tools(pending->call.name)) {
      find_tools(*pending);
      continue;
    }
    if (pending->call.name == tools::kSearchDocuments) {
      rounds.push_back({pending});
    } else {
      rounds.front().push_back(pending);
    }
  }
  for (const auto& round : rounds) {
    if (round.empty()) continue;
    std::vector<ToolCall> calls;
    calls.reserve(round.size());
    for (const Pending* pending : round) calls.push_back(pending->call);
    const std::size_t passages_before = parts_.passages != nullptr ? parts_.passages->size() : 0;
    auto outcomes = parts_.executor->run(*parts_.registry, calls, stop_, time_left());
    for (std::size_t i = 0; i < round.size(); ++i) {
      keep(*round[i], std::move(outcomes[i]));
    }
    if (calls.front().name == tools::kSearchDocuments) {
      attach_pictures(*round.front(), passages_before);
    }
  }
  for (Pending* pending : runnable) {
    if (auto outcome = early_.take(pending->call)) keep(*pending, *std::move(outcome));
  }
}

/// Refuses the largest new results until all results fit behind what the context holds.
Status Session::Run::refuse_what_does_not_fit(std::vector<Pending>& all) const {
  const std::int64_t room = conversation_.context_tokens_max() - conversation_.context_tokens() -
                            options_.budgets.answer_tokens_reserved;
  for (std::size_t round = 0; round <= all.size(); ++round) {
    std::vector<ToolCall> calls;
    std::vector<ToolOutput> outputs;
    std::vector<Picture> pictures;
    Pending* largest = nullptr;
    for (Pending& pending : all) {
      calls.push_back(pending.call);
      outputs.push_back(pending.record.output);
      for (const ShownPicture& shown : pending.record.pictures) pictures.push_back(shown.picture);
      if (pending.way != Pending::Way::run || pending.record.outcome == "does_not_fit") continue;
      const bool is_larger = largest == nullptr || pending.record.output.content.size() >
                                                       largest->record.output.content.size();
      if (is_larger) largest = &pending;
    }
    FACET_TRY(const std::int64_t tokens,
              conversation_.count_tool_outputs(calls, outputs, pictures));
    if (tokens <= room) return ok();
    if (largest == nullptr) {
      return Error{Code::limit_exceeded,
                   "the results of this step need " + std::to_string(tokens) +
                       " tokens, but only " + std::to_string(room) + " of the context are left"};
    }
    largest->record.outcome = "does_not_fit";
    largest->record.pictures.clear();
    largest->record.output =
        error_output("the result is too long: " + std::to_string(tokens) + " tokens, only " +
                     std::to_string(std::max<std::int64_t>(room, 0)) + " are left");
  }
  return ok();
}

Session::Run::Verdict Session::Run::deliver(std::vector<Pending>& all) {
  std::vector<ToolCall> calls;
  std::vector<ToolOutput> outputs;
  std::vector<Picture> pictures;
  std::vector<CallRecord> from_client;
  for (const Pending& pending : all) {
    if (pending.way == Pending::Way::client) from_client.push_back(pending.record);
  }
  if (auto status = recording_.write_results(from_client, {}); !status) {
    return failed(status.error());
  }
  for (Pending& pending : all) {
    if (auto status = declare_found(pending.record); !status) return failed(status.error());
    quotable_.add(pending.call, pending.record.output);
    calls.push_back(pending.call);
    outputs.push_back(pending.record.output);
    for (const ShownPicture& shown : pending.record.pictures) pictures.push_back(shown.picture);
    emit(ToolReturned{.call = pending.call,
                      .output = pending.record.output,
                      .outcome = pending.record.outcome,
                      .elapsed = pending.record.elapsed,
                      .is_replayed = pending.way == Pending::Way::recorded});
    result_.calls.push_back(std::move(pending.record));
  }
  if (auto status = conversation_.add_tool_outputs(calls, outputs, pictures); !status) {
    return failed(status.error());
  }
  return std::nullopt;
}

}  // namespace facet::agent
