// Hopper's instructions of engine/cuda/hopper.cuh: what each does is said there.
#pragma once

#include "tests/support/cuda_on_cpu/block.h"
#include "tests/support/cuda_on_cpu/mbarrier.h"

#include <cstdint>
#include <string>

namespace cuda_on_cpu {

/// Describes a matrix of bfloat16 to tma_load, in 128 bytes. Empty, or what is wrong with it.
std::string make_tensor_map(const std::uint16_t* data,
                            std::int64_t rows,
                            std::int64_t cols,
                            std::int64_t stride,
                            int tile_rows,
                            int tile_cols,
                            unsigned char* map);

void tma_load(void* tile, const unsigned char* map, int column, int row, void* mbarrier);

std::uint64_t tile_descriptor(const void* tile);
void wgmma_64x256x16(
    float (&d)[128], std::uint64_t a, std::uint64_t b, bool adds, const Where& where);
inline void wgmma_commit() {
  product_commit();
}
inline void wgmma_wait(int groups) {
  product_wait(static_cast<std::size_t>(groups));
}

}  // namespace cuda_on_cpu
