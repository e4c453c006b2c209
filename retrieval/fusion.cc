#include "retrieval/fusion.h"

#include <algorithm>
#include <map>

namespace facet::retrieval {

std::vector<FusedHit> reciprocal_rank_fusion(std::span<const Ranking> rankings, double k) {
  std::map<std::int64_t, double> scores;
  for (const Ranking& ranking : rankings) {
    double rank = 1.0;
    for (const std::int64_t id : ranking.ids) {
      scores[id] += ranking.weight / (k + rank);
      rank += 1.0;
    }
  }
  std::vector<FusedHit> hits;
  hits.reserve(scores.size());
  for (const auto& [id, score] : scores) hits.push_back({id, score});
  std::stable_sort(hits.begin(), hits.end(), [](const FusedHit& a, const FusedHit& b) {
    return a.score > b.score;
  });
  return hits;
}

}  // namespace facet::retrieval
