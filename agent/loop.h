// The planner loop: model, parse, tools, model, until there is an answer or a budget ends it. One
// session is one conversation; each question of it is one run with a journal of its own.
//
//   auto session = Session::open({.model = &model, .registry = &registry, .executor = &executor,
//                                 .clock = &clock}, {});
//   RunResult result = (*session)->run("Who approves travel?", sink, stop);
#pragma once

#include "agent/chat_model.h"
#include "agent/citations.h"
#include "agent/events.h"
#include "agent/journal.h"
#include "agent/picture_source.h"
#include "agent/policy.h"
#include "agent/tool_catalog.h"
#include "base/clock.h"
#include "base/result.h"
#include "tools/executor.h"
#include "tools/schema.h"
#include "tools/tool.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// What one run may use. Reaching a budget ends the run with RunFinish::limit; what was done so far
/// is in its result.
struct Budgets {
  int steps_max = 8;                          ///< Outputs of the model.
  std::int64_t tokens_max = 4096;             ///< Sampled tokens, all steps together.
  std::int64_t step_tokens_max = 768;         ///< Sampled tokens of one step.
  int tool_calls_max = 16;                    ///< All steps together.
  std::chrono::seconds seconds_max{120};      ///< From the start of the run; a resumed run anew.
  std::int64_t answer_tokens_reserved = 192;  ///< Of the context, never given to tool results.
};

/// invalid_argument naming the budget that is not positive.
Status validate(const Budgets& budgets);

struct SessionOptions {
  std::string instructions;
  bool plan_first = true;
  std::vector<Message> history;  ///< Earlier user and assistant messages.
  /// Of the history's messages, in order (Message::images), then of the first question.
  std::vector<Picture> pictures;
  std::vector<ToolSpec> client_tools;  ///< Declared beside the registry's; the client runs them.
  int result_pictures_max = 1;         ///< Of search results, shown to the model in one run.
  Budgets budgets;
  engine::SamplingOptions sampling{.temperature = 0.0F};
  /// What must be called, must be so in the first output of each run. With an answer_schema the
  /// answer of a run is one JSON value of it.
  prompts::TurnRules rules;
  /// Answers with an answer_schema are never held to quotes.
  AnswerForm answers = AnswerForm::by_model;
  ArgumentForm arguments = ArgumentForm::by_model;
  /// Where answers are held to quotes, and the tools search documents and only read, an output that
  /// calls none of them knows nothing to say: then an automatic choice is a required one.
  bool looks_first = true;
  /// Of all declarations of tools; 0: default_tool_tokens. Where they would take more, only those
  /// that match the first question best are declared, and find_tools, which finds others.
  std::int64_t tool_tokens_max = 0;
  /// Tools declared at once, beside search_documents, calculator and one that must be called; 0:
  /// ChatModel::tools_declared_max. Where there are more, those that match a question best are. A
  /// later question that asks for another one begins the conversation anew with what was said in it
  /// so far, unless it has pictures.
  int tools_max = 0;
  /// Tools that only read start as soon as their call is whole, while the model writes the rest of
  /// its turn. Searches do not: the numbers of their passages must not depend on it.
  bool early_start = true;
  Policy policy;
  std::string journal_options = "{}";  ///< Stored with each run: RunRecord::options.
};

/// Borrowed; all must outlive the session. `journal` may be null: then nothing is recorded.
/// `passages` may be null: then no citation resolves and no answer is held to quotes.
struct SessionParts {
  const ChatModel* model = nullptr;
  const tools::Registry* registry = nullptr;
  const tools::Executor* executor = nullptr;
  const Clock* clock = nullptr;
  PassageBook* passages = nullptr;
  Journal* journal = nullptr;
  PictureSource* pictures = nullptr;  ///< Null: what a search finds is read, never shown.
  const retrieval::Embedder* embedder = nullptr;  ///< Null: tools are found by their words only.
};

/// One owner, not thread-safe; sessions may run on different threads. Every failure of a run is in
/// its result. Calls of one step run in parallel, except searches: their passages are numbered, and
/// the numbers must not depend on which thread was faster.
class Session {
 public:
  /// invalid_argument for budgets, for tools the model cannot declare (where there are more than
  /// are declared at once, the first run says so), for a client tool with the name of one in the
  /// registry, for an answer_schema that is none, or for one together with quoted answers;
  /// unsupported for one that cannot be enforced, and for quoted answers and copied arguments of a
  /// model that cannot be held to them.
  static Result<std::unique_ptr<Session>> open(const SessionParts& parts, SessionOptions options);

  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Shows `pictures` with the next question, behind those of the options. They are not journalled:
  /// whoever wants to resume records them in journal_options.
  void show(std::vector<Picture> pictures);

  /// Answers `question` as the next user turn. RunFinished is the last event.
  RunResult run(std::string_view question,
                const EventSink& sink = {},
                const std::stop_token& stop = {});

  /// After a run that finished with client_tools: `outputs[i]` answers its client_calls[i].
  /// REQUIRES: the last run did, and the counts are equal.
  RunResult go_on(const std::vector<ToolOutput>& outputs,
                  const EventSink& sink = {},
                  const std::stop_token& stop = {});

  /// Goes on with a journalled run in a fresh session: recorded outputs and results are put back,
  /// no recorded call runs again. A call that has an intent but no result runs again only if its
  /// tool is read_only or the policy says so. not_found for an unknown run, unavailable while
  /// another process holds it, invalid_argument when the model or the tools are other ones.
  /// REQUIRES: a journal, and no run in this session yet.
  Result<RunResult> resume(std::string_view run_id,
                           const EventSink& sink = {},
                           const std::stop_token& stop = {});

 private:
  class Run;
  /// What the runs of a session share.
  struct State {
    std::optional<tools::Schema> answer_schema;
    bool quotes = false;           ///< Answers are held to quotes.
    std::size_t relaxed_told = 0;  ///< Of Conversation::relaxed().
    bool training_told = false;    ///< That the conversation is longer than the model's training.
    std::unique_ptr<ToolCatalog> catalog;
  };

  Session(const SessionParts& parts, SessionOptions options, State state);
  /// Begins the conversation with the tools that are declared.
  Status begin();
  Status declare_for(std::string_view question);
  void remember(const RunResult& result);

  SessionParts parts_;
  SessionOptions options_;
  State state_;
  std::unique_ptr<Conversation> conversation_;  ///< Null while it waits for the first question.
  std::string question_;                        ///< Of the last run.
  std::vector<Picture> next_pictures_;          ///< Of the next question.
  bool has_pictures_ = false;                   ///< Were ever to be shown.
  std::unique_ptr<Run> waiting_;                ///< The run that waits for client tools.
};

}  // namespace facet::agent
