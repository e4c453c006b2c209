// What follows the Q K V products: QK-norm and RoPE of a head, and storing keys and values in the
// pages of their sequences.
#pragma once

#include "engine/cuda/block.cuh"
#include "engine/cuda/step.h"
#include "engine/ops.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Element `at` of the key (plane 0) or value (plane 1) row of step row `row`.
template <class T>
__device__ inline T* kv_row(const LayerPages& layer, const StepRows& rows, int row, int plane) {
  const SequencePages& sequence = layer.sequences[rows.sequence[row]];
  const std::int64_t position = rows.position[row];
  std::byte* page = sequence.pages[position / kPageTokens - sequence.first_page];
  const std::int64_t width = static_cast<std::int64_t>(layer.kv_heads) * layer.head_dim;
  return reinterpret_cast<T*>(page) + (plane * kPageTokens + position % kPageTokens) * width;
}

__device__ inline void kv_store(
    const LayerPages& layer, const StepRows& rows, int row, int plane, int at, float value) {
  if (layer.type == KvType::bf16) {
    kv_row<__nv_bfloat16>(layer, rows, row, plane)[at] = __float2bfloat16_rn(value);
  } else {
    kv_row<float>(layer, rows, row, plane)[at] = value;
  }
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
    put(i, a * cos[i] - b * sin[i]);
    put(i + half, b * cos[i] + a * sin[i]);
  }
}

}  // namespace facet::engine::cuda
