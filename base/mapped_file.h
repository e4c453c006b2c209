// MappedFile: a read-only memory map of one regular file.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <span>

namespace facet {

/// Owns the mapping; move-only. bytes() stays valid and constant while the object lives, unless
/// another process truncates the file (the kernel then raises SIGBUS on access).
/// Reading from several threads is safe.
class MappedFile {
 public:
  /// Maps `path`. not_found when it does not exist, invalid_data when it is empty or not a regular
  /// file, unavailable when the system refuses.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(data_), size_};
  }

 private:
  MappedFile(const void* data, std::size_t size) : data_(data), size_(size) {}
  void unmap() noexcept;

  const void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace facet
