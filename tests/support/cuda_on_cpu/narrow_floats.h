// Conversions between f32 and the narrow formats, by the book: round to nearest, ties to even.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace cuda_on_cpu {

inline float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}
inline std::uint16_t float_to_bf16(float value) {
  if (std::isnan(value)) return 0x7FFF;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}

/// A format with a sign bit, `exponent` and `mantissa` bits.
struct Format {
  int exponent = 5;
  int mantissa = 10;
  [[nodiscard]] int bias() const { return (1 << (exponent - 1)) - 1; }
};
inline constexpr Format kHalf{5, 10};
inline constexpr Format kE4m3{4, 3};

/// The magnitude of the bits without sign, as if no value were set aside for infinity or NaN.
inline float magnitude(const Format& format, std::uint32_t bits) {
  const auto exponent = static_cast<int>(bits >> static_cast<unsigned>(format.mantissa));
  const auto mantissa =
      static_cast<int>(bits & ((1U << static_cast<unsigned>(format.mantissa)) - 1));
  const int whole = exponent == 0 ? mantissa : mantissa + (1 << format.mantissa);
  const int power = (exponent == 0 ? 1 : exponent) - format.bias() - format.mantissa;
  return std::ldexp(static_cast<float>(whole), power);
}

/// The bits, without sign, of the value nearest to a finite x >= 0; may be past the largest.
inline std::uint32_t nearest_magnitude(const Format& format, float x) {
  if (x == 0.0F) return 0;
  const int least = 1 - format.bias();
  int power = std::ilogb(x);
  if (power < least) power = least;
  const float scaled = std::ldexp(x, format.mantissa - power);  // Its integers are the values.
  const auto whole = static_cast<std::uint32_t>(std::nearbyint(scaled));
  const std::uint32_t one = 1U << static_cast<unsigned>(format.mantissa);
  const auto exponent = static_cast<std::uint32_t>(power - least + 1);
  if (whole < one) return whole;  // Subnormal.
  return (exponent << static_cast<unsigned>(format.mantissa)) + (whole - one);
}

inline float half_to_float(std::uint16_t bits) {
  const std::uint32_t rest = bits & 0x7FFFU;
  float out = 0.0F;
  if (rest > 0x7C00U) return std::nanf("");
  out = rest == 0x7C00U ? INFINITY : magnitude(kHalf, rest);
  return (bits & 0x8000U) != 0 ? -out : out;
}
inline std::uint16_t float_to_half(float value) {
  if (std::isnan(value)) return 0x7FFF;
  const std::uint32_t sign = std::signbit(value) ? 0x8000U : 0U;
  const float x = std::fabs(value);
  const std::uint32_t rest = x >= 65536.0F ? 0x7C00U : nearest_magnitude(kHalf, x);
  return static_cast<std::uint16_t>(sign | (rest > 0x7C00U ? 0x7C00U : rest));
}

/// E4M3 without infinity: 0x7F is NaN, 0x7E is 448.
inline float e4m3_to_float(std::uint8_t bits) {
  const std::uint32_t rest = bits & 0x7FU;
  if (rest == 0x7FU) return std::nanf("");
  const float out = magnitude(kE4m3, rest);
  return (bits & 0x80U) != 0 ? -out : out;
}
/// Values beyond the largest become the largest, as with __NV_SATFINITE.
inline std::uint8_t float_to_e4m3(float value) {
  if (std::isnan(value)) return 0x7F;
  const std::uint32_t sign = std::signbit(value) ? 0x80U : 0U;
  const float x = std::fabs(value);
  const std::uint32_t rest = x >= 448.0F ? 0x7EU : nearest_magnitude(kE4m3, x);
  return static_cast<std::uint8_t>(sign | (rest > 0x7EU ? 0x7EU : rest));
}

}  // namespace cuda_on_cpu
