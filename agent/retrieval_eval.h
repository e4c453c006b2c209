// Measures of search: how well the store ranks the documents of a judged collection, by full text
// alone, by vectors alone, and by both fused.
//
// A collection is
//  - a folder of Cranfield's files (cran.all.1400, cran.qry, cranqrel); grades 1 to 4, of which 1
//    is best, become gains 4 to 1,
//  - a .json file in SQuAD's form (XQuAD): each paragraph is a document, and its questions ask for
//    it alone,
//  - or a .jsonl file, one object a line: {"document":{"id","title","text"}} or
//    {"query":{"text","relevant":{"<document id>": <gain>}}}.
#pragma once

#include "base/result.h"
#include "retrieval/embedder.h"
#include "retrieval/eval.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::agent {

struct JudgedCollection {
  struct Document {
    std::string id;
    std::string title;  ///< May be empty.
    std::string text;
  };
  struct Query {
    std::string text;
    retrieval::Judgements relevant;  ///< By the id of a document.
  };
  std::vector<Document> documents;
  std::vector<Query> queries;
};

/// not_found, invalid_data or invalid_argument, naming the file and the place; also for a
/// collection without documents or queries, two documents of one id, and a judgement of a document
/// that is not there.
Result<JudgedCollection> read_collection(const std::filesystem::path& path);

struct RetrievalEvalOptions {
  const retrieval::Embedder* embedder = nullptr;     ///< Null: full text alone.
  const retrieval::TokenCounter* counter = nullptr;  ///< As StoreOptions::counter.
  std::int64_t chunk_tokens_max = 96;
  std::size_t queries_max = 0;  ///< 0: all.
  /// Called while it indexes and while it asks.
  std::function<void(std::size_t done, std::size_t total, const std::string& what)> progress;
  std::stop_token stop;
};

/// Means over the queries.
struct RankingQuality {
  std::string name;  ///< "full text", "vectors" or "both".
  std::size_t queries = 0;
  double ndcg_at_10 = 0.0;
  double recall_at_5 = 0.0;
  double recall_at_10 = 0.0;
  double mrr = 0.0;
};

/// Indexes the collection into a store of its own, in a folder that is gone afterwards, and asks
/// all queries. A document ranks by its best passage among the first 50. Errors of the store;
/// cancelled on a stop.
Result<std::vector<RankingQuality>> score_retrieval(const JudgedCollection& collection,
                                                    const RetrievalEvalOptions& options);

/// {"name", "queries", "ndcg_at_10", "recall_at_5", "recall_at_10", "mrr"}, shares from 0 to 1.
nlohmann::ordered_json ranking_quality_json(const RankingQuality& quality);

}  // namespace facet::agent
