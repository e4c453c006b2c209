// The first step of a plan, weighed by words. A small model knows few words: asked to freeze a
// network rule it may say that no tool fits, with firewall_rule_freeze(network_rule) in front of
// it. What a request and a tool have in common as words says what such a model does not know, and
// the model what words do not say. Nor does it see well that a request has no stars to rate a
// broker with, or a day too many for a tool that cancels: which parameters the request fills says
// that (agent/slot_model.h). The score of a step is
//
//   tool:   model * log p + words * |said| + cover * cover + parameters * |said of parameters|
//           + filled * |parameters that hold something| + open * |others|
//           + number, if one is left over, + name, if one is left over, + left * |words left over|
//   answer: model * log p + answer
//
// with the weights that the model's file states (engine/model/plan_weights.h), which a regression
// on requests of the model's own training data gives (models/pocket/train/plan_words.py); p is
// the step's probability among those that may come. The best one is taken.
#pragma once

#include "agent/call_slots.h"
#include "agent/common_words.h"
#include "base/chat.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/model/plan_weights.h"

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// One step that a plan may begin with, and what speaks for it.
struct PlanStep {
  std::string name;      ///< A tool's, or kAnswerStep.
  double log_p = 0.0;    ///< The logarithm of its probability among the steps.
  CommonWords common;    ///< None of kAnswerStep,
  SlotFit fit;           ///< and none of this.
  bool goes_on = false;  ///< Behind it another step is more probable than the end of the plan.
};

/// More are not compared.
inline constexpr std::size_t kWeighedStepsMax = 32;

/// Where a plan begins; all references must outlive the call.
struct PlanPlace {
  const engine::Engine& engine;
  const engine::Sequence& sequence;  ///< What stands in front of the plan.
  const std::vector<ToolSpec>& tools;
  const std::vector<std::string>& first_steps;  ///< Names of `tools`.
  bool may_answer = true;
  std::stop_token stop;
};

/// The steps that a plan may begin with, kAnswerStep last. A tool that is considered and rejected
/// (kRejectedStep) counts for kAnswerStep. Empty where there is nothing to choose, more than
/// kWeighedStepsMax, or no room or no time. invalid_data where the model gives NaN, unavailable
/// when its device failed.
Result<std::vector<PlanStep>> first_steps(const PlanPlace& place, std::string_view request);

/// A tool that the model gives this probability is what it says: of some the arguments are composed
/// of what was said (a sum, a query), which words do not tell of.
inline constexpr double kSureTool = 0.99;

/// Whether the most probable one of `steps` is the whole plan. False of none.
bool is_one_step(const std::vector<PlanStep>& steps);

/// The name of the step that scores best. Nullopt where the plan is left to the model: there are
/// none, or the most probable one goes on, or is a tool that it is sure of (kSureTool) or whose
/// requests share no words with it (search_documents, calculator).
std::optional<std::string> best_step(const std::vector<PlanStep>& steps,
                                     const engine::PlanWeights& weights);

}  // namespace facet::agent
