#include "agent/scripted_chat_model.h"

#include <utility>

namespace facet::agent {

namespace {

class ScriptedConversation final : public Conversation {
 public:
  ScriptedConversation(const prompts::Dialect& dialect,
                       const std::vector<std::string>& outputs,
                       const ScriptedOptions& options,
                       std::shared_ptr<ScriptedTranscript> transcript)
      : dialect_(dialect),
        outputs_(outputs),
        options_(options),
        transcript_(std::move(transcript)) {}

  Status add_user(std::string_view text, const std::vector<Picture>& pictures) override {
    transcript_->user_turns.emplace_back(text);
    transcript_->pictures += static_cast<int>(pictures.size());
    pending_ += static_cast<std::int64_t>(text.size());
    return ok();
  }

  Result<StepResult> generate(const StepOptions& options, const StepSink& sink) override {
    if (next_ >= outputs_.size()) {
      return Error{Code::unavailable,
                   "the script has only " + std::to_string(outputs_.size()) + " outputs"};
    }
    if (options_.on_generate) options_.on_generate(static_cast<int>(next_));
    ++transcript_->generated_steps;
    StepResult step;
    step.raw = outputs_[next_];
    for (const std::string& token : dialect_.stop_tokens()) {
      if (step.raw.ends_with(token)) {
        step.stopped_on = token;
        step.raw.resize(step.raw.size() - token.size());
        break;
      }
    }
    if (options.stop.stop_requested()) {
      step.finish_reason = engine::FinishReason::cancelled;
      step.raw.clear();
    } else if (static_cast<std::int64_t>(step.raw.size()) > options.tokens_max) {
      step.finish_reason = engine::FinishReason::length;
      step.raw.resize(static_cast<std::size_t>(options.tokens_max));
      step.stopped_on.clear();
    }
    parse(step, sink);
    take(step);
    return step;
  }

  Status replay(const StepResult& step) override {
    ++transcript_->replayed_steps;
    StepResult copy = step;
    take(copy);
    return ok();
  }

  Status add_tool_outputs(const std::vector<ToolCall>& calls,
                          const std::vector<ToolOutput>& outputs,
                          const std::vector<Picture>& pictures) override {
    FACET_TRY(const std::int64_t tokens, count_tool_outputs(calls, outputs, pictures));
    pending_ += tokens;
    transcript_->pictures += static_cast<int>(pictures.size());
    transcript_->tool_outputs.push_back(outputs);
    return ok();
  }

  [[nodiscard]] Result<std::int64_t> count_tool_outputs(
      const std::vector<ToolCall>& /*calls*/,
      const std::vector<ToolOutput>& outputs,
      const std::vector<Picture>& /*pictures*/) const override {
    std::size_t bytes = 0;
    for (const ToolOutput& output : outputs) bytes += output.content.size();
    return static_cast<std::int64_t>(bytes);
  }

  Status declare(const std::vector<ToolSpec>& tools) override {
    FACET_TRY_STATUS(check_tools(tools));
    for (const ToolSpec& tool : tools) transcript_->declared.push_back(tool.name);
    return ok();
  }

  [[nodiscard]] Status check_tools(const std::vector<ToolSpec>& tools) const override {
    for (const ToolSpec& tool : tools) {
      if (tool.name != options_.undeclarable) continue;
      return Error{Code::unsupported, "tool \"" + tool.name + "\" cannot be declared"};
    }
    return ok();
  }

  [[nodiscard]] bool takes_result_pictures() const override {
    return options_.takes_result_pictures;
  }
  [[nodiscard]] std::int64_t context_tokens() const override { return tokens_ + pending_; }
  [[nodiscard]] std::int64_t context_tokens_max() const override {
    return options_.context_tokens_max;
  }
  [[nodiscard]] TokenUsage usage() const override { return usage_; }

 private:
  void parse(StepResult& step, const StepSink& sink) const {
    const auto parser = dialect_.make_parser();
    for (const Segment& segment : dialect_.split_output(step.raw)) {
      for (const prompts::ParseEvent& event : parser->feed(segment.text, segment.kind)) {
        if (sink) sink(event);
        if (options_.on_event) options_.on_event(event);
      }
    }
    auto parsed = parser->finish();
    if (!parsed) {
      step.parse_error = parsed.error().message;
      return;
    }
    step.text = parsed->text;
    step.tool_calls = parsed->tool_calls;
  }

  void take(StepResult& step) {
    ++next_;
    const auto sampled = static_cast<std::int64_t>(step.raw.size());
    step.usage = {.prompt_tokens = pending_,
                  .cached_tokens = tokens_,
                  .completion_tokens = sampled,
                  .prefilled_tokens = pending_};
    usage_ += step.usage;
    tokens_ += pending_ + sampled;
    pending_ = 0;
  }

  const prompts::Dialect& dialect_;
  const std::vector<std::string>& outputs_;
  const ScriptedOptions& options_;
  std::shared_ptr<ScriptedTranscript> transcript_;
  std::size_t next_ = 0;
  std::int64_t tokens_ = 0;
  std::int64_t pending_ = 0;
  TokenUsage usage_;
};

}  // namespace

ScriptedChatModel::ScriptedChatModel(const prompts::Dialect* dialect,
                                     std::vector<std::string> outputs,
                                     ScriptedOptions options)
    : dialect_(dialect),
      outputs_(std::move(outputs)),
      options_(std::move(options)),
      transcript_(std::make_shared<ScriptedTranscript>()) {}

Result<std::unique_ptr<ScriptedChatModel>> ScriptedChatModel::create(
    std::vector<std::string> outputs, ScriptedOptions options) {
  FACET_TRY(const prompts::Dialect* dialect, prompts::find_dialect(options.dialect));
  return std::unique_ptr<ScriptedChatModel>(
      new ScriptedChatModel(dialect, std::move(outputs), std::move(options)));
}

Result<std::int64_t> ScriptedChatModel::count_tool_tokens(const ToolSpec& tool) const {
  return static_cast<std::int64_t>(tool.name.size() + tool.description.size() +
                                   tool.parameters.size());
}

Result<std::unique_ptr<Conversation>> ScriptedChatModel::start(const ConversationSpec& spec) const {
  *transcript_ = {};
  for (const ToolSpec& tool : spec.tools) transcript_->declared.push_back(tool.name);
  transcript_->history = spec.history;
  transcript_->pictures = static_cast<int>(spec.pictures.size());
  return std::unique_ptr<Conversation>(
      std::make_unique<ScriptedConversation>(*dialect_, outputs_, options_, transcript_));
}

}  // namespace facet::agent
