// The walk over a GGUF header, part by part; used by Gguf::parse and by the quantizer.
#pragma once

#include "base/result.h"
#include "engine/model/gguf.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace facet::engine {

/// What a GGUF file consists of; views point into its bytes.
struct GgufParts {
  std::uint32_t version = 0;
  std::uint64_t alignment = 0;
  GgufMetadata metadata;
  TensorTable tensors;
  std::span<const std::byte> metadata_bytes;  ///< All keys and values as the file has them.
  /// Where in metadata_bytes the value of general.file_type lies, if it is there as a u32.
  std::optional<std::size_t> file_type_at;
};

/// Contract as Gguf::parse.
Result<GgufParts> parse_gguf(std::span<const std::byte> bytes, const GgufLimits& limits);

}  // namespace facet::engine
