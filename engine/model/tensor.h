// Tensors as they lie in a model file: a type, a shape and borrowed bytes. No copies, no ownership.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace facet::engine {

/// The weight types the engine reads. The quantised ones are described in quantised.h.
enum class DType : std::uint8_t {
  f32,
  f16,
  bf16,
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl
};

/// Elements of one block of q8_0, q4_0, q4_1, q5_0, q5_1 and iq4_nl.
inline constexpr std::int64_t kQuantBlock = 32;
/// Elements of one block of q2_k, q3_k, q4_k, q5_k and q6_k.
inline constexpr std::int64_t kSuperBlock = 256;

/// All of them, in the order of the enumeration.
std::span<const DType> dtypes();

/// "F32", "BF16", "Q8_0", "Q4_K", "IQ4_NL", ...
std::string_view dtype_name(DType type);
/// The type of that name; nullopt for any other text.
std::optional<DType> dtype_from_name(std::string_view name);

/// The number of the type in a GGUF file, and back; nullopt for numbers of types that are not read.
std::uint32_t dtype_gguf_id(DType type);
std::optional<DType> dtype_from_gguf_id(std::uint32_t id);

/// Elements that are stored together: 1, or the block of a quantised type.
std::int64_t dtype_block_elements(DType type);
/// Bytes of one such block.
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

/// `count` elements of `type` at `from` as floats at `to`; quantised types: whole blocks only.
/// REQUIRES: count is a multiple of dtype_block_elements(type).
void dequantize(DType type, const std::byte* from, std::int64_t count, float* to);

/// IEEE half and bfloat16 bits as float; exact.
float half_to_float(std::uint16_t bits);
float bf16_to_float(std::uint16_t bits);
/// Rounded to nearest even; overflow becomes infinity, NaN stays NaN.
std::uint16_t float_to_half(float value);
std::uint16_t float_to_bf16(float value);

/// A byte of FP8 (E4M3, no infinities) as float, and the nearest one (half to even; saturates at
/// 448, NaN stays NaN).
float fp8_to_float(std::uint8_t bits);
std::uint8_t float_to_fp8(float value);

}  // namespace facet::engine
