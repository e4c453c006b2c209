// Flash attention for steps of many rows (Dao 2023, algorithm 1) on bfloat16 matrix units.
//
// A block has 64 query rows: some tokens of one sequence times the heads that share a kv head. Four
// warps have 16 rows each and keep their outputs in registers. Keys and values go by in steps of 32
// positions, double-buffered in shared memory; steps outside of every row's span are not read, and
// rows are compared with their spans only in steps that are not inside of all of them.
//
// Rows of shared memory are head_dim bfloat16 in pieces of 16 bytes, of which piece i of row r lies
// at place i ^ (r % 8): ldmatrix then finds eight rows in eight different banks.
#pragma once

#include "engine/cuda/block.cuh"
#include "engine/cuda/prefill.h"
#include "engine/ops.h"

#include <cstdint>

namespace facet::engine::cuda {

inline constexpr int kFlashRows = 64;
inline constexpr int kFlashStep = 32;
inline constexpr int kFlashThreads = 128;
/// Steps of a part at least, where positions are split.
inline constexpr int kFlashPartSteps = 8;

/// Byte of piece `piece` of row `row` in an array of rows of `dim` values.
template <int dim>
__device__ inline int flash_at(int row, int piece) {
  return row * dim * 2 + (piece ^ (row % 8)) * 16;
}

/// The span of a row: positions [first, last). 32 bits hold any context, and registers are short.
struct RowSpan {
  int first = 0;
  int last = 0;
};
__device__ inline RowSpan span_of(const AttentionSpan& span,
                                  std::int64_t position,
                                  std::int64_t end) {
  RowSpan out{.last = static_cast<int>(end)};
  if (span.window > 0) {
    const std::int64_t first = position - span.window + 1;
    out.first = first > 0 ? static_cast<int>(first) : 0;
    const std::int64_t reach = position + span.window;
    if (!span.causal && reach < end) out.last = static_cast<int>(reach);
  }
  return out;
}

/// The steps of a tile, and the parts that they are split into.
struct FlashRange {
  int begin = 0;
  int end = 0;
  int parts = 1;
};
__device__ inline FlashRange flash_range(const FlashArgs& args,
                                         const RowSpan& lowest,
                                         const RowSpan& highest) {
  FlashRange out{.begin = lowest.first / kFlashStep,
                 .end = (highest.last + kFlashStep - 1) / kFlashStep};
  const int most = (out.end - out.begin + kFlashPartSteps - 1) / kFlashPartSteps;
  out.parts = most < args.splits ? (most < 1 ? 1 : most) : args.splits;
  return out;
}
/// The span of row `token` of a tile. Spans move on with the rows, at both ends.
__device__ inline RowSpan tile_span(const FlashArgs& args, const AttentionTile& tile, int token) {
  return span_of(args.span, tile.position + token, args.rows.end[tile.row + token]);
}

/// What a part leaves in FlashArgs::scratch, for each tile, kv head and part: sums (kFlashRows,
/// dim), then the rows' largest scores (times log2 e), then their weights.
__host__ __device__ constexpr std::int64_t flash_part_floats(int dim) {
  return std::int64_t{kFlashRows} * (dim + 2);
}
__device__ inline float* flash_part(
    const FlashArgs& args, int tile, int kv_head, int part, int dim) {
  const std::int64_t index =
      (static_cast<std::int64_t>(tile) * args.pages.kv_heads + kv_head) * args.splits + part;
  return args.scratch + index * flash_part_floats(dim);
}

/// Sixteen bytes' worth of values, rounded to bfloat16 where they are f32.
__device__ inline void copy_piece(unsigned char* to, const __nv_bfloat16* from) {
  cp_async_16(to, from);
}
__device__ inline void copy_piece(unsigned char* to, const float* from) {
  const float4 a = *reinterpret_cast<const float4*>(from);
  const float4 b = *reinterpret_cast<const float4*>(from + 4);
  *reinterpret_cast<uint4*>(to) = make_uint4(
      pack_bf16(a.x, a.y), pack_bf16(a.z, a.w), pack_bf16(b.x, b.y), pack_bf16(b.z, b.w));
}

/// int8 with a scale, both aligned to four bytes.
__device__ inline void copy_piece(unsigned char* to, const signed char* from, float scale) {
  const auto* words = reinterpret_cast<const std::uint32_t*>(from);
  std::uint32_t out[4];
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t bytes = words[i / 2] >> (16 * (i % 2));
    out[i] = pack_bf16(scale * static_cast<float>(static_cast<signed char>(bytes)),
                       scale * static_cast<float>(static_cast<signed char>(bytes >> 8U)));
  }
  *reinterpret_cast<uint4*>(to) = make_uint4(out[0], out[1], out[2], out[3]);
}

/// E4M3 with a scale, the same.
__device__ inline void copy_piece(unsigned char* to, const Fp8* from, float scale) {
  const auto* words = reinterpret_cast<const std::uint32_t*>(from);
  std::uint32_t out[4];
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t bytes = words[i / 2] >> (16 * (i % 2));
    out[i] = pack_bf16(scale * fp8_value(bytes), scale * fp8_value(bytes >> 8U));
  }
  *reinterpret_cast<uint4*>(to) = make_uint4(out[0], out[1], out[2], out[3]);
}

__device__ inline void zero_piece(unsigned char* to) {
  *reinterpret_cast<uint4*>(to) = make_uint4(0, 0, 0, 0);
}

/// Keys, then values, of the positions of step `step` that lie below `last`; zeros for the others,
/// so that a probability of 0 times them is 0.
template <class T, int dim>
__device__ inline void fetch_flash(const FlashArgs& args,
                                   const AttentionTile& tile,
                                   int step,
                                   int last,
                                   int kv_head,
                                   unsigned char* stage) {
  const SequencePages& sequence = args.pages.sequences[tile.sequence];
  const int at = step * kFlashStep;
  const int kv_heads = args.pages.kv_heads;
  const std::int64_t row_bytes = kv_row_bytes(args.pages.type, kv_heads, dim);
  const auto* page = reinterpret_cast<const unsigned char*>(
      sequence.pages[at / kPageTokens - sequence.first_page]);
  const unsigned char* rows = page + at % kPageTokens * row_bytes;
  constexpr int kPieces = dim / 8;
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < 2 * kFlashStep * kPieces; i += kFlashThreads) {
    const int plane = i / (kFlashStep * kPieces);
    const int j = i / kPieces % kFlashStep;
    const int piece = i % kPieces;
    unsigned char* to = stage + plane * kFlashStep * dim * 2 + flash_at<dim>(j, piece);
    if (at + j >= last) {
      zero_piece(to);
      continue;
    }
    const unsigned char* row = rows + (plane * kPageTokens + j) * row_bytes;
    const T* from = reinterpret_cast<const T*>(row) + kv_head * dim + piece * 8;
    if constexpr (sizeof(T) == 1) {
      copy_piece(to, from, reinterpret_cast<const float*>(row + kv_heads * dim)[kv_head]);
    } else {
      copy_piece(to, from);
    }
  }
  cp_async_commit();
}

/// Queries of the block: row r is token r / group, head r % group.
template <int dim>
__device__ inline void fetch_queries(const FlashArgs& args,
                                     const AttentionTile& tile,
                                     int kv_head,
                                     unsigned char* to) {
  const int group = args.heads / args.pages.kv_heads;
  constexpr int kPieces = dim / 8;
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < kFlashRows * kPieces; i += kFlashThreads) {
    const int row = i / kPieces;
    const int piece = i % kPieces;
    const bool is_inside = row < tile.rows * group;
    const std::int64_t token = tile.row + (is_inside ? row / group : 0);
    const std::int64_t head = kv_head * group + (is_inside ? row % group : 0);
    const std::uint16_t* from = args.q + (token * args.heads + head) * dim + piece * 8;
    cp_async_16(to + flash_at<dim>(row, piece), from, is_inside);
  }
}

/// One warp's rows: scores, running softmax, outputs. Rows g and g + 8 of the warp's 16.
template <int dim>
class FlashRows {
 public:
  static constexpr int kSlabs = dim / 16;
  static constexpr int kTiles = dim / 8;
  static constexpr int kStepTiles = kFlashStep / 8;

  __device__ FlashRows() {
    for (int i = 0; i < kTiles; ++i) {
      for (int e = 0; e < 4; ++e) out_[i][e] = 0.0F;
    }
  }

  /// q: the block's queries in shared memory; keys of the step.
  __device__ void score(const unsigned char* q, const unsigned char* keys) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    for (int i = 0; i < kStepTiles; ++i) {
      for (int e = 0; e < 4; ++e) scores_[i][e] = 0.0F;
    }
#pragma unroll 4
    for (int slab = 0; slab < kSlabs; ++slab) {
      // Matrices: rows 0 to 7 and 8 to 15 of the first, then of the second 8 columns.
      std::uint32_t a[4];
      ldmatrix_x4(a, q + flash_at<dim>(warp * 16 + lane % 16, slab * 2 + lane / 16));
#pragma unroll
      for (int pair = 0; pair < kStepTiles / 2; ++pair) {
        // Positions 0 to 7 of both halves of the columns, then positions 8 to 15.
        std::uint32_t b[4];
        const int row = pair * 16 + lane / 16 * 8 + lane % 8;
        ldmatrix_x4(b, keys + flash_at<dim>(row, slab * 2 + lane / 8 % 2));
        const std::uint32_t first[2] = {b[0], b[1]};
        const std::uint32_t second[2] = {b[2], b[3]};
        mma_bf16_16x8x16(scores_[2 * pair], a, first);
        mma_bf16_16x8x16(scores_[2 * pair + 1], a, second);
      }
    }
  }

  /// Leaves out what the rows do not admit. `at`: position of the step; spans of rows g and g + 8.
  __device__ void mask(int at, const RowSpan (&spans)[2]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    for (int i = 0; i < kStepTiles; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int position = at + i * 8 + lane % 4 * 2 + e % 2;
        const RowSpan& span = spans[e / 2];
        if (position < span.first || position >= span.last) scores_[i][e] = -INFINITY;
      }
    }
  }

  /// Scores to probabilities, times `scale` (with the logarithm of 2 to e in it).
  __device__ void soften(float scale) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float higher = -INFINITY;
      for (int i = 0; i < kStepTiles; ++i) {
        higher = fmaxf(higher, fmaxf(scores_[i][2 * half], scores_[i][2 * half + 1]));
      }
      for (int offset = 2; offset > 0; offset /= 2) {
        higher = fmaxf(higher, __shfl_xor_sync(kAllLanes, higher, offset));
      }
      higher = fmaxf(highest_[half], higher * scale);
      // Rows that have admitted nothing so far.
      const float base = higher == -INFINITY ? 0.0F : higher;
      const float shrink = exp2f(highest_[half] - base);
      highest_[half] = higher;
      float sum = 0.0F;
      for (int i = 0; i < kStepTiles; ++i) {
        for (int e = 2 * half; e < 2 * half + 2; ++e) {
          scores_[i][e] = exp2f(fmaf(scores_[i][e], scale, -base));
          sum += scores_[i][e];
        }
      }
      weights_[half] = weights_[half] * shrink + sum;
      for (int i = 0; i < kTiles; ++i) {
        out_[i][2 * half] *= shrink;
        out_[i][2 * half + 1] *= shrink;
      }
    }
  }

  /// Adds the values of the step.
  __device__ void add(const unsigned char* values) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int slab = 0; slab < kFlashStep / 16; ++slab) {
      const std::uint32_t a[4] = {pack_bf16(scores_[2 * slab][0], scores_[2 * slab][1]),
                                  pack_bf16(scores_[2 * slab][2], scores_[2 * slab][3]),
                                  pack_bf16(scores_[2 * slab + 1][0], scores_[2 * slab + 1][1]),
                                  pack_bf16(scores_[2 * slab + 1][2], scores_[2 * slab + 1][3])};
      const int row = slab * 16 + lane % 16;
#pragma unroll
      for (int pair = 0; pair < kTiles / 2; ++pair) {
        std::uint32_t b[4];
        ldmatrix_x4_trans(b, values + flash_at<dim>(row, pair * 2 + lane / 16));
        const std::uint32_t first[2] = {b[0], b[1]};
        const std::uint32_t second[2] = {b[2], b[3]};
        mma_bf16_16x8x16(out_[2 * pair], a, first);
        mma_bf16_16x8x16(out_[2 * pair + 1], a, second);
      }
    }
  }

  /// The outputs of rows below `rows`, divided by their weights.
  __device__ void store(const FlashArgs& args, const AttentionTile& tile, int kv_head) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int group = args.heads / args.pages.kv_heads;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float weight = weight_of(half);
      const int row = warp * 16 + half * 8 + lane / 4;
      if (row >= tile.rows * group) continue;
      const float factor = 1.0F / weight;
      const std::int64_t token = tile.row + row / group;
      std::uint16_t* to =
          args.out + (token * args.heads + kv_head * group + row % group) * dim + lane % 4 * 2;
      for (int i = 0; i < kTiles; ++i) {
        *reinterpret_cast<std::uint32_t*>(to + 8 * i) =
            pack_bf16(out_[i][2 * half] * factor, out_[i][2 * half + 1] * factor);
      }
    }
  }

  /// The same undivided, with what else flash_join needs, at flash_part().
  __device__ void store_part(float* to) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float weight = weight_of(half);
      const int row = warp * 16 + half * 8 + lane / 4;
      if (lane % 4 == 0) {
        to[kFlashRows * dim + row] = highest_[half];
        to[kFlashRows * (dim + 1) + row] = weight;
      }
      float* at = to + row * dim + lane % 4 * 2;
      for (int i = 0; i < kTiles; ++i) {
        *reinterpret_cast<float2*>(at + 8 * i) =
            make_float2(out_[i][2 * half], out_[i][2 * half + 1]);
      }
    }
  }

 private:
  /// The sum of a row's probabilities; for all four lanes that have it.
  __device__ float weight_of(int half) const {
    float weight = weights_[half];
    for (int offset = 2; offset > 0; offset /= 2) {
      weight += __shfl_xor_sync(kAllLanes, weight, offset);
    }
    return weight;
  }

  float out_[kTiles][4];
  float scores_[kStepTiles][4];
  float highest_[2] = {-INFINITY, -INFINITY};
  float weights_[2] = {};  ///< Of this lane's columns; summed over four lanes in the end.
};

}  // namespace facet::engine::cuda
