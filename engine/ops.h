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

#include "engine/kv/kv_type.h"
#include "engine/model/tensor.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace facet::engine {

/// Positions in one page of the key-value cache.
inline constexpr std::int64_t kPageTokens = 64;

/// Weight rows of one work unit of matmul: callers split rows in multiples of it, and give scratch
/// for that many dequantised rows.
inline constexpr std::int64_t kMatmulRows = 16;

/// The forms in which products take their activations.
///
/// int8: every 32 columns of a row, x = d q with d = max |x| / 127 and q = round(x / d), half to
/// even. Used with weights of Q4_0 and Q8_0, whose blocks are 32 columns too: what is summed within
/// a block is integers, hence exact. Blocks below 1e-30 are taken as zeros.
///
/// bf16: every value rounded to the nearest bfloat16, half to even. Used with weights of BF16.
enum class Activations : std::uint8_t { f32, int8, bf16 };

/// Rows of x that are packed together, as a tile (the last one may have fewer). The blocks of 32
/// columns of a tile follow each other; for its n rows a block is
///   int8: int8 q[n][32], float d[n], int32 s[n]   with s = -8 sum_k q[k], and d NaN where a value
///         of the block is not finite;
///   bf16: bfloat16 x[n][32].
inline constexpr std::int64_t kPackedTokens = 16;

/// Bytes of `tokens` packed rows of `cols` columns (whole blocks); none for f32.
constexpr std::int64_t packed_bytes(Activations form, std::int64_t tokens, std::int64_t cols) {
  if (form == Activations::f32) return 0;
  return tokens * (cols / 32) * (form == Activations::int8 ? 40 : 64);
}

/// The form that makes products with weights of `type` fast on most processors (Ops::form is what
/// counts); f32 where there is no other.
constexpr Activations fast_activations(DType type) {
  if (type == DType::bf16) return Activations::bf16;
  return type == DType::q4_0 || type == DType::q8_0 ? Activations::int8 : Activations::f32;
}

/// Floats of MatmulArgs::scratch for weights of `cols` columns.
constexpr std::int64_t matmul_scratch_floats(std::int64_t cols) {
  return kMatmulRows * cols > 8192 ? kMatmulRows * cols : 8192;
}

struct MatmulArgs {
  TensorView w;                ///< (rows, cols), row-major, any DType.
  std::int64_t row_begin = 0;  ///< Computes rows [row_begin, row_end) only.
  std::int64_t row_end = 0;
  const float* x = nullptr;           ///< (tokens, cols), for Ops::matmul.
  const std::byte* packed = nullptr;  ///< x in the form of the weights, for the packed products.
  std::int64_t tokens = 0;            ///< 0 is allowed: nothing is written.
  float* y = nullptr;                 ///< (tokens, y_stride): row r goes to column r - row_begin.
  std::int64_t y_stride = 0;          ///< Floats from one token to the next.
  float* scratch = nullptr;           ///< matmul_scratch_floats(cols), owned by the calling thread.
};

/// Columns [begin, end) of rows that are `cols` columns long as a whole, all multiples of 32.
struct PackArgs {
  const float* x = nullptr;   ///< (tokens, x_stride): column k lies at k - begin.
  std::int64_t x_stride = 0;  ///< Floats from one token to the next.
  std::int64_t tokens = 0;
  std::int64_t cols = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::byte* to = nullptr;  ///< packed_bytes(form, tokens, cols): all rows, other columns stay.
};

/// The keys and values that one layer holds: pages of kPageTokens positions. A page is
/// (2, kPageTokens) rows of `type` (kv_type.h): keys first, then values.
struct KvPages {
  std::byte* const* pages = nullptr;
  std::int64_t first_page = 0;  ///< pages[0] holds positions from first_page * kPageTokens on.
  int kv_heads = 0;
  int head_dim = 0;
  KvType type = KvType::f32;
};

/// A tile of query rows of one layer: `tokens` tokens that follow each other, times the `heads`
/// query heads that share one kv head.
struct AttentionArgs {
  const float* q = nullptr;  ///< (tokens, heads, head_dim), normed and rotated; see stride.
  int heads = 1;
  std::int64_t tokens = 1;
  std::int64_t stride = 0;  ///< Floats from token to token, in q and in out; any for one token.
  KvPages kv;
  int kv_head = 0;
  /// Keys at positions [first, end) are admitted to the first token; at least one.
  std::int64_t first = 0;
  std::int64_t end = 0;
  /// Token t has [max(0, first + t), ...) where first_moves, and [..., min(end + t, end_max)) where
  /// end_moves. `first` may be below 0 then.
  bool first_moves = false;
  bool end_moves = false;
  std::int64_t end_max = 0;
  float scale = 1.0F;
  float* out = nullptr;      ///< (tokens, heads, head_dim), as q.
  float* scratch = nullptr;  ///< tokens * heads * attention_keys() floats.
};

constexpr std::int64_t attention_first(const AttentionArgs& a, std::int64_t token) {
  const std::int64_t first = a.first + (a.first_moves ? token : 0);
  return first < 0 ? 0 : first;
}
constexpr std::int64_t attention_end(const AttentionArgs& a, std::int64_t token) {
  const std::int64_t end = a.end + token;
  return !a.end_moves ? a.end : end < a.end_max ? end : a.end_max;
}
/// Positions from the first one that the first token sees to the last one that the last does.
constexpr std::int64_t attention_keys(const AttentionArgs& a) {
  return attention_end(a, a.tokens - 1) - attention_first(a, 0);
}

struct Ops {
  const char* name = "";
  const char* arithmetic = "";  ///< What busy() measures, e.g. "f32 multiply-add".

  /// y[t][r] = sum_k x[t][k] w[r][k]: the linear layer without bias.
  /// Weights are dequantised exactly to f32; products and sums in f32 (in double in reference).
  /// |y - ref| <= 4e-6 * sum_k |x[t][k] w[r][k]|. REQUIRES: cols a whole number of blocks.
  void (*matmul)(const MatmulArgs& args) = nullptr;

  /// The form that products with weights of a type take here. f32 is always possible too.
  Activations (*form)(DType type) = fast_activations;

  /// The same of x packed as int8 in args.packed: x[t][k] = d q, within the same bound. Blocks are
  /// summed in ascending order: y = fma(sum_k q w_q, d d_w, y); the inner sum is exact. Against the
  /// x that was packed the result is off by at most max |x| / 253 * sum_k |w[r][k]|, summed over
  /// the blocks, besides. REQUIRES: weights of Q4_0 or Q8_0.
  void (*matmul_int8)(const MatmulArgs& args) = nullptr;
  /// The same of x packed as bf16, within 4e-6 * sum_k |x[t][k] w[r][k]| of the rounded x, hence
  /// 2e-3 of the same sum of x as it was. REQUIRES: weights of BF16, cols a multiple of 32. Null
  /// where the processor has no instruction for it.
  void (*matmul_bf16)(const MatmulArgs& args) = nullptr;

  /// Packs rows for them. The same bytes as the reference. pack_bf16 is null where matmul_bf16 is.
  void (*pack_int8)(const PackArgs& args) = nullptr;
  void (*pack_bf16)(const PackArgs& args) = nullptr;

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

  /// out = softmax(scale * q k_j) v_j over the admitted positions j, for each query row.
  /// Scores, softmax and sums in f32, positions in ascending order; probabilities are not rounded.
  /// |out - ref| <= 1e-5 * max_j |v_j| while |scale * q k_j| stays below 100.
  /// Vaswani et al. 2017, eq. 1; heads share keys as in Ainslie et al. 2023.
  void (*attention)(const AttentionArgs& args) = nullptr;

  /// The three steps of attention, for callers that share one tile between threads; together they
  /// give the same bits. First q k_j of all rows for the positions [begin, end) among those of the
  /// tile; then the probabilities of query rows [begin, end); then elements [begin, end) of every
  /// output, where begin and end are multiples of 64 or head_dim. Null in the reference.
  void (*attention_scores)(const AttentionArgs& args,
                           std::int64_t begin,
                           std::int64_t end) = nullptr;
  void (*attention_probabilities)(const AttentionArgs& args,
                                  std::int64_t begin,
                                  std::int64_t end) = nullptr;
  void (*attention_values)(const AttentionArgs& args,
                           std::int64_t begin,
                           std::int64_t end) = nullptr;

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

  /// `rounds` rounds of the fastest multiply-adds of matmul on registers alone; the number of
  /// multiplies and adds done. For measuring what the processor can do; null in the reference.
  std::int64_t (*busy)(std::int64_t rounds) = nullptr;

  /// Reads `bytes` bytes (a multiple of 1024) once, as fast as they come; a sum that nobody needs
  /// but the compiler. Null in the reference.
  std::uint64_t (*read)(const std::byte* from, std::int64_t bytes) = nullptr;
};

/// Mean over tokens, summed in double in token order. x: (tokens, dim), tokens >= 1; y: (dim).
void mean_pool(const float* x, std::int64_t tokens, std::int64_t dim, float* y);

/// x /= sqrt(sum x^2), summed in double, in place; a zero vector stays zero (as in
/// torch.nn.functional.normalize, whose floor of 1e-12 is used). x: (dim).
void l2_normalize(float* x, std::int64_t dim);

/// theta^(-2 j / head_dim) / divisor for j < head_dim / 2, rounded to f32 as below.
std::vector<float> rope_frequencies(std::int64_t head_dim, double theta, double divisor);

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
