// What store.cc and store_search.cc share; no one else includes it.
#pragma once

#include "retrieval/sqlite.h"
#include "retrieval/store.h"
#include "retrieval/store_files.h"
#include "retrieval/vector_index.h"

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>

namespace facet::retrieval {

struct Store::State {
  State(StoreOptions store_options, Database open_database)
      : options(std::move(store_options)), database(std::move(open_database)) {}

  /// What tells that a file was changed.
  struct FileState {
    std::uintmax_t bytes = 0;
    std::filesystem::file_time_type written;
    bool operator==(const FileState&) const = default;
  };
  static Result<FileState> file_state(const std::filesystem::path& path);

  StoreOptions options;
  std::optional<FileState> unchanging;  ///< Of the database, when open for reading only.
  std::mutex index_mutex;  ///< Held by index() for its whole run; taken before `mutex`.
  std::mutex mutex;        ///< Guards all below; held per document while indexing.
  Database database;
  std::optional<VectorIndex> vectors;
  std::int64_t vectors_generation = -1;
  std::int64_t cache_generation = -1;  ///< Of the cache file that is known to be sound.

  [[nodiscard]] std::filesystem::path database_path() const {
    return options.folder / kDatabaseFile;
  }
  [[nodiscard]] std::filesystem::path cache_path() const { return options.folder / kVectorsFile; }

  /// unavailable when open for reading only and the file has changed since.
  [[nodiscard]] Status check_unchanged() const;

  /// Makes `vectors` the index of the store's present generation: kept, read from the cache, or
  /// rebuilt from SQLite. REQUIRES: an embedder; mutex is held.
  Status refresh_vectors();
  /// Writes the cache file and records its checksum, unless it is up to date. REQUIRES: an
  /// embedder; mutex and the folder's lock are held.
  Status save_vectors();

 private:
  Result<VectorIndex> load_vectors(std::int64_t generation);
  Result<VectorIndex> rebuild_vectors();
};

/// The lock that one writing process holds on a store's folder.
class FolderLock {
 public:
  /// unavailable when another process holds it.
  static Result<FolderLock> acquire(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace facet::retrieval
