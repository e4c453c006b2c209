// In which form the matrices of a model lie in a CUDA device's memory.
#pragma once

#include <cstdint>

namespace facet::engine::cuda {

enum class WeightForm : std::uint8_t {
  stored,  ///< As in the file, bit for bit.
  fp8,     ///< E4M3 with a scale per row, made at load from F32, F16 and BF16; others as stored.
};

}  // namespace facet::engine::cuda
