#include "agent/run.h"

#include "base/check.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::agent {

namespace {

// The control token an output of FunctionGemma stops on when it waits for results.
constexpr std::string_view kWaitsForResults = "<start_function_response>";
constexpr int kUnreadableOutputsMax = 1;

}  // namespace

Session::Run::Run(const SessionParts& parts,
                  const SessionOptions& options,
                  State& state,
                  Conversation& conversation,
                  std::size_t passages_before)
    : parts_(parts),
      options_(options),
      state_(state),
      conversation_(conversation),
      early_(*parts.executor, *parts.registry),
      early_status_(ok()),
      quotable_(passages_before) {}

Session::Run::End Session::Run::failed(const Error& error) {
  switch (error.code) {
    case Code::cancelled:
      return {.finish = RunFinish::cancelled, .error = error};
    case Code::limit_exceeded:
      return {.finish = RunFinish::limit, .error = error};
    case Code::permission_denied:
      return {.finish = RunFinish::approval_needed, .error = error};
    case Code::invalid_argument:
    case Code::not_found:
    case Code::invalid_data:
    case Code::unsupported:
    case Code::unavailable:
    case Code::timeout:
    case Code::internal:
      return {.finish = RunFinish::failed, .error = error};
  }
  return {.finish = RunFinish::failed, .error = error};
}

Session::Run::End Session::Run::limit(std::string message) {
  return {.finish = RunFinish::limit, .error = {Code::limit_exceeded, std::move(message)}};
}

Session::Run::End Session::Run::stopped() {
  return {.finish = RunFinish::cancelled, .error = {Code::cancelled, "the run was stopped"}};
}

std::chrono::milliseconds Session::Run::time_left() const {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - parts_.clock->now());
  return std::max(left, std::chrono::milliseconds(1));
}

void Session::Run::emit(const Event& event) {
  if (sink_) sink_(event);
}

void Session::Run::tell_relaxed() {
  const std::vector<grammar::SchemaNote> notes = conversation_.relaxed();
  for (; state_.relaxed_told < notes.size(); ++state_.relaxed_told) {
    const grammar::SchemaNote& note = notes[state_.relaxed_told];
    const SchemaRelaxed event{.pointer = note.pointer, .message = note.message};
    recording_.note(event);
    emit(event);
  }
}

void Session::Run::tell_training() {
  const std::int64_t trained = parts_.model->trained_tokens_max();
  const std::int64_t tokens = conversation_.context_tokens();
  if (trained == 0 || tokens <= trained || state_.training_told) return;
  state_.training_told = true;
  emit(TrainingExceeded{.tokens = tokens, .trained_tokens = trained});
}

RunResult Session::Run::fail(const Error& error, const EventSink& sink) {
  sink_ = sink;
  return finish(failed(error));
}

RunResult Session::Run::start(Recording recording,
                              const RunStarted& started,
                              const EventSink& sink,
                              const std::stop_token& stop) {
  recording_ = std::move(recording);
  sink_ = sink;
  stop_ = stop;
  result_.run_id = started.run_id;
  deadline_ = parts_.clock->now() + options_.budgets.seconds_max;
  recording_.note(started);
  emit(started);
  tell_relaxed();
  if (auto status = conversation_.add_user(started.question, pictures_); !status) {
    return finish(failed(status.error().with_context("question")));
  }
  return steps();
}

RunResult Session::Run::go_on(const std::vector<ToolOutput>& outputs,
                              const EventSink& sink,
                              const std::stop_token& stop) {
  FACET_CHECK(outputs.size() == result_.client_calls.size());
  sink_ = sink;
  stop_ = stop;
  deadline_ = parts_.clock->now() + options_.budgets.seconds_max;
  result_.client_calls.clear();
  std::size_t next = 0;
  for (Pending& pending : waiting_) {
    if (pending.way != Pending::Way::client) continue;
    pending.record.output = outputs[next++];
    pending.record.outcome = pending.record.output.is_error ? "tool_error" : "ok";
  }
  std::vector<Pending> all = std::exchange(waiting_, {});
  if (const Verdict verdict = deliver(all)) return finish(*verdict);
  return steps();
}

RunResult Session::Run::steps() {
  while (true) {
    if (const Verdict verdict = check_budgets()) return finish(*verdict);
    if (const Verdict verdict = step()) return finish(*verdict);
  }
}

Session::Run::Verdict Session::Run::check_budgets() {
  const Budgets& budgets = options_.budgets;
  if (stop_.stop_requested()) return stopped();
  if (result_.steps >= budgets.steps_max) {
    return limit("the run used its " + std::to_string(budgets.steps_max) +
                 " steps without an answer (steps_max)");
  }
  if (sampled_tokens_ >= budgets.tokens_max) {
    return limit("the run used its " + std::to_string(budgets.tokens_max) +
                 " tokens without an answer (tokens_max)");
  }
  if (parts_.clock->now() >= deadline_) {
    return limit("the run used its " + std::to_string(budgets.seconds_max.count()) +
                 " seconds without an answer (seconds_max)");
  }
  return std::nullopt;
}

Result<StepResult> Session::Run::next_output(bool& is_replayed) {
  plan_reader_ = {};
  calls_begun_ = 0;
  streamed_ = breaker_;
  passages_before_ = parts_.passages != nullptr ? parts_.passages->size() : 0;
  if (auto recorded = recording_.next_output()) {
    is_replayed = true;
    FACET_TRY_STATUS(conversation_.replay(*recorded));
    if (!recorded->text.empty()) {
      stream({.kind = prompts::ParseEvent::Kind::text, .text = recorded->text});
    }
    return *std::move(recorded);
  }
  const Budgets& budgets = options_.budgets;
  const StepOptions step_options{
      .tokens_max = std::min(budgets.step_tokens_max, budgets.tokens_max - sampled_tokens_),
      .sampling = options_.sampling,
      .stop = stop_,
      .time_max = time_left(),
      .answer = state_.quotes ? quotable_.grammar(*parts_.passages) : nullptr,
      .refusal = std::string(kRefusal)};
  FACET_TRY(StepResult output,
            conversation_.generate(step_options, [&](const auto& event) { stream(event); }));
  output.calls_begun = calls_begun_;
  result_.usage += output.usage;
  result_.prefill_ms += output.prefill_ms;
  result_.decode_ms += output.decode_ms;
  FACET_TRY_STATUS(early_status_);
  return output;
}

Session::Run::Verdict Session::Run::step() {
  ++result_.steps;
  tell_training();
  bool is_replayed = false;
  auto output = next_output(is_replayed);
  if (!output) return failed(output.error());
  show_text(plan_reader_.finish());
  sampled_tokens_ += output->usage.completion_tokens;
  const bool is_whole = output->finish_reason == engine::FinishReason::stop;
  if (!is_replayed && is_whole) {
    // An output that was cut, by a stop or by a budget, is sampled again on resume.
    if (auto status = recording_.write_output(*output); !status) return failed(status.error());
  }
  tell_training();
  emit(StepFinished{.step = result_.steps, .result = *output, .is_replayed = is_replayed});
  Verdict verdict = judge(*output);
  early_.drop();  // Of a turn that does not count.
  return verdict;
}

void Session::Run::stream(const prompts::ParseEvent& event) {
  using Kind = prompts::ParseEvent::Kind;
  switch (event.kind) {
    case Kind::text:
      show_text(plan_reader_.push(event.text));
      return;
    case Kind::call_started:
      show_text(plan_reader_.finish());
      emit(ToolCallStarted{.id = call_id(++calls_begun_), .name = event.text});
      return;
    case Kind::call_arguments:
      emit(ToolArgumentsDelta{.id = call_id(calls_begun_), .text = event.text});
      return;
    case Kind::call_finished:
      close_call(event.call);
      return;
  }
}

void Session::Run::show_text(const PlanSplit& split) {
  if (split.plan && calls_made_ == 0 && result_.plan.empty()) {
    result_.plan = *split.plan;
    const PlanMade plan{.text = *split.plan, .steps = plan_steps(*split.plan)};
    recording_.note(plan);
    emit(plan);
  }
  if (!split.text.empty()) emit(TextDelta{.text = split.text, .step = result_.steps});
}

Session::Run::Verdict Session::Run::judge(const StepResult& output) {
  using engine::FinishReason;
  const bool is_cut = output.finish_reason != FinishReason::stop;
  if (is_cut) result_.answer = split_plan(output.text).text;
  switch (output.finish_reason) {
    case FinishReason::cancelled:
      return stopped();
    case FinishReason::timeout:
      return limit("the run used its " + std::to_string(options_.budgets.seconds_max.count()) +
                   " seconds without an answer (seconds_max)");
    case FinishReason::length:
      return limit("an output was cut after " + std::to_string(output.usage.completion_tokens) +
                   " tokens (step_tokens_max, tokens_max or the context of " +
                   std::to_string(conversation_.context_tokens_max()) + ")");
    case FinishReason::stop:
      break;
  }
  if (!output.parse_error.empty()) {
    calls_numbered_ += output.calls_begun;
    return retry(output.parse_error);
  }
  if (!output.tool_calls.empty()) return take_calls(output.tool_calls);
  // What was held to a schema or to quotes is whole, whichever token the model stopped on.
  const bool is_held = state_.answer_schema || (state_.quotes && quotable_.can_be_quoted());
  if (output.stopped_on == kWaitsForResults && !is_held) {
    return retry("the output waits for the result of a call that it does not hold");
  }
  return answer(output);
}

Session::Run::Verdict Session::Run::retry(const std::string& problem) {
  if (++unreadable_outputs_ > kUnreadableOutputsMax) {
    return failed({Code::invalid_data, "the model's output cannot be read: " + problem});
  }
  // There is no call that an error result could answer, so the model is told as the user would.
  const auto status = conversation_.add_user("Your last output could not be read: " + problem +
                                             ". Answer again, or make one well-formed call.");
  if (!status) return failed(status.error());
  return std::nullopt;
}

Session::Run::Verdict Session::Run::answer(const StepResult& output) {
  result_.answer = split_plan(output.text).text;
  if (state_.answer_schema) {
    const auto value = parse_json(result_.answer, "the answer");
    if (!value) return retry(value.error().message);
    if (const auto violation = state_.answer_schema->check(*value)) {
      return retry("the answer breaks its schema: " + violation->text());
    }
    result_.is_answer_json = true;
  }
  return End{.finish = RunFinish::answered};
}

RunResult Session::Run::finish(const End& end) {
  result_.finish = end.finish;
  result_.error = end.error;
  if (end.finish == RunFinish::answered && parts_.passages != nullptr) {
    result_.citations = resolve_citations(result_.answer, *parts_.passages);
    for (const Citation& citation : result_.citations) {
      const CitationFound found{.citation = citation};
      recording_.note(found);
      emit(found);
    }
  }
  if (auto status = recording_.finish(result_); !status && result_.finish != RunFinish::failed) {
    result_.finish = RunFinish::failed;
    result_.error = status.error();
  }
  if (end.finish != RunFinish::client_tools) lease_.reset();
  emit(RunFinished{.result = result_});
  return result_;
}

}  // namespace facet::agent
