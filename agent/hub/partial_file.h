// PartialFile: a file that is fetched in chunks, in any order, and goes on where it was killed.
#pragma once

#include "base/file_descriptor.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace facet::agent::hub {

/// Behind the place of the file's own bytes stands a trailer: a magic word, the bytes of a chunk
/// and, for each chunk, how many of its bytes are here. Bytes are written before they are counted,
/// so a process may die anywhere; finish() cuts the trailer off. After a loss of power a count may
/// be ahead of its bytes: the digest of the whole finds that.
///
/// Threads may append to different chunks at once; everything else is for one thread.
class PartialFile {
 public:
  /// Opens or makes `path`. What is there is kept when its trailer fits `bytes` and `chunk_bytes`,
  /// else begun anew. limit_exceeded for more chunks than kChunksMax; permission_denied or
  /// unavailable by the file system, also when the disk has no room for what is missing.
  static Result<PartialFile> open(const std::filesystem::path& path,
                                  std::int64_t bytes,
                                  std::int64_t chunk_bytes);

  static constexpr std::size_t kChunksMax = std::size_t{1} << 24U;

  [[nodiscard]] std::size_t chunks() const { return done_.size(); }
  [[nodiscard]] std::int64_t chunk_begin(std::size_t chunk) const;
  [[nodiscard]] std::int64_t chunk_end(std::size_t chunk) const;
  /// Bytes of a chunk that are here.
  [[nodiscard]] std::int64_t done(std::size_t chunk) const { return done_[chunk]; }
  [[nodiscard]] std::int64_t bytes_done() const;

  /// REQUIRES: the chunk has room for `bytes`.
  [[nodiscard]] Status append(std::size_t chunk, std::span<const std::byte> bytes);
  /// Forgets what is here.
  [[nodiscard]] Status reset();
  /// REQUIRES: every chunk is whole. Cuts the trailer off and brings the bytes to the disk.
  [[nodiscard]] Status finish();

 private:
  PartialFile(std::filesystem::path path,
              FileDescriptor file,
              std::int64_t bytes,
              std::int64_t chunk_bytes);
  [[nodiscard]] bool read_trailer();
  [[nodiscard]] Status write(std::span<const std::byte> bytes, std::int64_t at) const;

  std::filesystem::path path_;
  FileDescriptor file_;
  std::int64_t bytes_;
  std::int64_t chunk_bytes_;
  std::vector<std::uint32_t> done_;
};

}  // namespace facet::agent::hub
