// What Backend::candidate_limits promises, done the obvious way: sort everything.
#pragma once

#include "engine/sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace facet::test {

/// Fills in row.best and row.found from all logits.
inline void find_by_sorting(std::span<const float> logits, engine::CandidateRow& row) {
  std::vector<engine::Candidate> all;
  row.found = -1;
  for (std::size_t id = 0; id < static_cast<std::size_t>(row.ids_end); ++id) {
    float logit = logits[id];
    if (std::isnan(logit) || logit == std::numeric_limits<float>::infinity()) return;
    const auto token = static_cast<engine::TokenId>(id);
    const bool is_masked = !row.mask.empty() && (id / 64 >= row.mask.size() ||
                                                 (row.mask[id / 64] >> (id % 64) & 1U) == 0);
    if (is_masked || !std::isfinite(logit)) continue;
    if (std::find(row.recent.begin(), row.recent.end(), token) != row.recent.end()) {
      logit = logit > 0.0F ? logit / row.repetition_penalty : logit * row.repetition_penalty;
      constexpr float kLargest = std::numeric_limits<float>::max();
      logit = std::clamp(logit, -kLargest, kLargest);
    }
    all.push_back({.logit = logit, .id = token});
  }
  std::stable_sort(
      all.begin(), all.end(), [](const auto& a, const auto& b) { return a.logit > b.logit; });
  row.found = static_cast<std::int64_t>(std::min(all.size(), row.best.size()));
  std::copy_n(all.begin(), row.found, row.best.begin());
}

}  // namespace facet::test
