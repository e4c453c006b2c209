// The intrinsics that kernels call: barriers, warp exchanges, atomics, bits, loads and arithmetic.
// The fast ones (__expf and so on) are the exact ones here: a device may be off by their stated
// error, which tests of kernels on a device have to allow.
#pragma once

#include "tests/support/cuda_on_cpu/block.h"
#include "tests/support/cuda_on_cpu/vector_types.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

// Barriers. Places are told apart by the line that calls them.

inline void __syncthreads(cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  cuda_on_cpu::barrier(false, where);
}
inline int __syncthreads_count(int value,
                               cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return cuda_on_cpu::barrier(value != 0, where).sum;
}
inline int __syncthreads_or(int value, cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return cuda_on_cpu::barrier(value != 0, where).any ? 1 : 0;
}
inline int __syncthreads_and(int value, cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return cuda_on_cpu::barrier(value != 0, where).all ? 1 : 0;
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU,
                       cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  cuda_on_cpu::exchange(mask, nullptr, 0, where);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned /*ns*/) {}
inline unsigned __activemask() {
  return cuda_on_cpu::live_lanes();
}

namespace cuda_on_cpu {

/// The value of lane `source` where `inside` and it takes part; the caller's own otherwise.
template <class T>
T shuffled(unsigned mask, T value, unsigned source, bool inside, const Where& where) {
  static_assert(sizeof(T) <= 8);
  const Lanes lanes = exchange(mask, &value, sizeof value, where);
  if (!inside) return value;
  if ((mask >> source & 1U) == 0) fail("a lane reads from a lane outside of its mask");
  std::memcpy(&value, lanes.at(source), sizeof value);
  return value;
}

template <class T, class Combine>
T reduced(unsigned mask, T value, const Where& where, const Combine& combine) {
  const Lanes lanes = exchange(mask, &value, sizeof value, where);
  bool is_first = true;
  T out = value;
  for (unsigned l = 0; l < kLanes; ++l) {
    if ((mask >> l & 1U) == 0) continue;
    T other;
    std::memcpy(&other, lanes.at(l), sizeof other);
    out = is_first ? other : combine(out, other);
    is_first = false;
  }
  return out;
}

}  // namespace cuda_on_cpu

template <class T>
T __shfl_sync(unsigned mask,
              T value,
              int source,
              int width = 32,
              cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  const auto w = static_cast<unsigned>(width);
  const unsigned first = cuda_on_cpu::lane() / w * w;
  return cuda_on_cpu::shuffled(mask, value, first + static_cast<unsigned>(source) % w, true, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask,
                  T value,
                  int lane_mask,
                  int width = 32,
                  cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  const auto w = static_cast<unsigned>(width);
  const unsigned self = cuda_on_cpu::lane();
  const unsigned source = self ^ static_cast<unsigned>(lane_mask);
  return cuda_on_cpu::shuffled(mask, value, source, source / w <= self / w, where);
}
template <class T>
T __shfl_down_sync(unsigned mask,
                   T value,
                   unsigned delta,
                   int width = 32,
                   cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  const auto w = static_cast<unsigned>(width);
  const unsigned self = cuda_on_cpu::lane();
  return cuda_on_cpu::shuffled(mask, value, self + delta, self % w + delta < w, where);
}
template <class T>
T __shfl_up_sync(unsigned mask,
                 T value,
                 unsigned delta,
                 int width = 32,
                 cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  const unsigned self = cuda_on_cpu::lane();
  const bool inside = self % static_cast<unsigned>(width) >= delta;
  return cuda_on_cpu::shuffled(mask, value, self - delta, inside, where);
}

inline unsigned __ballot_sync(unsigned mask,
                              int predicate,
                              cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  const unsigned own = predicate != 0 ? 1U << cuda_on_cpu::lane() : 0U;
  return cuda_on_cpu::reduced(mask, own, where, [](unsigned a, unsigned b) { return a | b; });
}
inline int __any_sync(unsigned mask,
                      int predicate,
                      cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return __ballot_sync(mask, predicate, where) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask,
                      int predicate,
                      cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return __ballot_sync(mask, predicate, where) == mask ? 1 : 0;
}
template <class T>
T __reduce_add_sync(unsigned mask,
                    T value,
                    cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return cuda_on_cpu::reduced(
      mask, value, where, [](T a, T b) { return static_cast<T>(static_cast<unsigned>(a) + b); });
}
template <class T>
T __reduce_max_sync(unsigned mask,
                    T value,
                    cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return cuda_on_cpu::reduced(mask, value, where, [](T a, T b) { return a > b ? a : b; });
}
template <class T>
T __reduce_min_sync(unsigned mask,
                    T value,
                    cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  return cuda_on_cpu::reduced(mask, value, where, [](T a, T b) { return a < b ? a : b; });
}

// Atomics: threads take turns, so plain ones are atomic.

template <class T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = old + value;
  return old;
}
template <class T>
T atomicMax(T* at, T value) {
  const T old = *at;
  *at = old > value ? old : value;
  return old;
}
template <class T>
T atomicMin(T* at, T value) {
  const T old = *at;
  *at = old < value ? old : value;
  return old;
}
template <class T>
T atomicExch(T* at, T value) {
  const T old = *at;
  *at = value;
  return old;
}
template <class T>
T atomicCAS(T* at, T expected, T value) {
  const T old = *at;
  if (old == expected) *at = value;
  return old;
}
template <class T>
T atomicOr(T* at, T value) {
  const T old = *at;
  *at = old | value;
  return old;
}
inline unsigned atomicInc(unsigned* at, unsigned last) {
  const unsigned old = *at;
  *at = old >= last ? 0 : old + 1;
  return old;
}

// Loads and stores with hints for caches.

template <class T>
T __ldg(const T* from) {
  return *from;
}
template <class T>
T __ldcs(const T* from) {
  return *from;
}
template <class T>
T __ldcg(const T* from) {
  return *from;
}
template <class T>
T __ldca(const T* from) {
  return *from;
}
template <class T>
void __stcs(T* to, T value) {
  *to = value;
}
template <class T>
void __stcg(T* to, T value) {
  *to = value;
}

// Arithmetic.

using std::max;
using std::min;

// The C library has functions of its own under these names.
#define __expf(x) std::exp(static_cast<float>(x))
#define __logf(x) std::log(static_cast<float>(x))
#define __log2f(x) std::log2(static_cast<float>(x))
#define __exp2f(x) std::exp2(static_cast<float>(x))
#define __sinf(x) std::sin(static_cast<float>(x))
#define __cosf(x) std::cos(static_cast<float>(x))
#define __tanhf(x) std::tanh(static_cast<float>(x))
#define rsqrtf(x) (1.0F / std::sqrt(static_cast<float>(x)))
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __frcp_rn(float x) {
  return 1.0F / x;
}
inline float __fsqrt_rn(float x) {
  return std::sqrt(x);
}
inline float __fadd_rn(float x, float y) {
  return x + y;
}
inline float __fmul_rn(float x, float y) {
  return x * y;
}
inline double __dmul_rn(double x, double y) {
  return x * y;
}
inline float __fmaf_rn(float x, float y, float z) {
  return std::fma(x, y, z);
}
inline float __fdiv_rn(float x, float y) {
  return x / y;
}
inline float __saturatef(float x) {
  return x > 0.0F ? (x < 1.0F ? x : 1.0F) : 0.0F;
}
inline float fdividef(float x, float y) {
  return x / y;
}
inline int __float2int_rn(float x) {
  return static_cast<int>(std::nearbyint(x));
}
inline int __float2int_rz(float x) {
  return static_cast<int>(x);
}
inline float __int2float_rn(int x) {
  return static_cast<float>(x);
}
inline float __uint2float_rn(unsigned x) {
  return static_cast<float>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}

// Bits.

inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(x) * y >> 32U);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return static_cast<unsigned>((static_cast<std::uint64_t>(high) << 32U | low) >> (shift & 31U));
}
/// Each nibble of `selector` picks one of the eight bytes of y:x.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(y) << 32U | x;
  unsigned out = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned pick = selector >> 4U * i & 0xFU;
    auto byte = static_cast<unsigned>(bytes >> 8U * (pick & 7U) & 0xFFU);
    if ((pick & 8U) != 0) byte = (byte & 0x80U) != 0 ? 0xFFU : 0U;
    out |= byte << 8U * i;
  }
  return out;
}
/// Sum of the products of four signed bytes, added to c.
inline int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; ++i) {
    c += static_cast<signed char>(a >> 8 * i) * static_cast<signed char>(b >> 8 * i);
  }
  return c;
}
inline unsigned __vsub4(unsigned a, unsigned b) {
  unsigned out = 0;
  for (unsigned i = 0; i < 32; i += 8) out |= (((a >> i) - (b >> i)) & 0xFFU) << i;
  return out;
}
inline unsigned __vadd4(unsigned a, unsigned b) {
  unsigned out = 0;
  for (unsigned i = 0; i < 32; i += 8) out |= (((a >> i) + (b >> i)) & 0xFFU) << i;
  return out;
}
