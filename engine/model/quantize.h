// Quantizing: floats to blocks, and a model to a GGUF file with weights of another type.
#pragma once

#include "base/result.h"
#include "engine/model/tensor.h"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace facet::engine {

/// True for the types that quantize() writes.
bool can_quantize(DType type);
inline constexpr std::string_view kQuantizeTypes = "F32, F16, BF16, Q8_0 and Q4_0";

/// `count` floats as `type`: F16 and BF16 rounded to nearest even, blocks as ggml's reference makes
/// them: Q8_0 has d = max |x| / 127 and q = round(x / d), half away from zero; Q4_0 has d = m / -8
/// with m the element of largest magnitude (the first of equals), and
/// q = min(15, trunc(x / d + 8.5)). REQUIRES: can_quantize(type), whole blocks.
void quantize(DType type, const float* from, std::int64_t count, std::byte* to);

struct QuantizeCounts {
  std::int64_t quantized = 0;  ///< Tensors written in another type than they had.
  std::int64_t kept = 0;       ///< In their own: vectors, and rows that are no whole blocks.
  std::int64_t left_out = 0;   ///< Of a folder: its vision tower, which has no place in the file.
  std::int64_t bytes = 0;      ///< Of the new file.
};

/// Writes the model `in` to the GGUF file `out` with its matrices in `type`. Of a GGUF file the
/// metadata is copied byte for byte; a folder (config.json, tokenizer.model, *.safetensors) is
/// written in llama.cpp's layout (gguf_export.h) and read back before it is put into place. `out`
/// is written beside its place and renamed when whole. unsupported for a type that cannot be
/// written or a config that GGUF cannot say, invalid_data for a broken file or a weight that the
/// type cannot hold (naming the tensor), invalid_argument when both are one file, unavailable when
/// it cannot be written.
Result<QuantizeCounts> quantize_model(const std::filesystem::path& in,
                                      const std::filesystem::path& out,
                                      DType type);

}  // namespace facet::engine
