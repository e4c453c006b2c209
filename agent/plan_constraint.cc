#include "agent/plan_constraint.h"

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

Grammar plan_grammar(const std::vector<ToolSpec>& tools, bool may_answer) {
  Grammar grammar;
  std::vector<Grammar::Node> names;
  for (const ToolSpec& tool : tools) names.push_back(grammar.literal(tool.name));
  const Grammar::Node name = grammar.choice(std::move(names));
  const Grammar::Node more =
      grammar.repeat(grammar.sequence({grammar.literal(", "), name}), 0, kPlanStepsMax - 1);
  Grammar::Node steps = grammar.sequence({name, more});
  if (may_answer) steps = grammar.choice({steps, grammar.literal("answer")});
  grammar.set_root(grammar.sequence({grammar.literal("Plan: "), steps, grammar.literal(".\n")}));
  return grammar;
}

}  // namespace

Result<std::unique_ptr<engine::Constraint>> make_plan_constraint(
    const std::vector<ToolSpec>& tools,
    bool may_answer,
    const engine::ConstraintFactory& factory,
    std::unique_ptr<engine::Constraint> calls) {
  FACET_CHECK(!tools.empty() && calls);
  FACET_TRY(auto plan, factory.make(plan_grammar(tools, may_answer), {}));
  return std::unique_ptr<engine::Constraint>(
      std::make_unique<PlanConstraint>(std::move(plan), std::move(calls)));
}

}  // namespace facet::agent
