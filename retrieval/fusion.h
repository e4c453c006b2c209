// Reciprocal rank fusion: merges ranked lists whose scores cannot be compared.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace facet::retrieval {

struct FusedHit {
  std::int64_t id = 0;
  double score = 0.0;

  bool operator==(const FusedHit&) const = default;
};

/// score(id) = sum over the lists that hold it of 1 / (k + rank), rank from 1. Best first, ties by
/// smaller id. A list holds an id at most once. Cormack, Clarke, Buettcher 2009, with their k = 60.
std::vector<FusedHit> reciprocal_rank_fusion(std::span<const std::vector<std::int64_t>> rankings,
                                             double k = 60.0);

}  // namespace facet::retrieval
