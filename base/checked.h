// Checked integer arithmetic for sizes that come out of files: overflow is an answer, not a wrap.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace facet {

/// a * b, a + b; nullopt when the exact result does not fit T.
template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T out{};
  return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional<T>(out);
}

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T out{};
  return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional<T>(out);
}

/// `value` as To; nullopt when it is out of To's range.
template <std::integral To, std::integral From>
[[nodiscard]] constexpr std::optional<To> checked_cast(From value) {
  if (!std::in_range<To>(value)) return std::nullopt;
  return static_cast<To>(value);
}

/// `value` rounded up to a multiple of `alignment` (a power of two); nullopt on overflow.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_align(std::uint64_t value,
                                                                   std::uint64_t alignment) {
  const auto sum = checked_add<std::uint64_t>(value, alignment - 1);
  if (!sum) return std::nullopt;
  return *sum & ~(alignment - 1);
}

}  // namespace facet
