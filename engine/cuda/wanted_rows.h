// What the callers of a step want of its rows.
#pragma once

#include "engine/backend.h"
#include "engine/cuda/pass.h"

#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine::cuda {

/// A row that something is wanted of.
struct WantedRow {
  std::int64_t row = 0;                ///< Of the pass, or of the logits.
  float* logits = nullptr;             ///< (vocabulary); null: not wanted.
  CandidateRow* candidates = nullptr;  ///< The same.
};

/// Those of a pass, in ascending order.
std::vector<WantedRow> wanted_rows(const Pass& pass, std::int64_t vocabulary);

/// What the first `count` rows want; null: nothing.
std::vector<CandidateRow*> candidates_of(std::span<const WantedRow> rows, std::int64_t count);

bool wants_candidates(std::span<const WantedRow> rows);

}  // namespace facet::engine::cuda
