// LocalChatModel: a ChatModel on our own engine. A dialect writes the conversation, the engine
// extends one sequence, a grammar holds calls to the declared tools.
#pragma once

#include "agent/chat_model.h"
#include "agent/system_text.h"
#include "agent/turn_constraint.h"
#include "agent/weighed_plan.h"
#include "engine/engine.h"
#include "prompts/dialect.h"

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

class LocalChatModel final : public ChatModel {
 public:
  /// `dialect` may be empty: default_dialect. invalid_argument when the engine holds an embedder,
  /// the dialect is unknown or needs control tokens that the vocabulary lacks.
  static Result<std::unique_ptr<LocalChatModel>> create(
      std::shared_ptr<const engine::Engine> engine, std::string_view dialect = {});

  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::int64_t trained_tokens_max() const override {
    return engine_->info().trained_tokens_max;
  }
  [[nodiscard]] int tools_declared_max() const override {
    return engine_->info().tools_declared_max;
  }
  [[nodiscard]] std::string identity() const override;
  [[nodiscard]] std::int64_t context_tokens_max() const override;
  [[nodiscard]] AnswerForm answer_form() const override;
  [[nodiscard]] bool takes_answer_grammar() const override;
  [[nodiscard]] ArgumentForm argument_form() const override;
  [[nodiscard]] bool takes_argument_form() const override { return true; }
  [[nodiscard]] Result<std::int64_t> count_tool_tokens(const ToolSpec& tool) const override;
  [[nodiscard]] Result<std::unique_ptr<Conversation>> start(
      const ConversationSpec& spec) const override;

  /// What the plan for `request` in a new conversation may begin with; empty where the model does
  /// not begin with one. Errors of start(), of Conversation::generate() and of first_steps().
  [[nodiscard]] Result<std::vector<PlanStep>> plan_steps(const ConversationSpec& spec,
                                                         std::string_view request,
                                                         const std::stop_token& stop = {}) const;

  [[nodiscard]] const prompts::Dialect& dialect() const { return *dialect_; }
  [[nodiscard]] const engine::Engine& engine() const { return *engine_; }
  /// Keeps what it has compiled; lives as long as the model.
  [[nodiscard]] const engine::ConstraintFactory& constraints() const { return *constraints_; }
  /// The engine's, which it keeps alive.
  [[nodiscard]] std::shared_ptr<const engine::Tokenizer> tokenizer() const {
    return {engine_, &engine_->tokenizer()};
  }

 private:
  LocalChatModel(std::shared_ptr<const engine::Engine> engine, const prompts::Dialect* dialect);

  std::shared_ptr<const engine::Engine> engine_;
  const prompts::Dialect* dialect_;
  std::unique_ptr<const engine::ConstraintFactory> constraints_;
};

}  // namespace facet::agent
