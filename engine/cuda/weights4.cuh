// Four weights that follow each other in a row, out of any layout: for embeddings, and for weights
// that are expanded to bfloat16. Exact: rounded step by step as dequantize does.
#pragma once

#include "engine/cuda/block.cuh"
#include "engine/cuda/matrix.h"
#include "engine/cuda/super_tiles.cuh"

#include <cstdint>

namespace facet::engine::cuda {

/// PackedMatrix as kernels take it.
struct WeightsView {
  const unsigned char* data = nullptr;
  std::int64_t rows = 0;
  int cols = 0;
  int tiles = 0;  ///< Of tile_cols columns, along a row.
};

__device__ inline float half_at(const unsigned char* from) {
  return __half2float(*reinterpret_cast<const __half*>(from));
}

/// The tiled layouts: 4 columns from `col` (a multiple of 4) on.
template <Layout layout>
__device__ inline float4 tiled4(const WeightsView& w, std::int64_t row, int col) {
  constexpr int kCols = static_cast<int>(tile_cols(layout));
  constexpr int kBytes = static_cast<int>(tile_bytes(layout));
  constexpr bool kIsByte = layout == Layout::q8 || layout == Layout::q8_min;
  constexpr bool kIsSuper = layout == Layout::q4_k || layout == Layout::q5_k;
  constexpr bool kHasMinimum = layout == Layout::q8_min || layout == Layout::q2_k || kIsSuper;
  constexpr bool kIsNarrow = layout == Layout::q2_k || layout == Layout::q3_k;
  constexpr int kCodes = kIsNarrow ? 0 : kCols / 32 * (kIsByte ? 512 : 256);
  const unsigned char* tile = w.data + (row / 16 * w.tiles + col / kCols) * kBytes;
  const int r = static_cast<int>(row % 16);
  const int b = col % kCols / 32;
  const int is_upper = col % 32 / 16;
  const int lane = 4 * (r % 8) + col % 16 / 4;
  const int pair = 2 * (r % 8) + r / 8;
  std::uint32_t word = 0;
  if constexpr (kIsByte) {
    word = *reinterpret_cast<const std::uint32_t*>(tile + b * 512 + lane * 16 + r / 8 * 8 +
                                                   is_upper * 4);
  } else if constexpr (!kIsNarrow) {
    word = *reinterpret_cast<const std::uint32_t*>(tile + b * 256 + lane * 8 + r / 8 * 4);
    word = word >> (4 * is_upper) & 0x0F0F0F0FU;
  }
  const unsigned char* plane = tile + kCodes + lane * 16 + (r / 8 + 2 * is_upper) * 4;
  const auto bits = [&](int at) {
    return *reinterpret_cast<const std::uint32_t*>(plane + at) >> b & 0x01010101U;
  };
  const auto pairs = [&] {
    return *reinterpret_cast<const std::uint32_t*>(plane + b / 4 * 512) >> (2 * (b % 4)) &
           0x03030303U;
  };
  if constexpr (layout == Layout::q2_k) word = pairs();
  if constexpr (layout == Layout::q3_k) word = pairs() | bits(1024) << 2U;
  if constexpr (layout == Layout::q5_k) word |= bits(256) << 4U;
  if constexpr (layout == Layout::q6_k) word |= pairs() << 4U;
  float scale = 0.0F;
  float minimum = 0.0F;
  int offset = 0;
  if constexpr (layout == Layout::q8_min) {
    const unsigned char* at = tile + kCodes + (b * 16 + pair) * 4;
    scale = half_at(at);
    minimum = half_at(at + 2);
  } else if constexpr (layout == Layout::q2_k) {
    const std::uint32_t both = tile[1024 + r * 16 + 2 * b + is_upper];
    const unsigned char* at = tile + 1280 + pair * 4;
    scale = __fmul_rn(half_at(at), static_cast<float>(both & 15U));
    minimum = -__fmul_rn(half_at(at + 2), static_cast<float>(both >> 4U));
  } else if constexpr (kIsSuper) {
    const SuperScales scales = super_scales(tile + kCodes + r * 16);
    scale = __fmul_rn(scales.d, byte_of(scales.scales, b));
    minimum = -__fmul_rn(scales.dmin, byte_of(scales.minima, b));
  } else if constexpr (layout == Layout::q3_k || layout == Layout::q6_k) {
    using Sixteen = Tile<layout>;
    const unsigned char* headers = tile + Sixteen::kHeaders;
    const typename Sixteen::Scales scales(headers + r * Sixteen::kHeaderBytes);
    scale = __fmul_rn(half_at(headers + 16 * Sixteen::kHeaderBytes + pair * 2),
                      static_cast<float>(scales[2 * b + is_upper]));
    offset = layout == Layout::q3_k ? -4 : -32;
  } else {
    scale = half_at(tile + kCodes + (b * 16 + pair) * 2);
    if constexpr (layout == Layout::q4) offset = -8;
  }
  const auto value = [&](int i) {
    const std::uint32_t byte = word >> (8 * i) & 255U;
    const int code = layout == Layout::q8 ? static_cast<int>(static_cast<signed char>(byte))
                                          : static_cast<int>(byte) + offset;
    const float product = __fmul_rn(scale, static_cast<float>(code));
    // Without a minimum nothing is added: -0 stays what it is.
    return kHasMinimum ? __fadd_rn(product, minimum) : product;
  };
  return make_float4(value(0), value(1), value(2), value(3));
}

/// 4 columns from `col` (a multiple of 4) on; columns that are padding are zeros.
template <Layout layout>
__device__ inline float4 weights4(const WeightsView& w, std::int64_t row, int col) {
  if constexpr (is_tiled(layout)) return tiled4<layout>(w, row, col);
  const unsigned char* at = w.data + row * w.tiles * 64;
  if constexpr (layout == Layout::f32) {
    return *reinterpret_cast<const float4*>(at + col * 4);
  } else if constexpr (layout == Layout::fp8) {
    const std::int64_t bytes = w.rows * w.tiles * 64;
    const float scale = __fmul_rn(reinterpret_cast<const float*>(w.data + bytes)[row], kFp8Factor);
    const auto word = *reinterpret_cast<const std::uint32_t*>(at + col);
    const std::uint32_t pairs[2] = {fp8_pair(word, kFp8Low), fp8_pair(word, kFp8High)};
    const float2 low = __half22float2(*reinterpret_cast<const __half2*>(&pairs[0]));
    const float2 high = __half22float2(*reinterpret_cast<const __half2*>(&pairs[1]));
    return make_float4(low.x * scale, low.y * scale, high.x * scale, high.y * scale);
  } else {
    const uint2 words = *reinterpret_cast<const uint2*>(at + col * 2);
    if constexpr (layout == Layout::bf16) {
      return make_float4(__uint_as_float(words.x << 16U),
                         __uint_as_float(words.x & 0xFFFF0000U),
                         __uint_as_float(words.y << 16U),
                         __uint_as_float(words.y & 0xFFFF0000U));
    } else {
      const float2 low = __half22float2(*reinterpret_cast<const __half2*>(&words.x));
      const float2 high = __half22float2(*reinterpret_cast<const __half2*>(&words.y));
      return make_float4(low.x, low.y, high.x, high.y);
    }
  }
}

inline WeightsView view_of(const PackedMatrix& w) {
  return {.data = reinterpret_cast<const unsigned char*>(w.data),
          .rows = w.rows,
          .cols = static_cast<int>(w.cols),
          .tiles = static_cast<int>(padded_cols(w.layout, w.cols) / tile_cols(w.layout))};
}

/// Calls `body` with the layout as a constant.
template <class Body>
Status with_layout(Layout layout, const Body& body) {
  switch (layout) {
    case Layout::f32:
      return body.template operator()<Layout::f32>();
    case Layout::f16:
      return body.template operator()<Layout::f16>();
    case Layout::bf16:
      return body.template operator()<Layout::bf16>();
    case Layout::fp8:
      return body.template operator()<Layout::fp8>();
    case Layout::q8:
      return body.template operator()<Layout::q8>();
    case Layout::q8_min:
      return body.template operator()<Layout::q8_min>();
    case Layout::q4:
      return body.template operator()<Layout::q4>();
    case Layout::q2_k:
      return body.template operator()<Layout::q2_k>();
    case Layout::q3_k:
      return body.template operator()<Layout::q3_k>();
    case Layout::q4_k:
      return body.template operator()<Layout::q4_k>();
    case Layout::q5_k:
      return body.template operator()<Layout::q5_k>();
    default:
      return body.template operator()<Layout::q6_k>();
  }
}

}  // namespace facet::engine::cuda
