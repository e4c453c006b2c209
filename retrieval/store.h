// Store: a person's documents, their chunks and vectors. SQLite is the truth; the FAISS index
// beside it is a checksummed cache that can always be rebuilt.
#pragma once

#include "base/result.h"
#include "retrieval/embedder.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::retrieval {

struct StoreOptions {
  std::filesystem::path folder;  ///< Created when missing; holds store.sqlite and vectors.faiss.
  const Embedder* embedder = nullptr;     ///< Borrowed; may be null: then search is BM25 only.
  const TokenCounter* counter = nullptr;  ///< Borrowed; null: chunks are measured in bytes / 4.
  std::int64_t chunk_tokens_max = 96;
  std::uint64_t document_bytes_max = 64U << 20U;
  int threads_max = 1;     ///< For the vector search.
  int busy_ms_max = 5000;  ///< How long to wait for another process's transaction.
  /// Search alone: nothing is written into the folder, no lock either. So chosen by itself where
  /// the folder is on a file system that is mounted read-only.
  bool read_only = false;
};

/// A passage as search returns it. The span lies in the document's extracted text.
struct Passage {
  std::int64_t chunk_id = 0;
  /// Path relative to the indexed root, with '/' separators. Unique in the store: where two roots
  /// hold the same path, the later one gets its root's name in front.
  std::string document;
  std::string title;
  std::string heading;  ///< Headings above the passage, outermost first, joined by " > ".
  int page = 0;         ///< 1-based; 0 where the format has no pages.
  std::uint64_t byte_begin = 0;
  std::uint64_t byte_end = 0;
  std::string text;
  double score = 0.0;  ///< Weighted reciprocal-rank-fusion score; larger is better.
};

struct SearchOptions {
  int top_k = 5;  ///< 1..100.
  bool use_bm25 = true;
  bool use_dense = true;  ///< Ignored without an embedder.
  /// What the ranking by vectors weighs beside BM25's 1, 0 to 1000; 0 leaves it out. Unset: what
  /// the embedder says, Embedder::search_weight().
  std::optional<double> dense_weight;
};

struct FailedDocument {
  std::string document;
  Error error;
};

/// Counts of documents.
struct IndexReport {
  int added = 0;
  int updated = 0;
  int deleted = 0;
  int unchanged = 0;
  std::vector<FailedDocument> failed;
  std::int64_t chunks = 0;  ///< In the store afterwards.
};

struct IndexProgress {
  std::size_t done = 0;
  std::size_t total = 0;
  std::string document;
};

/// The file a document was indexed from.
struct DocumentFile {
  std::filesystem::path path;
  std::string hash;  ///< sha256_hex of its bytes at that time.
};

struct StoreStatistics {
  std::int64_t documents = 0;
  std::int64_t chunks = 0;
  std::int64_t vectors = 0;
};

/// Thread-safe: calls are serialised inside. One process writes at a time; a second writer gets
/// unavailable. A store that is open for reading only must not change meanwhile: once its file did,
/// every call gives unavailable, and it has to be opened again.
class Store {
 public:
  /// unsupported for a store of a newer version or of another embedder (naming both), unavailable
  /// when it is locked or cannot be read. A missing, stale or damaged vector cache is rebuilt.
  static Result<std::unique_ptr<Store>> open(const StoreOptions& options);

  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  /// Brings the store in line with what lies under `roots` (files or folders): new and changed
  /// documents are loaded, vanished ones deleted, equal ones (by content hash) left alone. One
  /// document is one transaction, so a kill loses at most the one being written. A document that
  /// fails to load is reported and skipped; its older version, if any, stays. not_found for a root
  /// that neither exists nor was ever indexed; cancelled on a stop, what is done stays done;
  /// invalid_argument without an embedder when the store has vectors; permission_denied where it is
  /// open for reading only. `progress` is called without locks, before each document and once at
  /// the end.
  Result<IndexReport> index(std::span<const std::filesystem::path> roots,
                            const std::function<void(const IndexProgress&)>& progress = {},
                            std::stop_token stop = {});

  /// The best passages, best first. invalid_argument for an empty query or an
  /// option out of its range.
  Result<std::vector<Passage>> search(std::string_view query,
                                      const SearchOptions& options = {}) const;

  /// The passage of a chunk, for resolving citations. not_found when it was deleted.
  Result<Passage> passage(std::int64_t chunk_id) const;

  /// Bytes [begin, end) of a document's extracted text. not_found for an unknown document,
  /// invalid_argument for a span outside it or one that cuts a code point.
  Result<std::string> excerpt(std::string_view document,
                              std::uint64_t begin,
                              std::uint64_t end) const;

  /// Where a document came from. not_found for an unknown document.
  Result<DocumentFile> document_file(std::string_view document) const;

  /// Compares every copy the store keeps: SQLite's integrity_check, the full-text index against the
  /// chunks (which needs a store that can be written), spans against texts. invalid_data names the
  /// first difference.
  Status verify() const;

  Result<StoreStatistics> statistics() const;

  struct State;  ///< Internal to the room: store_state.h.

 private:
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace facet::retrieval
