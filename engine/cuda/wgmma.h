// Products of steps of many rows on the matrix units that only Hopper has, with what follows them
// in the same launch. Beside cuBLASLt (blas.h), which uses the same units: this one fuses GELU, and
// sums over the columns in one order, whatever the shape.
#pragma once

#include "base/result.h"
#include "engine/cuda/step.h"

#include <cstdint>

namespace facet::engine::cuda {

/// Whether the current device and this build have them: compute capability 9.0 and code for sm_90a.
Result<bool> has_wgmma();

/// Two kinds of product, of bfloat16 with f32 sums:
///   up null:  y[t][r] = sum_k x[t][k] w[r][k], f32
///   up given: y_bf16[t][r] = gelu_tanh(sum_k x[t][k] w[r][k]) * sum_k x[t][k] up[r][k], rounded
///   half
///             to even; columns from `rows` to y_cols are zeros.
/// w, up: (rows, w_stride), x: (tokens, x_stride), both of `cols` columns; strides are multiples of
/// 8, data is aligned to 16 bytes.
struct WgmmaArgs {
  const std::uint16_t* w = nullptr;
  const std::uint16_t* up = nullptr;
  std::int64_t w_stride = 0;
  std::int64_t rows = 0;
  const std::uint16_t* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t cols = 0;
  float* y = nullptr;
  std::uint16_t* y_bf16 = nullptr;  ///< Aligned to 16 bytes.
  std::int64_t y_stride = 0;        ///< Of either; of y_bf16 a multiple of 8.
  std::int64_t y_cols = 0;          ///< Of y_bf16, rows to y_stride; a multiple of 8.
};

/// Errors as of decode.h; unsupported where not has_wgmma(). |y - ref| <= 1e-5 * sum_k |x w|;
/// y_bf16 within 2^-8 of its value besides.
Status wgmma_matmul(const WgmmaArgs& args, const LaunchOrder& order);

}  // namespace facet::engine::cuda
