// The launches of a decode step: 1 to 16 rows, each the next token of some sequence (or several of
// one: speculation). Five launches a layer, at the speed of the memory that the weights lie in:
//
//   1 project_qkv      residual + norms, Q K V, QK-norm, RoPE, keys and values to their pages
//   2 attend           split over the positions, merged by the last block of each head
//   3 multiply_rows    O
//   4 gate_up          residual + norms, gate and up, GELU
//   5 multiply_rows    down; its post-norm and residual are the input of the next layer's first
//
// Products: each warp multiplies 16 weight rows by all tokens with mma.sync, 8 warps of a block
// share the columns, and their sums are added in one order that depends on the shape of the matrix
// only: a row's result has the same bits whatever is computed beside it, and whatever `rows` is.
// Activations are rounded as the layout wants it (activation_form); products are exact, sums f32.
//
// Pointers are device memory, row-major f32 without gaps unless said otherwise; launches are
// asynchronous. Errors: unavailable with CUDA's message where the device refuses; invalid_argument
// for a shape that no kernel takes, naming it.
#pragma once

#include "base/result.h"
#include "engine/cuda/matrix.h"
#include "engine/cuda/step.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Rows of a decode step. The products below take more of them too, as launches of so many each
/// that read the weights again.
inline constexpr int kDecodeRowsMax = 16;

/// How the products round their activations.
///   bf16: to nearest bfloat16; with bf16 weights.
///   f16: to nearest half after scaling the row by a power of two that puts max |x| into
///        [2^14, 2^15); with f16 and fp8 weights.
///   int8: as Activations::int8 of engine/ops.h; with all quantised weights.
///   f32: not at all; with f32 weights.
enum class ActivationForm : std::uint8_t { f32, f16, bf16, int8 };
constexpr ActivationForm activation_form(Layout layout) {
  if (layout == Layout::f32) return ActivationForm::f32;
  if (layout == Layout::f16 || layout == Layout::fp8) return ActivationForm::f16;
  return is_tiled(layout) ? ActivationForm::int8 : ActivationForm::bf16;
}

/// What a product multiplies by: h, computed by every block for itself.
///   x' = x + rms_norm(sum of the parts of delta) * delta_norm     where delta is given
///   h  = rms_norm(x') * norm                                      where norm is given
/// with rms_norm(x) = x / sqrt(mean(x^2) + eps). x' is written to x_out by one block.
struct RowInput {
  const float* x = nullptr;      ///< (rows, cols)
  const float* norm = nullptr;   ///< (cols); null: h = x'.
  const float* delta = nullptr;  ///< (delta_parts, rows, cols) as multiply_rows left it.
  int delta_parts = 1;
  const float* delta_norm = nullptr;  ///< (cols); given where delta is.
  float* x_out = nullptr;             ///< (rows, cols), given where delta is; another array than x.
  float eps = 1e-6F;
};

/// Partial sums that multiply_rows writes for this matrix: 1 but for few shapes (many columns and
/// many rows at once).
int multiply_parts(const PackedMatrix& w, int rows);
/// The same for a matrix of `cols` columns, before there is one.
int multiply_parts(std::int64_t cols, int rows);

/// y = h W^T. y: (multiply_parts, rows, w.rows); the sum of the parts, in their order, is meant.
/// Against h rounded to its form |y - ref| <= 1e-5 * sum_k |h w|. ops.h: matmul, matmul_int8.
Status multiply_rows(
    const PackedMatrix& w, const RowInput& input, int rows, float* y, const LaunchOrder& order);

struct QkvArgs {
  PackedMatrix q;  ///< (heads * head_dim, hidden)
  PackedMatrix k;  ///< (kv_heads * head_dim, hidden)
  PackedMatrix v;
  RowInput input;
  int heads = 0;
  const float* q_norm = nullptr;  ///< (head_dim)
  const float* k_norm = nullptr;
  const float* cos = nullptr;  ///< (rows, head_dim / 2), see rope_table.
  const float* sin = nullptr;
  StepRows rows;
  LayerPages pages;
  float* q_out = nullptr;  ///< (rows, heads * head_dim), normed and rotated.
  /// (rows, (heads + 2 kv_heads) * head_dim) for sums that wait for their head.
  float* scratch = nullptr;
  std::uint32_t* counters =
      nullptr;  ///< (heads + 2 kv_heads), zero before the first use, and after.
};
/// QK-norm and RoPE as in ops.h, each within 4e-6 of the reference on the same sums; keys and
/// values are rounded to the type of the cache and stored at the positions of the rows. One launch
/// where q, k and v have one layout, else one for each that differs.
Status project_qkv(const QkvArgs& args, const LaunchOrder& order);

struct GateUpArgs {
  PackedMatrix gate;  ///< (ffn, hidden)
  PackedMatrix up;
  RowInput input;
  int rows = 0;
  float* y = nullptr;        ///< (rows, ffn) = gelu_tanh(gate) * up
  float* scratch = nullptr;  ///< (rows, ffn); used where the layouts of gate and up differ.
};
/// gelu_tanh as in ops.h, |y - ref| <= 4e-6 * |gate up| on the same sums.
Status gate_up(const GateUpArgs& args, const LaunchOrder& order);

struct AttendArgs {
  const float* q = nullptr;  ///< (rows, heads * head_dim), from project_qkv.
  int heads = 0;
  StepRows rows;
  LayerPages pages;
  AttentionSpan span;
  float scale = 1.0F;
  int splits = 1;            ///< Blocks that may share one row and kv head; 1 to kSplitsMax.
  float* out = nullptr;      ///< (rows, heads * head_dim)
  float* scratch = nullptr;  ///< attend_scratch_floats()
  std::uint32_t* counters = nullptr;  ///< (rows * heads), zero before the first use, and after.
};
inline constexpr int kSplitsMax = 128;
constexpr std::int64_t attend_scratch_floats(int rows, int heads, int head_dim, int splits) {
  return std::int64_t{rows} * heads * splits * (head_dim + 2);
}
/// A good number of splits on a device of `multiprocessors`: a block for each at batch 1. A row
/// that sees few positions uses fewer. The same for every step, so that bits depend on the row
/// alone.
int attend_splits(int kv_heads, int multiprocessors);
/// The same for a step of many rows of as many sequences, which are blocks enough by themselves: so
/// that the device is filled about eight times over by all splits of all rows, which evens out
/// sequences of different lengths. rows * splits stays below what scratch for kDecodeRowsMax rows
/// and kSplitsMax splits holds. REQUIRES: rows <= kDecodeRowsMax * kSplitsMax.
int attend_splits_of_batch(int rows, int kv_heads, int multiprocessors);
/// out = softmax(scale * q k_j) v_j, any number of rows, head_dim even and at most 256. Pages are
/// divided among the splits by what the row sees, so `splits` and the row decide the bits. A row
/// whose `end` is 0 sees nothing, and its part of out stays as it was.
/// |out - ref| <= 2e-4 * max_j |v_j| against the stored keys and values, while |scale * q k_j|
/// stays below 100 (q is taken as the sum of two bfloat16 with bf16 caches, exact to 2^-17; f32
/// else). Vaswani et al. 2017; the split as in Dao et al. 2023 ("flash decoding").
Status attend(const AttendArgs& args, const LaunchOrder& order);

/// gate = gelu_tanh(gate) * up, (n): the end of gate_up on its own.
Status gelu_mul_f32(float* gate, const float* up, std::int64_t n, const LaunchOrder& order);

/// x' and h of `input` for any number of rows, as launches of their own: for steps of many rows,
/// where every block computing them for itself costs more. h: (rows, cols), null: not wanted;
/// h_bf16: the same rounded, null: not wanted. |h - ref| <= 4e-6 * |ref| + 1e-7.
Status residual_norm(const RowInput& input,
                     std::int64_t rows,
                     std::int64_t cols,
                     float* h,
                     std::uint16_t* h_bf16,
                     const LaunchOrder& order);

/// cos and sin of position * frequency. cos, sin: (rows, half); frequencies: (half), as rope_angles
/// of ops.h makes them (theta^(-2 j / head_dim) / divisor in f32). Within 2e-7.
Status rope_table(const std::int32_t* position,
                  std::int64_t rows,
                  const float* frequencies,
                  std::int64_t half,
                  float* cos,
                  float* sin,
                  const LaunchOrder& order);

/// x[t] = table[ids[t]] * scale; the same bits as the reference. ids: (rows), inside the table.
Status embed_rows(const PackedMatrix& table,
                  const std::int32_t* ids,
                  std::int64_t rows,
                  float scale,
                  float* x,
                  const LaunchOrder& order);

}  // namespace facet::engine::cuda
