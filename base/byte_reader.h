// ByteReader: the one bounded reader for every binary format (GGUF, safetensors, KV snapshots).
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace facet {

/// Walks over borrowed bytes, little-endian, and never reads past their end. A failed read names
/// `what`, the offset and the missing byte count, and leaves the position where it was.
/// Not thread-safe; the bytes must outlive the reader and every view it hands out.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t offset() const { return offset_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - offset_; }

  /// The next sizeof(T) bytes as a little-endian T.
  template <typename T>
  requires(std::is_arithmetic_v<T>) Result<T> read(std::string_view what) {
    if (remaining() < sizeof(T)) return short_read(what, sizeof(T));
    T out{};
    std::memcpy(&out, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return out;
  }

  /// The next `size` bytes, as a view into the source.
  Result<std::span<const std::byte>> read_bytes(std::uint64_t size, std::string_view what);

  /// The next `size` bytes as text (not checked for UTF-8).
  Result<std::string> read_string(std::uint64_t size, std::string_view what);

  Status skip(std::uint64_t size, std::string_view what);

 private:
  [[nodiscard]] Error short_read(std::string_view what, std::uint64_t wanted) const;

  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

}  // namespace facet
