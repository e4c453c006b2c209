// The Cranfield collection, the classic retrieval test: 1,400 abstracts, 225 questions.
#include "tests/retrieval/collections.h"
#include "tests/retrieval/conformance.h"
#include "tests/support/temp_dir.h"

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

TEST_CASE("BM25 ranks the Cranfield collection as well as published runs", "[retrieval][unit]") {
  const fs::path folder = test::conformance_folder("cranfield");
  if (folder.empty()) return;
  const test::TempDir temp;
  const auto questions = test::write_cranfield(folder, temp.path() / "docs");
  REQUIRE(questions.size() == 225);
  const auto store = Store::open({.folder = temp.path() / "store", .chunk_tokens_max = 400});
  REQUIRE(store.has_value());
  const auto report = (*store)->index(std::vector<fs::path>{temp.path() / "docs"});
  REQUIRE(report.has_value());
  CHECK(report->added == 1400);
  const test::Quality quality = test::measure(**store, questions);
  WARN("Cranfield, BM25: nDCG@10 " << quality.ndcg10 << ", recall@10 " << quality.recall10
                                   << ", MRR " << quality.mrr);
  CHECK(quality.ndcg10 > 0.365);
}

}  // namespace
}  // namespace facet::retrieval
