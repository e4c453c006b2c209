// What must be known of a grammar before code can be written for it. Private to sampling/.
#pragma once

#include "base/grammar.h"
#include "base/result.h"

#include <cstdint>
#include <vector>

namespace facet::engine {

/// Indexed by node.
struct GrammarAnalysis {
  /// No text at all, or none that fits the rule depth, completes the node.
  static constexpr std::int32_t kNever = INT32_MAX;

  std::vector<bool> nullable;   ///< Matches the empty text.
  std::vector<bool> recursive;  ///< A rule that can be inside itself.
  std::vector<bool> shared;     ///< Written once and called: a rule, or used more than once.
  /// How many recursive rules deep the shallowest text of the node goes, where what follows it
  /// needs a way back, and where it stands at the end of a rule.
  std::vector<std::int32_t> depth;
  std::vector<std::int32_t> depth_at_end;
};

/// invalid_argument for left recursion, a rule without a body, no root, or a root that matches
/// nothing; the message names the rule.
Result<GrammarAnalysis> analyze(const Grammar& grammar);

}  // namespace facet::engine
