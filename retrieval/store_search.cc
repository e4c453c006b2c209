// Store::search and what resolves a citation.
#include "base/utf8.h"
#include "retrieval/fusion.h"
#include "retrieval/query.h"
#include "retrieval/store_state.h"

#include <algorithm>
#include <array>
#include <utility>

namespace facet::retrieval {
namespace {

constexpr int kTopKMax = 100;
constexpr double kDenseWeightMax = 1000.0;
// How deep each ranking is read before fusion: a passage that is 40th in both still counts.
constexpr std::size_t kCandidatesMax = 100;
constexpr std::size_t kQueryBytesMax = 64U << 10U;

Status check_query(std::string_view query, const SearchOptions& options) {
  if (query.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return Error{Code::invalid_argument, "the query is empty"};
  }
  if (query.size() > kQueryBytesMax) {
    return Error{Code::invalid_argument,
                 "the query has " + std::to_string(query.size()) + " bytes, more than " +
                     std::to_string(kQueryBytesMax)};
  }
  if (options.top_k < 1 || options.top_k > kTopKMax) {
    return Error{Code::invalid_argument,
                 "top_k is " + std::to_string(options.top_k) + ", it must be 1 to " +
                     std::to_string(kTopKMax)};
  }
  const double weight = options.dense_weight.value_or(1.0);
  if (!(weight >= 0.0 && weight <= kDenseWeightMax)) {
    return Error{Code::invalid_argument,
                 "dense_weight is " + std::to_string(weight) + ", it must be 0 to " +
                     std::to_string(kDenseWeightMax)};
  }
  return ok();
}

/// Chunk ids by BM25, best first. A word in a title or heading says more than one in the text: the
/// weights 2, 2, 1 take the Cranfield collection, at 96 tokens a passage, from nDCG@10 0.368 to
/// 0.371 and leave XQuAD, which has no headings, as it is.
Result<std::vector<std::int64_t>> rank_by_bm25(Database& database, std::string_view query) {
  std::vector<std::int64_t> ids;
  const std::string words = fts_query(query);
  if (words.empty()) return ids;
  FACET_TRY(Statement select,
            database.prepare("SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH ?1 "
                             "ORDER BY bm25(chunks_fts, 2.0, 2.0, 1.0), rowid LIMIT ?2"));
  select.bind(1, words).bind(2, static_cast<std::int64_t>(kCandidatesMax));
  for (;;) {
    FACET_TRY(const bool more, select.step());
    if (!more) return ids;
    ids.push_back(select.integer(0));
  }
}

Result<std::optional<Passage>> read_passage(Database& database, std::int64_t chunk_id) {
  FACET_TRY(Statement select,
            database.prepare("SELECT d.name, c.title, c.heading, c.page, c.byte_begin, c.byte_end, "
                             "c.text FROM chunks c JOIN documents d ON d.id = c.document_id "
                             "WHERE c.id = ?1"));
  FACET_TRY(const bool found, select.bind(1, chunk_id).step());
  if (!found) return std::optional<Passage>();
  Passage passage;
  passage.chunk_id = chunk_id;
  passage.document = select.text(0);
  passage.title = select.text(1);
  passage.heading = select.text(2);
  passage.page = static_cast<int>(select.integer(3));
  passage.byte_begin = static_cast<std::uint64_t>(select.integer(4));
  passage.byte_end = static_cast<std::uint64_t>(select.integer(5));
  passage.text = select.text(6);
  return std::optional<Passage>(std::move(passage));
}

bool cuts_code_point(std::string_view text, std::uint64_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

}  // namespace

Result<std::vector<Passage>> Store::search(std::string_view query,
                                           const SearchOptions& options) const {
  FACET_TRY_STATUS(check_query(query, options));
  const Embedder* embedder = options.use_dense ? state_->options.embedder : nullptr;
  double dense_weight = 0.0;
  if (embedder != nullptr) {
    dense_weight = options.dense_weight ? *options.dense_weight : embedder->search_weight();
    // A weight among others; alone, the ranking is the same whatever it weighs.
    if (dense_weight <= 0.0 && options.use_bm25) embedder = nullptr;
  }
  std::vector<float> query_vector;
  if (embedder != nullptr) {
    FACET_TRY(query_vector, embedder->embed_query(query));
  }
  const std::lock_guard guard(state_->mutex);
  FACET_TRY_STATUS(state_->check_unchanged());
  std::vector<Ranking> rankings;
  if (options.use_bm25) {
    FACET_TRY(std::vector<std::int64_t> ids, rank_by_bm25(state_->database, query));
    rankings.push_back({std::move(ids)});
  }
  if (embedder != nullptr) {
    FACET_TRY_STATUS(state_->refresh_vectors());
    FACET_TRY(const std::vector<VectorHit> hits,
              state_->vectors->search(query_vector, kCandidatesMax, state_->options.threads_max));
    Ranking ranking = {{}, dense_weight};
    for (const VectorHit& hit : hits) ranking.ids.push_back(hit.id);
    rankings.push_back(std::move(ranking));
  }
  std::vector<Passage> passages;
  for (const FusedHit& hit : reciprocal_rank_fusion(rankings)) {
    if (passages.size() == static_cast<std::size_t>(options.top_k)) break;
    FACET_TRY(std::optional<Passage> passage, read_passage(state_->database, hit.id));
    // Another process may have deleted it since the vectors were read.
    if (!passage) continue;
    passage->score = hit.score;
    passages.push_back(*std::move(passage));
  }
  FACET_TRY_STATUS(state_->check_unchanged());
  return passages;
}

Result<Passage> Store::passage(std::int64_t chunk_id) const {
  const std::lock_guard guard(state_->mutex);
  FACET_TRY_STATUS(state_->check_unchanged());
  FACET_TRY(std::optional<Passage> passage, read_passage(state_->database, chunk_id));
  if (!passage) {
    return Error{Code::not_found, "no passage has the id " + std::to_string(chunk_id)};
  }
  return *std::move(passage);
}

Result<DocumentFile> Store::document_file(std::string_view document) const {
  const std::lock_guard guard(state_->mutex);
  FACET_TRY_STATUS(state_->check_unchanged());
  FACET_TRY(Statement select,
            state_->database.prepare("SELECT path, hash FROM documents WHERE name = ?1"));
  FACET_TRY(const bool found, select.bind(1, document).step());
  if (!found) return Error{Code::not_found, std::string(document) + ": is not in the store"};
  return DocumentFile{.path = select.text(0), .hash = select.text(1)};
}

Result<std::string> Store::excerpt(std::string_view document,
                                   std::uint64_t begin,
                                   std::uint64_t end) const {
  const std::lock_guard guard(state_->mutex);
  FACET_TRY_STATUS(state_->check_unchanged());
  FACET_TRY(Statement select,
            state_->database.prepare("SELECT text FROM documents WHERE name = ?1"));
  FACET_TRY(const bool found, select.bind(1, document).step());
  if (!found) return Error{Code::not_found, std::string(document) + ": is not in the store"};
  const std::string text = select.text(0);
  if (begin > end || end > text.size() || cuts_code_point(text, begin) ||
      cuts_code_point(text, end)) {
    return Error{Code::invalid_argument,
                 std::string(document) + ": bytes " + std::to_string(begin) + " to " +
                     std::to_string(end) + " are no span of its " + std::to_string(text.size()) +
                     " bytes of text"};
  }
  return text.substr(begin, end - begin);
}

}  // namespace facet::retrieval
