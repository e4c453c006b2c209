#include "retrieval/eval.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace facet::retrieval {
namespace {

double gain_of(const Judgements& judgements, const std::string& document) {
  const auto found = judgements.find(document);
  return found == judgements.end() ? 0.0 : std::max(0.0, found->second);
}

double discount(std::size_t index) {
  return 1.0 / std::log2(static_cast<double>(index) + 2.0);
}

std::size_t relevant_count(const Judgements& judgements) {
  return static_cast<std::size_t>(std::count_if(
      judgements.begin(), judgements.end(), [](const auto& each) { return each.second > 0.0; }));
}

}  // namespace

double ndcg_at(std::span<const std::string> ranking, const Judgements& judgements, std::size_t k) {
  std::vector<double> ideal;
  for (const auto& [document, gain] : judgements) {
    if (gain > 0.0) ideal.push_back(gain);
  }
  std::sort(ideal.begin(), ideal.end(), std::greater<>());
  double best = 0.0;
  for (std::size_t i = 0; i < std::min(k, ideal.size()); ++i) best += ideal[i] * discount(i);
  if (best == 0.0) return 0.0;
  double reached = 0.0;
  for (std::size_t i = 0; i < std::min(k, ranking.size()); ++i) {
    reached += gain_of(judgements, ranking[i]) * discount(i);
  }
  return reached / best;
}

double recall_at(std::span<const std::string> ranking,
                 const Judgements& judgements,
                 std::size_t k) {
  const std::size_t relevant = relevant_count(judgements);
  if (relevant == 0) return 0.0;
  std::size_t found = 0;
  for (std::size_t i = 0; i < std::min(k, ranking.size()); ++i) {
    if (gain_of(judgements, ranking[i]) > 0.0) ++found;
  }
  return static_cast<double>(found) / static_cast<double>(relevant);
}

double reciprocal_rank(std::span<const std::string> ranking, const Judgements& judgements) {
  for (std::size_t i = 0; i < ranking.size(); ++i) {
    if (gain_of(judgements, ranking[i]) > 0.0) return 1.0 / static_cast<double>(i + 1);
  }
  return 0.0;
}

}  // namespace facet::retrieval
