// The contract of every operation of the forward pass: equation, shapes, types, tolerance, source.
//
// An Ops is one implementation of all of them. engine/reference has the obvious one, scalar and
// summed in double; engine/cpu has one per instruction set, written once over a vector type. Tests
// drive both through the same table.
//
// Common to all: activations are f32, row-major, without gaps unless a stride is given; weights are
// any DType; every pointer is borrowed for the call. Each output element is summed in an order that
// depends on its own inputs only, never on how many rows or tokens are computed beside it: results
// are the same bits for every batch, chunk and thread count. NaN and infinity pass through to the
// result. Functions are pure and may be called from several threads at once.
#pragma once

#include "engine/model/tensor.h"

#include <cstddef>
#include <cstdint>

namespace facet::engine {

/// Positions in one page of the key-value cache.
inline constexpr std::int64_t kPageTokens = 64;

/// Weight rows of one work unit of matmul: callers split rows in multiples of it, and give scratch
/// for that many dequantised rows.
inline constexpr std::int64_t kMatmulRows = 16;

struct MatmulArgs {
  TensorView w;                ///< (rows, cols), row-major, any DType.
  std::int64_t row_begin = 0;  ///< Computes rows [row_begin, row_end) only.
  std::int64_t row_end = 0;
  const float* x = nullptr;  ///< (tokens, cols)
  std::int64_t tokens = 0;   ///< 0 is allowed: nothing is written.
  float* y = nullptr;        ///< (tokens, rows); columns [row_begin, row_end) are written.
  float* scratch = nullptr;  ///< kMatmulRows * cols floats, owned by the calling thread.
};

/// The keys and values that one layer holds: pages of kPageTokens positions. A page is
/// (2, kPageTokens, kv_heads * head_dim): keys first, then values.
struct KvPages {
  float* const* pages = nullptr;
  std::int64_t first_page = 0;  ///< pages[0] holds positions from first_page * kPageTokens on.
  int kv_heads = 0;
  int head_dim = 0;
};

struct AttentionArgs {
  const float* q = nullptr;  ///< (heads, head_dim): heads of one token, normed and rotated.
  int heads = 1;             ///< Query heads that share the kv head.
  KvPages kv;
  int kv_head = 0;
  std::int64_t first = 0;  ///< Keys at positions [first, end) are admitted; at least one.
  std::int64_t end = 0;
  float scale = 1.0F;
  float* out = nullptr;      ///< (heads, head_dim)
  float* scratch = nullptr;  ///< heads * (end - first) floats, owned by the calling thread.
};

struct Ops {
  const char* name = "";

  /// y[t][r] = sum_k x[t][k] w[r][k]: the linear layer without bias.
  /// Weights are dequantised exactly to f32; products and sums in f32 (in double in reference).
  /// |y - ref| <= 4e-6 * sum_k |x[t][k] w[r][k]|. REQUIRES: cols a whole number of blocks.
  void (*matmul)(const MatmulArgs& args) = nullptr;

  /// y = x / sqrt(mean(x^2) + eps) * w, per row. x, y: (rows, dim), y may be x; w: (dim), with the
  /// "1 +" of the checkpoint already in. f32 sum; |y - ref| <= 2e-6 * |ref| + 1e-7.
  /// Also the QK norm, with rows = tokens * heads. Zhang & Sennrich 2019, eq. 4.
  void (*rms_norm)(const float* x,
                   const float* w,
                   float eps,
                   std::int64_t rows,
                   std::int64_t dim,
                   float* y) = nullptr;

  /// Rotates pairs (i, i + head_dim / 2) of every head by the angle of its token:
  ///   a' = a cos - b sin;  b' = b cos + a sin.
  /// x: (tokens, heads, head_dim) in place; cos, sin: (tokens, head_dim / 2).
  /// |x - ref| <= 1e-6 * (|a| + |b|). Su et al. 2021, in the NeoX pairing that Gemma uses.
  void (*rope)(float* x,
               const float* cos,
               const float* sin,
               std::int64_t tokens,
               std::int64_t heads,
               std::int64_t head_dim) = nullptr;

  /// out = softmax(scale * q k_j) v_j over the admitted positions j, for each head of one token.
  /// Scores, softmax and sums in f32, positions in ascending order; probabilities are not rounded.
  /// |out - ref| <= 1e-5 * max_j |v_j| while |scale * q k_j| stays below 100.
  /// Vaswani et al. 2017, eq. 1; heads share keys as in Ainslie et al. 2023.
  void (*attention)(const AttentionArgs& args) = nullptr;

  /// x = exp(x - max(x)) / sum, in place over n >= 1 values. |x - ref| <= 2e-6 * ref + 1e-12.
  void (*softmax)(float* x, std::int64_t n) = nullptr;

  /// y = gelu_tanh(gate) * up with gelu_tanh(x) = x / 2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))).
  /// All (n); y may be gate. |y - ref| <= 2e-6 * |gate up| + 1e-30. Hendrycks & Gimpel 2016.
  void (*gelu_mul)(const float* gate, const float* up, std::int64_t n, float* y) = nullptr;

  /// x += y, (n). Exact in f32: the same bits as the reference.
  void (*add)(float* x, const float* y, std::int64_t n) = nullptr;

  /// to = row * scale: an embedding row, dequantised, times a factor. row: `cols` elements of
  /// `type`; to: (cols). Same bits as the reference. REQUIRES: cols a whole number of blocks.
  void (*embed_row)(DType type, const std::byte* row, std::int64_t cols, float scale, float* to) =
      nullptr;
};

/// Mean over tokens, summed in double in token order. x: (tokens, dim), tokens >= 1; y: (dim).
void mean_pool(const float* x, std::int64_t tokens, std::int64_t dim, float* y);

/// x /= sqrt(sum x^2), summed in double, in place; a zero vector stays zero (as in
/// torch.nn.functional.normalize, whose floor of 1e-12 is used). x: (dim).
void l2_normalize(float* x, std::int64_t dim);

/// cos and sin of the rotary angles: angle[t][j] = position_t / divisor * theta^(-2 j / head_dim).
/// cos, sin: (tokens, head_dim / 2) for positions first, first + 1, ... Frequencies and angles are
/// rounded to f32 like in the transformers library, so that long positions agree with it.
void rope_angles(std::int64_t first,
                 std::int64_t tokens,
                 std::int64_t head_dim,
                 double theta,
                 double divisor,
                 float* cos,
                 float* sin);

}  // namespace facet::engine
