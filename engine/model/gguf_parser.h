// The walk over a GGUF header, part by part; used by Gguf::parse only.
#pragma once

#include "base/result.h"
#include "engine/model/gguf.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace facet::engine {

/// What a GGUF file consists of; views point into its bytes.
struct GgufParts {
  std::uint32_t version = 0;
  GgufMetadata metadata;
  TensorTable tensors;
};

/// Contract as Gguf::parse.
Result<GgufParts> parse_gguf(std::span<const std::byte> bytes, const GgufLimits& limits);

}  // namespace facet::engine
