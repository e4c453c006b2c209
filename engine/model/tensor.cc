#include "engine/model/tensor.h"

#include "base/check.h"
#include "base/checked.h"
#include "engine/model/quantised.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

namespace facet::engine {
namespace {

struct TypeFacts {
  DType type;
  std::string_view name;
  std::uint32_t gguf_id;
  std::int64_t elements;
  std::int64_t bytes;
  DequantizeBlock dequantize;  ///< Null for the types without blocks.
};

/// One row per DType, in the order of the enumeration.
constexpr TypeFacts kFacts[] = {
    {DType::f32, "F32", 0, 1, 4, nullptr},
    {DType::f16, "F16", 1, 1, 2, nullptr},
    {DType::bf16, "BF16", 30, 1, 2, nullptr},
    {DType::q8_0, "Q8_0", 8, kQuantBlock, 34, dequantize_q8_0},
    {DType::q4_0, "Q4_0", 2, kQuantBlock, 18, dequantize_q4_0},
    {DType::q4_1, "Q4_1", 3, kQuantBlock, 20, dequantize_q4_1},
    {DType::q5_0, "Q5_0", 6, kQuantBlock, 22, dequantize_q5_0},
    {DType::q5_1, "Q5_1", 7, kQuantBlock, 24, dequantize_q5_1},
    {DType::q2_k, "Q2_K", 10, kSuperBlock, 84, dequantize_q2_k},
    {DType::q3_k, "Q3_K", 11, kSuperBlock, 110, dequantize_q3_k},
    {DType::q4_k, "Q4_K", 12, kSuperBlock, 144, dequantize_q4_k},
    {DType::q5_k, "Q5_K", 13, kSuperBlock, 176, dequantize_q5_k},
    {DType::q6_k, "Q6_K", 14, kSuperBlock, 210, dequantize_q6_k},
    {DType::iq4_nl, "IQ4_NL", 20, kQuantBlock, 18, dequantize_iq4_nl},
};

constexpr auto kTypes = [] {
  std::array<DType, std::size(kFacts)> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = kFacts[i].type;
  return out;
}();

const TypeFacts& facts(DType type) {
  const auto index = static_cast<std::size_t>(type);
  FACET_CHECK(index < std::size(kFacts) && kFacts[index].type == type);
  return kFacts[index];
}

std::uint16_t load_u16(const std::byte* from) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return bits;
}

}  // namespace

std::span<const DType> dtypes() {
  return kTypes;
}

std::string_view dtype_name(DType type) {
  return facts(type).name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const TypeFacts& of : kFacts) {
    if (of.name == name) return of.type;
  }
  return std::nullopt;
}

std::uint32_t dtype_gguf_id(DType type) {
  return facts(type).gguf_id;
}

std::optional<DType> dtype_from_gguf_id(std::uint32_t id) {
  for (const TypeFacts& of : kFacts) {
    if (of.gguf_id == id) return of.type;
  }
  return std::nullopt;
}

std::int64_t dtype_block_elements(DType type) {
  return facts(type).elements;
}

std::int64_t dtype_block_bytes(DType type) {
  return facts(type).bytes;
}

std::optional<std::int64_t> dtype_row_bytes(DType type, std::int64_t cols) {
  const TypeFacts& of = facts(type);
  if (cols < 0 || cols % of.elements != 0) return std::nullopt;
  return checked_mul<std::int64_t>(cols / of.elements, of.bytes);
}

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (bits >> 10U) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13U));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
}

float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  // 65520 and above round to infinity: halfway between the largest half and the next power of two.
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x38800000U) {
    // Subnormal half: the value in units of 2^-24, rounded to even by the current rounding mode.
    const float units = std::ldexp(std::bit_cast<float>(magnitude), 24);
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(std::nearbyint(units)));
  }
  const std::uint32_t odd = (magnitude >> 13U) & 1U;
  const std::uint32_t rounded = magnitude + 0xFFFU + odd - (112U << 23U);
  return static_cast<std::uint16_t>(sign | (rounded >> 13U));
}

std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
  const std::uint32_t odd = (bits >> 16U) & 1U;
  return static_cast<std::uint16_t>((bits + 0x7FFFU + odd) >> 16U);
}

float fp8_to_float(std::uint8_t bits) {
  const std::uint32_t magnitude = bits & 0x7FU;
  if (magnitude == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  // The exponent of a float is biased by 120 more; subnormal values become subnormal floats.
  const float value = std::bit_cast<float>(magnitude << 20U) * 0x1p120F;
  return (bits & 0x80U) != 0 ? -value : value;
}

std::uint8_t float_to_fp8(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 24U & 0x80U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > std::bit_cast<std::uint32_t>(HUGE_VALF))
    return static_cast<std::uint8_t>(sign | 0x7FU);
  if (magnitude >= std::bit_cast<std::uint32_t>(448.0F))
    return static_cast<std::uint8_t>(sign | 0x7EU);
  // Steps of 2^-9 below 2^-6, else an eighth of the power of two below; both rounded half to even.
  std::uint32_t code = 0;
  if (magnitude < std::bit_cast<std::uint32_t>(0x1p-6F)) {
    code = static_cast<std::uint32_t>(std::nearbyint(std::bit_cast<float>(magnitude) * 512.0F));
  } else {
    code = ((magnitude + 0x7FFFFU + (magnitude >> 20U & 1U)) >> 20U) - (120U << 3U);
  }
  return static_cast<std::uint8_t>(sign | code);
}

void dequantize(DType type, const std::byte* from, std::int64_t count, float* to) {
  const TypeFacts& of = facts(type);
  FACET_CHECK(count % of.elements == 0);
  if (type == DType::f32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  } else if (type == DType::f16) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = half_to_float(load_u16(from + 2 * i));
  } else if (type == DType::bf16) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = bf16_to_float(load_u16(from + 2 * i));
  } else {
    for (std::int64_t done = 0; done < count; done += of.elements, from += of.bytes) {
      of.dequantize(from, to + done);
    }
  }
}

}  // namespace facet::engine
