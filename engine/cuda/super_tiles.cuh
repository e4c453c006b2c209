// How a warp multiplies one tile of the layouts whose blocks have 256 columns, as tiles.cuh says.
#pragma once

#include "engine/cuda/tiles.cuh"

#include <cstdint>
#include <type_traits>

namespace facet::engine::cuda {

/// The eight scales and eight minima of a row of q4_k and q5_k, four to a word (see k_scale in
/// engine/model/quantised.h).
struct SuperScales {
  float d = 0.0F;
  float dmin = 0.0F;
  std::uint32_t scales[2] = {};
  std::uint32_t minima[2] = {};
};
__device__ inline SuperScales super_scales(const unsigned char* header) {
  const uint4 w = shared_at<uint4>(header);
  const float2 d = __half22float2(shared_at<__half2>(header));
  return {.d = d.x,
          .dmin = d.y,
          .scales = {w.y & 0x3F3F3F3FU, (w.w & 0x0F0F0F0FU) | (w.y >> 2U & 0x30303030U)},
          .minima = {w.z & 0x3F3F3F3FU, (w.w >> 4U & 0x0F0F0F0FU) | (w.z >> 2U & 0x30303030U)}};
}
__device__ inline float byte_of(const std::uint32_t (&words)[2], int b) {
  return static_cast<float>(words[b / 4] >> (8 * (b % 4)) & 255U);
}

/// 256 columns of 4 or 5 bits with a scale and a minimum per 32.
template <bool has_fifth>
struct SuperTile {
  static constexpr ActivationForm kForm = ActivationForm::int8;
  static constexpr BlockSums kSums = BlockSums::d_sum;
  static constexpr int kStages = 2;

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    const SuperScales x_row = super_scales(tile + 2048 + lane.g * 16);
    const SuperScales y_row = super_scales(tile + 2048 + (lane.g + 8) * 16);
    uint4 fifths = make_uint4(0, 0, 0, 0);
    if constexpr (has_fifth) fifths = shared_at<uint4>(tile + 2304 + lane.index * 16);
      // Unrolled, so that shifts are constants and the halves of the scales need no indexing.
#pragma unroll
    for (int b = 0; b < 8; ++b) {
      std::uint32_t a[4];
      nibbles(tile, b, lane, a);
      if constexpr (has_fifth) {
        a[0] |= (fifths.x >> b & 0x01010101U) << 4U;
        a[1] |= (fifths.y >> b & 0x01010101U) << 4U;
        a[2] |= (fifths.z >> b & 0x01010101U) << 4U;
        a[3] |= (fifths.w >> b & 0x01010101U) << 4U;
      }
      const float dx = x_row.d * byte_of(x_row.scales, b);
      const float dy = y_row.d * byte_of(y_row.scales, b);
      const float mx = -x_row.dmin * byte_of(x_row.minima, b);
      const float my = -y_row.dmin * byte_of(y_row.minima, b);
      const int block = index * 8 + b;
      for (int n = 0; n < Sums<columns>::kGroups; ++n) {
        const uint2 x = token_8(acts, lane, n, block * 32 + lane.t * 8);
        const std::uint32_t words[2] = {x.x, x.y};
        std::int32_t c[4] = {};
        mma_s8_16x8x32(c, a, words);
        add_block<columns>(to, n, c, dx, dy, block_scales<columns>(acts, lane, n, block));
        add_minimum<columns>(to, n, mx, my, block_words<columns>(acts.s, lane, n, block));
      }
    }
  }
};
template <>
struct Tile<Layout::q4_k> : SuperTile<false> {};
template <>
struct Tile<Layout::q5_k> : SuperTile<true> {};

/// The pairs of block b in a lane's part of a plane, one to a byte.
__device__ inline void pairs_of(const unsigned char* planes,
                                int b,
                                const Lane& lane,
                                std::uint32_t (&a)[4]) {
  const uint4 w = shared_at<uint4>(planes + b / 4 * 512 + lane.index * 16);
  const int shift = 2 * (b % 4);
  a[0] = w.x >> shift & 0x03030303U;
  a[1] = w.y >> shift & 0x03030303U;
  a[2] = w.z >> shift & 0x03030303U;
  a[3] = w.w >> shift & 0x03030303U;
}

/// Blocks of a tile that are unrolled: all eight spill registers on sm_80, four on sm_89 and
/// sm_90a.
inline constexpr int kSuperUnroll = kArchitecture == 800 ? 4 : 8;

/// Two fragments of weights times the activations of a block, as integers.
struct TwoProducts {
  std::int32_t c[4] = {};
  std::int32_t e[4] = {};
  __device__ TwoProducts(const Acts& acts,
                         const Lane& lane,
                         int group,
                         int block,
                         const std::uint32_t (&first)[4],
                         const std::uint32_t (&second)[4]) {
    const uint2 x = token_8(acts, lane, group, block * 32 + lane.t * 8);
    const std::uint32_t words[2] = {x.x, x.y};
    mma_s8_16x8x32(c, first, words);
    mma_s8_16x8x32(e, second, words);
  }
};

/// 256 columns of 2 bits with a scale and a minimum per 16, both of 4 bits: code times scale is at
/// most 45, so a block is one product; the minima against the activations are another.
template <>
struct Tile<Layout::q2_k> {
  static constexpr ActivationForm kForm = ActivationForm::int8;
  static constexpr BlockSums kSums = BlockSums::none;
  static constexpr int kStages = 4;

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    const unsigned char* scales = tile + 1024 + lane.g * 16;
    const unsigned char* halves = tile + 1280 + lane.g * 8;
    const float2 x_row = __half22float2(shared_at<__half2>(halves));
    const float2 y_row = __half22float2(shared_at<__half2>(halves + 4));
#pragma unroll kSuperUnroll
    for (int b = 0; b < 8; ++b) {
      std::uint32_t a[4];
      pairs_of(tile, b, lane, a);
      std::uint32_t m[4];
      for (int i = 0; i < 4; ++i) {
        // Register i: row g or g + 8, lower or upper half of the block.
        const std::uint32_t both = scales[i % 2 * 128 + 2 * b + i / 2];
        a[i] *= both & 15U;  // Without a carry from byte to byte.
        m[i] = (both >> 4U) * 0x01010101U;
      }
      const int block = index * 8 + b;
      for (int n = 0; n < Sums<columns>::kGroups; ++n) {
        const TwoProducts sums(acts, lane, n, block, a, m);
        const float2 d = block_scales<columns>(acts, lane, n, block);
        add_block<columns>(to, n, sums.c, x_row.x, y_row.x, d);
        add_block<columns>(to, n, sums.e, -x_row.y, -y_row.y, d);
      }
    }
  }
};

/// The 16 scales of a row of q6_k.
struct ByteScales {
  const signed char* at;
  __device__ explicit ByteScales(const unsigned char* header)
      : at(reinterpret_cast<const signed char*>(header)) {}
  __device__ int operator[](int j) const { return at[j]; }
};
/// Those of q3_k, four to a word (see q3_k_scale in engine/model/quantised.h).
struct PackedScales {
  std::uint32_t words[4];
  __device__ explicit PackedScales(const unsigned char* header) {
    const auto low = shared_at<std::uint32_t>(header);
    const auto high = shared_at<std::uint32_t>(header + 4);
    const auto pairs = shared_at<std::uint32_t>(header + 8);
    words[0] = (low & 0x0F0F0F0FU) | (pairs << 4U & 0x30303030U);
    words[1] = (high & 0x0F0F0F0FU) | (pairs << 2U & 0x30303030U);
    words[2] = (low >> 4U & 0x0F0F0F0FU) | (pairs & 0x30303030U);
    words[3] = (high >> 4U & 0x0F0F0F0FU) | (pairs >> 2U & 0x30303030U);
  }
  __device__ int operator[](int j) const {
    return static_cast<int>(words[j / 4] >> (8 * (j % 4)) & 255U) - 32;
  }
};

/// 256 columns of 3 or 6 bits with a scale per 16: each half of a block is a product of its own,
/// and the two are added as integers, which is exact.
template <bool has_nibbles>
struct SixteenTile {
  static constexpr ActivationForm kForm = ActivationForm::int8;
  static constexpr BlockSums kSums = BlockSums::none;
  static constexpr int kStages = 2;
  static constexpr int kHeaders = has_nibbles ? 3072 : 1536;
  static constexpr int kHeaderBytes = has_nibbles ? 16 : 12;
  /// All of it for words of scales, which then stay in registers.
  static constexpr int kUnroll = has_nibbles ? kSuperUnroll : 8;
  using Scales = std::conditional_t<has_nibbles, ByteScales, PackedScales>;

  /// Bytes 0 to 127 as signed bytes `offset` lower, which stands in every byte.
  __device__ static std::uint32_t lowered(std::uint32_t codes, std::uint32_t offset) {
    return ((codes | 0x80808080U) - offset) ^ 0x80808080U;
  }

  /// Block b as a fragment of signed bytes.
  __device__ static void codes(const unsigned char* tile,
                               int b,
                               const Lane& lane,
                               std::uint32_t (&a)[4]) {
    if constexpr (has_nibbles) {
      std::uint32_t high[4];
      pairs_of(tile + 2048, b, lane, high);
      nibbles(tile, b, lane, a);
      for (int i = 0; i < 4; ++i) a[i] = lowered(a[i] | high[i] << 4U, 0x20202020U);
    } else {
      const uint4 bits = shared_at<uint4>(tile + 1024 + lane.index * 16);
      const std::uint32_t high[4] = {bits.x, bits.y, bits.z, bits.w};
      pairs_of(tile, b, lane, a);
      for (int i = 0; i < 4; ++i) {
        a[i] = lowered(a[i] | (high[i] >> b & 0x01010101U) << 2U, 0x04040404U);
      }
    }
  }

  template <int columns>
  __device__ static void multiply(
      const unsigned char* tile, const Acts& acts, int index, const Lane& lane, Sums<columns>& to) {
    const Scales x_row(tile + kHeaders + lane.g * kHeaderBytes);
    const Scales y_row(tile + kHeaders + (lane.g + 8) * kHeaderBytes);
    const float2 d = row_pair(tile + kHeaders + 16 * kHeaderBytes, lane);
#pragma unroll kUnroll
    for (int b = 0; b < 8; ++b) {
      std::uint32_t a[4];
      codes(tile, b, lane, a);
      const std::uint32_t first[4] = {a[0], a[1], 0, 0};
      const std::uint32_t second[4] = {0, 0, a[2], a[3]};
      const int block = index * 8 + b;
      for (int n = 0; n < Sums<columns>::kGroups; ++n) {
        TwoProducts sums(acts, lane, n, block, first, second);
        for (int i = 0; i < 4; i += Sums<columns>::kStep) {
          const Scales& scales = i < 2 ? x_row : y_row;
          sums.c[i] = sums.c[i] * scales[2 * b] + sums.e[i] * scales[2 * b + 1];
        }
        add_block<columns>(to, n, sums.c, d.x, d.y, block_scales<columns>(acts, lane, n, block));
      }
    }
  }
};
template <>
struct Tile<Layout::q3_k> : SixteenTile<false> {};
template <>
struct Tile<Layout::q6_k> : SixteenTile<true> {};

}  // namespace facet::engine::cuda
