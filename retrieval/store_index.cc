// Store::index: one pass over the roots; one document, one transaction.
#include "retrieval/chunker.h"
#include "retrieval/loaders/loader.h"
#include "retrieval/sha256.h"
#include "retrieval/source_tree.h"
#include "retrieval/store_schema.h"
#include "retrieval/store_state.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

// Part of every document's recorded pipeline: raise it when loaders or chunker give other results,
// so that unchanged files are read again.
constexpr std::string_view kPipeline = "2";

struct StoredDocument {
  std::int64_t id = 0;
  std::string name;
  std::string hash;
  std::string pipeline;
};

struct PreparedDocument {
  LoadedDocument loaded;
  std::vector<Chunk> chunks;
  std::vector<std::vector<float>> vectors;  // One per chunk, or none at all.
};

/// The title that the embedder sees: headings name what a passage is about.
std::string embedded_title(const std::string& title, const std::string& heading) {
  if (heading.empty()) return title;
  return heading.starts_with(title) ? heading : title + " > " + heading;
}

Result<std::vector<float>> embed_passage(const Embedder& embedder,
                                         std::string_view title,
                                         std::string_view text) {
  FACET_TRY(std::vector<float> vector, embedder.embed_document(title, text));
  const bool finite =
      std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); });
  if (vector.size() != embedder.dimension() || !finite) {
    return Error{Code::internal,
                 "the embedder '" + embedder.identity() + "' gave " +
                     std::to_string(vector.size()) + " numbers" +
                     (finite ? "" : ", not all finite")};
  }
  return vector;
}

std::span<const std::byte> as_blob(const std::vector<float>& vector) {
  return std::as_bytes(std::span(vector));
}

class Indexer {
 public:
  Indexer(Store::State& state, std::stop_token stop) : state_(state), stop_(std::move(stop)) {
    pipeline_ = std::string(kPipeline) + "/" + std::to_string(state.options.chunk_tokens_max) +
                (state.options.counter != nullptr ? "/tokens" : "/bytes");
    limits_.document_bytes_max = state.options.document_bytes_max;
  }

  Result<IndexReport> run(std::span<const fs::path> roots,
                          const std::function<void(const IndexProgress&)>& progress) {
    FACET_TRY_STATUS(begin());
    FACET_TRY(const SourceTree tree,
              scan_roots(roots, state_.options.folder, [this](const fs::path& root) {
                return is_known_root(root);
              }));
    FACET_TRY_STATUS(record_roots(tree));
    report_.failed = tree.failed;
    IndexProgress at = {0, tree.files.size(), {}};
    for (const SourceFile& file : tree.files) {
      if (stop_.stop_requested()) return stopped();
      at.document = file.name;
      if (progress) progress(at);
      FACET_TRY_STATUS(visit(file));
      ++at.done;
    }
    FACET_TRY_STATUS(delete_vanished(tree));
    FACET_TRY_STATUS(embed_missing());
    FACET_TRY_STATUS(finish());
    at.document.clear();
    if (progress) progress(at);
    return std::move(report_);
  }

 private:
  Database& database() { return state_.database; }

  static Error stopped() { return {Code::cancelled, "indexing was stopped"}; }

  Status begin() {
    const std::lock_guard guard(state_.mutex);
    FACET_TRY(const auto embedder, read_meta(database(), meta::kEmbedder));
    if (state_.options.embedder == nullptr) {
      if (!embedder) return ok();
      return Error{Code::invalid_argument,
                   "the store has vectors of the embedder '" + *embedder +
                       "'; indexing without it would leave documents without vectors"};
    }
    if (embedder) return ok();
    FACET_TRY(Transaction transaction, Transaction::begin(database()));
    FACET_TRY_STATUS(write_meta(database(), meta::kEmbedder, state_.options.embedder->identity()));
    FACET_TRY_STATUS(write_meta(
        database(), meta::kDimension, std::to_string(state_.options.embedder->dimension())));
    return transaction.commit();
  }

  bool is_known_root(const fs::path& root) {
    const std::lock_guard guard(state_.mutex);
    auto statement = database().prepare("SELECT 1 FROM roots WHERE path = ?1");
    if (!statement) return false;
    const auto found = statement->bind(1, root.string()).step();
    return found && *found;
  }

  Status record_roots(const SourceTree& tree) {
    const std::lock_guard guard(state_.mutex);
    FACET_TRY(Transaction transaction, Transaction::begin(database()));
    FACET_TRY(Statement insert, database().prepare("INSERT OR IGNORE INTO roots(path) VALUES(?1)"));
    for (const fs::path& root : tree.roots) {
      FACET_TRY_STATUS(insert.bind(1, root.string()).run());
    }
    return transaction.commit();
  }

  /// One file. Its own failures go to the report; only the store's failures end the run.
  Status visit(const SourceFile& file) {
    const auto fail = [&](const Error& error) {
      report_.failed.push_back({file.name, error});
      return ok();
    };
    if (const auto format = format_of(file.path); !format) {
      return fail(format.error().with_context(file.name));
    }
    auto source = read_source(file.path, limits_.document_bytes_max);
    if (!source) return fail(source.error().with_context(file.name));
    const std::string hash = sha256_hex(sha256(source->bytes));
    FACET_TRY(const std::optional<StoredDocument> stored, find(file.path));
    if (stored && stored->hash == hash && stored->pipeline == pipeline_) {
      ++report_.unchanged;
      return ok();
    }
    auto prepared = prepare(file, source->bytes);
    if (!prepared && prepared.error().code == Code::cancelled) return prepared.error();
    if (!prepared) return fail(prepared.error());
    FACET_TRY_STATUS(write(file, *source, hash, stored, *prepared));
    ++(stored ? report_.updated : report_.added);
    return ok();
  }

  Result<std::optional<StoredDocument>> find(const fs::path& path) {
    const std::lock_guard guard(state_.mutex);
    FACET_TRY(Statement select,
              database().prepare("SELECT id, name, hash, pipeline FROM documents WHERE path = ?1"));
    FACET_TRY(const bool found, select.bind(1, path.string()).step());
    if (!found) return std::optional<StoredDocument>();
    return std::optional<StoredDocument>(
        StoredDocument{select.integer(0), select.text(1), select.text(2), select.text(3)});
  }

  /// Everything that takes long happens here, without the lock.
  Result<PreparedDocument> prepare(const SourceFile& file, const std::string& bytes) {
    PreparedDocument out;
    FACET_TRY(out.loaded, load_document(file.name, bytes, limits_));
    out.chunks =
        chunk_document(out.loaded, state_.options.counter, state_.options.chunk_tokens_max, stop_);
    if (stop_.stop_requested()) return stopped();
    if (state_.options.embedder == nullptr) return out;
    for (const Chunk& chunk : out.chunks) {
      if (stop_.stop_requested()) return stopped();
      auto vector = embed_passage(*state_.options.embedder,
                                  embedded_title(out.loaded.title, chunk.heading),
                                  text_of(out.loaded, chunk));
      if (!vector) return vector.error().with_context(file.name);
      out.vectors.push_back(*std::move(vector));
    }
    return out;
  }

  static std::string_view text_of(const LoadedDocument& document, const Chunk& chunk) {
    return std::string_view(document.text).substr(chunk.begin, chunk.end - chunk.begin);
  }

  Status write(const SourceFile& file,
               const SourceBytes& source,
               const std::string& hash,
               const std::optional<StoredDocument>& stored,
               const PreparedDocument& prepared) {
    const std::lock_guard guard(state_.mutex);
    FACET_TRY(Transaction transaction, Transaction::begin(database()));
    if (stored) FACET_TRY_STATUS(remove(stored->id));
    std::string name = file.name;
    if (stored) {
      name = stored->name;
    } else {
      FACET_TRY(name, free_name(file));
    }
    FACET_TRY(
        Statement insert,
        database().prepare("INSERT INTO documents(path, name, hash, pipeline, size, mtime_ns, "
                           "title, text) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
    FACET_TRY_STATUS(insert.bind(1, file.path.string())
                         .bind(2, name)
                         .bind(3, hash)
                         .bind(4, pipeline_)
                         .bind(5, static_cast<std::int64_t>(source.bytes.size()))
                         .bind(6, source.mtime_ns)
                         .bind(7, prepared.loaded.title)
                         .bind(8, prepared.loaded.text)
                         .run());
    FACET_TRY_STATUS(write_chunks(database().last_insert_id(), prepared));
    FACET_TRY_STATUS(bump_generation(database()));
    return transaction.commit();
  }

  /// The file's name, with its root's name in front or its whole path where that is taken.
  Result<std::string> free_name(const SourceFile& file) {
    FACET_TRY(Statement select, database().prepare("SELECT 1 FROM documents WHERE name = ?1"));
    for (const std::string& name : {file.name, file.root_name + "/" + file.name}) {
      FACET_TRY(const bool taken, select.bind(1, name).step());
      if (!taken) return name;
      select.reset();
    }
    return file.path.string();
  }

  Status write_chunks(std::int64_t document_id, const PreparedDocument& prepared) {
    FACET_TRY(Statement chunk_row,
              database().prepare("INSERT INTO chunks(document_id, ordinal, title, heading, text, "
                                 "page, byte_begin, byte_end) "
                                 "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
    FACET_TRY(Statement fts_row,
              database().prepare("INSERT INTO chunks_fts(rowid, title, heading, text) "
                                 "VALUES(?1, ?2, ?3, ?4)"));
    FACET_TRY(Statement vector_row,
              database().prepare("INSERT INTO vectors(chunk_id, data) VALUES(?1, ?2)"));
    for (std::size_t i = 0; i < prepared.chunks.size(); ++i) {
      const Chunk& chunk = prepared.chunks[i];
      const std::string_view text = text_of(prepared.loaded, chunk);
      FACET_TRY_STATUS(chunk_row.bind(1, document_id)
                           .bind(2, static_cast<std::int64_t>(i))
                           .bind(3, prepared.loaded.title)
                           .bind(4, chunk.heading)
                           .bind(5, text)
                           .bind(6, std::int64_t{chunk.page})
                           .bind(7, static_cast<std::int64_t>(chunk.begin))
                           .bind(8, static_cast<std::int64_t>(chunk.end))
                           .run());
      const std::int64_t chunk_id = database().last_insert_id();
      FACET_TRY_STATUS(fts_row.bind(1, chunk_id)
                           .bind(2, prepared.loaded.title)
                           .bind(3, chunk.heading)
                           .bind(4, text)
                           .run());
      if (!prepared.vectors.empty()) {
        FACET_TRY_STATUS(vector_row.bind(1, chunk_id).bind(2, as_blob(prepared.vectors[i])).run());
      }
    }
    return ok();
  }

  /// Takes a document out of all tables. REQUIRES: a transaction is open.
  Status remove(std::int64_t document_id) {
    FACET_TRY(Statement fts,
              database().prepare("INSERT INTO chunks_fts(chunks_fts, rowid, title, heading, text) "
                                 "SELECT 'delete', id, title, heading, text FROM chunks "
                                 "WHERE document_id = ?1"));
    FACET_TRY_STATUS(fts.bind(1, document_id).run());
    FACET_TRY(Statement row, database().prepare("DELETE FROM documents WHERE id = ?1"));
    FACET_TRY_STATUS(row.bind(1, document_id).run());
    removed_text_ = true;
    return ok();
  }

  Status delete_vanished(const SourceTree& tree) {
    std::set<fs::path> present;
    for (const SourceFile& file : tree.files) present.insert(file.path);
    const auto within = [](const fs::path& path, const std::vector<fs::path>& folders) {
      return std::any_of(folders.begin(), folders.end(), [&](const fs::path& folder) {
        return is_within(path, folder);
      });
    };
    std::vector<std::int64_t> vanished;
    const std::lock_guard guard(state_.mutex);
    FACET_TRY(Statement select, database().prepare("SELECT id, path FROM documents ORDER BY id"));
    for (;;) {
      FACET_TRY(const bool more, select.step());
      if (!more) break;
      const fs::path path = select.text(1);
      if (within(path, tree.roots) && !within(path, tree.unreadable) && !present.contains(path)) {
        vanished.push_back(select.integer(0));
      }
    }
    for (const std::int64_t id : vanished) {
      FACET_TRY(Transaction transaction, Transaction::begin(database()));
      FACET_TRY_STATUS(remove(id));
      FACET_TRY_STATUS(bump_generation(database()));
      FACET_TRY_STATUS(transaction.commit());
      ++report_.deleted;
    }
    return ok();
  }

  /// Vectors for chunks that were stored when there was no embedder yet; one transaction each, so a
  /// kill loses at most one.
  Status embed_missing() {
    if (state_.options.embedder == nullptr) return ok();
    for (std::int64_t last = 0;;) {
      if (stop_.stop_requested()) return stopped();
      std::string title;
      std::string text;
      {
        const std::lock_guard guard(state_.mutex);
        FACET_TRY(
            Statement next,
            database().prepare("SELECT id, title, heading, text FROM chunks WHERE id > ?1 AND "
                               "id NOT IN (SELECT chunk_id FROM vectors) ORDER BY id LIMIT 1"));
        FACET_TRY(const bool found, next.bind(1, last).step());
        if (!found) return ok();
        last = next.integer(0);
        title = embedded_title(next.text(1), next.text(2));
        text = next.text(3);
      }
      FACET_TRY(const std::vector<float> vector,
                embed_passage(*state_.options.embedder, title, text));
      const std::lock_guard guard(state_.mutex);
      FACET_TRY(Transaction transaction, Transaction::begin(database()));
      FACET_TRY(Statement insert,
                database().prepare("INSERT INTO vectors(chunk_id, data) VALUES(?1, ?2)"));
      FACET_TRY_STATUS(insert.bind(1, last).bind(2, as_blob(vector)).run());
      FACET_TRY_STATUS(bump_generation(database()));
      FACET_TRY_STATUS(transaction.commit());
    }
  }

  Status finish() {
    const std::lock_guard guard(state_.mutex);
    // Old index segments still hold deleted words until they are merged.
    if (removed_text_) {
      FACET_TRY_STATUS(database().execute("INSERT INTO chunks_fts(chunks_fts) VALUES('optimize')"));
    }
    if (state_.options.embedder != nullptr) FACET_TRY_STATUS(state_.save_vectors());
    FACET_TRY_STATUS(database().execute("PRAGMA wal_checkpoint(TRUNCATE)"));
    FACET_TRY(report_.chunks, database().query_integer("SELECT count(*) FROM chunks"));
    return ok();
  }

  Store::State& state_;
  std::stop_token stop_;
  std::string pipeline_;
  LoadLimits limits_;
  IndexReport report_;
  bool removed_text_ = false;
};

}  // namespace

Result<IndexReport> Store::index(std::span<const std::filesystem::path> roots,
                                 const std::function<void(const IndexProgress&)>& progress,
                                 std::stop_token stop) {
  const std::lock_guard guard(state_->index_mutex);
  if (state_->options.read_only) {
    return Error{Code::permission_denied,
                 state_->options.folder.string() + ": the store is open for reading only" +
                     " (its file system may be mounted so)"};
  }
  FACET_TRY(const FolderLock lock, FolderLock::acquire(state_->options.folder));
  return Indexer(*state_, std::move(stop)).run(roots, progress);
}

}  // namespace facet::retrieval
