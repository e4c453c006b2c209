// Measures of a ranking against judgements. Pure functions.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace facet::retrieval {

/// Judged documents of one query and their gains; a document that is not in it, or has a gain of 0
/// or less, is not relevant.
using Judgements = std::map<std::string, double>;

/// Normalised discounted cumulative gain of the first `k` of `ranking` (best first, no document
/// twice): sum of gain / log2(rank + 1), divided by that of the ideal order. 0 when nothing is
/// relevant. Jaervelin and Kekaelaeinen 2002, in trec_eval's form (linear gain).
double ndcg_at(std::span<const std::string> ranking, const Judgements& judgements, std::size_t k);

/// Share of the relevant documents among the first `k`; 0 when nothing is relevant.
double recall_at(std::span<const std::string> ranking, const Judgements& judgements, std::size_t k);

/// 1 / rank of the first relevant document, 0 when there is none. Its mean over queries is MRR.
double reciprocal_rank(std::span<const std::string> ranking, const Judgements& judgements);

}  // namespace facet::retrieval
