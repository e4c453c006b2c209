// Compiled with the flags of avx2.cc; called only after dispatch.cc has found them all.
#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/packed_kernels.h"

#include <immintrin.h>

namespace facet::engine {
namespace {

struct Avx2Packed {
  struct Codes {  ///< Rows 0 to 7 and 8 to 15: Q4_0 plus 8, unsigned; Q8_0 as they are.
    __m256i low;
    __m256i high;
  };
  using Acc = Codes;  ///< Sums of 16 bits for Q4_0: 32 products are at most 16 * 15 * 127; else 32.
  struct Floats {
    __m256 low;
    __m256 high;
  };
  static constexpr int kPanels = 1;
  static constexpr int kTokens = 3;  ///< 3 x 2 sums of floats and of integers: 12 of 16 registers.

  static Floats zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Floats set1(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
  static Floats mul(Floats a, Floats b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  static Floats fma(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static __m256i load256(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Codes load_codes(const std::byte* from) { return {load256(from), load256(from + 32)}; }
  static void store_codes(std::byte* to, const Codes& value) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value.low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32), value.high);
  }
  static Floats load_floats(const void* from, std::int64_t n) {
    float part[16] = {};
    const auto* floats = static_cast<const float*>(from);
    if (n < 16) {
      std::memcpy(part, from, static_cast<std::size_t>(n) * sizeof(float));
      floats = part;
    }
    return {_mm256_loadu_ps(floats), _mm256_loadu_ps(floats + 8)};
  }
  static void store_floats(void* to, std::int64_t n, Floats value) {
    float part[16];
    float* floats = n < 16 ? part : static_cast<float*>(to);
    _mm256_storeu_ps(floats, value.low);
    _mm256_storeu_ps(floats + 8, value.high);
    if (n < 16) std::memcpy(to, part, static_cast<std::size_t>(n) * sizeof(float));
  }

  static Acc start() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  template <DType D>
  static __m256i dot_half(__m256i sum, __m256i codes, __m256i x) {
    if constexpr (D == DType::q4_0) return _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, x));
    // Two products are at most 2 * 128 * 127.
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  template <DType D>
  static Acc dot(Acc sum, Codes codes, const std::byte* x) {
    std::int32_t four = 0;
    std::memcpy(&four, x, sizeof four);
    const __m256i all = _mm256_set1_epi32(four);
    return {dot_half<D>(sum.low, codes.low, all), dot_half<D>(sum.high, codes.high, all)};
  }
  template <DType D>
  static __m256 finish_half(__m256i sum, __m256i correction) {
    if constexpr (D == DType::q8_0) return _mm256_cvtepi32_ps(sum);
    const __m256i all = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
    return _mm256_cvtepi32_ps(_mm256_add_epi32(all, correction));
  }
  template <DType D>
  static Floats finish(Acc sum, const std::byte* minus_8) {
    std::int32_t correction = 0;
    std::memcpy(&correction, minus_8, sizeof correction);
    const __m256i all = _mm256_set1_epi32(correction);
    return {finish_half<D>(sum.low, all), finish_half<D>(sum.high, all)};
  }

  static __m128i load128(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  /// 16 bytes of each of 8 rows, turned: register i has bytes [4 i, 4 i + 4) of every row.
  static void turn8(const std::byte* from, std::int64_t stride, __m256i* to) {
    const auto rows = [&](std::int64_t first) {
      return _mm256_inserti128_si256(_mm256_castsi128_si256(load128(from + first * stride)),
                                     load128(from + (first + 4) * stride),
                                     1);
    };
    const __m256i r0 = rows(0);
    const __m256i r1 = rows(1);
    const __m256i r2 = rows(2);
    const __m256i r3 = rows(3);
    const __m256i low01 = _mm256_unpacklo_epi32(r0, r1);
    const __m256i low23 = _mm256_unpacklo_epi32(r2, r3);
    const __m256i high01 = _mm256_unpackhi_epi32(r0, r1);
    const __m256i high23 = _mm256_unpackhi_epi32(r2, r3);
    to[0] = _mm256_unpacklo_epi64(low01, low23);
    to[1] = _mm256_unpackhi_epi64(low01, low23);
    to[2] = _mm256_unpacklo_epi64(high01, high23);
    to[3] = _mm256_unpackhi_epi64(high01, high23);
  }
  static void turn(const std::byte* from, std::int64_t stride, Codes* to) {
    __m256i low[4];
    __m256i high[4];
    turn8(from, stride, low);
    turn8(from + 8 * stride, stride, high);
    for (int i = 0; i < 4; ++i) to[i] = {low[i], high[i]};
  }
  static __m256 scales8(const std::byte* from, std::int64_t stride) {
    const auto half = [&](std::int64_t row) {
      std::int16_t bits = 0;
      std::memcpy(&bits, from + row * stride, sizeof bits);
      return bits;
    };
    return _mm256_cvtph_ps(
        _mm_setr_epi16(half(0), half(1), half(2), half(3), half(4), half(5), half(6), half(7)));
  }
  template <DType D>
  [[gnu::always_inline]] static void expand(const std::byte* from,
                                            std::int64_t stride,
                                            Codes* codes,
                                            Floats& d) {
    d = {scales8(from, stride), scales8(from + 8 * stride, stride)};
    turn(from + 2, stride, codes);
    if constexpr (D == DType::q8_0) {
      turn(from + 18, stride, codes + 4);
    } else {
      const __m256i mask = _mm256_set1_epi8(15);
      const auto high = [&](__m256i both) {
        return _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
      };
      for (int i = 0; i < 4; ++i) {
        codes[4 + i] = {high(codes[i].low), high(codes[i].high)};
        codes[i] = {_mm256_and_si256(codes[i].low, mask), _mm256_and_si256(codes[i].high, mask)};
      }
    }
  }
};

}  // namespace

PackedOps avx2_packed_ops() {
  return PackedKernels<Avx2Packed>::table("int8 multiply-add, AVX2");
}

}  // namespace facet::engine
