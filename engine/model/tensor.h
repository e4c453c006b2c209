// Tensors as they lie in a model file: a type, a shape and borrowed bytes. No copies, no ownership.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace facet::engine {

/// The weight types the engine reads. q8_0: blocks of 32 as half d, 32 int8 (34 bytes), w = q d.
/// q4_0: blocks of 32 as half d, 16 bytes (18 bytes), byte j holds element j in its low and element
/// j + 16 in its high nibble, w = (q - 8) d. All little-endian.
enum class DType : std::uint8_t { f32, f16, bf16, q8_0, q4_0 };

/// Elements of one block of q8_0 and q4_0.
inline constexpr std::int64_t kQuantBlock = 32;

/// "F32", "F16", "BF16", "Q8_0", "Q4_0".
std::string_view dtype_name(DType type);

/// Elements that are stored together: 1, or 32 for the quantised types.
std::int64_t dtype_block_elements(DType type);
/// Bytes of one such block: 4, 2, 2, 34, 18.
std::int64_t dtype_block_bytes(DType type);

/// Bytes of a row of `cols` elements; nullopt when it would overflow, when `cols` is negative, or
/// when it is not a whole number of blocks.
std::optional<std::int64_t> dtype_row_bytes(DType type, std::int64_t cols);

/// A row-major matrix (rows, cols) in somebody else's memory, usually a mapped file. A vector has
/// one row. Rows follow each other without gaps. A plain value; valid while the bytes live.
struct TensorView {
  DType type = DType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::byte* data = nullptr;

  /// Bytes from one row to the next. REQUIRES: cols is a whole number of blocks.
  [[nodiscard]] std::int64_t row_bytes() const {
    return cols / dtype_block_elements(type) * dtype_block_bytes(type);
  }
  [[nodiscard]] std::int64_t bytes() const { return rows * row_bytes(); }
  [[nodiscard]] const std::byte* row(std::int64_t index) const {
    return data + index * row_bytes();
  }
  [[nodiscard]] bool empty() const { return data == nullptr; }
};

/// `count` elements of `type` at `from` as floats at `to`. q8_0 and q4_0: whole blocks only.
/// REQUIRES: count is a multiple of dtype_block_elements(type).
void dequantize(DType type, const std::byte* from, std::int64_t count, float* to);

/// IEEE half and bfloat16 bits as float; exact.
float half_to_float(std::uint16_t bits);
float bf16_to_float(std::uint16_t bits);
/// Rounded to nearest even; overflow becomes infinity, NaN stays NaN.
std::uint16_t float_to_half(float value);
std::uint16_t float_to_bf16(float value);

}  // namespace facet::engine
