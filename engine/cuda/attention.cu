// Causal grouped-query attention with a running softmax: one block per (token, head), one warp per
// stripe of positions, merged at the end. Milakov & Gimelshein 2018 for the running softmax.
#include "engine/cuda/kernels.h"
#include "engine/cuda/load.cuh"
#include "engine/cuda/status.cuh"

namespace facet::engine::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kHeadDimMax = 256;
constexpr int kPerLane = kHeadDimMax / kWarp;

/// Warp w takes positions first + w, first + w + kWarps, ...; lane l holds elements l, l + 32, ...
__global__ void attention_kernel(AttentionArgs args) {
  const std::int64_t token = blockIdx.x;
  const int head = static_cast<int>(blockIdx.y);
  const int kv_head = head / (args.heads / args.kv_heads);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t position = args.first_position + token;
  const std::int64_t first =
      args.window > 0 && position + 1 > args.window ? position + 1 - args.window : 0;
  const float* q = args.q + (token * args.heads + head) * args.head_dim;

  float query[kPerLane];
  float sum[kPerLane];
  for (int i = 0; i < kPerLane; ++i) {
    const int d = lane + i * kWarp;
    query[i] = d < args.head_dim ? q[d] : 0.0F;
    sum[i] = 0.0F;
  }
  float highest = -INFINITY;
  float weight = 0.0F;
  for (std::int64_t j = first + warp; j <= position; j += kWarps) {
    const std::int64_t at = (j * args.kv_heads + kv_head) * args.head_dim;
    float score = 0.0F;
    for (int i = 0; i < kPerLane; ++i) {
      const int d = lane + i * kWarp;
      if (d < args.head_dim) score = fmaf(query[i], args.keys[at + d], score);
    }
    score = warp_sum(score) * args.scale;
    const float higher = fmaxf(highest, score);
    const float shrink = expf(highest - higher);
    const float p = expf(score - higher);
    weight = weight * shrink + p;
    for (int i = 0; i < kPerLane; ++i) {
      const int d = lane + i * kWarp;
      if (d < args.head_dim) sum[i] = sum[i] * shrink + p * args.values[at + d];
    }
    highest = higher;
  }

  // Warps that saw no position keep weight 0 and highest -inf, and add nothing below.
  __shared__ float highests[kWarps];
  __shared__ float weights[kWarps];
  __shared__ float sums[kWarps][kHeadDimMax];
  if (lane == 0) {
    highests[warp] = highest;
    weights[warp] = weight;
  }
  for (int i = 0; i < kPerLane; ++i) sums[warp][lane + i * kWarp] = sum[i];
  __syncthreads();
  float top = -INFINITY;
  for (int i = 0; i < kWarps; ++i) top = fmaxf(top, highests[i]);
  float* out = args.out + (token * args.heads + head) * args.head_dim;
  for (int d = static_cast<int>(threadIdx.x); d < args.head_dim; d += kWarps * kWarp) {
    float numerator = 0.0F;
    float denominator = 0.0F;
    for (int i = 0; i < kWarps; ++i) {
      if (weights[i] == 0.0F) continue;
      const float factor = expf(highests[i] - top);
      numerator += sums[i][d] * factor;
      denominator += weights[i] * factor;
    }
    out[d] = numerator / denominator;
  }
}

}  // namespace

Status attention(const AttentionArgs& args, Stream stream) {
  if (args.tokens == 0) return ok();
  if (args.head_dim < 1 || args.head_dim > kHeadDimMax) {
    return Error{Code::unsupported,
                 "head_dim " + std::to_string(args.head_dim) + " on CUDA; at most 256 are handled"};
  }
  const dim3 grid(static_cast<unsigned>(args.tokens), static_cast<unsigned>(args.heads));
  attention_kernel<<<grid, kWarps * kWarp, 0, static_cast<cudaStream_t>(stream)>>>(args);
  return launch_status("attention");
}

}  // namespace facet::engine::cuda
