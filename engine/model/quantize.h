// Quantizing: floats to blocks, and a GGUF file to one with smaller weights.
#pragma once

#include "base/result.h"
#include "engine/model/tensor.h"

#include <cstdint>
#include <filesystem>

namespace facet::engine {

/// True for the types that quantize() writes: Q8_0 and Q4_0.
bool can_quantize(DType type);

/// `count` floats as blocks of `type`, as ggml's reference does it: Q8_0 has d = max |x| / 127 and
/// q = round(x / d), half away from zero; Q4_0 has d = m / -8 with m the element of largest
/// magnitude (the first of equals), and q = min(15, trunc(x / d + 8.5)).
/// REQUIRES: can_quantize(type), whole blocks.
void quantize(DType type, const float* from, std::int64_t count, std::byte* to);

struct QuantizeCounts {
  std::int64_t quantized = 0;  ///< Tensors written in the new type.
  std::int64_t kept = 0;       ///< Copied as they were: vectors, and rows that are no whole blocks.
  std::int64_t bytes = 0;      ///< Of the new file.
};

/// Writes the GGUF file `in` to `out` with its matrices in `type`; metadata is copied byte for
/// byte. `out` is written beside its place and renamed when whole. unsupported for a type that
/// cannot be written, invalid_data for a broken file or a weight that is not finite (naming the
/// tensor), invalid_argument when both are one file, unavailable when it cannot be written.
Result<QuantizeCounts> quantize_gguf(const std::filesystem::path& in,
                                     const std::filesystem::path& out,
                                     DType type);

}  // namespace facet::engine
