// Compiled with -mavx2 -mfma -mf16c; called only after dispatch.cc has found them all.
#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/kernels.h"

#include <immintrin.h>

namespace facet::engine {
namespace {

struct Avx2 {
  using Reg = __m256;
  static constexpr int kWidth = 8;
  static constexpr int kRows = 4;  ///< 4 x 3 sums, 3 tokens and a weight: all 16 registers.
  static constexpr int kTokens = 3;
  static constexpr int kDecodeRows = 8;
  static constexpr int kQueries = 2;    ///< Times 4 keys: 8 sums.
  static constexpr int kValueRegs = 2;  ///< Times 4 query rows: 8 sums.
  static constexpr bool kFused = true;

  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg set1(float value) { return _mm256_set1_ps(value); }
  static Reg load(const void* from) { return _mm256_loadu_ps(static_cast<const float*>(from)); }
  static void keep(Reg& value) { asm volatile("" : "+x"(value)); }
  static void store(float* to, Reg value) { _mm256_storeu_ps(to, value); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
  static Reg div(Reg a, Reg b) { return _mm256_div_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  /// b where either is NaN, like the instruction.
  static Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
  static Reg min(Reg a, Reg b) { return _mm256_min_ps(a, b); }

  static __m128 sums(Reg a, Reg b, Reg c, Reg d) {
    const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  }
  static void sum4(Reg a, Reg b, Reg c, Reg d, float* to) { _mm_storeu_ps(to, sums(a, b, c, d)); }
  static float sum(Reg a) { return _mm_cvtss_f32(sums(a, a, a, a)); }
  static float top(Reg a) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
  }

  /// 2^n as float, n being the low bits of `shifted` (see Kernels::exp).
  static Reg exp2_bits(Reg shifted) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_set1_epi32(0x3F800000)));
  }
  static float half(const std::byte* from) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
  }
  static __m128i load128(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static __m128i load64(const std::byte* from) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  }
  static Reg from_half(const std::byte* from) { return _mm256_cvtph_ps(load128(from)); }
  static Reg from_bf16(const std::byte* from) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load128(from)), 16));
  }
  static Reg from_int8(const std::byte* from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load64(from)));
  }
  /// Elements [first, first + 8) of a q4_0 block, less 8; first is 0, 8, 16 or 24.
  static Reg from_nibbles(const std::byte* from, std::int64_t first) {
    __m128i bytes = load64(from + first % 16);
    if (first >= 16) bytes = _mm_srli_epi16(bytes, 4);
    bytes = _mm_sub_epi8(_mm_and_si128(bytes, _mm_set1_epi8(15)), _mm_set1_epi8(8));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
  /// levels[nibble] of the same nibbles; 16 levels.
  static Reg from_levels(const std::byte* from, std::int64_t first, const std::int8_t* levels) {
    __m128i bytes = load64(from + first % 16);
    if (first >= 16) bytes = _mm_srli_epi16(bytes, 4);
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels));
    bytes = _mm_shuffle_epi8(table, _mm_and_si128(bytes, _mm_set1_epi8(15)));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
};

constexpr Ops kAvx2 = Kernels<Avx2>::table("avx2");

}  // namespace

const Ops* avx2_ops() {
  return &kAvx2;
}

}  // namespace facet::engine
