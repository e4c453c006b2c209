#include "agent/citations.h"

#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

using namespace facet;
using namespace facet::agent;

namespace {

retrieval::Passage passage(std::int64_t chunk, const std::string& document) {
  return {.chunk_id = chunk,
          .document = document,
          .title = "T",
          .heading = "A > B",
          .page = 3,
          .byte_begin = 10,
          .byte_end = 20,
          .text = "text",
          .score = 0.5};
}

std::vector<std::int64_t> ids(std::string_view answer) {
  PassageBook book;
  std::vector<std::int64_t> found;
  for (const auto& citation : resolve_citations(answer, book)) found.push_back(citation.id);
  return found;
}

}  // namespace

TEST_CASE("passages are numbered over the whole run", "[agent]") {
  PassageBook book;
  const auto first = book.add({passage(7, "a.md"), passage(8, "b.md")});
  CHECK(first[0].id == 1);
  CHECK(first[1].id == 2);
  CHECK(book.add({passage(7, "a.md")})[0].id == 3);
  REQUIRE(book.find(2));
  CHECK(book.find(2)->passage.document == "b.md");
  CHECK_FALSE(book.find(0));
  CHECK_FALSE(book.find(4));
  CHECK(book.since(2).size() == 1);
  CHECK(book.since(9).empty());
}

TEST_CASE("citations are the distinct bracketed numbers of an answer", "[agent]") {
  using Ids = std::vector<std::int64_t>;
  CHECK(ids("A [2]. B [1] and again [2].") == Ids{2, 1});
  CHECK(ids("Both [1, 3] say so") == Ids{1, 3});
  CHECK(ids("x[] [a] [1 [2").empty());
  CHECK(ids("[1a] [12345678901234567890]").empty());
  CHECK(ids("[[4]]") == Ids{4});
}

TEST_CASE("a citation that no search gave out stays unresolved and says so", "[agent]") {
  PassageBook book;
  book.add({passage(7, "a.md")});
  const auto citations = resolve_citations("Yes [1], no [9].", book);
  REQUIRE(citations.size() == 2);
  CHECK(citations[0].is_resolved());
  CHECK(citation_json(citations[0]).at("document") == "a.md");
  CHECK(citation_json(citations[0]).at("span").at("end") == 20);
  CHECK_FALSE(citations[1].is_resolved());
  CHECK(citation_json(citations[1]).dump() == R"({"id":9,"resolved":false,"supported":false})");
}

TEST_CASE("a passage survives its JSON form", "[agent]") {
  const auto before = passage(7, "a.md");
  const auto after = passage_from_json(passage_json(before));
  REQUIRE(after);
  CHECK(after->chunk_id == 7);
  CHECK(after->heading == "A > B");
  CHECK(after->page == 3);
  CHECK(after->byte_begin == 10);
  CHECK_FALSE(passage_from_json(nlohmann::ordered_json::object()));
}

TEST_CASE("a citation is supported when its sentence stands in the passage", "[agent]") {
  PassageBook book;
  auto limits = passage(7, "travel.md");
  limits.text = "The limit in Oslo is 185 EUR.\nThe limit in Lisbon is  140 EUR.";
  auto other = passage(8, "office.txt");
  other.text = "The office opens at 07:00.";
  book.add({limits, other});

  const auto right = resolve_citations("The limit in Lisbon is 140 EUR. [1]", book);
  REQUIRE(right.size() == 1);
  CHECK(right[0].is_supported);
  CHECK(right[0].passage_id == 1);

  // The model wrote the wrong number: the citation resolves to what is really quoted.
  const auto redirected =
      resolve_citations("140 * 4 = 560. The limit in Lisbon is 140 EUR. [2]", book);
  REQUIRE(redirected.size() == 1);
  CHECK(redirected[0].id == 2);
  CHECK(redirected[0].passage_id == 1);
  CHECK(redirected[0].passage->document == "travel.md");
  CHECK(redirected[0].is_supported);

  // Nobody said that: it stays where it points, and is marked.
  const auto invented = resolve_citations("The limit in Lisbon is 999 EUR. [2]", book);
  REQUIRE(invented.size() == 1);
  CHECK_FALSE(invented[0].is_supported);
  CHECK(invented[0].passage->document == "office.txt");
  CHECK(citation_json(invented[0]).at("supported") == false);

  // Citations beside each other stand for the same sentence.
  const auto both = resolve_citations("The limit in Lisbon is 140 EUR. [2] [1]", book);
  REQUIRE(both.size() == 2);
  CHECK(both[1].id == 1);
  CHECK(both[1].is_supported);

  // A short word stands in many places and moves nothing.
  CHECK(resolve_citations("EUR. [2]", book)[0].passage_id == 2);
}

TEST_CASE("the sentence before a citation ends at the citation", "[agent]") {
  CHECK(sentence_before("A b. C  d\ne. ") == "C d e.");
  CHECK(sentence_before("First. [1] Second one. ") == "Second one.");
  CHECK(sentence_before("price: 3.50 EUR") == "price: 3.50 EUR");
  CHECK(sentence_before(" ").empty());
  CHECK(sentence_before("First. [1] Second one. [1][2, 3] ") == "Second one.");
  CHECK(sentence_before("An [aside] here. [1]") == "here.");
}
