#include "retrieval/packer.h"

#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"

namespace facet::retrieval {
namespace {

using test::WordCounter;

Passage passage(std::int64_t id, std::string text, std::uint64_t begin = 0) {
  Passage out;
  out.chunk_id = id;
  out.document = "doc" + std::to_string(id);
  out.byte_begin = begin;
  out.byte_end = begin + text.size();
  out.text = std::move(text);
  return out;
}

// "[1] doc1" are two words in front of every passage.
const std::vector<Passage>& three() {
  static const std::vector<Passage> kPassages = {passage(1, "One two three."),
                                                 passage(2, "Four five. Six seven eight.", 100),
                                                 passage(3, "Nine.")};
  return kPassages;
}

TEST_CASE("all passages are packed when they fit exactly", "[retrieval][unit]") {
  const WordCounter counter;
  const auto packed = pack_passages(three(), counter, {.tokens_max = 15});
  REQUIRE(packed.passages.size() == 3);
  CHECK(packed.tokens == 15);
  CHECK(packed.tokens == counter.count(packed.text));
  CHECK(packed.dropped.empty());
  CHECK(packed.text.starts_with("[1] doc1\nOne two three.\n\n[2] doc2\n"));
  CHECK(packed.passages[2].number == 3);
}

TEST_CASE("the passage that does not fit is cut at a sentence", "[retrieval][unit]") {
  const WordCounter counter;
  const auto packed = pack_passages(three(), counter, {.tokens_max = 10});
  REQUIRE(packed.passages.size() == 2);
  CHECK(packed.passages[1].cut);
  CHECK(packed.passages[1].passage.text == "Four five.");
  CHECK(packed.passages[1].passage.byte_end == 110);
  CHECK(packed.tokens == 9);
  // What was dropped is said, although it would have fitted the space left over.
  REQUIRE(packed.dropped.size() == 1);
  CHECK(packed.dropped[0].chunk_id == 3);
  CHECK(packed.dropped[0].tokens == 3);
}

TEST_CASE("without a sentence that fits the passage is dropped", "[retrieval][unit]") {
  const WordCounter counter;
  const auto packed = pack_passages(three(), counter, {.tokens_max = 7});
  CHECK(packed.passages.size() == 1);
  CHECK(packed.dropped.size() == 2);
  const auto whole = pack_passages(three(), counter, {.tokens_max = 10, .cut_last = false});
  CHECK(whole.passages.size() == 1);
  const auto none = pack_passages(three(), counter, {.tokens_max = 0});
  CHECK(none.text.empty());
  CHECK(none.tokens == 0);
  CHECK(none.dropped.size() == 3);
}

TEST_CASE("a passage that overlaps an earlier one is dropped as such", "[retrieval][unit]") {
  const WordCounter counter;
  std::vector<Passage> twice = {three()[0], three()[0], three()[2]};
  const auto packed = pack_passages(twice, counter, {.tokens_max = 100});
  CHECK(packed.passages.size() == 2);
  REQUIRE(packed.dropped.size() == 1);
  CHECK(packed.dropped[0].reason == DroppedPassage::Reason::overlap);
}

TEST_CASE("passages of one document are all packed, in any order", "[retrieval][unit]") {
  const WordCounter counter;
  Passage first = passage(1, "One two three.");
  Passage later = passage(2, "Four five.", 200);
  Passage between = passage(3, "Six seven.", 50);
  Passage inside = passage(4, "seven.", 54);
  for (Passage* each : {&later, &between, &inside}) each->document = first.document;
  const std::vector<Passage> passages = {between, first, later, inside};
  const auto packed = pack_passages(passages, counter, {.tokens_max = 100});
  CHECK(packed.passages.size() == 3);
  REQUIRE(packed.dropped.size() == 1);
  CHECK(packed.dropped[0].chunk_id == 4);
}

TEST_CASE("page and heading stand in front of a passage", "[retrieval][unit]") {
  Passage one = passage(1, "Text.");
  one.page = 3;
  one.heading = "A > B";
  CHECK(default_passage_format(2, one) == "[2] doc1, page 3, A > B\nText.\n\n");
}

}  // namespace
}  // namespace facet::retrieval
