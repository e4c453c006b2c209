// The matrix products of a prompt by cuBLASLt, NVIDIA's library, where the build found it
// (FACET_CUBLASLT): on Hopper and later it uses matrix units that mma.sync does not reach.
//
// A product may be recorded: the library chooses its kernel on the host when the launch is made, by
// shapes and alignment alone, so that a recording holds what the same call would choose again, and
// it allocates nothing, as the workspace is the caller's. What it loads when it first meets a shape
// should be loaded before: make each product once outside of a recording.
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
  /// Aligned to 256 bytes, for this product alone while it runs. With some, few tokens may be
  /// multiplied by blocks that share the columns; null: none.
  void* workspace = nullptr;
  std::int64_t workspace_bytes = 0;
};

/// False where the build has no cuBLASLt.
bool has_blas();

/// One product. The library chooses its kernel by the shape, so bits depend on how many tokens
/// there are, and on how much workspace. unsupported where it has no kernel for the shape, or is
/// not there.
Status blas_matmul(const BlasArgs& args, const LaunchOrder& order);

}  // namespace facet::engine::cuda
