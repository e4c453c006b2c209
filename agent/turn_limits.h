// What holds the turns of one conversation: the first behind a user's message, and the others.
#pragma once

#include "agent/chat_model.h"
#include "agent/turn_constraint.h"
#include "base/grammar/schema_grammar.h"
#include "base/result.h"
#include "engine/sampling/constraint.h"
#include "engine/tokenizer/tokenizer.h"
#include "prompts/dialect.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// What holds the outputs of a conversation.
struct TurnConstraints {
  std::unique_ptr<engine::Constraint> first;        ///< Behind a user's message; null: as later.
  std::unique_ptr<engine::Constraint> later;        ///< Null: nothing does.
  bool plans = false;                               ///< The first output begins with a plan:
  std::vector<std::string> first_steps;             ///< its first step is one of these tools,
  bool may_answer = false;                          ///< or that none is needed,
  std::unique_ptr<engine::Constraint> behind_plan;  ///< and this is what comes behind it.
  std::string answer_prefix;
  std::vector<grammar::SchemaNote> relaxed;
};

/// `model_plans`: only a model that says so knows the planning form; others get the prompt they
/// were trained on. What arguments are copied from is in the spec's rules.
Result<TurnConstraints> limit_turns(const ConversationSpec& spec,
                                    bool model_plans,
                                    const prompts::Dialect& dialect,
                                    const engine::ConstraintFactory& factory,
                                    const engine::Tokenizer& tokenizer);

/// Takes the words in front of an answer that is held to a schema out of the text. Not thread-safe;
/// `prefix` must outlive it.
class AnswerPrefix {
 public:
  explicit AnswerPrefix(std::string_view prefix) : prefix_(prefix) {}

  /// Takes what belongs to the prefix out of `event`; false when nothing is left.
  bool keeps(prompts::ParseEvent& event);
  /// `text`, an output's or the beginning of one, without the prefix.
  [[nodiscard]] std::string without(std::string_view text) const;

 private:
  std::string_view prefix_;
  std::string held_;
  bool is_over_ = false;
};

}  // namespace facet::agent
