#include "agent/turn_limits.h"

#include "agent/plan_constraint.h"

#include <utility>

namespace facet::agent {

Result<TurnConstraints> limit_turns(const ConversationSpec& spec,
                                    bool model_plans,
                                    const prompts::Dialect& dialect,
                                    const engine::ConstraintFactory& factory,
                                    const engine::Tokenizer& tokenizer) {
  using Mode = prompts::ToolChoice::Mode;
  TurnConstraints out;
  prompts::TurnRules later = spec.rules;
  bool must_call = later.choice.mode == Mode::required || later.choice.mode == Mode::named;
  if (must_call) {
    FACET_TRY(TurnConstraint first,
              make_turn_constraint(dialect, spec.tools, spec.rules, factory, tokenizer));
    out.first = std::move(first.constraint);
    later.choice = {};
    must_call = !first.callable.empty();
  }
  FACET_TRY(TurnConstraint made,
            make_turn_constraint(dialect, spec.tools, later, factory, tokenizer));
  out.later = std::move(made.constraint);
  out.answer_prefix = std::move(made.answer_prefix);
  out.relaxed = std::move(made.relaxed);
  const Mode mode = spec.rules.choice.mode;
  out.plans = spec.plan_first && model_plans &&
              (mode == Mode::automatic || mode == Mode::required) && !spec.tools.empty() &&
              out.later != nullptr && out.answer_prefix.empty();
  if (out.plans) {
    auto behind = out.first ? std::move(out.first) : out.later->clone();
    PlanNames names{.first = std::move(made.callable)};
    for (const ToolSpec& tool : spec.tools) names.later.push_back(tool.name);
    out.may_answer = !must_call;
    out.behind_plan = behind->clone();
    FACET_TRY(out.first, make_plan_constraint(names, out.may_answer, factory, std::move(behind)));
    out.first_steps = std::move(names.first);
  }
  return out;
}

bool AnswerPrefix::keeps(prompts::ParseEvent& event) {
  if (event.kind != prompts::ParseEvent::Kind::text || is_over_) return true;
  held_ += event.text;
  if (held_.size() < prefix_.size() && prefix_.starts_with(held_)) return false;
  is_over_ = true;
  event.text = without(held_);
  return !event.text.empty();
}

std::string AnswerPrefix::without(std::string_view text) const {
  if (prefix_.starts_with(text)) return "";
  if (text.starts_with(prefix_)) text.remove_prefix(prefix_.size());
  return std::string(text);
}

}  // namespace facet::agent
