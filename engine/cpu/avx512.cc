// Compiled with -mavx512f -mavx512bw -mavx512vl -mavx512dq -mf16c -mfma; called only after
// dispatch.cc has found them all.
#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/kernels.h"

#include <immintrin.h>

namespace facet::engine {
namespace {

struct Avx512 {
  using Reg = __m512;
  static constexpr int kWidth = 16;
  static constexpr int kRows = 4;  ///< 4 x 6 sums, 6 tokens and a weight: 31 of 32 registers.
  static constexpr int kTokens = 6;
  static constexpr int kDecodeRows = 8;
  static constexpr int kQueries = 4;    ///< Times 4 keys: 16 sums.
  static constexpr int kValueRegs = 4;  ///< Times 4 query rows: 16 sums.
  static constexpr bool kFused = true;

  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg set1(float value) { return _mm512_set1_ps(value); }
  static Reg load(const void* from) { return _mm512_loadu_ps(from); }
  static void keep(Reg& value) { asm volatile("" : "+v"(value)); }
  static void store(float* to, Reg value) { _mm512_storeu_ps(to, value); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  static Reg div(Reg a, Reg b) { return _mm512_div_ps(a, b); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  /// b where either is NaN, like the instruction.
  static Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
  static Reg min(Reg a, Reg b) { return _mm512_min_ps(a, b); }
  static __m256 halves(Reg a) {
    return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  }
  static __m128 sums(Reg a, Reg b, Reg c, Reg d) {
    const __m256 ab = _mm256_hadd_ps(halves(a), halves(b));
    const __m256 cd = _mm256_hadd_ps(halves(c), halves(d));
    const __m256 all = _mm256_hadd_ps(ab, cd);
    return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  }
  static void sum4(Reg a, Reg b, Reg c, Reg d, float* to) { _mm_storeu_ps(to, sums(a, b, c, d)); }
  static float sum(Reg a) { return _mm_cvtss_f32(sums(a, a, a, a)); }
  static float top(Reg a) { return _mm512_reduce_max_ps(a); }

  /// 2^n as float, n being the low bits of `shifted` (see Kernels::exp).
  static Reg exp2_bits(Reg shifted) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_set1_epi32(0x3F800000)));
  }
  static float half(const std::byte* from) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
  }
  static __m256i load256(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static __m128i load128(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Reg from_half(const std::byte* from) { return _mm512_cvtph_ps(load256(from)); }
  static Reg from_bf16(const std::byte* from) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load256(from)), 16));
  }
  static Reg from_int8(const std::byte* from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load128(from)));
  }
  /// Elements [first, first + 16) of a q4_0 block, less 8; first is 0 or 16.
  static Reg from_nibbles(const std::byte* from, std::int64_t first) {
    __m128i bytes = load128(from);
    if (first != 0) bytes = _mm_srli_epi16(bytes, 4);
    bytes = _mm_sub_epi8(_mm_and_si128(bytes, _mm_set1_epi8(15)), _mm_set1_epi8(8));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
  }
  /// levels[nibble] of the same nibbles; 16 levels.
  static Reg from_levels(const std::byte* from, std::int64_t first, const std::int8_t* levels) {
    __m128i bytes = load128(from);
    if (first != 0) bytes = _mm_srli_epi16(bytes, 4);
    const __m128i table = _mm_loadu_si128(reinterpret_cast<const __m128i*>(levels));
    bytes = _mm_shuffle_epi8(table, _mm_and_si128(bytes, _mm_set1_epi8(15)));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
  }
};

constexpr Ops kAvx512 = Kernels<Avx512>::table("avx512");

}  // namespace

const Ops* avx512_ops() {
  return &kAvx512;
}

}  // namespace facet::engine
