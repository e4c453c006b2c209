// One block of a kernel on one operating system thread: its threads are fibers that take turns at
// barriers and at exchanges between the lanes of a warp.
//
// What a GPU leaves undefined ends the block with a message here: a barrier that not all threads
// reach, lanes that meet at different places, a mask that names a lane that has ended, a write
// behind the dynamic shared memory, an overlapping launch that does not wait for the one before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

namespace cuda_on_cpu {

struct Index {
  unsigned x = 0;
  unsigned y = 0;
  unsigned z = 0;
};

inline constexpr unsigned kThreadsMax = 1024;  ///< Of a block.
inline constexpr unsigned kLanes = 32;
inline constexpr std::size_t kExchangeBytes = 32;

struct Grid {
  Index blocks;
  Index threads;  ///< Of a block.
  std::size_t shared_bytes = 0;
  bool overlaps = false;  ///< Programmatic dependent launch.
};

/// In which order the threads of a block, and the blocks of a grid, take their turns. 0: by number.
/// Any other: shuffled, differently for each barrier and block, the same for the same seed. A
/// kernel that lacks a barrier gives other results under some seed.
void set_order(std::uint64_t seed);

/// Runs body() as every thread of every block of `grid`, on the calling operating system thread,
/// whose thread-local variables in the main program are the static shared memory: all of them are
/// overwritten. Empty, or what went wrong; the rest is not run then. Shared memory is all 0xFF
/// (NaN) when a block begins.
std::string run_grid(const Grid& grid, const std::function<void()>& body);

// For a thread of a running block.

using Where = std::source_location;

struct Votes {
  int sum = 0;  ///< Threads whose value was true.
  bool all = true;
  bool any = false;
};
/// Waits for all threads of the block, which must come from one place.
Votes barrier(bool value, const Where& where);
/// Waits until `threads` threads are at barrier `number` (1 to 15), all from one place.
void named_barrier_at(int number, int threads, const Where& where);

/// In a kernel that overlaps the one before it every thread waits for that one, and does so before
/// the next kernel may start: what waits for one kernel has then waited for all before it.
void dependency_wait();
void dependency_launch(const Where& where);

/// What the lanes of a warp gave to an exchange.
struct Lanes {
  const std::byte* slots = nullptr;  ///< (2, kLanes, kExchangeBytes)
  unsigned mask = 0;
  unsigned halves = 0;  ///< Bit l: which half of the slots lane l wrote.
  [[nodiscard]] const std::byte* at(unsigned lane) const {
    return slots + ((halves >> lane & 1U) * kLanes + lane) * kExchangeBytes;
  }
};
/// Hands `bytes` (at most kExchangeBytes) to the lanes of `mask` and receives theirs; valid until
/// the next exchange. All lanes of the mask must come from one place with the same mask.
Lanes exchange(unsigned mask, const void* value, std::size_t bytes, const Where& where);

/// Lanes of the caller's warp that have not ended.
unsigned live_lanes();
unsigned lane();

/// The block's dynamic shared memory, 128-byte aligned.
void* dynamic_shared();

/// Ends the block with a message.
[[noreturn]] void fail(const std::string& message);

/// This thread's asynchronous copies: they arrive when they are waited for, not before.
void async_copy(void* to, const void* from, std::size_t bytes, bool valid);
void async_commit();
void async_wait(std::size_t groups);

// What other ways to wait are made of (mbarrier.cc).

struct Thread;
/// Waits until somebody wakes `waiting`; `waits_for` names it in the message of a deadlock.
void wait_among(std::vector<Thread*>& waiting, const char* waits_for, const Where& where);
/// Makes them ready, and `waiting` empty.
void wake(std::vector<Thread*>& waiting);
/// Whether what may happen now or later happens now: always in order 0, else by chance.
bool is_at_once();

/// This thread's asynchronous products: they are computed when they are waited for, not before.
void async_product(std::function<void()> product);
void product_commit();
void product_wait(std::size_t groups);

}  // namespace cuda_on_cpu

// CUDA's built-in variables, of the thread that runs. The names are CUDA's.
extern cuda_on_cpu::Index threadIdx;
extern cuda_on_cpu::Index blockIdx;
extern cuda_on_cpu::Index blockDim;
extern cuda_on_cpu::Index gridDim;
