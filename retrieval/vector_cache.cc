#include "retrieval/vector_cache.h"

#include "base/byte_reader.h"
#include "base/file_descriptor.h"
#include "base/mapped_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace facet::retrieval {
namespace {

constexpr std::string_view kMagic = "FACETVEC";
constexpr std::uint32_t kVersion = 1;

template <typename T>
void append_little_endian(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
  }
}

Error system_error(const std::filesystem::path& path, const char* doing) {
  return {Code::unavailable, path.string() + ": cannot " + doing + ": " + std::strerror(errno)};
}

Status write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return system_error(path, "write");
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return ok();
}

Status write_synced(const std::filesystem::path& path,
                    std::string_view header,
                    std::string_view payload) {
  const FileDescriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return system_error(path, "create");
  FACET_TRY_STATUS(write_all(file.get(), header, path));
  FACET_TRY_STATUS(write_all(file.get(), payload, path));
  if (::fsync(file.get()) != 0) return system_error(path, "sync");
  return ok();
}

Status sync_folder(const std::filesystem::path& folder) {
  const FileDescriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0 || ::fsync(descriptor.get()) != 0) return system_error(folder, "sync");
  return ok();
}

}  // namespace

Result<VectorCacheStamp> write_vector_cache(const std::filesystem::path& path,
                                            const VectorIndex& index,
                                            std::uint64_t generation) {
  FACET_TRY(const std::string payload, index.serialize());
  const VectorCacheStamp stamp = {generation, sha256(payload)};
  std::string header(kMagic);
  append_little_endian(header, kVersion);
  append_little_endian(header, static_cast<std::uint32_t>(index.dimension()));
  append_little_endian(header, std::uint64_t{index.size()});
  append_little_endian(header, generation);
  append_little_endian(header, std::uint64_t{payload.size()});
  header.append(stamp.payload_sha256.begin(), stamp.payload_sha256.end());

  std::filesystem::path temporary = path;
  temporary += ".new";
  FACET_TRY_STATUS(write_synced(temporary, header, payload));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return system_error(path, "replace");
  FACET_TRY_STATUS(sync_folder(path.parent_path()));
  return stamp;
}

Result<VectorIndex> read_vector_cache(const std::filesystem::path& path,
                                      const VectorCacheStamp& expected) {
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  ByteReader reader(file.bytes());
  FACET_TRY(const std::string magic, reader.read_string(kMagic.size(), "magic"));
  FACET_TRY(const auto version, reader.read<std::uint32_t>("version"));
  if (magic != kMagic || version != kVersion) {
    return Error{Code::invalid_data, path.string() + ": is not a vector cache of version 1"};
  }
  FACET_TRY(const auto dimension, reader.read<std::uint32_t>("dimension"));
  FACET_TRY(const auto count, reader.read<std::uint64_t>("count"));
  FACET_TRY(const auto generation, reader.read<std::uint64_t>("generation"));
  FACET_TRY(const auto payload_size, reader.read<std::uint64_t>("payload size"));
  Sha256Digest recorded{};
  FACET_TRY(const auto digest, reader.read_bytes(recorded.size(), "checksum"));
  std::memcpy(recorded.data(), digest.data(), recorded.size());
  if (generation != expected.generation) {
    return Error{Code::invalid_data,
                 path.string() + ": is of generation " + std::to_string(generation) + ", wanted " +
                     std::to_string(expected.generation)};
  }
  if (payload_size != reader.remaining() || recorded != expected.payload_sha256) {
    return Error{Code::invalid_data, path.string() + ": is not the file the store has written"};
  }
  FACET_TRY(const auto payload, reader.read_bytes(payload_size, "payload"));
  if (sha256(payload) != expected.payload_sha256) {
    return Error{Code::invalid_data, path.string() + ": its checksum is wrong"};
  }
  FACET_TRY(VectorIndex index, VectorIndex::deserialize(payload));
  if (index.dimension() != dimension || index.size() != count) {
    return Error{Code::invalid_data, path.string() + ": its header does not match its content"};
  }
  return index;
}

}  // namespace facet::retrieval
