// Device-side reductions and the one place that knows how a weight lies in its block.
#pragma once

#include "engine/model/tensor.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace facet::engine::cuda {

inline constexpr int kWarp = 32;
inline constexpr std::int64_t kQ8BlockBytes = 34;
inline constexpr std::int64_t kQ4BlockBytes = 18;

/// Sum over the 32 lanes of a warp, in every lane; always in the same order.
__device__ inline float warp_sum(float value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xFFFFFFFFU, value, offset);
  }
  return value;
}

/// The half that begins a quantised block. Blocks are 34 or 18 bytes long, so it is 2-byte aligned.
__device__ inline float block_scale(const unsigned char* block) {
  return __half2float(*reinterpret_cast<const __half*>(block));
}

/// Element `index` of a row of `type` at `row`, as f32; exact.
template <DType type>
__device__ inline float load(const unsigned char* row, std::int64_t index) {
  if constexpr (type == DType::f32) {
    return reinterpret_cast<const float*>(row)[index];
  } else if constexpr (type == DType::f16) {
    return __half2float(reinterpret_cast<const __half*>(row)[index]);
  } else if constexpr (type == DType::bf16) {
    return __bfloat162float(reinterpret_cast<const __nv_bfloat16*>(row)[index]);
  } else if constexpr (type == DType::q8_0) {
    const unsigned char* block = row + index / kQuantBlock * kQ8BlockBytes;
    const auto q = static_cast<signed char>(block[2 + index % kQuantBlock]);
    return static_cast<float>(q) * block_scale(block);
  } else {
    const unsigned char* block = row + index / kQuantBlock * kQ4BlockBytes;
    const auto in_block = static_cast<int>(index % kQuantBlock);
    const unsigned char packed = block[2 + in_block % 16];
    const int nibble = in_block < 16 ? packed & 15 : packed >> 4;
    return static_cast<float>(nibble - 8) * block_scale(block);
  }
}

/// Bytes of a row of `cols` elements.
template <DType type>
__host__ __device__ inline std::int64_t row_bytes(std::int64_t cols) {
  if constexpr (type == DType::f32) return cols * 4;
  if constexpr (type == DType::f16 || type == DType::bf16) return cols * 2;
  if constexpr (type == DType::q8_0) return cols / kQuantBlock * kQ8BlockBytes;
  return cols / kQuantBlock * kQ4BlockBytes;
}

}  // namespace facet::engine::cuda
