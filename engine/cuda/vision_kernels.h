// The launches of a vision tower that text models have no use for; its products and its attention
// are those of prompts (prefill.h). Pointers, errors and bfloat16 as there. Each agrees with the
// scalar step within 4e-6 of the largest value of a row, besides the rounding of what it stores as
// bfloat16.
#pragma once

#include "base/result.h"
#include "engine/cuda/step.h"

#include <cstdint>

namespace facet::engine::cuda {

/// y = (x - mean) / sqrt(variance + eps) * w + b for each row of x, (rows, cols).
struct LayerNormArgs {
  const float* x = nullptr;
  const float* w = nullptr;  ///< (cols)
  const float* b = nullptr;  ///< (cols)
  float eps = 1e-6F;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  float* y = nullptr;               ///< (rows, cols), null: not wanted.
  std::uint16_t* y_bf16 = nullptr;  ///< (rows, bf16_stride), zeros beyond cols; null: not wanted.
  std::int64_t bf16_stride = 0;
};
Status layer_norm(const LayerNormArgs& args, const LaunchOrder& order);

/// x = base + y + bias. base: (rows, base_stride), may be x; y: (rows, cols); x: (rows, cols).
struct AddRowsArgs {
  const float* base = nullptr;
  std::int64_t base_stride = 0;
  const float* y = nullptr;
  const float* bias = nullptr;  ///< (cols)
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  float* x = nullptr;
};
Status add_rows(const AddRowsArgs& args, const LaunchOrder& order);

/// to = gelu_tanh(y + bias), zeros beyond cols. y: (rows, cols); to: (rows, stride) bfloat16.
Status gelu_bias(const float* y,
                 const float* bias,
                 std::int64_t rows,
                 std::int64_t cols,
                 std::uint16_t* to,
                 std::int64_t stride,
                 const LaunchOrder& order);

/// The heads of q, k and v (rows, heads * head_dim), each with its bias, as flash_attend takes
/// them: rounded to bfloat16, heads widened to `wide_dim` with zeros.
struct PackHeadsArgs {
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* q_bias = nullptr;  ///< (heads * head_dim)
  const float* k_bias = nullptr;
  const float* v_bias = nullptr;
  std::int64_t rows = 0;
  int heads = 0;
  int head_dim = 0;
  int wide_dim = 0;
  std::uint16_t* q_out = nullptr;  ///< (rows, heads * wide_dim)
  std::uint16_t* pages = nullptr;  ///< Pages of KvType::bf16, one behind the other.
};
Status pack_heads(const PackHeadsArgs& args, const LaunchOrder& order);

/// The way back: heads narrowed to head_dim. from: (rows, heads * wide_dim); to: (rows, stride),
/// zeros beyond heads * head_dim.
Status unpack_heads(const std::uint16_t* from,
                    std::int64_t rows,
                    int heads,
                    int head_dim,
                    int wide_dim,
                    std::uint16_t* to,
                    std::int64_t stride,
                    const LaunchOrder& order);

/// y[t] = the mean of the rows of x in square t. x: (side * side, cols) in lines; y: one row for
/// each square of `pool` by `pool`, in lines too. REQUIRES: pool divides side.
Status pool_squares(const float* x,
                    std::int64_t side,
                    std::int64_t pool,
                    std::int64_t cols,
                    float* y,
                    const LaunchOrder& order);

}  // namespace facet::engine::cuda
