// ChatModel: what the planner loop needs from a model. A Conversation only ever grows: each step
// extends the same sequence, so nothing that was computed is computed again.
#pragma once

#include "agent/pictures.h"
#include "base/chat.h"
#include "base/grammar.h"
#include "base/grammar/schema_grammar.h"
#include "base/result.h"
#include "engine/engine.h"
#include "prompts/dialect.h"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// Counts of tokens. Over a whole conversation prompt + completion is the length of the sequence,
/// and prefilled is prompt less what the engine remembered of other conversations: the proof that
/// nothing is computed twice.
struct TokenUsage {
  std::int64_t prompt_tokens = 0;      ///< Tokens given to the model: instructions, user, results.
  std::int64_t cached_tokens = 0;      ///< Of a step's context, tokens that were already computed.
  std::int64_t completion_tokens = 0;  ///< Tokens of the model's outputs.
  /// Of these, those a grammar left no choice about; about so many where a call was written anew.
  std::int64_t forced_tokens = 0;
  std::int64_t prefilled_tokens = 0;  ///< Tokens that went through prefill.

  TokenUsage& operator+=(const TokenUsage& other);
  bool operator==(const TokenUsage&) const = default;
};

/// {"prompt_tokens", "cached_tokens", "completion_tokens", "forced_tokens", "prefilled_tokens"}.
nlohmann::ordered_json usage_json(const TokenUsage& usage);

/// How a model answers from passages.
enum class AnswerForm : std::uint8_t {
  by_model,  ///< As the model is made for (ChatModel::answer_form).
  free,      ///< In its own words.
  quoted,    ///< In the passages' words alone: agent/quoted_answer.h.
};

/// "by model", "free", "quoted".
std::string_view answer_form_name(AnswerForm form);
std::optional<AnswerForm> answer_form_from_name(std::string_view name);

/// What the arguments of calls may be.
enum class ArgumentForm : std::uint8_t {
  by_model,  ///< As the model is made for (ChatModel::argument_form).
  free,      ///< What the schemas allow.
  /// Of that, only what stands in the conversation: base/grammar/copy_source.h. Null stands for a
  /// required argument of which nothing is known: a run does not make such a call, but tells the
  /// model what is missing (tools/missing_arguments.h). What was said once fills one argument of a
  /// call, where calls begin with a control token (agent/turn_writer.h).
  copied,
};

/// "by model", "free", "copied".
std::string_view argument_form_name(ArgumentForm form);
std::optional<ArgumentForm> argument_form_from_name(std::string_view name);

/// What a conversation begins with.
struct ConversationSpec {
  std::string instructions;     ///< Added to the dialect's own system text; may be empty.
  bool plan_first = true;       ///< Ask for one "Plan: ..." line where the model knows that form.
  std::vector<ToolSpec> tools;  ///< Declared to the model, in this order.
  /// Whether a turn may, must or must not call them. What must be called, must be so in the first
  /// output behind a user's message; behind results the model may answer.
  prompts::TurnRules rules;
  /// copied: from the user's messages, those of the history among them, and from results.
  ArgumentForm arguments = ArgumentForm::by_model;
  std::vector<Message> history;  ///< Earlier user and assistant messages.
  /// Of the history's messages, in order (Message::images of each); what is left is shown with the
  /// next user message, in front of its text.
  std::vector<Picture> pictures;
};

struct StepOptions {
  std::int64_t tokens_max = 512;
  engine::SamplingOptions sampling{.temperature = 0.0F};
  std::stop_token stop;
  std::chrono::milliseconds time_max{0};  ///< For prefill and sampling together; 0: none.
  /// One text of it is what an output may be that calls nothing; null: any text. Only of a model
  /// that takes_answer_grammar(), and not in force in a first output behind a user's message that
  /// is held to a plan or a call.
  std::shared_ptr<const Grammar> answer;
  /// The text of `answer` that refuses; empty: there is none. A greedy output that is no call is
  /// held to it where the model gives it a probability that its file calls enough.
  std::string refusal;
};

/// One output of the model. Everything a journal needs to put the conversation back to this point.
struct StepResult {
  std::string text;                  ///< Everything that is not a call.
  std::vector<ToolCall> tool_calls;  ///< Without ids; the loop gives them.
  std::string raw;                   ///< The output with control tokens spelled.
  std::string stopped_on;            ///< The control token that ended the output, or empty.
  std::string parse_error;           ///< Not empty: a call in the output cannot be read.
  int calls_begun = 0;               ///< Calls that were told of while it streamed.
  std::vector<engine::TokenId> ids;  ///< Empty for models without a tokenizer.
  engine::FinishReason finish_reason = engine::FinishReason::stop;
  TokenUsage usage;  ///< Of this step alone.
  double prefill_ms = 0.0;
  double decode_ms = 0.0;
};

nlohmann::ordered_json step_json(const StepResult& step);
/// invalid_data when `json` is not what step_json writes.
Result<StepResult> step_from_json(const nlohmann::ordered_json& json);

/// Called with what has become certain of the output while it streams in. Where arguments are
/// copied, a call is certain when it ends.
using StepSink = std::function<void(const prompts::ParseEvent&)>;

/// One conversation with a model: one owner, not thread-safe. The model must outlive it.
class Conversation {
 public:
  Conversation() = default;
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  virtual ~Conversation() = default;

  /// Says `text` as the user, `pictures` in front of it. It reaches the model with the next step.
  virtual Status add_user(std::string_view text, const std::vector<Picture>& pictures = {}) = 0;

  /// Lets the model go on until it stops, calls tools or a limit of `options` is reached.
  /// limit_exceeded when the context is full; cancel, timeout and length are finish reasons.
  virtual Result<StepResult> generate(const StepOptions& options, const StepSink& sink) = 0;

  /// Puts a recorded output in the place of generate(): no sampling, the same state afterwards.
  virtual Status replay(const StepResult& step) = 0;

  /// Gives the results of the calls of the last output. `outputs[i]` answers `calls[i]`. `pictures`
  /// belong to the results; unsupported unless takes_result_pictures().
  virtual Status add_tool_outputs(const std::vector<ToolCall>& calls,
                                  const std::vector<ToolOutput>& outputs,
                                  const std::vector<Picture>& pictures = {}) = 0;

  /// Tokens add_tool_outputs would add.
  [[nodiscard]] virtual Result<std::int64_t> count_tool_outputs(
      const std::vector<ToolCall>& calls,
      const std::vector<ToolOutput>& outputs,
      const std::vector<Picture>& pictures = {}) const = 0;

  /// Whether the model sees, and its dialect has a place for pictures beside results.
  [[nodiscard]] virtual bool takes_result_pictures() const { return false; }

  /// From now on `tools` may be called too; how they are declared to the model, as in a result, is
  /// the caller's business. Errors as of ChatModel::start; then nothing has changed.
  virtual Status declare(const std::vector<ToolSpec>& tools) = 0;
  /// The errors of declare(), without declaring anything.
  [[nodiscard]] virtual Status check_tools(const std::vector<ToolSpec>& tools) const = 0;

  /// What the schemas of tools and answer ask, `x-facet-relaxed` permits and so nothing enforces.
  /// It only grows.
  [[nodiscard]] virtual std::vector<grammar::SchemaNote> relaxed() const { return {}; }

  /// Tokens in the context so far, those not yet computed included.
  [[nodiscard]] virtual std::int64_t context_tokens() const = 0;
  [[nodiscard]] virtual std::int64_t context_tokens_max() const = 0;
  /// Summed over all steps so far.
  [[nodiscard]] virtual TokenUsage usage() const = 0;
};

/// Immutable and shared; conversations may be used from different threads.
class ChatModel {
 public:
  ChatModel() = default;
  ChatModel(const ChatModel&) = delete;
  ChatModel& operator=(const ChatModel&) = delete;
  virtual ~ChatModel() = default;

  [[nodiscard]] virtual std::string name() const = 0;
  /// Equal strings: a journal written with the one can be resumed with the other.
  [[nodiscard]] virtual std::string identity() const = 0;
  /// Of every conversation.
  [[nodiscard]] virtual std::int64_t context_tokens_max() const = 0;
  /// What AnswerForm::by_model is: free or quoted.
  [[nodiscard]] virtual AnswerForm answer_form() const { return AnswerForm::free; }
  /// Whether StepOptions::answer is kept to.
  [[nodiscard]] virtual bool takes_answer_grammar() const { return false; }
  /// What ArgumentForm::by_model is: free or copied.
  [[nodiscard]] virtual ArgumentForm argument_form() const { return ArgumentForm::free; }
  /// Whether ConversationSpec::arguments is kept to.
  [[nodiscard]] virtual bool takes_argument_form() const { return false; }
  /// The most tools that should be declared at once; 0: as many as fit.
  [[nodiscard]] virtual int tools_declared_max() const { return 0; }
  /// Tokens of the longest conversations that it was trained on; 0: not known.
  [[nodiscard]] virtual std::int64_t trained_tokens_max() const { return 0; }
  /// Tokens that the declaration of `tool` takes at the beginning of a conversation. Errors as of
  /// start().
  [[nodiscard]] virtual Result<std::int64_t> count_tool_tokens(const ToolSpec& tool) const = 0;
  /// invalid_argument for tools the dialect cannot declare, naming the tool.
  [[nodiscard]] virtual Result<std::unique_ptr<Conversation>> start(
      const ConversationSpec& spec) const = 0;
};

/// Whether `form` holds the answers of `model` to quotes; unsupported where it asks for that of a
/// model that takes no grammar of answers.
Result<bool> is_quoted(AnswerForm form, const ChatModel& model);

/// Whether `form` holds the arguments of `model` to what stands in the conversation; unsupported
/// where it asks for that of a model that is held to no grammar.
Result<bool> is_copied(ArgumentForm form, const ChatModel& model);

}  // namespace facet::agent
