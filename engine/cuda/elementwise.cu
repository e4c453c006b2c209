// RMS norm, rotary positions, gated GELU and the residual addition.
#include "engine/cuda/kernels.h"
#include "engine/cuda/load.cuh"
#include "engine/cuda/status.cuh"

namespace facet::engine::cuda {
namespace {

constexpr int kThreads = 256;

unsigned blocks_for(std::int64_t n) {
  return static_cast<unsigned>((n + kThreads - 1) / kThreads);
}

/// One block per row; the sum of squares goes through warps, then through shared memory.
__global__ void rms_norm_kernel(
    const float* x, const float* w, float eps, std::int64_t dim, float* y) {
  const float* from = x + static_cast<std::int64_t>(blockIdx.x) * dim;
  float* to = y + static_cast<std::int64_t>(blockIdx.x) * dim;
  float sum = 0.0F;
  for (std::int64_t i = threadIdx.x; i < dim; i += kThreads) sum = fmaf(from[i], from[i], sum);
  __shared__ float partial[kThreads / kWarp];
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = sum;
  __syncthreads();
  float total = 0.0F;
  for (int i = 0; i < kThreads / kWarp; ++i) total += partial[i];
  const float factor = 1.0F / sqrtf(total / static_cast<float>(dim) + eps);
  for (std::int64_t i = threadIdx.x; i < dim; i += kThreads) to[i] = from[i] * factor * w[i];
}

/// One thread per pair (i, i + head_dim / 2).
__global__ void rope_kernel(float* x,
                            const float* cos,
                            const float* sin,
                            std::int64_t pairs,
                            std::int64_t heads,
                            std::int64_t half) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= pairs) return;
  const std::int64_t i = index % half;
  const std::int64_t head = index / half;
  const std::int64_t angle = head / heads * half + i;
  float* base = x + head * half * 2;
  const float a = base[i];
  const float b = base[i + half];
  base[i] = a * cos[angle] - b * sin[angle];
  base[i + half] = b * cos[angle] + a * sin[angle];
}

__global__ void gelu_mul_kernel(const float* gate, const float* up, std::int64_t n, float* y) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const float g = gate[i];
  const float inner = 0.7978845608028654F * (g + 0.044715F * g * g * g);
  y[i] = 0.5F * g * (1.0F + tanhf(inner)) * up[i];
}

__global__ void add_kernel(float* x, const float* y, std::int64_t n) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) x[i] += y[i];
}

}  // namespace

Status rms_norm(const float* x,
                const float* w,
                float eps,
                std::int64_t rows,
                std::int64_t dim,
                float* y,
                Stream stream) {
  if (rows == 0) return ok();
  rms_norm_kernel<<<static_cast<unsigned>(rows), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      x, w, eps, dim, y);
  return launch_status("rms_norm");
}

Status rope(float* x,
            const float* cos,
            const float* sin,
            std::int64_t tokens,
            std::int64_t heads,
            std::int64_t head_dim,
            Stream stream) {
  const std::int64_t pairs = tokens * heads * (head_dim / 2);
  if (pairs == 0) return ok();
  rope_kernel<<<blocks_for(pairs), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      x, cos, sin, pairs, heads, head_dim / 2);
  return launch_status("rope");
}

Status gelu_mul(const float* gate, const float* up, std::int64_t n, float* y, Stream stream) {
  if (n == 0) return ok();
  gelu_mul_kernel<<<blocks_for(n), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
      gate, up, n, y);
  return launch_status("gelu_mul");
}

Status add(float* x, const float* y, std::int64_t n, Stream stream) {
  if (n == 0) return ok();
  add_kernel<<<blocks_for(n), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(x, y, n);
  return launch_status("add");
}

}  // namespace facet::engine::cuda
