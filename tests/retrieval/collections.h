// Test collections that other people made: Cranfield's abstracts and XQuAD's English paragraphs.
#pragma once

#include "retrieval/eval.h"
#include "retrieval/store.h"
#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace facet::test {

struct Question {
  std::string words;
  retrieval::Judgements judged;  ///< By the stem of a document's file name.
};

struct CranfieldRecord {
  std::string title;
  std::string words;
};

/// Records of Cranfield's format, in order: ".I n", then fields ".T", ".A", ".B", ".W".
inline std::vector<CranfieldRecord> cranfield_records(const std::filesystem::path& path) {
  std::vector<CranfieldRecord> records;
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

/// Writes the 1,400 abstracts into `docs` as Markdown and returns the questions. A smaller grade is
/// better there; grades 1 to 4 become gains 4 to 1.
inline std::vector<Question> write_cranfield(const std::filesystem::path& collection,
                                             const std::filesystem::path& docs) {
  const auto records = cranfield_records(collection / "cran.all.1400");
  REQUIRE(records.size() == 1400);
  for (std::size_t i = 0; i < records.size(); ++i) {
    write_file(docs / (std::to_string(i + 1) + ".md"),
               "# " + records[i].title + "\n\n" + records[i].words);
  }
  std::vector<Question> questions;
  for (const CranfieldRecord& record : cranfield_records(collection / "cran.qry")) {
    questions.push_back({record.words, {}});
  }
  std::ifstream in(collection / "cranqrel");
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::size_t query = 0;
    int document = 0;
    int grade = 0;
    fields >> query >> document >> grade;
    if (grade >= 1 && grade <= 4) {
      questions.at(query - 1).judged[std::to_string(document)] = 5 - grade;
    }
  }
  return questions;
}

/// Writes the 240 paragraphs into `docs` as text and returns the questions, each with the one
/// paragraph that it was written for.
inline std::vector<Question> write_xquad(const std::filesystem::path& collection,
                                         const std::filesystem::path& docs) {
  std::ifstream in(collection / "xquad.en.json");
  const nlohmann::json file = nlohmann::json::parse(in);
  std::vector<Question> questions;
  int paragraphs = 0;
  for (const auto& article : file.at("data")) {
    for (const auto& paragraph : article.at("paragraphs")) {
      const std::string name = std::to_string(++paragraphs);
      write_file(docs / (name + ".txt"), paragraph.at("context").get<std::string>() + "\n");
      for (const auto& question : paragraph.at("qas")) {
        questions.push_back({question.at("question").get<std::string>(), {{name, 1.0}}});
      }
    }
  }
  REQUIRE(paragraphs == 240);
  return questions;
}

/// Means over all questions.
struct Quality {
  double ndcg10 = 0.0;
  double recall5 = 0.0;
  double recall10 = 0.0;
  double mrr = 0.0;
};

/// Documents rank by their best passage, read from the first 50 passages.
inline Quality measure(const retrieval::Store& store,
                       const std::vector<Question>& questions,
                       retrieval::SearchOptions options = {}) {
  options.top_k = 50;
  Quality sum;
  for (const Question& question : questions) {
    const auto found = store.search(question.words, options);
    if (!found) FAIL(found.error().message);
    std::vector<std::string> documents;
    for (const retrieval::Passage& passage : *found) {
      const std::string name = std::filesystem::path(passage.document).stem().string();
      if (std::find(documents.begin(), documents.end(), name) == documents.end()) {
        documents.push_back(name);
      }
    }
    sum.ndcg10 += retrieval::ndcg_at(documents, question.judged, 10);
    sum.recall5 += retrieval::recall_at(documents, question.judged, 5);
    sum.recall10 += retrieval::recall_at(documents, question.judged, 10);
    sum.mrr += retrieval::reciprocal_rank(documents, question.judged);
  }
  const auto count = static_cast<double>(questions.size());
  return {sum.ndcg10 / count, sum.recall5 / count, sum.recall10 / count, sum.mrr / count};
}

}  // namespace facet::test
