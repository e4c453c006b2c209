// Reciprocal rank fusion: merges ranked lists whose scores cannot be compared.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace facet::retrieval {

/// Ids, best first, none twice.
struct Ranking {
  std::vector<std::int64_t> ids;
  double weight = 1.0;  ///< Of this ranking beside the others; not negative.
};

struct FusedHit {
  std::int64_t id = 0;
  double score = 0.0;

  bool operator==(const FusedHit&) const = default;
};

/// score(id) = sum over the rankings that hold it of weight / (k + rank), rank from 1. Best first,
/// ties by smaller id. Cormack, Clarke, Buettcher 2009, with their k = 60; theirs has no weights.
std::vector<FusedHit> reciprocal_rank_fusion(std::span<const Ranking> rankings, double k = 60.0);

}  // namespace facet::retrieval
