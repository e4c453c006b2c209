// The Cranfield collection, the classic retrieval test: 1,400 abstracts, 225 questions.
#include "retrieval/eval.h"
#include "retrieval/store.h"
#include "tests/retrieval/conformance.h"
#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

struct Record {
  std::string title;
  std::string words;
};

/// Records of Cranfield's format, in order: ".I n", then fields ".T", ".A", ".B", ".W".
std::vector<Record> read_records(const fs::path& path) {
  std::vector<Record> records;
  std::ifstream in(path);
  char field = 'I';
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(".I")) {
      records.emplace_back();
      field = 'I';
    } else if (line.size() >= 2 && line[0] == '.' && line[1] >= 'A' && line[1] <= 'Z') {
      field = line[1];
    } else if (field == 'T' && !records.empty()) {
      records.back().title += line + " ";
    } else if (field == 'W' && !records.empty()) {
      records.back().words += line + "\n";
    }
  }
  return records;
}

/// Judgements by question rank, from 1. A smaller grade is better there; grades 1 to 4 become gains
/// 4 to 1.
std::map<int, Judgements> read_judgements(const fs::path& path) {
  std::map<int, Judgements> judgements;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    int query = 0;
    int document = 0;
    int grade = 0;
    fields >> query >> document >> grade;
    if (grade >= 1 && grade <= 4) judgements[query][std::to_string(document)] = 5 - grade;
  }
  return judgements;
}

std::vector<std::string> ranking(const Store& store, const std::string& query) {
  const auto found = store.search(query, {.top_k = 50});
  if (!found) FAIL(found.error().message);
  std::vector<std::string> documents;
  for (const Passage& passage : *found) {
    const std::string name = fs::path(passage.document).stem().string();
    if (std::find(documents.begin(), documents.end(), name) == documents.end()) {
      documents.push_back(name);
    }
  }
  return documents;
}

TEST_CASE("BM25 ranks the Cranfield collection as well as published runs", "[retrieval][unit]") {
  const fs::path folder = test::conformance_folder("cranfield");
  if (folder.empty()) return;
  const test::TempDir temp;
  const auto records = read_records(folder / "cran.all.1400");
  REQUIRE(records.size() == 1400);
  for (std::size_t i = 0; i < records.size(); ++i) {
    test::write_file(temp.path() / "docs" / (std::to_string(i + 1) + ".md"),
                     "# " + records[i].title + "\n\n" + records[i].words);
  }
  const auto store = Store::open({.folder = temp.path() / "store", .chunk_tokens_max = 400});
  REQUIRE(store.has_value());
  const auto report = (*store)->index(std::vector<fs::path>{temp.path() / "docs"});
  REQUIRE(report.has_value());
  CHECK(report->added == 1400);

  const auto queries = read_records(folder / "cran.qry");
  const auto judgements = read_judgements(folder / "cranqrel");
  double ndcg = 0.0;
  double recall = 0.0;
  double mrr = 0.0;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto& judged = judgements.at(static_cast<int>(i) + 1);
    const auto documents = ranking(**store, queries[i].words);
    ndcg += ndcg_at(documents, judged, 10);
    recall += recall_at(documents, judged, 10);
    mrr += reciprocal_rank(documents, judged);
  }
  const auto count = static_cast<double>(queries.size());
  WARN("Cranfield, BM25: nDCG@10 " << ndcg / count << ", recall@10 " << recall / count << ", MRR "
                                   << mrr / count);
  CHECK(ndcg / count > 0.35);
}

}  // namespace
}  // namespace facet::retrieval
