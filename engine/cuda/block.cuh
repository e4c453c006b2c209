// Sums and maxima over the threads of a warp or a block, always in the same order, and loads that
// all kernels share.
//
// Where two kernels must agree to the bit, a product that is added to something is written as fmaf
// or with __fmul_rn: left alone, nvcc fuses such pairs, and need not fuse the same ones twice.
#pragma once

#include "engine/cuda/portable.cuh"

#include <cstdint>

namespace facet::engine::cuda {

/// Of the product kernel and its relatives.
inline constexpr int kWarps = 8;
inline constexpr int kThreads = kWarps * kWarp;

/// The architecture that is being compiled for (900 is sm_90), 0 on the host: compilers for
/// different ones need different room for the same kernel.
#ifdef __CUDA_ARCH__
inline constexpr int kArchitecture = __CUDA_ARCH__;
#else
inline constexpr int kArchitecture = 0;
#endif

__device__ inline float warp_sum(float value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
}

__device__ inline float warp_max(float value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

/// Over a block of kThreads, in every thread. `partial`: kWarps floats of shared memory, free again
/// after the next barrier.
template <bool is_max>
__device__ inline float block_reduce(float value, float* partial) {
  value = is_max ? warp_max(value) : warp_sum(value);
  __syncthreads();
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  float total = partial[0];
  for (int i = 1; i < kWarps; ++i) {
    total = is_max ? fmaxf(total, partial[i]) : total + partial[i];
  }
  return total;
}

__device__ inline bool is_finite(float value) {
  return (__float_as_uint(value) & 0x7FFFFFFFU) < 0x7F800000U;
}

/// The factor of RMS norm.
__device__ inline float norm_factor(float square_sum, int dim, float eps) {
  return 1.0F / sqrtf(square_sum / static_cast<float>(dim) + eps);
}

/// Elements i .. i + 3 of a row of n, zeros beyond; one load where the row allows it.
__device__ inline float4 load4(const float* row, int i, int n) {
  if (n % 4 == 0) {
    return i < n ? *reinterpret_cast<const float4*>(row + i) : make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  }
  float4 out;
  out.x = i < n ? row[i] : 0.0F;
  out.y = i + 1 < n ? row[i + 1] : 0.0F;
  out.z = i + 2 < n ? row[i + 2] : 0.0F;
  out.w = i + 3 < n ? row[i + 3] : 0.0F;
  return out;
}

__device__ inline void store4(float* row, int i, int n, float4 v) {
  if (n % 4 == 0) {
    if (i < n) *reinterpret_cast<float4*>(row + i) = v;
    return;
  }
  if (i < n) row[i] = v.x;
  if (i + 1 < n) row[i + 1] = v.y;
  if (i + 2 < n) row[i + 2] = v.z;
  if (i + 3 < n) row[i + 3] = v.w;
}

__device__ inline float square_sum(float4 v) {
  return fmaf(v.x, v.x, fmaf(v.y, v.y, fmaf(v.z, v.z, v.w * v.w)));
}

/// gelu_tanh(gate) * up, see ops.h: x / (1 + exp(-2 u)) keeps its digits for negative u.
__device__ inline float gelu_times(float gate, float up) {
  const float u = 0.7978845608028654F * fmaf(0.044715F * gate * gate, gate, gate);
  return gate / (1.0F + expf(-2.0F * u)) * up;
}

__device__ inline std::uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}

/// An E4M3 byte of a cache, which a scale is kept for; NaN does not occur there.
struct Fp8 {
  unsigned char bits;
};
__device__ inline float fp8_value(std::uint32_t byte) {
  return __uint_as_float((byte & 0x80U) << 24U | (byte & 0x7FU) << 20U) * 0x1p120F;
}

__device__ inline std::uint32_t pack_f16(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}

}  // namespace facet::engine::cuda
