// Half precision, as much of CUDA's header as is used. Arithmetic rounds after every operation,
// __hfma2 once.
#pragma once

#include "tests/support/cuda_on_cpu/narrow_floats.h"
#include "tests/support/cuda_on_cpu/vector_types.h"

struct __half {
  std::uint16_t bits;
};
struct __half_raw {
  std::uint16_t x;
};
struct alignas(4) __half2 {
  __half x, y;
};
struct __half2_raw {
  std::uint16_t x, y;
};
using half = __half;
using half2 = __half2;

inline __half __float2half(float x) {
  return {cuda_on_cpu::float_to_half(x)};
}
inline __half __float2half_rn(float x) {
  return __float2half(x);
}
inline float __half2float(__half x) {
  return cuda_on_cpu::half_to_float(x.bits);
}
inline __half2 __floats2half2_rn(float x, float y) {
  return {__float2half(x), __float2half(y)};
}
inline __half2 __float22half2_rn(float2 v) {
  return __floats2half2_rn(v.x, v.y);
}
inline __half2 __float2half2_rn(float x) {
  return __floats2half2_rn(x, x);
}
inline float2 __half22float2(__half2 v) {
  return {__half2float(v.x), __half2float(v.y)};
}
inline __half2 __halves2half2(__half x, __half y) {
  return {x, y};
}
inline __half2 __half2half2(__half x) {
  return {x, x};
}
inline __half __low2half(__half2 v) {
  return v.x;
}
inline __half __high2half(__half2 v) {
  return v.y;
}
inline float __low2float(__half2 v) {
  return __half2float(v.x);
}
inline float __high2float(__half2 v) {
  return __half2float(v.y);
}
inline __half __ushort_as_half(unsigned short bits) {
  return {bits};
}
inline unsigned short __half_as_ushort(__half x) {
  return x.bits;
}
inline __half2 __hmul2(__half2 a, __half2 b) {
  const float2 x = __half22float2(a);
  const float2 y = __half22float2(b);
  return __floats2half2_rn(x.x * y.x, x.y * y.y);
}
inline __half2 __hadd2(__half2 a, __half2 b) {
  const float2 x = __half22float2(a);
  const float2 y = __half22float2(b);
  return __floats2half2_rn(x.x + y.x, x.y + y.y);
}
inline __half2 __hsub2(__half2 a, __half2 b) {
  const float2 x = __half22float2(a);
  const float2 y = __half22float2(b);
  return __floats2half2_rn(x.x - y.x, x.y - y.y);
}
inline __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
  const float2 x = __half22float2(a);
  const float2 y = __half22float2(b);
  const float2 z = __half22float2(c);
  return __floats2half2_rn(std::fma(x.x, y.x, z.x), std::fma(x.y, y.y, z.y));
}
