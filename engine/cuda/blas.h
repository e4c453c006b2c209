// The matrix products of a prompt by cuBLASLt, NVIDIA's library, where the build found it
// (FACET_CUBLASLT): on Hopper and later it uses matrix units that mma.sync does not reach.
#pragma once

#include "base/result.h"
#include "engine/cuda/step.h"

#include <cstdint>

namespace facet::engine::cuda {

/// y[t][r] = sum_k x[t][k] w[r][k]; w: (rows, w_stride) and x: (tokens, x_stride) bfloat16, of cols
/// columns; y: (tokens, y_stride) f32. f32 sums.
struct BlasArgs {
  const std::uint16_t* w = nullptr;
  std::int64_t w_stride = 0;
  std::int64_t rows = 0;
  const std::uint16_t* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t cols = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

/// False where the build has no cuBLASLt.
bool has_blas();

/// One product. The library chooses its kernel by the shape, so bits depend on how many tokens
/// there are. unsupported where it has no kernel for the shape, or is not there.
Status blas_matmul(const BlasArgs& args, const LaunchOrder& order);

}  // namespace facet::engine::cuda
