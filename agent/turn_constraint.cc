#include "agent/turn_constraint.h"

#include <algorithm>
#include <string>

namespace facet::agent {
namespace {

using engine::TokenId;

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

Result<std::unique_ptr<engine::Constraint>> make_turn_constraint(
    const prompts::Dialect& dialect,
    const std::vector<ToolSpec>& tools,
    const prompts::TurnRules& rules,
    const engine::ConstraintFactory& factory,
    const engine::Tokenizer& tokenizer) {
  const bool is_text = dialect.call_trigger().empty();
  if (is_text && tools.empty() && rules.choice.mode == prompts::ToolChoice::Mode::automatic) {
    return std::unique_ptr<engine::Constraint>();
  }
  FACET_TRY(const prompts::TurnGrammar turn, dialect.turn_grammar(tools, rules));
  engine::ConstraintOptions options{.trigger = turn.trigger,
                                    .free_control = stop_names(dialect, tokenizer),
                                    .entries_max = static_cast<std::size_t>(turn.entries_max),
                                    .free_after = turn.free_after};
  if (turn.entries_max > 0) options.free_control.push_back(turn.trigger);
  return factory.make(turn.grammar, options);
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
