#include "engine/cuda/wanted_rows.h"

#include "base/check.h"

#include <algorithm>

namespace facet::engine::cuda {

std::vector<WantedRow> wanted_rows(const Pass& pass, std::int64_t vocabulary) {
  std::vector<WantedRow> out;
  for (const Slice& slice : pass.slices) {
    const std::span<float> logits = slice.item->logits;
    const std::span<CandidateRow> candidates = slice.item->candidates;
    if (logits.empty() && candidates.empty()) continue;
    FACET_CHECK(logits.empty() || candidates.empty());
    const std::int64_t rows = std::ssize(logits) / vocabulary;
    FACET_CHECK(rows * vocabulary == std::ssize(logits));
    const bool wants_all = std::max(rows, std::ssize(candidates)) > 1;
    for (std::int64_t t = 0; t < slice.tokens; ++t) {
      const bool is_last = slice.is_last && t + 1 == slice.tokens;
      if (!wants_all && !is_last) continue;
      const std::int64_t at = wants_all ? slice.begin + t : 0;
      WantedRow row{.row = slice.row + t};
      if (logits.empty()) row.candidates = &candidates[static_cast<std::size_t>(at)];
      if (candidates.empty()) row.logits = logits.data() + at * vocabulary;
      out.push_back(row);
    }
  }
  return out;
}

std::vector<CandidateRow*> candidates_of(std::span<const WantedRow> rows, std::int64_t count) {
  std::vector<CandidateRow*> out(static_cast<std::size_t>(count), nullptr);
  for (const WantedRow& row : rows) out[static_cast<std::size_t>(row.row)] = row.candidates;
  return out;
}

bool wants_candidates(std::span<const WantedRow> rows) {
  return std::any_of(
      rows.begin(), rows.end(), [](const WantedRow& row) { return row.candidates != nullptr; });
}

}  // namespace facet::engine::cuda
