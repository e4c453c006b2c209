#include "retrieval/eval.h"

#include "tests/support/catch.h"

#include <cmath>
#include <vector>

namespace facet::retrieval {
namespace {

using Ranking = std::vector<std::string>;

TEST_CASE("nDCG of a hand-computed ranking", "[retrieval][unit]") {
  // DCG@3 = 1/log2(2) + 0 + 3/log2(4) = 2.5; ideal = 3/log2(2) + 1/log2(3) = 3.6309298.
  const Judgements judged = {{"a", 1.0}, {"c", 3.0}, {"x", 0.0}};
  CHECK(ndcg_at(Ranking{"a", "b", "c"}, judged, 3) == Approx(2.5 / 3.6309297536));
  CHECK(ndcg_at(Ranking{"a", "b", "c"}, judged, 1) == Approx(1.0 / 3.0));
  CHECK(ndcg_at(Ranking{"c", "a"}, judged, 10) == Approx(1.0));
  CHECK(ndcg_at(Ranking{}, judged, 10) == 0.0);
  CHECK(ndcg_at(Ranking{"a"}, {}, 10) == 0.0);
}

TEST_CASE("recall counts relevant documents among the first k", "[retrieval][unit]") {
  const Judgements judged = {{"a", 1.0}, {"b", 2.0}, {"c", 1.0}, {"d", -1.0}};
  CHECK(recall_at(Ranking{"a", "d", "b"}, judged, 2) == Approx(1.0 / 3.0));
  CHECK(recall_at(Ranking{"a", "d", "b"}, judged, 3) == Approx(2.0 / 3.0));
  CHECK(recall_at(Ranking{"a"}, {{"d", 0.0}}, 3) == 0.0);
}

TEST_CASE("the reciprocal rank is that of the first relevant document", "[retrieval][unit]") {
  const Judgements judged = {{"b", 1.0}, {"c", 1.0}};
  CHECK(reciprocal_rank(Ranking{"a", "b", "c"}, judged) == Approx(0.5));
  CHECK(reciprocal_rank(Ranking{"a"}, judged) == 0.0);
}

}  // namespace
}  // namespace facet::retrieval
