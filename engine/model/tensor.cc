#include "engine/model/tensor.h"

#include "base/check.h"
#include "base/checked.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace facet::engine {
namespace {

struct TypeFacts {
  std::string_view name;
  std::int64_t elements;
  std::int64_t bytes;
};

TypeFacts facts(DType type) {
  switch (type) {
    case DType::f32:
      return {"F32", 1, 4};
    case DType::f16:
      return {"F16", 1, 2};
    case DType::bf16:
      return {"BF16", 1, 2};
    case DType::q8_0:
      return {"Q8_0", kQuantBlock, 34};
    case DType::q4_0:
      return {"Q4_0", kQuantBlock, 18};
  }
  FACET_CHECK(false && "a DType outside the enumeration");
  return {};
}

std::uint16_t load_u16(const std::byte* from) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return bits;
}

}  // namespace

std::string_view dtype_name(DType type) {
  return facts(type).name;
}

std::int64_t dtype_block_elements(DType type) {
  return facts(type).elements;
}

std::int64_t dtype_block_bytes(DType type) {
  return facts(type).bytes;
}

std::optional<std::int64_t> dtype_row_bytes(DType type, std::int64_t cols) {
  const TypeFacts of = facts(type);
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

void dequantize(DType type, const std::byte* from, std::int64_t count, float* to) {
  FACET_CHECK(count % dtype_block_elements(type) == 0);
  if (type == DType::f32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  } else if (type == DType::f16) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = half_to_float(load_u16(from + 2 * i));
  } else if (type == DType::bf16) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = bf16_to_float(load_u16(from + 2 * i));
  } else if (type == DType::q8_0) {
    for (std::int64_t block = 0; block < count / kQuantBlock; ++block, from += 34) {
      const float scale = half_to_float(load_u16(from));
      for (std::int64_t i = 0; i < kQuantBlock; ++i) {
        *to++ = scale * static_cast<float>(static_cast<std::int8_t>(from[2 + i]));
      }
    }
  } else {
    for (std::int64_t block = 0; block < count / kQuantBlock; ++block, from += 18, to += 32) {
      const float scale = half_to_float(load_u16(from));
      for (std::int64_t i = 0; i < kQuantBlock / 2; ++i) {
        const int packed = static_cast<int>(from[2 + i]);
        to[i] = scale * static_cast<float>((packed & 15) - 8);
        to[i + kQuantBlock / 2] = scale * static_cast<float>((packed >> 4) - 8);
      }
    }
  }
}

}  // namespace facet::engine
