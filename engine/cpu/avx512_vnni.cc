// Compiled with -mavx512vnni besides the flags of avx512.cc; called only after dispatch.cc has
// found it.
#include "engine/cpu/avx512_turn.h"
#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/packed_kernels.h"

#include <immintrin.h>

namespace facet::engine {
namespace {

struct Vnni {
  using Codes = __m512i;  ///< Unsigned bytes: the weights plus 8 (Q4_0) or 128 (Q8_0).
  using Acc = __m512i;
  using Floats = __m512;
  static constexpr int kPanels = 2;  ///< 2 x 6 sums of floats and of integers: 24 of 32 registers.
  static constexpr int kTokens = 6;

  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats set1(float value) { return _mm512_set1_ps(value); }
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Codes load_codes(const void* from) { return _mm512_loadu_si512(from); }
  static void store_codes(void* to, Codes value) { _mm512_storeu_si512(to, value); }
  static Floats load_floats(const void* from, std::int64_t n) {
    return n == 16 ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(first_lanes(n), from);
  }
  static void store_floats(void* to, std::int64_t n, Floats value) {
    if (n == 16) {
      _mm512_storeu_ps(to, value);
    } else {
      _mm512_mask_storeu_ps(to, first_lanes(n), value);
    }
  }

  static Acc start() { return _mm512_setzero_si512(); }
  template <DType D>
  static Acc dot(Acc sum, Codes codes, const std::byte* x) {
    std::int32_t four = 0;
    std::memcpy(&four, x, sizeof four);
    return _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(four));
  }
  template <DType D>
  static Floats finish(Acc sum, const std::byte* minus_8) {
    std::int32_t correction = 0;
    std::memcpy(&correction, minus_8, sizeof correction);
    if constexpr (D == DType::q8_0) correction *= 16;
    return _mm512_cvtepi32_ps(_mm512_add_epi32(sum, _mm512_set1_epi32(correction)));
  }

  template <DType D>
  [[gnu::always_inline]] static void expand(const std::byte* from,
                                            std::int64_t stride,
                                            Codes* codes,
                                            Floats& d) {
    d = turn_scales(from, stride);
    turn_blocks<D>(from, stride, codes);
  }
};

}  // namespace

PackedOps avx512_vnni_ops() {
  return PackedKernels<Vnni>::table("int8 multiply-add, AVX-512 VNNI");
}

}  // namespace facet::engine
