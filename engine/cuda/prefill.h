// The launches of a step of many rows (prefill, or a batch beyond kDecodeRowsMax): matrix products
// on bfloat16 matrix units with f32 sums, flash attention over the pages, and what lies between.
// A step may mix rows of several sequences: prefill beside decode. A step of many sequences with a
// row or a few each takes these launches too, but for attention, which is decode's (forward.h).
//
// Weights that are not bf16 are rounded to it, a stripe of rows at a time (dequantize_rows), so
// that products with them are off by at most 2^-8 * sum_k |x w| besides what rounding x to bf16
// costs. Pointers and errors as in decode.h. bfloat16 arrays are declared as their bits.
#pragma once

#include "base/result.h"
#include "engine/cuda/decode.h"
#include "engine/cuda/matrix.h"
#include "engine/cuda/prompt_units.h"
#include "engine/cuda/step.h"

#include <cstdint>

namespace facet::engine::cuda {

struct MatmulArgs {
  PackedMatrix w;  ///< Any layout.
  std::int64_t row_begin =
      0;  ///< Rows [row_begin, row_end) of w; both multiples of 16, or the end.
  std::int64_t row_end = 0;
  const std::uint16_t* x =
      nullptr;                ///< (tokens, x_stride) bfloat16; columns beyond cols are zeros.
  std::int64_t x_stride = 0;  ///< padded_cols(Layout::bf16, cols)
  std::int64_t tokens = 0;
  float* y = nullptr;  ///< (tokens, y_stride) f32; row r of w goes to column r - row_begin.
  std::int64_t y_stride = 0;
  std::uint16_t* scratch = nullptr;  ///< (scratch_rows, x_stride); not used with bf16 weights.
  std::int64_t scratch_rows = 0;     ///< A multiple of 16; more rows: fewer launches.
  /// With the library bits depend on how many tokens there are. unsupported for wgmma where the
  /// device or the build has none.
  PromptUnits units = PromptUnits::mma;
  std::byte* library_workspace = nullptr;    ///< For cuBLASLt alone while it runs; may be null.
  std::int64_t library_workspace_bytes = 0;  ///< With some it has faster ways for few tokens.
};
/// y = x W^T. |y - ref| <= 1e-5 * sum_k |x w| for bf16 weights against x as given; (2^-8 + 1e-5) of
/// the same sum for the others.
Status matmul(const MatmulArgs& args, const LaunchOrder& order);

struct GateUpRowsArgs {
  PackedMatrix gate;                 ///< (ffn, hidden), any layout.
  PackedMatrix up;                   ///< The same shape; another layout if it must be.
  const std::uint16_t* x = nullptr;  ///< (tokens, x_stride) bfloat16, as in MatmulArgs.
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::uint16_t* y = nullptr;        ///< (tokens, y_stride) bfloat16, zeros beyond ffn.
  std::int64_t y_stride = 0;         ///< padded_cols(Layout::bf16, ffn)
  std::uint16_t* scratch = nullptr;  ///< (scratch_rows, x_stride); not used with bf16 weights.
  std::int64_t scratch_rows = 0;     ///< A multiple of 32: half is for gate, half for up.
};
/// y = gelu_tanh(x gate^T) * (x up^T), one launch for each stripe of rows that the scratch holds,
/// by wgmma alone: unsupported elsewhere, where matmul and gelu_mul do the same. Errors of
/// wgmma_matmul for bf16 weights; for others the products are off as in matmul.
Status gate_up_rows(const GateUpRowsArgs& args, const LaunchOrder& order);

/// Rows [begin, end) of w as bfloat16 at `to`: (end - begin, stride), zeros beyond cols. begin is a
/// multiple of 16. Rounded half to even: the bits of float_to_bf16 of what unpack_row gives.
Status dequantize_rows(const PackedMatrix& w,
                       std::int64_t begin,
                       std::int64_t end,
                       std::uint16_t* to,
                       std::int64_t stride,
                       const LaunchOrder& order);

/// x: (rows, cols) f32 -> bfloat16 (rows, stride), zeros beyond cols.
Status to_bf16(const float* x,
               std::int64_t rows,
               std::int64_t cols,
               std::uint16_t* to,
               std::int64_t stride,
               const LaunchOrder& order);

/// y = gelu_tanh(gate) * up. gate, up: (rows, stride_in) f32, y: (rows, stride_out) bfloat16 of
/// `cols` columns, zeros beyond them.
Status gelu_mul(const float* gate,
                const float* up,
                std::int64_t rows,
                std::int64_t cols,
                std::int64_t stride_in,
                std::uint16_t* y,
                std::int64_t stride_out,
                const LaunchOrder& order);

struct FinishQkvArgs {
  const float* q = nullptr;  ///< (rows, stride) each: the products before norm and rotation.
  const float* k = nullptr;
  const float* v = nullptr;
  std::int64_t q_stride = 0;
  std::int64_t kv_stride = 0;
  int heads = 0;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float eps = 1e-6F;
  const float* cos = nullptr;  ///< (rows, head_dim / 2)
  const float* sin = nullptr;
  StepRows rows;
  LayerPages pages;
  float* q_out = nullptr;               ///< (rows, heads * head_dim), null: not wanted.
  std::uint16_t* q_out_bf16 = nullptr;  ///< The same rounded, null: not wanted.
};
/// The steps after the products of project_qkv, for any number of rows. Keys and values of rows
/// whose `end` is 0 are not stored.
Status finish_qkv(const FinishQkvArgs& args, const LaunchOrder& order);

/// Rows of a step that follow each other in one sequence: what one block of flash attention works
/// on. In device memory.
struct AttentionTile {
  std::int32_t row = 0;   ///< The first one.
  std::int32_t rows = 0;  ///< 1 to flash_tile_tokens().
  std::int32_t sequence = 0;
  std::int32_t position = 0;  ///< Of the first row; the others follow.
  std::int32_t end_max = 0;   ///< The largest `end` (StepRows) of its rows.
};

struct FlashArgs {
  const std::uint16_t* q = nullptr;  ///< (rows, heads * head_dim) bfloat16, from finish_qkv.
  int heads = 0;
  StepRows rows;
  const AttentionTile* tiles = nullptr;
  int tile_count = 0;
  LayerPages pages;
  AttentionSpan span;
  float scale = 1.0F;
  std::uint16_t* out = nullptr;  ///< (rows, heads * head_dim) bfloat16
  /// The most parts that the positions of a tile are split into, each a block's work; what they
  /// found is added up by a second launch. How many a tile has depends on its positions and on
  /// this.
  int splits = 1;
  float* scratch = nullptr;  ///< flash_scratch_floats(); for more than one split.
};
/// Tokens of a tile: the query rows of a block are tokens times the heads that share a kv head.
int flash_tile_tokens(int heads, int kv_heads, int head_dim);
inline constexpr int kFlashSplitsMax = 8;
/// A good number of splits on a device of `multiprocessors`, which few tiles alone leave without
/// work: 1 to kFlashSplitsMax, and no more than scratch of `floats` holds.
int flash_splits(
    int tile_count, int kv_heads, int head_dim, int multiprocessors, std::int64_t floats);
/// What FlashArgs::scratch holds, in floats.
std::int64_t flash_scratch_floats(int tile_count, int kv_heads, int head_dim, int splits);
/// True where flash_attend has a kernel; attend() of decode.h serves the rest.
bool flash_has(int heads, int kv_heads, int head_dim, KvType type);
/// out = softmax(scale * q k_j) v_j. Scores and sums f32, probabilities rounded to bf16:
/// |out - ref| <= 1e-2 * max_j |v_j| against q and the stored keys and values.
/// Dao 2023, "FlashAttention-2", algorithm 1; tiles outside the window are not read. The splits as
/// in "flash decoding".
Status flash_attend(const FlashArgs& args, const LaunchOrder& order);

/// y = mean over tokens of x, for embedders. x: (tokens, dim); y: (dim). Summed in token order.
Status mean_pool(
    const float* x, std::int64_t tokens, std::int64_t dim, float* y, const LaunchOrder& order);

}  // namespace facet::engine::cuda
