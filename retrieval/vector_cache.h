// The file vectors.faiss: a checksummed copy of the vector index, so that opening a store need not
// read every vector out of SQLite. SQLite knows the checksum; a file that differs is not read.
#pragma once

#include "base/result.h"
#include "retrieval/sha256.h"
#include "retrieval/vector_index.h"

#include <cstdint>
#include <filesystem>

namespace facet::retrieval {

/// Layout, little-endian: magic "FACETVEC" (8 bytes), version u32 = 1, dimension u32, count u64,
/// generation u64, payload bytes u64, SHA-256 of the payload (32 bytes); then the payload.
struct VectorCacheStamp {
  std::uint64_t generation = 0;
  Sha256Digest payload_sha256{};
};

/// Writes to a temporary file beside `path`, syncs, renames, syncs the folder. Returns what a later
/// read must be asked for.
Result<VectorCacheStamp> write_vector_cache(const std::filesystem::path& path,
                                            const VectorIndex& index,
                                            std::uint64_t generation);

/// The index in `path`. not_found when there is no such file; invalid_data when its generation,
/// checksum or size is not what `expected` says, or the header is damaged.
Result<VectorIndex> read_vector_cache(const std::filesystem::path& path,
                                      const VectorCacheStamp& expected);

}  // namespace facet::retrieval
