// Descriptions of matrices for Hopper's copy engine (hopper.cuh).
#pragma once

#include "base/result.h"

#include <cstdint>

namespace facet::engine::cuda {

struct TensorMap;

/// A bfloat16 matrix in device memory: (rows, stride), of which `cols` columns count.
struct TensorShape {
  const std::uint16_t* data = nullptr;  ///< Aligned to 16 bytes.
  std::int64_t rows = 0;                ///< 1 to 2^31 - 1
  std::int64_t cols = 0;                ///< The same.
  std::int64_t stride = 0;              ///< A multiple of 8.
};

/// For copies of tile_rows (at most 256) by kTileColumns elements. unavailable where the driver has
/// no such function or refuses the shape.
Status make_tensor_map(const TensorShape& shape, int tile_rows, TensorMap& out);

}  // namespace facet::engine::cuda
