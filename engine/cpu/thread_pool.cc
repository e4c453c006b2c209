#include "engine/cpu/thread_pool.h"

#include "base/check.h"

#include <limits>

namespace facet::engine {
namespace {

/// Pauses of 40 to 140 cycles each, so 20 to 50 microseconds: longer than the gap between two loops
/// of a forward pass, shorter than what anyone would notice as load.
constexpr int kSpins = 1000;

/// A next part that no loop reaches.
constexpr std::uint64_t kClosed = 0xFFFFFFFFU;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  FACET_CHECK(threads >= 1);
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  started_.fetch_add(1);
  started_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadPool::take_part(std::uint32_t generation, int worker) {
  std::uint64_t ticket = ticket_.load();
  const Body* body = body_.load();
  const std::uint32_t parts = parts_.load();
  if (ticket >> 32U != generation || static_cast<std::uint32_t>(ticket) >= parts) return false;
  // Success proves that the generation is still the one body and parts were read in: they are
  // changed only between generations.
  while (!ticket_.compare_exchange_weak(ticket, ticket + 1)) {
    if (ticket >> 32U != generation || static_cast<std::uint32_t>(ticket) >= parts) return false;
  }
  (*body)(static_cast<std::uint32_t>(ticket), worker);
  if (done_.fetch_add(1) + 1 == parts) done_.notify_one();
  return true;
}

void ThreadPool::run(std::int64_t parts, const Body& body) {
  FACET_CHECK(parts <= std::numeric_limits<std::int32_t>::max());
  std::unique_lock<std::mutex> owner(caller_, std::defer_lock);
  if (workers_.empty() || parts <= 1 || !owner.try_lock()) {
    for (std::int64_t part = 0; part < parts; ++part) body(part, 0);
    return;
  }
  // The ticket is closed before body and parts change: a late worker of the last generation that
  // has read the new ones must fail to take a part with its old ticket.
  const auto last = static_cast<std::uint32_t>(ticket_.load() >> 32U);
  const std::uint32_t generation = last + 1;
  ticket_ = (std::uint64_t{last} << 32U) | kClosed;
  done_ = 0;
  body_ = &body;
  parts_ = static_cast<std::uint32_t>(parts);
  ticket_ = std::uint64_t{generation} << 32U;
  started_.fetch_add(1);
  started_.notify_all();  // A look at a counter while nobody sleeps.
  while (take_part(generation, 0)) {
  }
  const auto wanted = static_cast<std::uint32_t>(parts);
  for (int spins = 0; spins < kSpins && done_.load() < wanted; ++spins) pause_briefly();
  // A worker may have been taken off its core in the middle of a part: leave the core to it.
  for (std::uint32_t done = done_.load(); done < wanted; done = done_.load()) done_.wait(done);
}

void ThreadPool::work(int worker) {
  std::uint32_t seen = 0;
  while (!stop_.load()) {
    for (int spins = 0; spins < kSpins; ++spins) {
      const auto generation = static_cast<std::uint32_t>(ticket_.load() >> 32U);
      if (generation != seen) {
        while (take_part(generation, worker)) {
        }
        seen = generation;
        spins = 0;
      }
      pause_briefly();
    }
    const std::uint32_t started = started_.load();
    if (stop_.load() || static_cast<std::uint32_t>(ticket_.load() >> 32U) != seen) continue;
    started_.wait(started);
  }
}

}  // namespace facet::engine
