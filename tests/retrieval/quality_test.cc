// What the pocket embedder adds to full-text search, by the weight of its ranking. Prints the table
// that models/pocket/EMBEDDER_CARD.md shows.
#include "agent/engine_embedder.h"
#include "agent/toolbox.h"
#include "engine/model/model.h"
#include "tests/retrieval/collections.h"
#include "tests/retrieval/conformance.h"
#include "tests/support/temp_dir.h"

#include <cstdio>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;
using test::Quality;
using test::Question;

const fs::path kPocket = fs::path(FACET_SOURCE_DIR) / "models/pocket";

/// A store as `facet index` makes it with `tokens_max` tokens a passage: pocket embedder, and the
/// pocket generator's tokens.
struct PocketStore {
  test::TempDir temp;
  fs::path docs = temp.path() / "docs";
  std::unique_ptr<Embedder> embedder;
  std::shared_ptr<const engine::Tokenizer> tokenizer;
  std::unique_ptr<TokenCounter> counter;
  std::unique_ptr<Store> store;

  void index(std::int64_t tokens_max) {
    auto loaded = agent::load_embedder(kPocket / "embedder.gguf", /*threads=*/0);
    REQUIRE(loaded.has_value());
    embedder = *std::move(loaded);
    auto read = engine::load_tokenizer(kPocket / "generator.gguf");
    REQUIRE(read.has_value());
    tokenizer = *std::move(read);
    counter = std::make_unique<agent::TokenizerCounter>(tokenizer);
    auto opened = Store::open({.folder = temp.path() / "store",
                               .embedder = embedder.get(),
                               .counter = counter.get(),
                               .chunk_tokens_max = tokens_max});
    REQUIRE(opened.has_value());
    store = *std::move(opened);
    REQUIRE(store->index(std::vector<fs::path>{docs}).has_value());
  }
};

void print(const std::string& row, const Quality& quality) {
  std::printf("%-24s %.4f  %.4f  %.4f  %.4f\n",
              row.c_str(),
              quality.ndcg10,
              quality.recall5,
              quality.recall10,
              quality.mrr);
}

void print_table(const std::string& title,
                 const Store& store,
                 const std::vector<Question>& questions) {
  std::printf("%-24s nDCG@10 rec@5   rec@10  MRR\n", title.c_str());
  print("BM25", test::measure(store, questions, {.use_dense = false}));
  print("dense", test::measure(store, questions, {.use_bm25 = false}));
  for (const double weight : {0.1, 0.2, 0.3, 0.4, 0.5, 1.0}) {
    print("dense weight " + std::to_string(weight).substr(0, 4),
          test::measure(store, questions, {.dense_weight = weight}));
  }
}

TEST_CASE("with the pocket embedder XQuAD is ranked better than by words alone",
          "[retrieval][unit]") {
  const fs::path folder = test::conformance_folder("xquad");
  if (folder.empty()) return;
  PocketStore pocket;
  const auto questions = test::write_xquad(folder, pocket.docs);
  pocket.index(32);
  const Quality lexical = test::measure(*pocket.store, questions, {.use_dense = false});
  const Quality hybrid = test::measure(*pocket.store, questions);
  // With equal weights, what a file without a statement gets, it is 0.917 against BM25's 0.932.
  CHECK(lexical.mrr > 0.93);
  CHECK(hybrid.mrr > lexical.mrr);
  CHECK(hybrid.recall5 >= lexical.recall5);
  CHECK(hybrid.recall5 > 0.98);
}

// Hidden: a minute of embedding. Run with `quality_tests "[table]"`.
TEST_CASE("quality by the weight of the dense ranking", "[.][table]") {
  const std::int64_t tokens_max = 32;  // As facet index.
  const fs::path cranfield = test::conformance_folder("cranfield");
  const fs::path xquad = test::conformance_folder("xquad");
  if (cranfield.empty() || xquad.empty()) return;
  const std::string size = ", " + std::to_string(tokens_max) + " tokens";
  {
    PocketStore pocket;
    const auto questions = test::write_cranfield(cranfield, pocket.docs);
    CHECK(questions.size() == 225);
    pocket.index(tokens_max);
    print_table("Cranfield" + size, *pocket.store, questions);
  }
  PocketStore pocket;
  const auto questions = test::write_xquad(xquad, pocket.docs);
  CHECK(questions.size() == 1190);
  pocket.index(tokens_max);
  print_table("XQuAD-en" + size, *pocket.store, questions);
}

}  // namespace
}  // namespace facet::retrieval
