// The operations of engine/ops.h on a CUDA device: launchers as plain C++ declarations, so that no
// CUDA header leaves this folder. First rung of the ladder: one obvious kernel per op, correct
// before fast; docs/cuda.md says what has been run on which device.
//
// All pointers are device pointers; launches are asynchronous on `stream` (a cudaStream_t, null for
// the default one). A launch that the device refuses is unavailable, with CUDA's own message.
#pragma once

#include "base/result.h"
#include "engine/model/tensor.h"

#include <cstdint>

namespace facet::engine::cuda {

using Stream = void*;

/// A weight matrix in device memory, rows packed as in the file.
struct DeviceMatrix {
  DType type = DType::f32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const void* data = nullptr;
};

/// y = x W^T. x: (tokens, cols), y: (tokens, rows), f32; weights dequantised to f32 in registers,
/// products and sums in f32 (one warp per output, lanes stride the columns, butterfly sum).
/// |y - ref| <= 4e-6 * sum_k |x[t][k] w[r][k]|. Here and in embed: unsupported for a type other
/// than F32, F16, BF16, Q8_0 and Q4_0.
Status matmul(const DeviceMatrix& w, const float* x, std::int64_t tokens, float* y, Stream stream);

/// y = x / sqrt(mean(x^2) + eps) * w per row; x, y: (rows, dim), y may be x; w: (dim).
/// |y - ref| <= 4e-6 * |ref| + 1e-7.
Status rms_norm(const float* x,
                const float* w,
                float eps,
                std::int64_t rows,
                std::int64_t dim,
                float* y,
                Stream stream);

/// NeoX rotation in place. x: (tokens, heads, head_dim); cos, sin: (tokens, head_dim / 2).
Status rope(float* x,
            const float* cos,
            const float* sin,
            std::int64_t tokens,
            std::int64_t heads,
            std::int64_t head_dim,
            Stream stream);

struct AttentionArgs {
  const float* q = nullptr;       ///< (tokens, heads, head_dim), normed and rotated.
  const float* keys = nullptr;    ///< (positions, kv_heads, head_dim)
  const float* values = nullptr;  ///< (positions, kv_heads, head_dim)
  float* out = nullptr;           ///< (tokens, heads, head_dim)
  std::int64_t tokens = 0;
  std::int64_t first_position =
      0;  ///< Of the first query; keys at 0 .. first_position + tokens - 1.
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;         ///< At most 256.
  std::int64_t window = 0;  ///< 0: all earlier positions; else the last `window`, query included.
  float scale = 1.0F;
};

/// Causal grouped-query attention with a running softmax in f32: one block per (token, head).
/// |out - ref| <= 2e-5 * max_j |v_j|.
Status attention(const AttentionArgs& args, Stream stream);

/// y = gelu_tanh(gate) * up, all (n); y may be gate. |y - ref| <= 4e-6 * |gate up| + 1e-30.
Status gelu_mul(const float* gate, const float* up, std::int64_t n, float* y, Stream stream);

/// x += y, (n).
Status add(float* x, const float* y, std::int64_t n, Stream stream);

/// y[t] = table[ids[t]] * scale; ids: (tokens), device memory, each inside the table.
Status embed(const DeviceMatrix& table,
             const std::int32_t* ids,
             std::int64_t tokens,
             float scale,
             float* y,
             Stream stream);

}  // namespace facet::engine::cuda
