// The instructions that engine/cuda/portable.cuh writes in PTX, in the fragment layouts of its
// manual; what each does is said there.
#pragma once

#include "tests/support/cuda_on_cpu/block.h"
#include "tests/support/cuda_on_cpu/vector_types.h"

#include <cstdint>

namespace cuda_on_cpu {

void mma_bf16_16x8x16(float (&d)[4],
                      const std::uint32_t (&a)[4],
                      const std::uint32_t (&b)[2],
                      Where where = Where::current());
void mma_f16_16x8x16(float (&d)[4],
                     const std::uint32_t (&a)[4],
                     const std::uint32_t (&b)[2],
                     Where where = Where::current());
void mma_s8_16x8x32(std::int32_t (&d)[4],
                    const std::uint32_t (&a)[4],
                    const std::uint32_t (&b)[2],
                    Where where = Where::current());

void ldmatrix_x4(std::uint32_t (&r)[4], const void* row, Where where = Where::current());
void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* row, Where where = Where::current());
void ldmatrix_x2(std::uint32_t (&r)[2], const void* row, Where where = Where::current());

void cp_async_16(void* shared, const void* from, bool valid = true);
inline void cp_async_commit() {
  async_commit();
}
template <int groups>
void cp_async_wait() {
  async_wait(groups);
}

inline void grid_dependency_wait() {
  dependency_wait();
}
inline void grid_dependency_launch(Where where = Where::current()) {
  dependency_launch(where);
}
inline void named_barrier(int number, int threads, Where where = Where::current()) {
  named_barrier_at(number, threads, where);
}

}  // namespace cuda_on_cpu
