// PlanConstraint: holds the first line of an output to "Plan: tool, tool." with the names of tools
// that exist, and hands everything behind it to the constraint on calls.
#pragma once

#include "base/result.h"
#include "engine/sampling/constraint.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// More steps than this are not planned in one line.
inline constexpr int kPlanStepsMax = 8;

/// What a plan may name.
struct PlanNames {
  /// The tools that can be called now: with one of them a plan begins.
  std::vector<std::string> first;
  /// All tools: a later step may be one that cannot be called before there are results.
  std::vector<std::string> later;
};

/// "Plan: a, b.\n" over `names`, or, if it `may_answer`, "Plan: answer.\n" where none is needed and
/// "Plan: a (no), answer.\n" where a tool comes near but does not fit, then `calls`. REQUIRES:
/// there is a first name, or it may answer. Not thread-safe.
Result<std::unique_ptr<engine::Constraint>> make_plan_constraint(
    const PlanNames& names,
    bool may_answer,
    const engine::ConstraintFactory& factory,
    std::unique_ptr<engine::Constraint> calls);

/// The plan of one step, the tool or "answer", then `calls`.
Result<std::unique_ptr<engine::Constraint>> make_plan_constraint(
    std::string_view step,
    const engine::ConstraintFactory& factory,
    std::unique_ptr<engine::Constraint> calls);

}  // namespace facet::agent
