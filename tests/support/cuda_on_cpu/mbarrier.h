// Hopper's barriers in shared memory, by their address; see engine/cuda/hopper.cuh. For a thread of
// a running block. A wait for a barrier that nobody made, and an arrival too many, end the block.
#pragma once

#include "tests/support/cuda_on_cpu/block.h"

#include <cstddef>
#include <functional>

namespace cuda_on_cpu {

void mbarrier_init(void* at, int arrivals);
/// Arrives; the phase then also waits for `bytes` more.
void mbarrier_arrive(void* at, int bytes);
void mbarrier_wait(void* at, int parity, const Where& where);
/// Some time later, but before a wait for `at` is over: copy(), and `bytes` are there.
void mbarrier_copy(void* at, std::size_t bytes, std::function<void()> copy);

/// A block begins: it has none.
void forget_mbarriers();

}  // namespace cuda_on_cpu
