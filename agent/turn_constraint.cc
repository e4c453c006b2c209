#include "agent/turn_constraint.h"

#include "base/check.h"
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

/// Which of the two it is, the first token decides.
class AnswerConstraint final : public engine::Constraint {
 public:
  AnswerConstraint(std::unique_ptr<Constraint> answer,
                   std::unique_ptr<Constraint> calls,
                   TokenId trigger)
      : answer_(std::move(answer)), calls_(std::move(calls)), trigger_(trigger) {}

  [[nodiscard]] bool allows(TokenId token) const override { return for_token(token).allows(token); }

  [[nodiscard]] std::int64_t shortest() const override {
    return is_call_ ? calls_->shortest() : answer_->shortest();
  }

  [[nodiscard]] bool fits(TokenId token, std::int64_t tokens) const override {
    return for_token(token).fits(token, tokens);
  }

  Status accept(TokenId token) override {
    const bool opens_call = !is_begun_ && token == trigger_;
    FACET_TRY_STATUS((is_call_ || opens_call ? *calls_ : *answer_).accept(token));
    is_begun_ = true;
    is_call_ = is_call_ || opens_call;
    return ok();
  }

  [[nodiscard]] bool is_open() const override {
    return is_call_ ? calls_->is_open() : answer_->is_open();
  }

  [[nodiscard]] std::vector<std::uint64_t> mask() const override {
    if (is_call_) return calls_->mask();
    std::vector<std::uint64_t> out = answer_->mask();
    if (may_call()) out[word_of(trigger_)] |= bit_of(trigger_);
    return out;
  }

  [[nodiscard]] std::vector<TokenId> forced_tokens() const override {
    if (is_call_) return calls_->forced_tokens();
    return may_call() ? std::vector<TokenId>() : answer_->forced_tokens();
  }

  [[nodiscard]] std::unique_ptr<Constraint> clone() const override {
    auto out = std::make_unique<AnswerConstraint>(answer_->clone(), calls_->clone(), trigger_);
    out->is_begun_ = is_begun_;
    out->is_call_ = is_call_;
    return out;
  }

 private:
  static std::size_t word_of(TokenId id) { return static_cast<std::size_t>(id) / 64; }
  static std::uint64_t bit_of(TokenId id) {
    return std::uint64_t{1} << (static_cast<std::size_t>(id) % 64);
  }

  [[nodiscard]] bool may_call() const { return !is_begun_ && calls_->allows(trigger_); }
  [[nodiscard]] const Constraint& for_token(TokenId token) const {
    return is_call_ || (!is_begun_ && token == trigger_) ? *calls_ : *answer_;
  }

  std::unique_ptr<Constraint> answer_;
  std::unique_ptr<Constraint> calls_;
  TokenId trigger_;
  bool is_begun_ = false;
  bool is_call_ = false;
};

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
  TurnConstraint out{.answer_prefix = turn.answer_prefix, .callable = turn.callable};
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

Result<std::unique_ptr<engine::Constraint>> make_answer_constraint(
    const Grammar& answer,
    std::unique_ptr<engine::Constraint> calls,
    const prompts::Dialect& dialect,
    const engine::ConstraintFactory& factory,
    const engine::Tokenizer& tokenizer) {
  const auto trigger = tokenizer.find_token(dialect.call_trigger());
  FACET_CHECK(trigger && calls);
  // Any sentence may come first, so a long text is as many ways at once.
  const std::size_t ways =
      std::max(engine::ConstraintOptions().stack_states_max, answer.nodes().size());
  FACET_TRY(auto text,
            factory.make(answer,
                         {.free_control = stop_names(dialect, tokenizer),
                          .stack_states_max = ways,
                          .free_after = false}));
  return std::unique_ptr<engine::Constraint>(
      std::make_unique<AnswerConstraint>(std::move(text), std::move(calls), *trigger));
}

}  // namespace facet::agent
