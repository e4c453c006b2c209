// Turning rows of weights into what dot products want: shared by the files for AVX-512 and AMX,
// each of which gets a private copy through the unnamed namespace.
#pragma once

#include "engine/model/tensor.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace facet::engine {
namespace {  // NOLINT(google-build-namespaces): a copy for each instruction set is the point.

inline __m128i load_lane(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

/// 16 bytes of each of 16 rows, `stride` bytes apart: register i gets bytes [4 i, 4 i + 4) of every
/// row.
[[gnu::always_inline]] inline void turn_rows(const std::byte* from,
                                             std::int64_t stride,
                                             __m512i* to) {
  const auto rows = [&](std::int64_t first) __attribute__((always_inline)) {
    __m512i out = _mm512_castsi128_si512(load_lane(from + first * stride));
    out = _mm512_inserti32x4(out, load_lane(from + (first + 4) * stride), 1);
    out = _mm512_inserti32x4(out, load_lane(from + (first + 8) * stride), 2);
    return _mm512_inserti32x4(out, load_lane(from + (first + 12) * stride), 3);
  };
  const __m512i r0 = rows(0);
  const __m512i r1 = rows(1);
  const __m512i r2 = rows(2);
  const __m512i r3 = rows(3);
  const __m512i low01 = _mm512_unpacklo_epi32(r0, r1);
  const __m512i low23 = _mm512_unpacklo_epi32(r2, r3);
  const __m512i high01 = _mm512_unpackhi_epi32(r0, r1);
  const __m512i high23 = _mm512_unpackhi_epi32(r2, r3);
  to[0] = _mm512_unpacklo_epi64(low01, low23);
  to[1] = _mm512_unpackhi_epi64(low01, low23);
  to[2] = _mm512_unpacklo_epi64(high01, high23);
  to[3] = _mm512_unpackhi_epi64(high01, high23);
}

/// The halves at the beginning of 16 blocks. Each goes into its lane straight from memory: through
/// an array, one wide load would wait until 16 narrow stores have left the core.
[[gnu::always_inline]] inline __m512 turn_scales(const std::byte* from, std::int64_t stride) {
  const auto half = [&](std::int64_t row) __attribute__((always_inline)) {
    std::int16_t bits = 0;
    std::memcpy(&bits, from + row * stride, sizeof bits);
    return bits;
  };
  const auto eight = [&](std::int64_t row) __attribute__((always_inline)) {
    __m128i out = _mm_cvtsi32_si128(half(row));
    out = _mm_insert_epi16(out, half(row + 1), 1);
    out = _mm_insert_epi16(out, half(row + 2), 2);
    out = _mm_insert_epi16(out, half(row + 3), 3);
    out = _mm_insert_epi16(out, half(row + 4), 4);
    out = _mm_insert_epi16(out, half(row + 5), 5);
    out = _mm_insert_epi16(out, half(row + 6), 6);
    return _mm_insert_epi16(out, half(row + 7), 7);
  };
  return _mm512_cvtph_ps(_mm256_set_m128i(eight(8), eight(0)));
}

/// 16 blocks of Q4_0 or Q8_0: register i has the codes of columns [4 i, 4 i + 4) of every row, as
/// unsigned bytes: plus 8 or plus 128.
template <DType D>
[[gnu::always_inline]] inline void turn_blocks(const std::byte* from,
                                               std::int64_t stride,
                                               __m512i* codes) {
  turn_rows(from + 2, stride, codes);
  if constexpr (D == DType::q4_0) {
    const __m512i low = _mm512_set1_epi8(15);
    for (int i = 0; i < 4; ++i) {
      codes[4 + i] = _mm512_and_si512(_mm512_srli_epi16(codes[i], 4), low);
      codes[i] = _mm512_and_si512(codes[i], low);
    }
  } else {
    turn_rows(from + 18, stride, codes + 4);
    const __m512i flip = _mm512_set1_epi8(-128);
    for (int i = 0; i < 8; ++i) codes[i] = _mm512_xor_si512(codes[i], flip);
  }
}

/// A mask of the first n <= 16 lanes.
inline __mmask16 first_lanes(std::int64_t n) {
  return static_cast<__mmask16>((1U << n) - 1U);
}

}  // namespace
}  // namespace facet::engine
