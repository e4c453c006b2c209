#include "retrieval/store_schema.h"
#include "retrieval/store_state.h"
#include "retrieval/vector_cache.h"

#include <sys/file.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace facet::retrieval {
namespace {

constexpr std::size_t kRowsPerAdd = 1024;

/// What the store says its cache file must be; nullopt when it never wrote one of `generation`.
Result<std::optional<VectorCacheStamp>> read_stamp(Database& database, std::int64_t generation) {
  std::optional<VectorCacheStamp> none;
  FACET_TRY(const auto recorded, read_meta(database, meta::kCacheGeneration));
  FACET_TRY(const auto digest, read_meta(database, meta::kCacheSha256));
  VectorCacheStamp stamp;
  if (!recorded || *recorded != std::to_string(generation) || !digest ||
      digest->size() != stamp.payload_sha256.size()) {
    return none;
  }
  stamp.generation = static_cast<std::uint64_t>(generation);
  std::memcpy(stamp.payload_sha256.data(), digest->data(), digest->size());
  return std::optional<VectorCacheStamp>(stamp);
}

}  // namespace

Status Store::State::refresh_vectors() {
  FACET_TRY(const std::int64_t generation, read_meta_integer(database, meta::kGeneration));
  if (vectors && vectors_generation == generation) return ok();
  vectors.reset();
  FACET_TRY(vectors, load_vectors(generation));
  vectors_generation = generation;
  return ok();
}

Result<VectorIndex> Store::State::load_vectors(std::int64_t generation) {
  FACET_TRY(const std::optional<VectorCacheStamp> stamp, read_stamp(database, generation));
  if (stamp) {
    auto cached = read_vector_cache(cache_path(), *stamp);
    // Missing, stale or damaged, the cache costs only the time to rebuild it.
    if (cached && cached->dimension() == options.embedder->dimension()) {
      cache_generation = generation;
      return cached;
    }
  }
  return rebuild_vectors();
}

Result<VectorIndex> Store::State::rebuild_vectors() {
  const std::size_t dimension = options.embedder->dimension();
  FACET_TRY(VectorIndex index, VectorIndex::create(dimension));
  FACET_TRY(Statement rows,
            database.prepare("SELECT chunk_id, data FROM vectors ORDER BY chunk_id"));
  std::vector<std::int64_t> ids;
  std::vector<float> numbers;
  for (;;) {
    FACET_TRY(const bool more, rows.step());
    if (!more || ids.size() == kRowsPerAdd) {
      FACET_TRY_STATUS(index.add(ids, numbers));
      ids.clear();
      numbers.clear();
    }
    if (!more) return index;
    const std::string blob = rows.text(1);
    if (blob.size() != dimension * sizeof(float)) {
      return Error{Code::invalid_data,
                   "the vector of chunk " + std::to_string(rows.integer(0)) + " has " +
                       std::to_string(blob.size()) + " bytes, not " +
                       std::to_string(dimension * sizeof(float))};
    }
    ids.push_back(rows.integer(0));
    numbers.resize(numbers.size() + dimension);
    std::memcpy(numbers.data() + numbers.size() - dimension, blob.data(), blob.size());
  }
}

Status Store::State::save_vectors() {
  FACET_TRY_STATUS(refresh_vectors());
  if (cache_generation == vectors_generation) return ok();
  FACET_TRY(
      const VectorCacheStamp stamp,
      write_vector_cache(cache_path(), *vectors, static_cast<std::uint64_t>(vectors_generation)));
  const std::string digest(stamp.payload_sha256.begin(), stamp.payload_sha256.end());
  FACET_TRY(Transaction transaction, Transaction::begin(database));
  FACET_TRY_STATUS(
      write_meta(database, meta::kCacheGeneration, std::to_string(vectors_generation)));
  FACET_TRY_STATUS(write_meta(database, meta::kCacheSha256, digest));
  FACET_TRY_STATUS(transaction.commit());
  cache_generation = vectors_generation;
  return ok();
}

Result<FolderLock> FolderLock::acquire(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kLockFile;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return Error{Code::unavailable, path.string() + ": cannot open: " + std::strerror(errno)};
  }
  FolderLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return Error{Code::unavailable, folder.string() + ": another process is writing to this store"};
  }
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);  // Releases the lock.
}

}  // namespace facet::retrieval
