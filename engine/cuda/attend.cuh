// Attention of a decode step: each row of a step is one query token with its heads; a block serves
// one row, up to eight heads that share a kv head, and a stretch of the positions.
//
// Positions go by in steps of 32, keys and values through shared memory by asynchronous copies, the
// next step's under way while one is worked on. Scores of bf16 and int8 keys, both of which
// bfloat16 holds, are matrix products: 16 positions by eight columns, a head being two columns, the
// upper and lower half of its query as bfloat16, so that the query is not rounded. Scales of int8
// keys multiply the scores, those of int8 values the probabilities. Warp h then keeps the running
// maximum and sum of head h, and all warps add up the values, each for its positions. The last
// block of a (row, kv head) merges.
#pragma once

#include "engine/cuda/block.cuh"
#include "engine/cuda/decode.h"
#include "engine/ops.h"

#include <cstdint>

namespace facet::engine::cuda {

inline constexpr int kStepPositions = 32;
inline constexpr int kHeadsPerBlock = 8;
/// Elements of a head that a lane adds up.
inline constexpr int kChunk = 8;

/// The positions of a block: steps [begin, end) of kStepPositions, admitted are [first, last).
struct Stretch {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  int splits = 0;  ///< That have work, of this row.
};
__device__ inline Stretch stretch_of(const AttendArgs& args, int row, int split) {
  Stretch out;
  const std::int64_t position = args.rows.position[row];
  out.last = args.rows.end[row];
  if (args.span.window > 0) {
    const std::int64_t first = position - args.span.window + 1;
    out.first = first > 0 ? first : 0;
    const std::int64_t reach = position + args.span.window;
    if (!args.span.causal && reach < out.last) out.last = reach;
  }
  const std::int64_t begin = out.first / kStepPositions;
  const std::int64_t steps = (out.last + kStepPositions - 1) / kStepPositions - begin;
  out.splits = static_cast<int>(steps < args.splits ? steps : args.splits);
  out.begin = begin + steps * split / out.splits;
  out.end = begin + steps * (split + 1) / out.splits;
  return out;
}

/// Shared memory of a block, in bytes.
struct AttendMap {
  unsigned plane = 0;   ///< Keys, or values, of one step; then their scales.
  unsigned stride = 0;  ///< Of one position.
  unsigned scales = 0;  ///< int8: (kStepPositions) floats, in the plane.
  unsigned stages = 0;
  unsigned scores = 0;   ///< (parts, heads, kStepPositions) floats
  unsigned query = 0;    ///< (heads, head_dim + 4) floats
  unsigned weights = 0;  ///< (heads, kSplitsMax) floats, for merging
  unsigned total = 0;
};
inline constexpr unsigned kScoreParts = 4;
__host__ __device__ constexpr AttendMap attend_map(unsigned value_bytes, unsigned head_dim) {
  AttendMap map;
  // Such that the loads of fragments, 16 bytes a lane or 8, touch every bank once.
  map.stride = (head_dim * value_bytes + 127) / 128 * 128 + (value_bytes == 1 ? 32 : 64);
  map.scales = kStepPositions * map.stride;
  map.plane = map.scales + (value_bytes == 1 ? kStepPositions * 4 : 0);
  map.stages = value_bytes == 4 ? 1 : 2;
  // The stages are used again for the sums of all warps.
  const unsigned stages = map.stages * 2 * map.plane;
  const unsigned sums = kWarps * kHeadsPerBlock * 256 * 4;
  map.scores = stages > sums ? stages : sums;
  map.query = map.scores + kScoreParts * kHeadsPerBlock * kStepPositions * 4;
  map.weights = map.query + kHeadsPerBlock * (head_dim + 4) * 4;
  map.total = map.weights + kHeadsPerBlock * static_cast<unsigned>(kSplitsMax) * 4;
  return map;
}

/// What a block works on.
struct AttendBlock {
  int row = 0;
  int kv_head = 0;
  int head = 0;   ///< The first one.
  int heads = 0;  ///< At most kHeadsPerBlock.
  Stretch stretch;
};

/// Starts the copies of keys and values of step `step` into `stage`. Positions that are not
/// admitted are left out: nothing reads them.
template <class T>
__device__ inline void fetch_step(const AttendArgs& args,
                                  const AttendBlock& block,
                                  const AttendMap& map,
                                  std::int64_t step,
                                  unsigned char* stage) {
  const SequencePages& sequence = args.pages.sequences[args.rows.sequence[block.row]];
  const int dim = args.pages.head_dim;
  const std::int64_t row_bytes = kv_row_bytes(args.pages.type, args.pages.kv_heads, dim);
  const std::int64_t at = step * kStepPositions;
  // A step lies inside of a page.
  const auto* page = reinterpret_cast<const unsigned char*>(
      sequence.pages[at / kPageTokens - sequence.first_page]);
  const unsigned char* rows = page + at % kPageTokens * row_bytes;
  const int bytes = dim * static_cast<int>(sizeof(T));
  const int per_row = (bytes + 15) / 16;
  const bool has_pieces = bytes % 16 == 0 && row_bytes % 16 == 0;
  const bool has_words = bytes % 4 == 0 && row_bytes % 4 == 0;
  for (int i = static_cast<int>(threadIdx.x); i < 2 * kStepPositions * per_row; i += kThreads) {
    const int plane = i / (kStepPositions * per_row);
    const int j = i / per_row % kStepPositions;
    const int part = i % per_row;
    if (at + j < block.stretch.first || at + j >= block.stretch.last) continue;
    const unsigned char* row = rows + (plane * kPageTokens + j) * row_bytes;
    const unsigned char* from = row + block.kv_head * bytes + part * 16;
    unsigned char* to = stage + static_cast<unsigned>(plane) * map.plane +
                        static_cast<unsigned>(j) * map.stride + part * 16;
    const int count = min(16, bytes - part * 16);
    if (has_pieces) {
      cp_async_16(to, from);
    } else if (has_words) {
      for (int e = 0; e < count; e += 4) {
        *reinterpret_cast<std::uint32_t*>(to + e) =
            *reinterpret_cast<const std::uint32_t*>(from + e);
      }
    } else {
      for (int e = 0; e < count; ++e) to[e] = from[e];
    }
    if (sizeof(T) == 1 && part == 0) {
      float* scales =
          reinterpret_cast<float*>(stage + static_cast<unsigned>(plane) * map.plane + map.scales);
      scales[j] = reinterpret_cast<const float*>(row + args.pages.kv_heads * bytes)[block.kv_head];
    }
  }
  cp_async_commit();
}

__device__ inline float to_float(float value) {
  return value;
}
__device__ inline float to_float(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
__device__ inline float to_float(signed char value) {
  return static_cast<float>(value);
}
__device__ inline float to_float(Fp8 value) {
  return fp8_value(value.bits);
}

/// Eight values that lie together as pairs of bfloat16, exactly.
__device__ inline uint4 bf16_eight(const __nv_bfloat16* from) {
  return *reinterpret_cast<const uint4*>(from);
}
__device__ inline std::uint32_t bf16_pair(std::uint32_t bytes, int first) {
  return pack_bf16(static_cast<float>(static_cast<signed char>(bytes >> (8 * first))),
                   static_cast<float>(static_cast<signed char>(bytes >> (8 * first + 8))));
}
__device__ inline uint4 bf16_eight(const signed char* from) {
  const uint2 w = *reinterpret_cast<const uint2*>(from);
  return make_uint4(bf16_pair(w.x, 0), bf16_pair(w.x, 2), bf16_pair(w.y, 0), bf16_pair(w.y, 2));
}

__device__ inline std::uint32_t fp8_pair(std::uint32_t bytes, int first) {
  return pack_bf16(fp8_value(bytes >> (8 * first)), fp8_value(bytes >> (8 * first + 8)));
}
__device__ inline uint4 bf16_eight(const Fp8* from) {
  const uint2 w = *reinterpret_cast<const uint2*>(from);
  return make_uint4(fp8_pair(w.x, 0), fp8_pair(w.x, 2), fp8_pair(w.y, 0), fp8_pair(w.y, 2));
}

/// Scores by matrix products: head_dim a multiple of 32, at most 256. Warp w has positions
/// 16 (w % 2) on and the slabs of 32 elements w / 2, w / 2 + 4.
class MatrixScores {
 public:
  /// `query`: (heads, head_dim + 4) in shared memory.
  __device__ MatrixScores(const float* query, int heads, int dim) : dim_(dim) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    for (int slab = 0; slab < 2; ++slab) {
      for (int n = 0; n < 2; ++n) {
        const int head = 4 * n + lane / 8;
        const int at = (warp / 2 + 4 * slab) * 32 + lane % 4 * 8;
        for (int i = 0; i < 4; ++i) {
          const bool is_inside = head < heads && at < dim;
          const float* q = query + head * (dim + 4) + at + 2 * i;
          const float a = is_inside ? q[0] : 0.0F;
          const float b = is_inside ? q[1] : 0.0F;
          q_[slab][n][i] = lane / 4 % 2 == 0 ? pack_bf16(a, b) : pack_bf16(rest(a), rest(b));
        }
      }
    }
  }

  template <class T>
  __device__ void score(const unsigned char* keys,
                        unsigned stride,
                        int heads,
                        float* scores) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int groups = (heads + 3) / 4;
    const unsigned char* row = keys + static_cast<unsigned>(warp % 2 * 16 + lane / 4) * stride;
    const T* x_row = reinterpret_cast<const T*>(row) + lane % 4 * 8;
    const T* y_row = reinterpret_cast<const T*>(row + 8 * stride) + lane % 4 * 8;
    float sums[2][4] = {};
#pragma unroll
    for (int slab = 0; slab < 2; ++slab) {
      const int at = (warp / 2 + 4 * slab) * 32;
      if (at >= dim_) continue;
      const uint4 low = bf16_eight(x_row + at);
      const uint4 high = bf16_eight(y_row + at);
      const std::uint32_t first[4] = {low.x, high.x, low.y, high.y};
      const std::uint32_t second[4] = {low.z, high.z, low.w, high.w};
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        if (n >= groups) continue;
        const std::uint32_t q_first[2] = {q_[slab][n][0], q_[slab][n][1]};
        const std::uint32_t q_second[2] = {q_[slab][n][2], q_[slab][n][3]};
        mma_bf16_16x8x16(sums[n], first, q_first);
        mma_bf16_16x8x16(sums[n], second, q_second);
      }
    }
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const int head = 4 * n + lane % 4;
      if (head >= heads) continue;
      float* to = scores + (warp / 2 * kHeadsPerBlock + head) * kStepPositions + warp % 2 * 16;
      to[lane / 4] = sums[n][0] + sums[n][1];
      to[lane / 4 + 8] = sums[n][2] + sums[n][3];
    }
  }

 private:
  /// What the upper half leaves over.
  __device__ static float rest(float value) {
    return value - __bfloat162float(__float2bfloat16_rn(value));
  }

  int dim_;
  std::uint32_t q_[2][2][4];
};

/// Scores in f32, for every type and head_dim: eight threads to a position.
template <class T>
__device__ inline void plain_scores(const unsigned char* keys,
                                    unsigned stride,
                                    const float* query,
                                    int heads,
                                    int dim,
                                    float* scores) {
  const int j = static_cast<int>(threadIdx.x) / 8;
  const int part = static_cast<int>(threadIdx.x) % 8;
  const T* key = reinterpret_cast<const T*>(keys + static_cast<unsigned>(j) * stride);
  for (int head = 0; head < heads; ++head) {
    const float* q = query + head * (dim + 4);
    float sum = 0.0F;
    for (int d = part; d < dim; d += 8) sum = fmaf(q[d], to_float(key[d]), sum);
    for (int offset = 4; offset > 0; offset /= 2) {
      sum += __shfl_xor_sync(kAllLanes, sum, offset);
    }
    if (part != 0) continue;
    float* to = scores + head * kStepPositions + j;
    to[0] = sum;
    for (unsigned i = 1; i < kScoreParts; ++i) to[i * kHeadsPerBlock * kStepPositions] = 0.0F;
  }
}

/// Values as eight floats.
__device__ inline void load_chunk(const __nv_bfloat16* from, float (&to)[kChunk]) {
  const uint4 w = *reinterpret_cast<const uint4*>(from);
  const std::uint32_t words[4] = {w.x, w.y, w.z, w.w};
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = __uint_as_float(words[i] << 16U);
    to[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000U);
  }
}
__device__ inline void load_chunk(const float* from, float (&to)[kChunk]) {
  const float4 a = *reinterpret_cast<const float4*>(from);
  const float4 b = *reinterpret_cast<const float4*>(from + 4);
  to[0] = a.x;
  to[1] = a.y;
  to[2] = a.z;
  to[3] = a.w;
  to[4] = b.x;
  to[5] = b.y;
  to[6] = b.z;
  to[7] = b.w;
}

/// int8, without its scale.
__device__ inline void load_chunk(const signed char* from, float (&to)[kChunk]) {
  const uint2 w = *reinterpret_cast<const uint2*>(from);
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<float>(static_cast<signed char>(w.x >> (8 * i)));
    to[i + 4] = static_cast<float>(static_cast<signed char>(w.y >> (8 * i)));
  }
}

/// E4M3, the same.
__device__ inline void load_chunk(const Fp8* from, float (&to)[kChunk]) {
  const uint2 w = *reinterpret_cast<const uint2*>(from);
  for (int i = 0; i < 4; ++i) {
    to[i] = fp8_value(w.x >> (8 * i));
    to[i + 4] = fp8_value(w.y >> (8 * i));
  }
}

/// Where a lane stands when values are added up: `chunks` lanes side by side have a position.
struct ValueLane {
  int chunk = 0;
  int place = 0;  ///< Of all lanes of the block that have this chunk; below `places`.
  int places = 0;
  bool is_used = false;
};
__device__ inline ValueLane value_lane(int dim) {
  const int chunks = (dim + kChunk - 1) / kChunk;
  const int each = kWarp / chunks;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  return {.chunk = lane % chunks,
          .place = warp * each + lane / chunks,
          .places = kWarps * each,
          .is_used = lane / chunks < each};
}

/// One step's values, times their probabilities, to the sums.
template <class T, int heads>
__device__ inline void add_values(const unsigned char* values,
                                  unsigned stride,
                                  const float* probabilities,
                                  const ValueLane& lane,
                                  int begin,
                                  int end,
                                  float (&sums)[heads][kChunk]) {
  if (!lane.is_used) return;
  for (int j = lane.place; j < end; j += lane.places) {
    if (j < begin) continue;
    float v[kChunk];
    load_chunk(reinterpret_cast<const T*>(values + static_cast<unsigned>(j) * stride) +
                   lane.chunk * kChunk,
               v);
#pragma unroll
    for (int h = 0; h < heads; ++h) {
      const float p = probabilities[h * kStepPositions + j];
#pragma unroll
      for (int i = 0; i < kChunk; ++i) sums[h][i] = fmaf(p, v[i], sums[h][i]);
    }
  }
}

}  // namespace facet::engine::cuda
