// What lies between the products: norms with the residual, rotary tables, GELU, conversions, the
// steps after Q K V, and the mean over tokens.
#include "engine/cuda/activations.cuh"
#include "engine/cuda/decode.h"
#include "engine/cuda/prefill.h"
#include "engine/cuda/qkv_finish.cuh"

#include <string>

namespace facet::engine::cuda {
namespace {

LaunchConfig config_of(std::int64_t blocks,
                       int threads,
                       const LaunchOrder& order,
                       std::size_t shared_bytes = 0) {
  return {.grid = dim3(static_cast<unsigned>(blocks)),
          .block = dim3(static_cast<unsigned>(threads)),
          .shared_bytes = shared_bytes,
          .stream = order.stream,
          .overlaps_previous = order.overlaps};
}

/// One block per row.
__global__ __launch_bounds__(kThreads) void residual_norm_kernel(const RowInput input,
                                                                 std::int64_t rows,
                                                                 int cols,
                                                                 float* h,
                                                                 std::uint16_t* h_bf16,
                                                                 std::int64_t stride) {
  grid_dependency_wait();
  grid_dependency_launch();
  __shared__ float partial[kWarps];
  const auto row = static_cast<int>(blockIdx.x);
  const StagedRow staged = residual_row(input,
                                        row,
                                        static_cast<int>(rows),
                                        cols,
                                        input.x_out != nullptr,
                                        dynamic_shared<float>(),
                                        partial);
  for (int i = static_cast<int>(threadIdx.x) * 4; i < stride; i += 4 * kThreads) {
    const float4 v = staged.at(i);
    if (h != nullptr) store4(h + static_cast<std::int64_t>(row) * cols, i, cols, v);
    if (h_bf16 == nullptr) continue;
    *reinterpret_cast<uint2*>(h_bf16 + row * stride + i) =
        make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
  }
}

__global__ void rope_table_kernel(const std::int32_t* position,
                                  std::int64_t count,
                                  const float* frequencies,
                                  std::int64_t half,
                                  float* cos,
                                  float* sin) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const float angle = static_cast<float>(position[i / half]) * frequencies[i % half];
  cos[i] = cosf(angle);
  sin[i] = sinf(angle);
}

__global__ void gelu_f32_kernel(float* gate, const float* up, std::int64_t n) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) gate[i] = gelu_times(gate[i], up[i]);
}

/// grid: rows; four columns to a thread.
__global__ void to_bf16_kernel(const float* x, int cols, std::uint16_t* to, std::int64_t stride) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t row = blockIdx.x;
  for (int i = static_cast<int>(threadIdx.x) * 4; i < stride; i += 4 * kThreads) {
    const float4 v = load4(x + row * cols, i, cols);
    *reinterpret_cast<uint2*>(to + row * stride + i) =
        make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
  }
}

__global__ void gelu_bf16_kernel(const float* gate,
                                 const float* up,
                                 int cols,
                                 std::int64_t stride_in,
                                 std::uint16_t* y,
                                 std::int64_t stride_out) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t row = blockIdx.x;
  for (int i = static_cast<int>(threadIdx.x) * 2; i < stride_out; i += 2 * kThreads) {
    float v[2] = {};
    for (int e = 0; e < 2; ++e) {
      if (i + e >= cols) continue;
      v[e] = gelu_times(gate[row * stride_in + i + e], up[row * stride_in + i + e]);
    }
    *reinterpret_cast<std::uint32_t*>(y + row * stride_out + i) = pack_bf16(v[0], v[1]);
  }
}

/// grid: rows; a warp for each head.
__global__ __launch_bounds__(kThreads) void finish_qkv_kernel(const FinishQkvArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  const auto row = static_cast<int>(blockIdx.x);
  const int dim = args.pages.head_dim;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const float* cos = args.cos + static_cast<std::int64_t>(row) * (dim / 2);
  const float* sin = args.sin + static_cast<std::int64_t>(row) * (dim / 2);
  for (int head = warp; head < args.heads; head += kWarps) {
    const float* from = args.q + row * args.q_stride + head * dim;
    const std::int64_t at = (static_cast<std::int64_t>(row) * args.heads + head) * dim;
    finish_head(from, args.q_norm, cos, sin, dim, args.eps, [&](int i, float value) {
      if (args.q_out != nullptr) args.q_out[at + i] = value;
      if (args.q_out_bf16 != nullptr) {
        reinterpret_cast<__nv_bfloat16*>(args.q_out_bf16)[at + i] = __float2bfloat16_rn(value);
      }
    });
  }
  if (args.rows.end[row] == 0) return;  // Padding: it has no pages.
  for (int head = warp; head < args.pages.kv_heads; head += kWarps) {
    const float* from = args.k + row * args.kv_stride + head * dim;
    store_key(args.pages, args.rows, row, head, from, args.k_norm, cos, sin, args.eps);
    store_value(args.pages, args.rows, row, head, args.v + row * args.kv_stride + head * dim);
  }
}

__global__ void mean_kernel(const float* x, std::int64_t tokens, std::int64_t dim, float* y) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= dim) return;
  double sum = 0.0;
  for (std::int64_t t = 0; t < tokens; ++t) sum += static_cast<double>(x[t * dim + i]);
  y[i] = static_cast<float>(sum / static_cast<double>(tokens));
}

std::int64_t blocks_for(std::int64_t n) {
  return (n + kThreads - 1) / kThreads;
}

}  // namespace

Status residual_norm(const RowInput& input,
                     std::int64_t rows,
                     std::int64_t cols,
                     float* h,
                     std::uint16_t* h_bf16,
                     const LaunchOrder& order) {
  if (rows == 0) return ok();
  const auto shared = static_cast<std::size_t>((cols + 3) / 4 * 16);
  return launch("residual_norm",
                residual_norm_kernel,
                config_of(rows, kThreads, order, shared),
                input,
                rows,
                cols,
                h,
                h_bf16,
                padded_cols(Layout::bf16, cols));
}

Status rope_table(const std::int32_t* position,
                  std::int64_t rows,
                  const float* frequencies,
                  std::int64_t half,
                  float* cos,
                  float* sin,
                  const LaunchOrder& order) {
  if (rows == 0) return ok();
  return launch("rope_table",
                rope_table_kernel,
                config_of(blocks_for(rows * half), kThreads, order),
                position,
                rows * half,
                frequencies,
                half,
                cos,
                sin);
}

Status gelu_mul_f32(float* gate, const float* up, std::int64_t n, const LaunchOrder& order) {
  if (n == 0) return ok();
  return launch(
      "gelu_mul", gelu_f32_kernel, config_of(blocks_for(n), kThreads, order), gate, up, n);
}

Status to_bf16(const float* x,
               std::int64_t rows,
               std::int64_t cols,
               std::uint16_t* to,
               std::int64_t stride,
               const LaunchOrder& order) {
  if (rows == 0) return ok();
  return launch("to_bf16", to_bf16_kernel, config_of(rows, kThreads, order), x, cols, to, stride);
}

Status gelu_mul(const float* gate,
                const float* up,
                std::int64_t rows,
                std::int64_t cols,
                std::int64_t stride_in,
                std::uint16_t* y,
                std::int64_t stride_out,
                const LaunchOrder& order) {
  if (rows == 0) return ok();
  return launch("gelu_mul",
                gelu_bf16_kernel,
                config_of(rows, kThreads, order),
                gate,
                up,
                cols,
                stride_in,
                y,
                stride_out);
}

Status finish_qkv(const FinishQkvArgs& args, const LaunchOrder& order) {
  if (args.rows.rows == 0) return ok();
  return launch("finish_qkv", finish_qkv_kernel, config_of(args.rows.rows, kThreads, order), args);
}

Status mean_pool(
    const float* x, std::int64_t tokens, std::int64_t dim, float* y, const LaunchOrder& order) {
  return launch(
      "mean_pool", mean_kernel, config_of(blocks_for(dim), kThreads, order), x, tokens, dim, y);
}

}  // namespace facet::engine::cuda
