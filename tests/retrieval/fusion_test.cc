#include "retrieval/fusion.h"

#include "retrieval/query.h"
#include "tests/support/catch.h"

namespace facet::retrieval {
namespace {

using Rankings = std::vector<Ranking>;

TEST_CASE("fusion adds reciprocal ranks", "[retrieval][unit]") {
  const auto hits = reciprocal_rank_fusion(Rankings{{{1, 2, 3}}, {{3, 4}}});
  REQUIRE(hits.size() == 4);
  CHECK(hits[0].id == 3);
  CHECK(hits[0].score == Approx(1.0 / 63.0 + 1.0 / 61.0));
  CHECK(hits[1].id == 1);
  CHECK(hits[2].id == 2);
  CHECK(hits[2].score == Approx(1.0 / 62.0));
  CHECK(hits[3].id == 4);
}

TEST_CASE("a ranking counts as much as it weighs", "[retrieval][unit]") {
  const auto hits = reciprocal_rank_fusion(Rankings{{{1, 2}}, {{2, 3}, 0.1}});
  REQUIRE(hits.size() == 3);
  CHECK(hits[0].id == 2);
  CHECK(hits[0].score == Approx(1.0 / 62.0 + 0.1 / 61.0));
  CHECK(hits[1].id == 1);
  CHECK(hits[2].id == 3);
  CHECK(hits[2].score == Approx(0.1 / 62.0));
}

TEST_CASE("fusion breaks ties by the smaller id", "[retrieval][unit]") {
  const auto hits = reciprocal_rank_fusion(Rankings{{{9}}, {{4}}, {}});
  REQUIRE(hits.size() == 2);
  CHECK(hits[0].id == 4);
  CHECK(reciprocal_rank_fusion(Rankings{}).empty());
}

TEST_CASE("words of a query are quoted and joined by OR", "[retrieval][unit]") {
  const auto [query, expected] = GENERATE(table<std::string, std::string>({
      {"Who approves the trip?", "\"approves\" OR \"trip\""},
      {"who is it", "\"who\" OR \"is\" OR \"it\""},
      {"  x\ty\n x ", "\"x\" OR \"y\""},
      {"say \"hi\"", "\"say\" OR \"hi\""},
      {"2,000 EUR?", "\"2,000\" OR \"eur\""},
      {"title:x*", "\"title\" OR \"x\""},
      {"EUR eur", "\"eur\""},
      {"the company's follow-up", "\"company\" OR \"follow\" OR \"up\""},
      {"the company\xE2\x80\x99s plan", "\"company\" OR \"plan\""},
      {"don't at 9:30-10, chunk_id", "\"don't\" OR \"9:30-10\" OR \"chunk_id\""},
      {"a.b, c'", "\"b\" OR \"c\""},
      {"zu \xC3\x84rzten", "\"zu\" OR \"\xC3\x84rzten\""},
      {"?! --", ""},
      {"", ""},
  }));
  CHECK(fts_query(query) == expected);
}

TEST_CASE("a query keeps at most the given number of words", "[retrieval][unit]") {
  CHECK(fts_query("the x y z", 2) == "\"x\" OR \"y\"");
}

}  // namespace
}  // namespace facet::retrieval
