// PlanConstraint: holds the first line of an output to "Plan: tool, tool." with the names of tools
// that exist, and hands everything behind it to the constraint on calls.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "engine/sampling/constraint.h"

#include <memory>
#include <vector>

namespace facet::agent {

/// More steps than this are not planned in one line.
inline constexpr int kPlanStepsMax = 8;

/// "Plan: a, b.\n" over the names of `tools`, or, if it `may_answer`, "Plan: answer.\n" where none
/// is needed, then `calls`. REQUIRES: tools is not empty. Not thread-safe.
Result<std::unique_ptr<engine::Constraint>> make_plan_constraint(
    const std::vector<ToolSpec>& tools,
    bool may_answer,
    const engine::ConstraintFactory& factory,
    std::unique_ptr<engine::Constraint> calls);

}  // namespace facet::agent
