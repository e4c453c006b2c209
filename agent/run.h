// Session::Run: the state of one question on its way to an answer. Internal to the loop.
#pragma once

#include "agent/early_calls.h"
#include "agent/loop.h"
#include "agent/loop_breaker.h"
#include "agent/plan.h"
#include "agent/quoted_answer.h"
#include "agent/recording.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

class Session::Run {
 public:
  /// `passages_before`: what the book held before any passage of this run.
  Run(const SessionParts& parts,
      const SessionOptions& options,
      State& state,
      Conversation& conversation,
      std::size_t passages_before);

  /// From the question to the end, or to the first call of a client tool.
  RunResult start(Recording recording,
                  const RunStarted& started,
                  const EventSink& sink,
                  const std::stop_token& stop);
  /// After client_tools.
  RunResult go_on(const std::vector<ToolOutput>& outputs,
                  const EventSink& sink,
                  const std::stop_token& stop);
  /// Shows pictures with the question. Before start().
  void show(std::vector<Picture> pictures) { pictures_ = std::move(pictures); }
  /// Ends a run that never began: `error` is its result.
  RunResult fail(const Error& error, const EventSink& sink);

  /// Kept while the run lives, so that no other process resumes it.
  void hold(RunLease lease) { lease_ = std::move(lease); }
  [[nodiscard]] std::size_t client_calls() const { return result_.client_calls.size(); }

 private:
  /// How the run ends; the error says why, unless it was answered.
  struct End {
    RunFinish finish = RunFinish::failed;
    Error error{Code::internal, ""};
  };
  /// nullopt: the run goes on.
  using Verdict = std::optional<End>;

  /// One call of a step on its way to a result.
  struct Pending {
    ToolCall call;
    enum class Way { recorded, run, answer, client } way = Way::run;
    CallRecord record;
  };

  RunResult steps();
  Verdict step();
  Verdict check_budgets();
  Result<StepResult> next_output(bool& is_replayed);
  void stream(const prompts::ParseEvent& event);
  void close_call(ToolCall call);
  bool start_early(const ToolCall& call);
  [[nodiscard]] std::string call_id(int number_in_output) const;
  void show_text(const PlanSplit& split);
  Verdict judge(const StepResult& output);
  Verdict retry(const std::string& problem);
  Verdict answer(const StepResult& output);

  Verdict take_calls(const std::vector<ToolCall>& calls);
  Verdict route(Pending& pending);
  Verdict route_new(Pending& pending);
  Verdict run_calls(std::vector<Pending>& all);
  void execute(const std::vector<Pending*>& runnable);
  void find_tools(Pending& pending) const;
  Status declare_found(const CallRecord& record);
  [[nodiscard]] bool is_find_tools(std::string_view name) const;
  void attach_pictures(Pending& search, std::size_t passages_before);
  Status show_picture(Pending& search, const retrieval::Passage& passage);
  Status restore_pictures(CallRecord& record);
  Status refuse_what_does_not_fit(std::vector<Pending>& all) const;
  Verdict deliver(std::vector<Pending>& all);
  [[nodiscard]] bool is_client_tool(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> missing_of(const ToolCall& call) const;

  RunResult finish(const End& end);
  void emit(const Event& event);
  void tell_relaxed();
  /// Says so where the conversation has become longer than what the model was trained on.
  void tell_training();
  static ToolOutput error_output(const std::string& message);
  static End failed(const Error& error);
  static End limit(std::string message);
  static End stopped();
  /// Until the deadline of the run; at least 1 ms.
  [[nodiscard]] std::chrono::milliseconds time_left() const;

  const SessionParts& parts_;
  const SessionOptions& options_;
  State& state_;
  Conversation& conversation_;
  Recording recording_;
  std::optional<RunLease> lease_;
  EventSink sink_;
  std::stop_token stop_;
  std::chrono::steady_clock::time_point deadline_;
  std::vector<Picture> pictures_;  ///< Of the question.
  LoopBreaker breaker_;
  LoopBreaker streamed_;  ///< breaker_, and the calls of the output that streams in.
  EarlyCalls early_;
  Status early_status_;              ///< Why the journal could not take an early call.
  std::size_t passages_before_ = 0;  ///< The output that streams in: an early call may find some.
  int calls_begun_ = 0;              ///< In the output that streams in.
  int calls_numbered_ = 0;           ///< In the outputs before it.
  PlanReader plan_reader_;
  QuotableResults quotable_;
  RunResult result_;
  std::vector<Pending> waiting_;  ///< The step that waits for client tools.
  std::int64_t sampled_tokens_ = 0;
  int calls_made_ = 0;
  int pictures_shown_ = 0;  ///< Of search results.
  int unreadable_outputs_ = 0;
};

}  // namespace facet::agent
