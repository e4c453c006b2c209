// What follows the Q K V products: QK-norm and RoPE of a head, and storing keys and values in the
// pages of their sequences.
#pragma once

#include "engine/cuda/block.cuh"
#include "engine/cuda/step.h"
#include "engine/ops.h"

#include <cuda_fp8.h>

#include <cstdint>

namespace facet::engine::cuda {

/// The key (plane 0) or value (plane 1) row of step row `row`.
__device__ inline unsigned char* kv_row(const LayerPages& layer,
                                        const StepRows& rows,
                                        int row,
                                        int plane) {
  const SequencePages& sequence = layer.sequences[rows.sequence[row]];
  const std::int64_t position = rows.position[row];
  std::byte* page = sequence.pages[position / kPageTokens - sequence.first_page];
  return reinterpret_cast<unsigned char*>(page) +
         (plane * kPageTokens + position % kPageTokens) *
             kv_row_bytes(layer.type, layer.kv_heads, layer.head_dim);
}

/// Element `at` of the row of all heads; f32 and bf16 caches.
__device__ inline void kv_store(
    const LayerPages& layer, const StepRows& rows, int row, int plane, int at, float value) {
  unsigned char* to = kv_row(layer, rows, row, plane);
  if (layer.type == KvType::bf16) {
    reinterpret_cast<__nv_bfloat16*>(to)[at] = __float2bfloat16_rn(value);
  } else {
    reinterpret_cast<float*>(to)[at] = value;
  }
}

/// One head by one warp, for every type: each(put) calls put(i, value) for the elements of this
/// lane. Bytes with a scale go through the head twice, as the scale comes first; rounded as
/// kv_store_head of kv/kv_type.h does.
template <class Each>
__device__ inline void kv_store_head(
    const LayerPages& layer, const StepRows& rows, int row, int plane, int head, const Each& each) {
  const int first = head * layer.head_dim;
  if (!kv_has_scales(layer.type)) {
    each([&](int i, float value) { kv_store(layer, rows, row, plane, first + i, value); });
    return;
  }
  float top = 0.0F;
  float broken = 0.0F;  // NaN where a value is not finite.
  each([&](int /*i*/, float value) {
    top = fmaxf(top, fabsf(value));
    broken = fmaf(value, 0.0F, broken);
  });
  top = warp_max(top);
  broken = warp_sum(broken);
  const bool is_fp8 = layer.type == KvType::fp8;
  float scale = top / (is_fp8 ? 448.0F : 127.0F);
  const float inverse = scale < 1e-30F ? 0.0F : 1.0F / scale;
  if (scale < 1e-30F) scale = 0.0F;
  const bool is_broken = broken != 0.0F;
  unsigned char* to = kv_row(layer, rows, row, plane);
  each([&](int i, float value) {
    if (is_fp8) {
      to[first + i] = is_broken ? 0x38
                                : static_cast<unsigned char>(__nv_cvt_float_to_fp8(
                                      value * inverse, __NV_SATFINITE, __NV_E4M3));
      return;
    }
    const int q = is_broken ? 1 : min(max(__float2int_rn(value * inverse), -127), 127);
    reinterpret_cast<signed char*>(to)[first + i] = static_cast<signed char>(q);
  });
  if (threadIdx.x % kWarp != 0) return;
  float* scales = reinterpret_cast<float*>(to + layer.kv_heads * layer.head_dim);
  scales[head] = is_broken ? broken : scale;
}

/// A head of one row by one warp: `from` (head_dim) normed and rotated, handed to put(i, value).
template <class Put>
__device__ inline void finish_head(const float* from,
                                   const float* norm,
                                   const float* cos,
                                   const float* sin,
                                   int head_dim,
                                   float eps,
                                   const Put& put) {
  const int half = head_dim / 2;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float sum = 0.0F;
  for (int i = lane; i < half; i += kWarp) {
    const float a = from[i];
    const float b = from[i + half];
    sum = fmaf(a, a, fmaf(b, b, sum));
  }
  const float factor = norm_factor(warp_sum(sum), head_dim, eps);
  for (int i = lane; i < half; i += kWarp) {
    const float a = from[i] * factor * norm[i];
    const float b = from[i + half] * factor * norm[i + half];
    put(i, fmaf(a, cos[i], -__fmul_rn(b, sin[i])));
    put(i + half, fmaf(b, cos[i], __fmul_rn(a, sin[i])));
  }
}

/// The key of a head, from its sums.
__device__ inline void store_key(const LayerPages& layer,
                                 const StepRows& rows,
                                 int row,
                                 int head,
                                 const float* from,
                                 const float* norm,
                                 const float* cos,
                                 const float* sin,
                                 float eps) {
  kv_store_head(layer, rows, row, 0, head, [&](const auto& put) {
    finish_head(from, norm, cos, sin, layer.head_dim, eps, put);
  });
}

/// The value of a head.
__device__ inline void store_value(
    const LayerPages& layer, const StepRows& rows, int row, int head, const float* from) {
  kv_store_head(layer, rows, row, 1, head, [&](const auto& put) {
    for (int i = static_cast<int>(threadIdx.x) % kWarp; i < layer.head_dim; i += kWarp) {
      put(i, from[i]);
    }
  });
}

}  // namespace facet::engine::cuda
