// GGUF: the container of llama.cpp, versions 2 and 3, little-endian. Layout: "GGUF", u32 version,
// u64 tensor count, u64 metadata count, the metadata (string key, u32 type, value), the tensor
// infos (string name, u32 dims, u64 sizes innermost first, u32 type, u64 offset), padding to the
// alignment, the data. A string is a u64 length and its bytes.
#pragma once

#include "base/result.h"
#include "engine/model/tensor_table.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace facet::engine {

struct GgufLimits {
  std::uint64_t tensors_max = 65536;
  std::uint64_t metadata_max = 65536;
  std::uint64_t key_bytes_max = 65535;
  std::uint64_t tensor_name_bytes_max = 1024;
  std::uint64_t string_bytes_max = 64U << 20U;
  std::uint64_t array_elements_max = 1U << 24U;
  std::uint64_t alignment_max = 65536;
};

/// A metadata array; the elements of one kind, integers and floats widened.
using GgufArray =
    std::variant<std::vector<std::int64_t>, std::vector<double>, std::vector<std::string_view>>;
/// A metadata value; integers of all widths and signs are int64, bool is its own kind.
using GgufValue = std::variant<bool, std::int64_t, double, std::string_view, GgufArray>;

using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;

/// A parsed header. Views point into the bytes it was parsed from, which must outlive it.
class Gguf {
 public:
  /// Parses a whole file. invalid_data for anything that breaks the format (duplicate keys and
  /// tensors, misaligned, overlapping or out-of-file data, nested arrays, u64 above 2^63 - 1),
  /// unsupported for version 1, big-endian files and tensor types that are not a DType,
  /// limit_exceeded beyond `limits`. The message names key or tensor and the value.
  static Result<Gguf> parse(std::span<const std::byte> bytes, const GgufLimits& limits = {});

  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] const TensorTable& tensors() const { return tensors_; }
  [[nodiscard]] const GgufMetadata& metadata() const { return metadata_; }
  [[nodiscard]] const GgufValue* find(std::string_view key) const;

  /// Typed reads. nullopt when the key is absent; invalid_data when it has another type.
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view key) const;
  [[nodiscard]] Result<std::optional<double>> number(std::string_view key) const;
  [[nodiscard]] Result<std::optional<bool>> boolean(std::string_view key) const;
  [[nodiscard]] Result<std::optional<std::string_view>> string(std::string_view key) const;

  /// The same for keys that must be there: invalid_data naming an absent key.
  [[nodiscard]] Result<std::int64_t> need_integer(std::string_view key) const;
  [[nodiscard]] Result<double> need_number(std::string_view key) const;
  [[nodiscard]] Result<std::string_view> need_string(std::string_view key) const;

 private:
  std::uint32_t version_ = 0;
  GgufMetadata metadata_;
  TensorTable tensors_;
};

}  // namespace facet::engine
