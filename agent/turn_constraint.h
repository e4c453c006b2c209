// From what a turn may be (prompts) to what holds the tokens to it (engine).
#pragma once

#include "base/grammar.h"
#include "base/grammar/schema_grammar.h"
#include "base/result.h"
#include "engine/sampling/constraint.h"
#include "engine/tokenizer/tokenizer.h"
#include "prompts/dialect.h"

#include <memory>
#include <string>
#include <vector>

namespace facet::agent {

/// Ids of the tokens that end an output of `dialect`: its stop tokens and the end of sequence.
std::vector<engine::TokenId> stop_ids(const prompts::Dialect& dialect,
                                      const engine::Tokenizer& tokenizer);

struct TurnConstraint {
  /// What every turn starts from; null where nothing holds it: a dialect whose calls are text,
  /// without tools.
  std::unique_ptr<engine::Constraint> constraint;
  std::string answer_prefix;                 ///< TurnGrammar::answer_prefix.
  std::vector<std::string> callable;         ///< TurnGrammar::callable.
  std::vector<grammar::SchemaNote> relaxed;  ///< What schemas ask and nothing enforces.
};

/// Errors of Dialect::turn_grammar and of the factory.
Result<TurnConstraint> make_turn_constraint(const prompts::Dialect& dialect,
                                            const std::vector<ToolSpec>& tools,
                                            const prompts::TurnRules& rules,
                                            const engine::ConstraintFactory& factory,
                                            const engine::Tokenizer& tokenizer);

/// An output that is one text of `grammar`, from its first token to a stop token.
Result<std::unique_ptr<engine::Constraint>> make_output_constraint(
    const Grammar& grammar,
    const prompts::Dialect& dialect,
    const engine::ConstraintFactory& factory,
    const engine::Tokenizer& tokenizer);

/// An output that is calls, as `calls` allows them, or one text of `answer` and then a stop token.
/// REQUIRES: the calls of `dialect` begin with a control token.
Result<std::unique_ptr<engine::Constraint>> make_answer_constraint(
    const Grammar& answer,
    std::unique_ptr<engine::Constraint> calls,
    const prompts::Dialect& dialect,
    const engine::ConstraintFactory& factory,
    const engine::Tokenizer& tokenizer);

}  // namespace facet::agent
