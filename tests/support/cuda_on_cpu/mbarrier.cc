#include "tests/support/cuda_on_cpu/mbarrier.h"

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

namespace cuda_on_cpu {
namespace {

struct BytesOnTheWay {
  std::size_t bytes = 0;
  std::function<void()> copy;
};

struct Mbarrier {
  int arrivals = 0;  // Of a phase.
  int missing = 0;   // Of this phase.
  std::int64_t bytes = 0;
  int parity = 0;  // Of this phase.
  std::vector<Thread*> waiting;
  std::deque<BytesOnTheWay> copies;
};

/// Of the block that runs.
std::map<void*, Mbarrier>& mbarriers() {
  static std::map<void*, Mbarrier> all;
  return all;
}

Mbarrier& mbarrier_at(void* at, const char* what) {
  const auto found = mbarriers().find(at);
  if (found == mbarriers().end()) {
    fail(std::string(what) + " at a barrier that was not initialised");
  }
  return found->second;
}

/// Begins the next phase where this one is complete.
void end_phase(Mbarrier& barrier) {
  if (barrier.missing > 0 || barrier.bytes != 0) return;
  barrier.missing = barrier.arrivals;
  barrier.parity ^= 1;
  wake(barrier.waiting);
}

void take_copies(Mbarrier& barrier) {
  while (!barrier.copies.empty()) {
    const BytesOnTheWay next = std::move(barrier.copies.front());
    barrier.copies.pop_front();
    next.copy();
    barrier.bytes -= static_cast<std::int64_t>(next.bytes);
    end_phase(barrier);
  }
}

}  // namespace

void mbarrier_init(void* at, int arrivals) {
  if (arrivals < 1 || reinterpret_cast<std::uintptr_t>(at) % 8 != 0) {
    fail("mbarrier for " + std::to_string(arrivals) + " arrivals, or at a crooked address");
  }
  Mbarrier barrier;
  barrier.arrivals = barrier.missing = arrivals;
  mbarriers()[at] = std::move(barrier);
}

void mbarrier_arrive(void* at, int bytes) {
  Mbarrier& barrier = mbarrier_at(at, "an arrival");
  if (barrier.missing == 0) fail("an arrival too many at an mbarrier");
  --barrier.missing;
  barrier.bytes += bytes;
  end_phase(barrier);
}

void mbarrier_wait(void* at, int parity, const Where& where) {
  Mbarrier& barrier = mbarrier_at(at, "a wait");
  if (barrier.parity != parity) return;
  take_copies(barrier);
  if (barrier.parity != parity) return;
  wait_among(barrier.waiting, "mbarrier", where);
}

void mbarrier_copy(void* at, std::size_t bytes, std::function<void()> copy) {
  Mbarrier& barrier = mbarrier_at(at, "a copy");
  barrier.copies.push_back({bytes, std::move(copy)});
  // At once, which shows a tile that is still being read; or, in a shuffled order, sometimes as
  // late as can be, by whoever waits next, which shows one that is read too soon.
  if (is_at_once() || !barrier.waiting.empty()) take_copies(barrier);
}

void forget_mbarriers() {
  mbarriers().clear();
}

}  // namespace cuda_on_cpu
