// FP8 (E4M3), as much of CUDA's header as is used.
#pragma once

#include "tests/support/cuda_on_cpu/cuda_fp16.h"
#include "tests/support/cuda_on_cpu/narrow_floats.h"
#include "tests/support/cuda_on_cpu/vector_types.h"

using __nv_fp8_storage_t = std::uint8_t;
using __nv_fp8x2_storage_t = std::uint16_t;
using __nv_fp8x4_storage_t = std::uint32_t;
enum __nv_saturation_t { __NV_NOSAT, __NV_SATFINITE };
enum __nv_fp8_interpretation_t { __NV_E4M3, __NV_E5M2 };

inline __nv_fp8_storage_t __nv_cvt_float_to_fp8(float x,
                                                __nv_saturation_t /*saturation*/,
                                                __nv_fp8_interpretation_t /*format*/) {
  return cuda_on_cpu::float_to_e4m3(x);
}
inline __nv_fp8x2_storage_t __nv_cvt_float2_to_fp8x2(float2 v,
                                                     __nv_saturation_t /*saturation*/,
                                                     __nv_fp8_interpretation_t /*format*/) {
  return static_cast<__nv_fp8x2_storage_t>(cuda_on_cpu::float_to_e4m3(v.x) |
                                           cuda_on_cpu::float_to_e4m3(v.y) << 8);
}
inline __half_raw __nv_cvt_fp8_to_halfraw(__nv_fp8_storage_t x,
                                          __nv_fp8_interpretation_t /*format*/) {
  return {cuda_on_cpu::float_to_half(cuda_on_cpu::e4m3_to_float(x))};
}
inline __half2_raw __nv_cvt_fp8x2_to_halfraw2(__nv_fp8x2_storage_t v,
                                              __nv_fp8_interpretation_t format) {
  return {__nv_cvt_fp8_to_halfraw(static_cast<std::uint8_t>(v & 0xFFU), format).x,
          __nv_cvt_fp8_to_halfraw(static_cast<std::uint8_t>(v >> 8U), format).x};
}

struct __nv_fp8_e4m3 {
  __nv_fp8_storage_t __x;
  __nv_fp8_e4m3() = default;
  explicit __nv_fp8_e4m3(float x) : __x(cuda_on_cpu::float_to_e4m3(x)) {}
  explicit operator float() const { return cuda_on_cpu::e4m3_to_float(__x); }
};
