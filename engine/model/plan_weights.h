// What a model's file says of how much its plans are worth beside words (agent/weighed_plan.h).
#pragma once

namespace facet::engine {

/// Keys "facet.plan.model", "facet.plan.answer" and so on: all of them or none.
struct PlanWeights {
  double model = 1.0;       ///< Of the logarithm of a step's probability.
  double answer = 0.0;      ///< Added where no tool is called.
  double words = 0.0;       ///< Of each word of the request that names or describes the tool,
  double cover = 0.0;       ///< of the share of the tool's words that were said,
  double parameters = 0.0;  ///< and of each word that only its parameters have.
  double filled = 0.0;      ///< Of each parameter that the request fills,
  double open = 0.0;        ///< and of each other one.
  double number = 0.0;      ///< Added where a number of the request is in none of them,
  double name = 0.0;        ///< and where a name is.
  double left = 0.0;        ///< Of each word that neither the tool nor a value explains.

  bool operator==(const PlanWeights&) const = default;
};

}  // namespace facet::engine
