#include "retrieval/store.h"

#include "retrieval/store_schema.h"
#include "retrieval/store_state.h"

#include <sys/statvfs.h>

#include <limits>
#include <optional>
#include <utility>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

Status check_options(const StoreOptions& options) {
  if (options.folder.empty()) return Error{Code::invalid_argument, "a store needs a folder"};
  if (options.chunk_tokens_max < 1) {
    return Error{Code::invalid_argument,
                 "chunk_tokens_max is " + std::to_string(options.chunk_tokens_max) +
                     ", it must be at least 1"};
  }
  if (options.embedder != nullptr) {
    const std::size_t dimension = options.embedder->dimension();
    if (dimension == 0 || dimension > std::numeric_limits<std::uint16_t>::max()) {
      return Error{Code::invalid_argument,
                   "the embedder has the dimension " + std::to_string(dimension)};
    }
  }
  return ok();
}

Status check_embedder(Database& database, const StoreOptions& options) {
  if (options.embedder == nullptr) return ok();
  FACET_TRY(const auto stored, read_meta(database, meta::kEmbedder));
  if (stored && *stored != options.embedder->identity()) {
    return Error{Code::unsupported,
                 options.folder.string() + ": the store's vectors are from the embedder '" +
                     *stored + "', not from '" + options.embedder->identity() + "'"};
  }
  FACET_TRY(const auto dimension, read_meta(database, meta::kDimension));
  if (dimension && *dimension != std::to_string(options.embedder->dimension())) {
    return Error{Code::unsupported,
                 options.folder.string() + ": the store's vectors have the dimension " +
                     *dimension + ", the embedder's " +
                     std::to_string(options.embedder->dimension())};
  }
  return ok();
}

/// False where that cannot be told.
bool is_mounted_read_only(const fs::path& folder) {
  struct statvfs about = {};
  return ::statvfs(folder.c_str(), &about) == 0 && (about.f_flag & ST_RDONLY) != 0;
}

}  // namespace

Result<Store::State::FileState> Store::State::file_state(const fs::path& path) {
  std::error_code code;
  FileState out;
  out.bytes = fs::file_size(path, code);
  if (!code) out.written = fs::last_write_time(path, code);
  if (code) return Error{Code::unavailable, path.string() + ": " + code.message()};
  return out;
}

Status Store::State::check_unchanged() const {
  if (!unchanging) return ok();
  FACET_TRY(const FileState now, file_state(database_path()));
  if (now == *unchanging) return ok();
  return Error{
      Code::unavailable,
      database_path().string() + ": was changed while it was open for reading only; open it again"};
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options) {
  FACET_TRY_STATUS(check_options(options));
  StoreOptions absolute = options;
  std::error_code code;
  absolute.folder = fs::weakly_canonical(fs::absolute(options.folder, code), code);
  const fs::path path = absolute.folder / kDatabaseFile;
  if (!code && fs::exists(path, code) && is_mounted_read_only(absolute.folder)) {
    absolute.read_only = true;
  }
  if (!code && !absolute.read_only) fs::create_directories(absolute.folder, code);
  if (code) {
    return Error{Code::unavailable,
                 options.folder.string() + ": cannot create the folder: " + code.message()};
  }
  std::optional<State::FileState> unchanging;
  if (absolute.read_only) {
    FACET_TRY(unchanging, State::file_state(path));
  }
  FACET_TRY(Database database,
            absolute.read_only ? Database::open_unlocked(path)
                               : Database::open(path, options.busy_ms_max));
  FACET_TRY_STATUS(absolute.read_only ? check_schema(database, path.string())
                                      : prepare_schema(database, path.string()));
  FACET_TRY_STATUS(check_embedder(database, absolute));
  auto state = std::make_unique<State>(std::move(absolute), std::move(database));
  state->unchanging = unchanging;
  if (options.embedder != nullptr) {
    FACET_TRY_STATUS(state->refresh_vectors());
    if (state->options.read_only) return std::unique_ptr<Store>(new Store(std::move(state)));
    // While another process writes, it will write the cache too.
    if (auto lock = FolderLock::acquire(state->options.folder); lock) {
      FACET_TRY_STATUS(state->save_vectors());
    }
  }
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

Result<StoreStatistics> Store::statistics() const {
  const std::lock_guard guard(state_->mutex);
  FACET_TRY_STATUS(state_->check_unchanged());
  Database& database = state_->database;
  StoreStatistics out;
  FACET_TRY(out.documents, database.query_integer("SELECT count(*) FROM documents"));
  FACET_TRY(out.chunks, database.query_integer("SELECT count(*) FROM chunks"));
  FACET_TRY(out.vectors, database.query_integer("SELECT count(*) FROM vectors"));
  return out;
}

Status Store::verify() const {
  const std::lock_guard guard(state_->mutex);
  FACET_TRY_STATUS(state_->check_unchanged());
  Database& database = state_->database;
  FACET_TRY(Statement integrity, database.prepare("PRAGMA integrity_check(1)"));
  FACET_TRY(const bool row, integrity.step());
  if (!row || integrity.text(0) != "ok") {
    return Error{Code::invalid_data, "integrity_check: " + (row ? integrity.text(0) : "no answer")};
  }
  integrity.reset();
  // rank 1 compares the index with the content table too, not only with itself.
  if (auto matches =
          database.execute("INSERT INTO chunks_fts(chunks_fts, rank) VALUES('integrity-check', 1)");
      !matches) {
    return Error{Code::invalid_data, "the full-text index: " + matches.error().message};
  }
  FACET_TRY(const std::int64_t orphans,
            database.query_integer(
                "SELECT (SELECT count(*) FROM pragma_foreign_key_check) + (SELECT count(*) FROM "
                "chunks JOIN documents ON documents.id = chunks.document_id WHERE "
                "CAST(chunks.text AS BLOB) <> substr(CAST(documents.text AS BLOB), "
                "chunks.byte_begin + 1, chunks.byte_end - chunks.byte_begin))"));
  if (orphans != 0) {
    return Error{Code::invalid_data,
                 std::to_string(orphans) + " rows do not match the row they refer to"};
  }
  return ok();
}

}  // namespace facet::retrieval
