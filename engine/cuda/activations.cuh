// The prologue of the product kernel: every block computes its input h (RowInput of decode.h) for
// itself and leaves it in shared memory in the form that its weights want.
//
// Thread i of the block owns elements 4 i .. 4 i + 3 and those 4 kThreads further on, in all passes
// over a row; so a row needs no barrier but those of its sums.
#pragma once

#include "engine/cuda/block.cuh"
#include "engine/cuda/product.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Where things lie in the dynamic shared memory of the product kernel, in bytes.
struct SharedMap {
  unsigned ring = 0;
  unsigned sums = 0;    ///< (kWarps, panels, columns, 16) floats
  unsigned acts = 0;    ///< Rows of `stride` bytes.
  unsigned stride = 0;  ///< Such that a warp's loads of fragments touch every bank once.
  unsigned d = 0;       ///< int8: (blocks, columns) floats
  unsigned s = 0;       ///< int8: (blocks, columns) words, see Acts::s
  unsigned factor = 0;  ///< f16: (16) floats
  unsigned row = 0;     ///< A row before it is packed, where there are norms.
  unsigned total = 0;
};

/// `columns`: 1, 8 or 16, of the fragments; `cols`: padded ones of the input that are staged;
/// `norm_cols`: those of a row, 0 where there is no norm.
__host__ __device__ constexpr SharedMap shared_map(ActivationForm form,
                                                   unsigned ring_bytes,
                                                   unsigned panels,
                                                   unsigned columns,
                                                   unsigned rows,
                                                   unsigned cols,
                                                   unsigned norm_cols) {
  SharedMap map;
  map.sums = ring_bytes;
  map.acts = map.sums + static_cast<unsigned>(kWarps) * panels * columns * 16 * 4;
  unsigned end = map.acts;
  if (form == ActivationForm::int8) {
    map.stride = cols + (160 - cols % 128) % 128;
    map.d = end + rows * map.stride;
    map.s = map.d + cols / 32 * columns * 4;
    end = map.s + cols / 32 * columns * 4;
  } else if (form == ActivationForm::f32) {
    map.stride = cols * 4 + 16;
    end += rows * map.stride;
  } else {
    map.stride = cols * 2 + 64;
    end += rows * map.stride;
  }
  map.factor = (end + 15) / 16 * 16;
  map.row = map.factor + 64;
  map.total = map.row + (norm_cols + 3) / 4 * 16;
  return map;
}

/// The staged activations.
struct Acts {
  const unsigned char* x = nullptr;
  unsigned stride = 0;
  const float* d = nullptr;
  /// What offsets of codes cost, per block of 32 codes q: int32 -8 sum(q) for q4, and
  /// float d sum(q) for layouts with minima.
  const std::uint32_t* s = nullptr;
  int rows = 0;
};

/// What Acts::s holds.
enum class BlockSums : std::uint8_t { none, minus_8_sum, d_sum };

/// A row of h, before packing.
struct StagedRow {
  const float* from = nullptr;
  float factor = 1.0F;
  const float* norm = nullptr;  ///< null: factor does not apply either.
  int cols = 0;

  __device__ float4 at(int i) const {
    float4 v = load4(from, i, cols);
    if (norm == nullptr) return v;
    const float4 w = load4(norm, i, cols);
    v.x = v.x * factor * w.x;
    v.y = v.y * factor * w.y;
    v.z = v.z * factor * w.z;
    v.w = v.w * factor * w.w;
    return v;
  }
};

/// x' of row `row`, where a part of delta has `part_rows` rows; where there are norms it lies in
/// `buffer` (shared). `writes`: to x_out.
__device__ inline StagedRow residual_row(const RowInput& input,
                                         int row,
                                         int part_rows,
                                         int cols,
                                         bool writes,
                                         float* buffer,
                                         float* partial) {
  const std::int64_t at = static_cast<std::int64_t>(row) * cols;
  const float* x = input.x + at;
  if (input.delta == nullptr && input.norm == nullptr) return {.from = x, .cols = cols};
  const int first = static_cast<int>(threadIdx.x) * 4;
  float sum = 0.0F;
  if (input.delta != nullptr) {
    const std::int64_t part_floats = static_cast<std::int64_t>(part_rows) * cols;
    for (int i = first; i < cols; i += 4 * kThreads) {
      float4 v = load4(input.delta + at, i, cols);
      for (int part = 1; part < input.delta_parts; ++part) {
        const float4 more = load4(input.delta + part * part_floats + at, i, cols);
        v = make_float4(v.x + more.x, v.y + more.y, v.z + more.z, v.w + more.w);
      }
      store4(buffer, i, cols, v);
      sum += square_sum(v);
    }
    const float factor = norm_factor(block_reduce<false>(sum, partial), cols, input.eps);
    sum = 0.0F;
    for (int i = first; i < cols; i += 4 * kThreads) {
      const float4 d = load4(buffer, i, cols);
      const float4 w = load4(input.delta_norm, i, cols);
      float4 v = load4(x, i, cols);
      v = make_float4(fmaf(d.x * factor, w.x, v.x),
                      fmaf(d.y * factor, w.y, v.y),
                      fmaf(d.z * factor, w.z, v.z),
                      fmaf(d.w * factor, w.w, v.w));
      store4(buffer, i, cols, v);
      if (writes) store4(input.x_out + at, i, cols, v);
      sum += square_sum(v);
    }
  } else {
    for (int i = first; i < cols; i += 4 * kThreads) {
      const float4 v = load4(x, i, cols);
      store4(buffer, i, cols, v);
      sum += square_sum(v);
    }
  }
  StagedRow out{.from = buffer, .cols = cols};
  if (input.norm != nullptr) {
    out.norm = input.norm;
    out.factor = norm_factor(block_reduce<false>(sum, partial), cols, input.eps);
  }
  return out;
}

/// 32 columns by eight lanes: codes, scale and sum as Activations::int8 of ops.h says. Word u of a
/// block's codes goes to place 2 (u % 4) + u / 4, so that a lane finds its fragment in eight bytes.
template <BlockSums sums>
__device__ inline void pack_int8(
    float4 v, bool is_inside, unsigned char* block, float* d, std::uint32_t* s) {
  float largest = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
  // fmaxf drops NaN, so what is not finite is counted apart.
  unsigned finite = is_finite(v.x) && is_finite(v.y) && is_finite(v.z) && is_finite(v.w) ? 1U : 0U;
  for (int offset = 4; offset > 0; offset /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, offset));
    finite &= __shfl_xor_sync(kAllLanes, finite, offset);
  }
  const bool is_zero = finite == 0 || largest < 1e-30F;
  const float inverse = is_zero ? 0.0F : 127.0F / largest;
  const int q0 = is_zero ? 0 : __float2int_rn(v.x * inverse);
  const int q1 = is_zero ? 0 : __float2int_rn(v.y * inverse);
  const int q2 = is_zero ? 0 : __float2int_rn(v.z * inverse);
  const int q3 = is_zero ? 0 : __float2int_rn(v.w * inverse);
  int sum = q0 + q1 + q2 + q3;
  for (int offset = 4; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
  if (!is_inside) return;
  const unsigned u = threadIdx.x % 8;
  const auto low = [](int q) { return static_cast<unsigned>(q) & 255U; };
  const unsigned word = low(q0) | low(q1) << 8U | low(q2) << 16U | low(q3) << 24U;
  *reinterpret_cast<unsigned*>(block + 8 * (u % 4) + 4 * (u / 4)) = word;
  if (u != 0) return;
  const float scale = finite == 0 ? nanf("") : is_zero ? 0.0F : largest / 127.0F;
  *d = scale;
  if (sums == BlockSums::minus_8_sum) *s = static_cast<std::uint32_t>(-8 * sum);
  if (sums == BlockSums::d_sum) *s = __float_as_uint(scale * static_cast<float>(sum));
}

/// Columns [begin, begin + cols) of one row of h, into row `row` of the staged activations.
template <ActivationForm form, int columns, BlockSums sums>
__device__ inline void pack_row(const StagedRow& h,
                                int row,
                                int begin,
                                int cols,
                                const SharedMap& map,
                                unsigned char* shared,
                                float* partial) {
  unsigned char* to = shared + map.acts + static_cast<unsigned>(row) * map.stride;
  const int first = static_cast<int>(threadIdx.x) * 4;
  float factor = 1.0F;
  if constexpr (form == ActivationForm::f16) {
    float largest = 0.0F;
    for (int i = first; i < cols; i += 4 * kThreads) {
      const float4 v = h.at(begin + i);
      largest = fmaxf(largest, fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))));
    }
    largest = block_reduce<true>(largest, partial);
    if (largest > 0.0F && is_finite(largest)) {
      const int exponent = min(max(14 - ilogbf(largest), -100), 100);
      factor = ldexpf(1.0F, exponent);
    }
    if (threadIdx.x == 0) reinterpret_cast<float*>(shared + map.factor)[row] = 1.0F / factor;
  }
  // Whole warps stay in the loop: blocks of int8 are packed by eight lanes together.
  for (int i = first; i - first % (4 * kWarp) < cols; i += 4 * kThreads) {
    const bool is_inside = i < cols;
    const float4 v = is_inside ? h.at(begin + i) : make_float4(0.0F, 0.0F, 0.0F, 0.0F);
    if constexpr (form == ActivationForm::int8) {
      const int at = i / 32 * columns + row;
      pack_int8<sums>(v,
                      is_inside,
                      to + i / 32 * 32,
                      reinterpret_cast<float*>(shared + map.d) + at,
                      reinterpret_cast<std::uint32_t*>(shared + map.s) + at);
    } else if (is_inside) {
      if constexpr (form == ActivationForm::f32) {
        *reinterpret_cast<float4*>(to + i * 4) = v;
      } else if constexpr (form == ActivationForm::f16) {
        *reinterpret_cast<uint2*>(to + i * 2) =
            make_uint2(pack_f16(v.x * factor, v.y * factor), pack_f16(v.z * factor, v.w * factor));
      } else {
        *reinterpret_cast<uint2*>(to + i * 2) =
            make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
      }
    }
  }
}

/// All rows; a barrier at the end. [begin, begin + cols): padded columns of this block's slices.
template <ActivationForm form, int columns, BlockSums sums>
__device__ inline void stage_activations(const ProductArgs& args,
                                         int begin,
                                         int cols,
                                         const SharedMap& map,
                                         unsigned char* shared,
                                         float* partial) {
  const bool writes = args.input.x_out != nullptr && blockIdx.x == 0 && blockIdx.y == 0;
  float* buffer = reinterpret_cast<float*>(shared + map.row);
  for (int row = 0; row < args.rows; ++row) {
    const StagedRow h =
        residual_row(args.input, row, args.call_rows, args.cols, writes, buffer, partial);
    pack_row<form, columns, sums>(h, row, begin, cols, map, shared, partial);
  }
  if constexpr (form == ActivationForm::int8 && columns > 1) {
    // Columns of fragments that no row fills: their products are thrown away, but read.
    const int blocks = cols / 32;
    for (int i = static_cast<int>(threadIdx.x); i < blocks * columns; i += kThreads) {
      if (i % columns < args.rows) continue;
      reinterpret_cast<float*>(shared + map.d)[i] = 0.0F;
      reinterpret_cast<std::uint32_t*>(shared + map.s)[i] = 0;
    }
  }
  __syncthreads();
}

}  // namespace facet::engine::cuda
