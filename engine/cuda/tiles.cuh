// How a warp multiplies one tile of weights (matrix.h) by the staged activations: one struct per
// layout (those with blocks of 256 columns: super_tiles.cuh). lane = 4 g + t holds rows g and g + 8
// of the panel and, of the sums, columns (tokens) 2 t and 2 t + 1, as mma.sync has it
// (portable.cuh).
//
// The order of columns inside of a matrix instruction is free as long as both sides agree. So a
// lane of the row-major layouts takes 16 bytes that lie together, of the weights as of the
// activations.
#pragma once

#include "engine/cuda/activations.cuh"
#include "engine/cuda/matrix.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Sums of a panel: [8 columns each][fragment].
template <int columns>
struct Sums {
  static constexpr int kGroups = (columns + 7) / 8;
  /// With one token only column 0 counts: elements 0 and 2, of lanes with t = 0.
  static constexpr int kStep = columns == 1 ? 2 : 1;
  float at[kGroups][4] = {};
};

/// Which lane this is, and the token that it loads for a group of eight.
struct Lane {
  int g = 0;
  int t = 0;
  int index = 0;
};

template <class T>
__device__ inline T shared_at(const unsigned char* from) {
  return *reinterpret_cast<const T*>(from);
}

/// 8 or 16 bytes of the token that this lane loads; zeros where there is no such token.
__device__ inline uint4 token_16(const Acts& acts, const Lane& lane, int group, int byte) {
  const int token = lane.g + 8 * group;
  if (token >= acts.rows) return make_uint4(0, 0, 0, 0);
  return shared_at<uint4>(acts.x + static_cast<unsigned>(token) * acts.stride + byte);
}
__device__ inline uint2 token_8(const Acts& acts, const Lane& lane, int group, int byte) {
  const int token = lane.g + 8 * group;
  if (token >= acts.rows) return make_uint2(0, 0);
  return shared_at<uint2>(acts.x + static_cast<unsigned>(token) * acts.stride + byte);
}

/// The two words of `table` (blocks, columns) for this lane's sums; with one token only one counts.
template <int columns>
__device__ inline uint2 block_words(const std::uint32_t* table,
                                    const Lane& lane,
                                    int group,
                                    int block) {
  if constexpr (columns == 1) return make_uint2(table[block], 0);
  return *reinterpret_cast<const uint2*>(table + block * columns + 8 * group + 2 * lane.t);
}
template <int columns>
__device__ inline float2 block_scales(const Acts& acts, const Lane& lane, int group, int block) {
  const uint2 words =
      block_words<columns>(reinterpret_cast<const std::uint32_t*>(acts.d), lane, group, block);
  return make_float2(__uint_as_float(words.x), __uint_as_float(words.y));
}

/// Adds c d_w d_x to the sums: rows g and g + 8 have the factors wx and wy.
template <int columns>
__device__ inline void add_block(
    Sums<columns>& sums, int group, const std::int32_t (&c)[4], float wx, float wy, float2 d) {
  float(&to)[4] = sums.at[group];
  to[0] = fmaf(static_cast<float>(c[0]), wx * d.x, to[0]);
  to[2] = fmaf(static_cast<float>(c[2]), wy * d.x, to[2]);
  if constexpr (columns > 1) {
    to[1] = fmaf(static_cast<float>(c[1]), wx * d.y, to[1]);
    to[3] = fmaf(static_cast<float>(c[3]), wy * d.y, to[3]);
  }
}

/// Adds m_w (d_x sum of codes), where the words are Acts::s.
template <int columns>
__device__ inline void add_minimum(
    Sums<columns>& sums, int group, float mx, float my, uint2 words) {
  float(&to)[4] = sums.at[group];
  to[0] = fmaf(mx, __uint_as_float(words.x), to[0]);
  to[2] = fmaf(my, __uint_as_float(words.x), to[2]);
  if constexpr (columns > 1) {
    to[1] = fmaf(mx, __uint_as_float(words.y), to[1]);
    to[3] = fmaf(my, __uint_as_float(words.y), to[3]);
  }
}

/// The pair of halves of rows g and g + 8 in a table of them.
__device__ inline float2 row_pair(const unsigned char* table, const Lane& lane) {
  return __half22float2(shared_at<__half2>(table + lane.g * 4));
}

/// Nibbles of block b as a fragment.
__device__ inline void nibbles(const unsigned char* tile,
                               int b,
                               const Lane& lane,
                               std::uint32_t (&a)[4]) {
  const uint2 w = shared_at<uint2>(tile + b * 256 + lane.index * 8);
  a[0] = w.x & 0x0F0F0F0FU;
  a[1] = w.y & 0x0F0F0F0FU;
  a[2] = w.x >> 4U & 0x0F0F0F0FU;
  a[3] = w.y >> 4U & 0x0F0F0F0FU;
}

template <Layout layout>
struct Tile;

/// Products of 16-bit floats: 32 columns, a lane has 8 of each of its rows.
template <bool is_bf16>
struct HalfTile {
  static constexpr ActivationForm kForm = is_bf16 ? ActivationForm::bf16 : ActivationForm::f16;
  static constexpr BlockSums kSums = BlockSums::none;
  static constexpr int kStages = 4;

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    const uint4 low = shared_at<uint4>(tile + lane.index * 16);
    const uint4 high = shared_at<uint4>(tile + 512 + lane.index * 16);
    const std::uint32_t first[4] = {low.x, high.x, low.y, high.y};
    const std::uint32_t second[4] = {low.z, high.z, low.w, high.w};
    for (int n = 0; n < Sums<columns>::kGroups; ++n) {
      const uint4 x = token_16(acts, lane, n, index * 64 + lane.t * 16);
      const std::uint32_t x_first[2] = {x.x, x.y};
      const std::uint32_t x_second[2] = {x.z, x.w};
      if constexpr (is_bf16) {
        mma_bf16_16x8x16(to.at[n], first, x_first);
        mma_bf16_16x8x16(to.at[n], second, x_second);
      } else {
        mma_f16_16x8x16(to.at[n], first, x_first);
        mma_f16_16x8x16(to.at[n], second, x_second);
      }
    }
  }
};
template <>
struct Tile<Layout::bf16> : HalfTile<true> {};
template <>
struct Tile<Layout::f16> : HalfTile<false> {};

/// Two E4M3 of a word (bytes 0, 1, or 2, 3) as halves, exact but for a factor of 2^-8 (kFp8Factor).
__device__ inline std::uint32_t fp8_pair(std::uint32_t word, unsigned selector) {
  const std::uint32_t wide = __byte_perm(word, 0, selector);
  return (wide & 0x80008000U) | (wide & 0x7F007F00U) >> 1U;
}
inline constexpr unsigned kFp8Low = 0x1404;
inline constexpr unsigned kFp8High = 0x3424;
inline constexpr float kFp8Factor = 256.0F;

/// 64 columns; a lane has 16 of each of its rows.
template <>
struct Tile<Layout::fp8> {
  static constexpr ActivationForm kForm = ActivationForm::f16;
  static constexpr BlockSums kSums = BlockSums::none;
  static constexpr int kStages = 4;

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    const uint4 low = shared_at<uint4>(tile + lane.index * 16);
    const uint4 high = shared_at<uint4>(tile + 512 + lane.index * 16);
    const std::uint32_t lows[4] = {low.x, low.y, low.z, low.w};
    const std::uint32_t highs[4] = {high.x, high.y, high.z, high.w};
    for (int n = 0; n < Sums<columns>::kGroups; ++n) {
      const uint4 x = token_16(acts, lane, n, index * 128 + lane.t * 32);
      const uint4 y = token_16(acts, lane, n, index * 128 + lane.t * 32 + 16);
      const std::uint32_t words[8] = {x.x, x.y, x.z, x.w, y.x, y.y, y.z, y.w};
      for (int j = 0; j < 4; ++j) {
        const std::uint32_t a[4] = {fp8_pair(lows[j], kFp8Low),
                                    fp8_pair(highs[j], kFp8Low),
                                    fp8_pair(lows[j], kFp8High),
                                    fp8_pair(highs[j], kFp8High)};
        const std::uint32_t b[2] = {words[2 * j], words[2 * j + 1]};
        mma_f16_16x8x16(to.at[n], a, b);
      }
    }
  }
};

/// 16 columns, without matrix units: for models that are small or kept in f32 for exactness.
template <>
struct Tile<Layout::f32> {
  static constexpr ActivationForm kForm = ActivationForm::f32;
  static constexpr BlockSums kSums = BlockSums::none;
  static constexpr int kStages = 4;

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    for (int n = 0; n < Sums<columns>::kGroups; ++n) {
      const int first = min(8 * n + 2 * lane.t, acts.rows - 1);
      const int second = min(8 * n + 2 * lane.t + 1, acts.rows - 1);
      const unsigned char* x = acts.x + index * 64;
      for (int k = 0; k < 64; k += 4) {
        const float low = shared_at<float>(tile + lane.g * 64 + k);
        const float high = shared_at<float>(tile + 512 + lane.g * 64 + k);
        const float a = shared_at<float>(x + static_cast<unsigned>(first) * acts.stride + k);
        to.at[n][0] = fmaf(low, a, to.at[n][0]);
        to.at[n][2] = fmaf(high, a, to.at[n][2]);
        if constexpr (columns > 1) {
          const float b = shared_at<float>(x + static_cast<unsigned>(second) * acts.stride + k);
          to.at[n][1] = fmaf(low, b, to.at[n][1]);
          to.at[n][3] = fmaf(high, b, to.at[n][3]);
        }
      }
    }
  }
};

/// 64 columns of int8 with a scale, and for q8_min a minimum, per 32.
template <bool has_min>
struct ByteTile {
  static constexpr ActivationForm kForm = ActivationForm::int8;
  static constexpr BlockSums kSums = has_min ? BlockSums::d_sum : BlockSums::none;
  static constexpr int kStages = 4;

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    for (int b = 0; b < 2; ++b) {
      const uint4 w = shared_at<uint4>(tile + b * 512 + lane.index * 16);
      const std::uint32_t a[4] = {w.x, w.z, w.y, w.w};
      float2 d;
      float2 m = make_float2(0.0F, 0.0F);
      if constexpr (has_min) {
        const unsigned char* at = tile + 1024 + b * 64 + lane.g * 8;
        const float2 low = __half22float2(shared_at<__half2>(at));
        const float2 high = __half22float2(shared_at<__half2>(at + 4));
        d = make_float2(low.x, high.x);
        m = make_float2(low.y, high.y);
      } else {
        d = row_pair(tile + 1024 + b * 32, lane);
      }
      const int block = index * 2 + b;
      for (int n = 0; n < Sums<columns>::kGroups; ++n) {
        const uint2 x = token_8(acts, lane, n, block * 32 + lane.t * 8);
        const std::uint32_t words[2] = {x.x, x.y};
        std::int32_t c[4] = {};
        mma_s8_16x8x32(c, a, words);
        add_block<columns>(to, n, c, d.x, d.y, block_scales<columns>(acts, lane, n, block));
        if constexpr (has_min) {
          add_minimum<columns>(to, n, m.x, m.y, block_words<columns>(acts.s, lane, n, block));
        }
      }
    }
  }
};
template <>
struct Tile<Layout::q8> : ByteTile<false> {};
template <>
struct Tile<Layout::q8_min> : ByteTile<true> {};

/// 128 columns of nibbles with a scale per 32; the sums start at what the offset of 8 costs.
template <>
struct Tile<Layout::q4> {
  static constexpr ActivationForm kForm = ActivationForm::int8;
  static constexpr BlockSums kSums = BlockSums::minus_8_sum;
  static constexpr int kStages = 4;

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    for (int b = 0; b < 4; ++b) {
      std::uint32_t a[4];
      nibbles(tile, b, lane, a);
      const float2 d = row_pair(tile + 1024 + b * 32, lane);
      const int block = index * 4 + b;
      for (int n = 0; n < Sums<columns>::kGroups; ++n) {
        const uint2 x = token_8(acts, lane, n, block * 32 + lane.t * 8);
        const std::uint32_t words[2] = {x.x, x.y};
        const uint2 start = block_words<columns>(acts.s, lane, n, block);
        const auto low = static_cast<std::int32_t>(start.x);
        const auto high = static_cast<std::int32_t>(start.y);
        std::int32_t c[4] = {low, high, low, high};
        mma_s8_16x8x32(c, a, words);
        add_block<columns>(to, n, c, d.x, d.y, block_scales<columns>(acts, lane, n, block));
      }
    }
  }
};

}  // namespace facet::engine::cuda
