#include "agent/plan_constraint.h"

#include "agent/plan.h"
#include "base/check.h"
#include "base/grammar.h"

#include <utility>

namespace facet::agent {
namespace {

class PlanConstraint final : public engine::Constraint {
 public:
  PlanConstraint(std::unique_ptr<Constraint> plan, std::unique_ptr<Constraint> calls)
      : plan_(std::move(plan)), calls_(std::move(calls)) {}

  [[nodiscard]] bool allows(engine::TokenId token) const override { return now().allows(token); }

  [[nodiscard]] std::int64_t shortest() const override { return now().shortest(); }

  [[nodiscard]] bool fits(engine::TokenId token, std::int64_t tokens) const override {
    return now().fits(token, tokens);
  }

  Status accept(engine::TokenId token) override {
    // `calls_` sees only what comes behind the plan, so a plan cannot open a call.
    return (plan_->is_open() ? *plan_ : *calls_).accept(token);
  }

  [[nodiscard]] bool is_open() const override { return now().is_open(); }

  [[nodiscard]] std::vector<std::uint64_t> mask() const override { return now().mask(); }

  [[nodiscard]] std::vector<engine::TokenId> forced_tokens() const override {
    return now().forced_tokens();
  }

  [[nodiscard]] std::unique_ptr<Constraint> clone() const override {
    return std::make_unique<PlanConstraint>(plan_->clone(), calls_->clone());
  }

 private:
  [[nodiscard]] const Constraint& now() const { return plan_->is_open() ? *plan_ : *calls_; }

  std::unique_ptr<Constraint> plan_;
  std::unique_ptr<Constraint> calls_;
};

Grammar plan_grammar(const PlanNames& names, bool may_answer) {
  Grammar grammar;
  const auto one_of = [&](const std::vector<std::string>& texts) {
    std::vector<Grammar::Node> nodes;
    nodes.reserve(texts.size());
    for (const std::string& text : texts) nodes.push_back(grammar.literal(text));
    return grammar.choice(std::move(nodes));
  };
  const Grammar::Node next = grammar.sequence({grammar.literal(", "), one_of(names.later)});
  Grammar::Node steps =
      grammar.sequence({one_of(names.first), grammar.repeat(next, 0, kPlanStepsMax - 1)});
  if (may_answer) {
    std::vector<Grammar::Node> ways = {steps, grammar.literal(kAnswerStep)};
    const std::string rejected = std::string(kRejectedStep) + ", " + std::string(kAnswerStep);
    if (!names.first.empty()) {
      ways.push_back(grammar.sequence({one_of(names.first), grammar.literal(rejected)}));
    }
    steps = grammar.choice(std::move(ways));
  }
  grammar.set_root(grammar.sequence({grammar.literal("Plan: "), steps, grammar.literal(".\n")}));
  return grammar;
}

}  // namespace

Result<std::unique_ptr<engine::Constraint>> make_plan_constraint(
    const PlanNames& names,
    bool may_answer,
    const engine::ConstraintFactory& factory,
    std::unique_ptr<engine::Constraint> calls) {
  FACET_CHECK((may_answer || !names.first.empty()) && calls);
  FACET_TRY(auto plan, factory.make(plan_grammar(names, may_answer), {}));
  return std::unique_ptr<engine::Constraint>(
      std::make_unique<PlanConstraint>(std::move(plan), std::move(calls)));
}

Result<std::unique_ptr<engine::Constraint>> make_plan_constraint(
    std::string_view step,
    const engine::ConstraintFactory& factory,
    std::unique_ptr<engine::Constraint> calls) {
  Grammar grammar;
  grammar.set_root(grammar.literal("Plan: " + std::string(step) + ".\n"));
  FACET_TRY(auto plan, factory.make(grammar, {}));
  return std::unique_ptr<engine::Constraint>(
      std::make_unique<PlanConstraint>(std::move(plan), std::move(calls)));
}

}  // namespace facet::agent
