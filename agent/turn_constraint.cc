#include "agent/turn_constraint.h"

#include "engine/sampling/grammar_analysis.h"

#include <algorithm>
#include <string>

namespace facet::agent {
namespace {

using engine::TokenId;

/// A choice hides a part that nothing can complete: a model could only call tools, for ever.
Status check_answer_schema(const std::string& schema) {
  if (schema.empty()) return ok();
  FACET_TRY(const grammar::SchemaText text, grammar::grammar_of_schema(schema));
  if (const auto analysis = engine::analyze(text.grammar); !analysis) {
    return Error{Code::invalid_argument,
                 "no answer satisfies the schema: " + analysis.error().message};
  }
  return ok();
}

std::vector<std::string> stop_names(const prompts::Dialect& dialect,
                                    const engine::Tokenizer& tokenizer) {
  std::vector<std::string> names;
  for (const TokenId id : stop_ids(dialect, tokenizer)) {
    names.emplace_back(tokenizer.token_text(id));
  }
  return names;
}

}  // namespace

std::vector<TokenId> stop_ids(const prompts::Dialect& dialect, const engine::Tokenizer& tokenizer) {
  std::vector<TokenId> ids = {tokenizer.eos()};
  for (const std::string& token : dialect.stop_tokens()) {
    const auto id = tokenizer.find_token(token);
    if (id && std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
  }
  return ids;
}

Result<TurnConstraint> make_turn_constraint(const prompts::Dialect& dialect,
                                            const std::vector<ToolSpec>& tools,
                                            const prompts::TurnRules& rules,
                                            const engine::ConstraintFactory& factory,
                                            const engine::Tokenizer& tokenizer) {
  const bool is_text = dialect.call_trigger().empty();
  const bool is_free =
      rules.choice.mode == prompts::ToolChoice::Mode::automatic && rules.answer_schema.empty();
  if (is_text && tools.empty() && is_free) return TurnConstraint();
  FACET_TRY(const prompts::TurnGrammar turn, dialect.turn_grammar(tools, rules));
  FACET_TRY_STATUS(check_answer_schema(rules.answer_schema));
  engine::ConstraintOptions options{.trigger = turn.trigger,
                                    .free_control = stop_names(dialect, tokenizer),
                                    .entries_max = static_cast<std::size_t>(turn.entries_max),
                                    .free_after = turn.free_after};
  if (turn.entries_max > 0) options.free_control.push_back(turn.trigger);
  TurnConstraint out{.answer_prefix = turn.answer_prefix};
  for (const grammar::SchemaNote& note : turn.notes) {
    if (note.kind == grammar::SchemaNote::Kind::relaxed) out.relaxed.push_back(note);
  }
  FACET_TRY(out.constraint, factory.make(turn.grammar, options));
  return out;
}

Result<std::unique_ptr<engine::Constraint>> make_output_constraint(
    const Grammar& grammar,
    const prompts::Dialect& dialect,
    const engine::ConstraintFactory& factory,
    const engine::Tokenizer& tokenizer) {
  return factory.make(grammar,
                      {.free_control = stop_names(dialect, tokenizer), .free_after = false});
}

}  // namespace facet::agent
