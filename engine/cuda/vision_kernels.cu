// The launches of vision_kernels.h: one block per row, but for pool_squares.
#include "engine/cuda/block.cuh"
#include "engine/cuda/vision_kernels.h"
#include "engine/ops.h"

namespace facet::engine::cuda {
namespace {

__device__ inline void store_bf16(std::uint16_t* to, float value) {
  *reinterpret_cast<__nv_bfloat16*>(to) = __float2bfloat16_rn(value);
}

__global__ __launch_bounds__(kThreads) void layer_norm_kernel(const LayerNormArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  __shared__ float partial[kWarps];
  const std::int64_t row = blockIdx.x;
  const auto cols = static_cast<int>(args.cols);
  const float* x = args.x + row * cols;
  float sum = 0.0F;
  for (int i = static_cast<int>(threadIdx.x); i < cols; i += kThreads) sum += x[i];
  const float mean = block_reduce<false>(sum, partial) / static_cast<float>(cols);
  float squares = 0.0F;
  for (int i = static_cast<int>(threadIdx.x); i < cols; i += kThreads) {
    squares = fmaf(x[i] - mean, x[i] - mean, squares);
  }
  __syncthreads();
  const float variance = block_reduce<false>(squares, partial) / static_cast<float>(cols);
  const float factor = 1.0F / sqrtf(variance + args.eps);
  const int wide = args.y_bf16 == nullptr ? cols : static_cast<int>(args.bf16_stride);
  for (int i = static_cast<int>(threadIdx.x); i < wide; i += kThreads) {
    const float y = i < cols ? (x[i] - mean) * factor * args.w[i] + args.b[i] : 0.0F;
    if (args.y != nullptr && i < cols) args.y[row * cols + i] = y;
    if (args.y_bf16 != nullptr) store_bf16(args.y_bf16 + row * args.bf16_stride + i, y);
  }
}

__global__ void add_rows_kernel(const AddRowsArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t row = blockIdx.x;
  for (int i = static_cast<int>(threadIdx.x); i < args.cols; i += kThreads) {
    const std::int64_t at = row * args.cols + i;
    args.x[at] = args.base[row * args.base_stride + i] + (args.y[at] + args.bias[i]);
  }
}

__global__ void gelu_bias_kernel(
    const float* y, const float* bias, int cols, std::uint16_t* to, std::int64_t stride) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t row = blockIdx.x;
  for (int i = static_cast<int>(threadIdx.x); i < stride; i += kThreads) {
    const float value = i < cols ? gelu_times(y[row * cols + i] + bias[i], 1.0F) : 0.0F;
    store_bf16(to + row * stride + i, value);
  }
}

/// grid: (rows, 3): queries, keys, values.
__global__ void pack_heads_kernel(const PackHeadsArgs args) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t row = blockIdx.x;
  const auto part = static_cast<int>(blockIdx.y);
  const float* bias = part == 0 ? args.q_bias : part == 1 ? args.k_bias : args.v_bias;
  const float* x = part == 0 ? args.q : part == 1 ? args.k : args.v;
  x += row * args.heads * args.head_dim;
  const int wide = args.heads * args.wide_dim;
  std::uint16_t* to = args.q_out + row * wide;
  if (part > 0) {
    const std::int64_t page_row = row / kPageTokens * 2 * kPageTokens + row % kPageTokens;
    to = args.pages + (page_row + (part - 1) * kPageTokens) * wide;
  }
  for (int i = static_cast<int>(threadIdx.x); i < wide; i += kThreads) {
    const int column = i % args.wide_dim;
    const int at = i / args.wide_dim * args.head_dim + column;
    store_bf16(to + i, column < args.head_dim ? x[at] + bias[at] : 0.0F);
  }
}

__global__ void unpack_heads_kernel(const std::uint16_t* from,
                                    int heads,
                                    int head_dim,
                                    int wide_dim,
                                    std::uint16_t* to,
                                    std::int64_t stride) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t row = blockIdx.x;
  const std::uint16_t* x = from + row * heads * wide_dim;
  for (int i = static_cast<int>(threadIdx.x); i < stride; i += kThreads) {
    const bool is_inside = i < heads * head_dim;
    to[row * stride + i] = is_inside ? x[i / head_dim * wide_dim + i % head_dim] : std::uint16_t{0};
  }
}

/// grid: squares.
__global__ void pool_squares_kernel(
    const float* x, std::int64_t side, std::int64_t pool, std::int64_t cols, float* y) {
  grid_dependency_wait();
  grid_dependency_launch();
  const std::int64_t squares = side / pool;
  const std::int64_t top = static_cast<std::int64_t>(blockIdx.x) / squares * pool;
  const std::int64_t left = static_cast<std::int64_t>(blockIdx.x) % squares * pool;
  const float share = 1.0F / static_cast<float>(pool * pool);
  for (std::int64_t i = threadIdx.x; i < cols; i += kThreads) {
    float sum = 0.0F;
    for (std::int64_t p = 0; p < pool * pool; ++p) {
      sum += x[((top + p / pool) * side + left + p % pool) * cols + i];
    }
    y[static_cast<std::int64_t>(blockIdx.x) * cols + i] = sum * share;
  }
}

LaunchConfig config_of(std::int64_t blocks, const LaunchOrder& order, unsigned parts = 1) {
  return {.grid = dim3(static_cast<unsigned>(blocks), parts),
          .block = dim3(kThreads),
          .stream = order.stream,
          .overlaps_previous = order.overlaps};
}

}  // namespace

Status layer_norm(const LayerNormArgs& args, const LaunchOrder& order) {
  if (args.rows == 0) return ok();
  return launch("layer_norm", layer_norm_kernel, config_of(args.rows, order), args);
}

Status add_rows(const AddRowsArgs& args, const LaunchOrder& order) {
  if (args.rows == 0) return ok();
  return launch("add_rows", add_rows_kernel, config_of(args.rows, order), args);
}

Status gelu_bias(const float* y,
                 const float* bias,
                 std::int64_t rows,
                 std::int64_t cols,
                 std::uint16_t* to,
                 std::int64_t stride,
                 const LaunchOrder& order) {
  if (rows == 0) return ok();
  return launch("gelu_bias", gelu_bias_kernel, config_of(rows, order), y, bias, cols, to, stride);
}

Status pack_heads(const PackHeadsArgs& args, const LaunchOrder& order) {
  if (args.rows == 0) return ok();
  return launch("pack_heads", pack_heads_kernel, config_of(args.rows, order, 3), args);
}

Status unpack_heads(const std::uint16_t* from,
                    std::int64_t rows,
                    int heads,
                    int head_dim,
                    int wide_dim,
                    std::uint16_t* to,
                    std::int64_t stride,
                    const LaunchOrder& order) {
  if (rows == 0) return ok();
  return launch("unpack_heads",
                unpack_heads_kernel,
                config_of(rows, order),
                from,
                heads,
                head_dim,
                wide_dim,
                to,
                stride);
}

Status pool_squares(const float* x,
                    std::int64_t side,
                    std::int64_t pool,
                    std::int64_t cols,
                    float* y,
                    const LaunchOrder& order) {
  const std::int64_t squares = side / pool;
  return launch("pool_squares",
                pool_squares_kernel,
                config_of(squares * squares, order),
                x,
                side,
                pool,
                cols,
                y);
}

}  // namespace facet::engine::cuda
