// Events: everything that happens in a run, as plain values in the order it happens. Whoever shows,
// stores or sends a run does it from these.
#pragma once

#include "agent/chat_model.h"
#include "agent/citations.h"
#include "agent/shown_pictures.h"
#include "base/chat.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace facet::agent {

struct RunStarted {
  std::string run_id;
  std::string question;
  std::string model;
  bool is_resumed = false;
};

/// The line "Plan: search_documents, calculator." a model may begin with.
struct PlanMade {
  std::string text;                ///< Without "Plan: ".
  std::vector<std::string> steps;  ///< The names between the commas, without the final stop.
};

/// A piece of text of the model that is not the plan and not a call.
struct TextDelta {
  std::string text;
  int step = 0;
};

/// The name of a call has become certain; its arguments are still streaming. What is told of calls
/// while a turn streams counts once ToolCalled comes: a turn that is cut off, or that cannot be
/// read, ends (StepFinished) without it. A replayed output is not streamed.
struct ToolCallStarted {
  std::string id;
  std::string name;
};

/// The next piece of the JSON text of a call's arguments.
struct ToolArgumentsDelta {
  std::string id;
  std::string text;
};

/// The call is whole; the turn may go on.
struct ToolCallClosed {
  ToolCall call;
  bool is_running = false;  ///< Its tool only reads and has been started.
};

/// The turn is whole, and this is one of its calls.
struct ToolCalled {
  ToolCall call;
};

struct ToolReturned {
  ToolCall call;
  ToolOutput output;
  std::string outcome;  ///< "ok", "tool_error", "repeated", "denied", "too_large", ...
  std::chrono::milliseconds elapsed{0};
  bool is_replayed = false;  ///< Taken from the journal; the tool did not run again.
};

/// A search found the passage of a picture: it is shown to the model beside the results, or why
/// not.
struct PictureFound {
  std::int64_t passage_id = 0;
  std::string document;
  std::string not_shown;  ///< Empty: it is shown.
};

/// A schema asks for something that its `x-facet-relaxed` permits not to be enforced.
struct SchemaRelaxed {
  std::string pointer;  ///< Behind the name of the tool, or behind "(answer)".
  std::string message;
};

/// The conversation is longer than any that the model was trained on: what it says from here on may
/// be worse. Told once a conversation.
struct TrainingExceeded {
  std::int64_t tokens = 0;          ///< Of the conversation so far.
  std::int64_t trained_tokens = 0;  ///< ChatModel::trained_tokens_max.
};

struct CitationFound {
  Citation citation;
};

struct StepFinished {
  int step = 0;  ///< From 1.
  StepResult result;
  bool is_replayed = false;
};

/// How a run ended.
enum class RunFinish {
  answered,
  client_tools,     ///< A call of a tool that the client runs; the run goes on with its outputs.
  limit,            ///< A budget or the loop breaker.
  approval_needed,  ///< A call needs a yes and nobody can be asked.
  cancelled,
  failed,
};
/// "answered", "client_tools", "limit", "approval_needed", "cancelled", "failed".
std::string_view run_finish_name(RunFinish finish);

/// One call of the run with what came back.
struct CallRecord {
  ToolCall call;
  ToolOutput output;
  std::string outcome;
  std::chrono::milliseconds elapsed{0};
  std::vector<ShownPicture> pictures;  ///< That the model is shown with the output.
  std::string recorded_pictures;       ///< From a journal, not read again yet: JSON, or empty.
};

struct RunResult {
  std::string run_id;
  RunFinish finish = RunFinish::failed;
  std::string plan;
  std::string answer;
  bool is_answer_json = false;      ///< The answer is held to a schema, and is an instance of it.
  std::vector<Citation> citations;  ///< Those no passage was found for included.
  std::vector<CallRecord> calls;
  std::vector<ToolCall> client_calls;  ///< Waiting for the client; finish is client_tools.
  TokenUsage usage;
  int steps = 0;
  double prefill_ms = 0.0;
  double decode_ms = 0.0;
  /// Why the run ended, unless it was answered.
  Error error{Code::internal, ""};
};

struct RunFinished {
  RunResult result;
};

using Event = std::variant<RunStarted,
                           PlanMade,
                           TextDelta,
                           ToolCallStarted,
                           ToolArgumentsDelta,
                           ToolCallClosed,
                           ToolCalled,
                           ToolReturned,
                           PictureFound,
                           SchemaRelaxed,
                           TrainingExceeded,
                           CitationFound,
                           StepFinished,
                           RunFinished>;

/// Called on the thread that runs the loop, in order; RunFinished comes exactly once and last.
using EventSink = std::function<void(const Event&)>;

/// {"type": "run_started" | "plan" | "text_delta" | "tool_call_started" | "tool_call_delta" |
/// "tool_call_closed" | "tool_call" | "tool_result" | "picture" | "schema_relaxed" |
/// "training_exceeded" | "citation" | "step" | "run_finished" | "error", ...}. A run that failed
/// ends with "error".
nlohmann::ordered_json event_json(const Event& event);

/// What people are to be warned of: of SchemaRelaxed and TrainingExceeded one line, of others
/// nothing.
std::string warning_of(const Event& event);

/// {"run_id", "finish_reason", "answer", "plan", "citations", "tool_calls", "usage", "steps",
/// "timings"}; where the answer is held to a schema "value", which is the answer as JSON; and,
/// unless answered, "error": {"code", "message"}.
nlohmann::ordered_json run_result_json(const RunResult& result);

/// {"code", "message"}.
nlohmann::ordered_json error_json(const Error& error);

/// `text` as JSON when it is, else as a string: what a call's arguments and output become inside
/// another JSON value.
nlohmann::ordered_json json_or_string(std::string_view text);

}  // namespace facet::agent
