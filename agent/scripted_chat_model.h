// ScriptedChatModel: canned outputs in the place of a model, so that the loop, the journal and the
// server can be tested without weights. It checks nothing but counts everything.
#pragma once

#include "agent/chat_model.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace facet::agent {

/// What one conversation was given, for tests to look at.
struct ScriptedTranscript {
  std::vector<std::string> user_turns;
  std::vector<std::vector<ToolOutput>> tool_outputs;
  int generated_steps = 0;  ///< Outputs that were "sampled", not replayed.
  int replayed_steps = 0;
  int pictures = 0;                   ///< Shown with user turns and results.
  std::vector<std::string> declared;  ///< Names of the tools, in order.
  std::vector<Message> history;
};

struct ScriptedOptions {
  std::string dialect = "functiongemma";  ///< How the canned outputs are to be parsed.
  std::int64_t context_tokens_max = 8192;
  std::string undeclarable;             ///< The name of a tool that cannot be declared.
  int tools_declared_max = 0;           ///< ChatModel::tools_declared_max.
  std::int64_t trained_tokens_max = 0;  ///< ChatModel::trained_tokens_max.
  bool takes_result_pictures = false;
  /// Called before each sampled step with its number; lets a test cancel or kill at a point.
  std::function<void(int step)> on_generate;
  /// Called behind each event of an output, before what comes next in it.
  std::function<void(const prompts::ParseEvent& event)> on_event;
};

/// Every conversation plays `outputs` from the start: text in the spelling of the dialect, control
/// tokens included; an output that ends with a stop token of the dialect has stopped on it. One
/// token is one byte. After the last output generate() is an `unavailable` error.
class ScriptedChatModel final : public ChatModel {
 public:
  static Result<std::unique_ptr<ScriptedChatModel>> create(std::vector<std::string> outputs,
                                                           ScriptedOptions options = {});

  [[nodiscard]] std::string name() const override { return "scripted"; }
  [[nodiscard]] std::string identity() const override { return "scripted"; }
  [[nodiscard]] std::int64_t context_tokens_max() const override {
    return options_.context_tokens_max;
  }
  [[nodiscard]] int tools_declared_max() const override { return options_.tools_declared_max; }
  [[nodiscard]] std::int64_t trained_tokens_max() const override {
    return options_.trained_tokens_max;
  }
  /// One for each byte of its name, description and parameters.
  [[nodiscard]] Result<std::int64_t> count_tool_tokens(const ToolSpec& tool) const override;
  [[nodiscard]] Result<std::unique_ptr<Conversation>> start(
      const ConversationSpec& spec) const override;

  /// Of the conversation started last. Not to be read while one is running.
  [[nodiscard]] const ScriptedTranscript& transcript() const { return *transcript_; }

 private:
  ScriptedChatModel(const prompts::Dialect* dialect,
                    std::vector<std::string> outputs,
                    ScriptedOptions options);

  const prompts::Dialect* dialect_;
  std::vector<std::string> outputs_;
  ScriptedOptions options_;
  std::shared_ptr<ScriptedTranscript> transcript_;
};

}  // namespace facet::agent
