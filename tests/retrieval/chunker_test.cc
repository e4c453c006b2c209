#include "retrieval/chunker.h"

#include "base/utf8.h"
#include "retrieval/loaders/loader.h"
#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"

#include <random>

namespace facet::retrieval {
namespace {

using test::WordCounter;

LoadedDocument markdown(std::string_view text) {
  auto document = load_document("a.md", text);
  if (!document) FAIL(document.error().message);
  return *std::move(document);
}

std::vector<std::string> texts(const LoadedDocument& document, const std::vector<Chunk>& chunks) {
  std::vector<std::string> out;
  for (const Chunk& chunk : chunks) {
    out.push_back(document.text.substr(chunk.begin, chunk.end - chunk.begin));
  }
  return out;
}

TEST_CASE("chunks follow headings and know their path", "[retrieval][unit]") {
  const auto document = markdown(
      "Before.\n\n# One\n\nFirst.\n\nSecond.\n\n## Two\n\nThird.\n\n# Three\n\n# Four\n\nLast.\n");
  const WordCounter counter;
  const auto chunks = chunk_document(document, &counter, 10);
  CHECK(texts(document, chunks) ==
        std::vector<std::string>{"Before.", "First.\n\nSecond.", "Third.", "Three", "Last."});
  REQUIRE(chunks.size() == 5);
  CHECK(chunks[0].heading.empty());
  CHECK(chunks[1].heading == "One");
  CHECK(chunks[2].heading == "One > Two");
  CHECK(chunks[4].heading == "Four");
}

TEST_CASE("a paragraph that is too long is cut at sentences", "[retrieval][unit]") {
  const auto document = markdown("One two three. Four five six! Seven eight? Nine ten eleven.\n");
  const WordCounter counter;
  CHECK(texts(document, chunk_document(document, &counter, 6)) ==
        std::vector<std::string>{"One two three. Four five six!", "Seven eight? Nine ten eleven."});
}

TEST_CASE("a sentence that is too long is cut at words", "[retrieval][unit]") {
  const auto document = markdown("a b c d e f g\n");
  const WordCounter counter;
  CHECK(texts(document, chunk_document(document, &counter, 3)) ==
        std::vector<std::string>{"a b c", "d e f", "g"});
}

TEST_CASE("letters without a space are cut at code points", "[retrieval][unit]") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\xE4\xB8\xAD";
  const auto document = markdown(text);
  const auto chunks = chunk_document(document, nullptr, 4);
  std::string joined;
  for (const std::string& chunk : texts(document, chunks)) {
    CHECK(is_utf8(chunk));
    CHECK(chunk.size() <= 16);
    joined += chunk;
  }
  CHECK(joined == text);
}

TEST_CASE("table rows keep their header names and pack together", "[retrieval][unit]") {
  const auto document = markdown("| A | B |\n|---|---|\n| one | two |\n| three | four |\n");
  const WordCounter counter;
  CHECK(texts(document, chunk_document(document, &counter, 8)) ==
        std::vector<std::string>{"A: one; B: two\nA: three; B: four"});
  CHECK(chunk_document(document, &counter, 4).size() == 2);
}

TEST_CASE("no chunk crosses a page", "[retrieval][unit]") {
  DocumentBuilder builder{LoadLimits{}};
  builder.begin_page(1);
  builder.paragraph("One.");
  builder.begin_page(2);
  builder.begin_page(3);
  builder.paragraph("Three.");
  const auto document = std::move(builder).finish("x");
  REQUIRE(document.has_value());
  const auto chunks = chunk_document(*document, nullptr, 100);
  REQUIRE(chunks.size() == 2);
  CHECK(chunks[0].page == 1);
  CHECK(chunks[1].page == 3);
}

TEST_CASE("an empty document has no chunks", "[retrieval][unit]") {
  CHECK(chunk_document(markdown("\n \n"), nullptr, 10).empty());
}

TEST_CASE("chunks of random documents fit, are in order and lose no word", "[retrieval][unit]") {
  std::mt19937 random(7);
  const WordCounter counter;
  for (int round = 0; round < 40; ++round) {
    std::string source;
    for (int block = 0; block < 12; ++block) {
      if (random() % 4 == 0) source += std::string(1 + random() % 3, '#') + " ";
      const auto words = 1 + random() % 40;
      for (unsigned i = 0; i < words; ++i) {
        source += "w" + std::to_string(random() % 1000) + (random() % 7 == 0 ? ". " : " ");
      }
      source += "\n\n";
    }
    const auto document = markdown(source);
    const std::int64_t tokens_max = 1 + static_cast<std::int64_t>(random() % 30);
    std::uint64_t last_end = 0;
    std::size_t words = 0;
    for (const Chunk& chunk : chunk_document(document, &counter, tokens_max)) {
      CHECK(chunk.begin >= last_end);
      CHECK(chunk.end > chunk.begin);
      last_end = chunk.end;
      const auto count = counter.count(
          std::string_view(document.text).substr(chunk.begin, chunk.end - chunk.begin));
      CHECK(count <= tokens_max);
      words += static_cast<std::size_t>(count);
    }
    std::size_t body_words = 0;
    for (std::size_t i = 0; i < document.blocks.size(); ++i) {
      const Block& block = document.blocks[i];
      const bool barren =
          i + 1 == document.blocks.size() || (document.blocks[i + 1].kind == BlockKind::heading &&
                                              document.blocks[i + 1].level <= block.level);
      if (block.kind == BlockKind::heading && !barren) continue;
      body_words += static_cast<std::size_t>(counter.count(
          std::string_view(document.text).substr(block.begin, block.end - block.begin)));
    }
    CHECK(words == body_words);
  }
}

}  // namespace
}  // namespace facet::retrieval
