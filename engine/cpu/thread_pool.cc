#include "engine/cpu/thread_pool.h"

#include "base/check.h"

#include <limits>
#include <system_error>

namespace facet::engine {
namespace {

/// Pauses of 40 to 140 cycles each, so 20 to 50 microseconds: longer than the gap between two loops
/// of a forward pass, shorter than what anyone would notice as load.
constexpr int kSpins = 1000;

/// A next part that no loop reaches.
constexpr std::uint64_t kClosed = 0xFFFFFFFFU;
constexpr std::uint64_t kLow = 0xFFFFFFFFU;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) : ranges_(static_cast<std::size_t>(threads)) {
  FACET_CHECK(threads >= 1);
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  try {
    for (int worker = 1; worker < threads; ++worker) {
      workers_.emplace_back([this, worker] { work(worker); });
    }
  } catch (const std::system_error&) {
    // The limit of processes, or no room for a stack: threads() says how many there are.
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

std::unique_lock<std::mutex> ThreadPool::workers_for(std::int64_t parts) {
  FACET_CHECK(parts <= std::numeric_limits<std::int32_t>::max());
  if (workers_.empty() || parts <= 1) return {};
  return std::unique_lock<std::mutex>(caller_, std::try_to_lock);
}

void ThreadPool::run_alone(std::int64_t parts, const Body& body) {
  for (std::int64_t part = 0; part < parts; ++part) body(part, 0);
}

void ThreadPool::run(std::int64_t parts, const Body& body) {
  const std::unique_lock<std::mutex> owner = workers_for(parts);
  if (!owner.owns_lock()) return run_alone(parts, body);
  hand_out(static_cast<std::uint32_t>(parts), body);
}

void ThreadPool::hand_out(std::uint32_t parts, const Body& body) {
  // The ticket is closed before body and parts change: a late worker of the last generation that
  // has read the new ones must fail to take a part with its old ticket.
  const auto last = static_cast<std::uint32_t>(ticket_.load() >> 32U);
  const std::uint32_t generation = last + 1;
  ticket_ = (std::uint64_t{last} << 32U) | kClosed;
  done_ = 0;
  body_ = &body;
  parts_ = parts;
  ticket_ = std::uint64_t{generation} << 32U;
  started_.fetch_add(1);
  started_.notify_all();  // A look at a counter while nobody sleeps.
  while (take_part(generation, 0)) {
  }
  for (int spins = 0; spins < kSpins && done_.load() < parts; ++spins) pause_briefly();
  // A worker may have been taken off its core in the middle of a part: leave the core to it.
  for (std::uint32_t done = done_.load(); done < parts; done = done_.load()) done_.wait(done);
}

void ThreadPool::run_in_ranges(std::int64_t parts, const Body& body) {
  const std::unique_lock<std::mutex> owner = workers_for(parts);
  if (!owner.owns_lock()) return run_alone(parts, body);
  const auto count = static_cast<std::int64_t>(ranges_.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const auto begin = static_cast<std::uint64_t>(parts * i / count);
    const auto end = static_cast<std::uint64_t>(parts * (i + 1) / count);
    ranges_[static_cast<std::size_t>(i)].left = end << 32U | begin;
  }
  // A ticket for each range, then one for each thread that is done with its own.
  hand_out(static_cast<std::uint32_t>(2 * count), [&](std::int64_t ticket, int worker) {
    if (ticket < count) {
      Range& range = ranges_[static_cast<std::size_t>(ticket)];
      for (std::int64_t i = take_next(range); i >= 0; i = take_next(range)) body(i, worker);
    } else {
      for (std::int64_t i = take_last(); i >= 0; i = take_last()) body(i, worker);
    }
  });
}

std::int64_t ThreadPool::take_next(Range& range) {
  std::uint64_t left = range.left.load();
  while (true) {
    const std::uint64_t next = left & kLow;
    if (next >= left >> 32U) return -1;
    if (range.left.compare_exchange_weak(left, left + 1)) return static_cast<std::int64_t>(next);
  }
}

std::int64_t ThreadPool::take_last() {
  while (true) {
    Range* longest = nullptr;
    std::uint64_t seen = 0;
    std::uint64_t most = 1;
    for (Range& range : ranges_) {
      const std::uint64_t left = range.left.load();
      const std::uint64_t end = left >> 32U;
      const std::uint64_t next = left & kLow;
      if (next >= end || end - next <= most) continue;
      longest = &range;
      seen = left;
      most = end - next;
    }
    if (longest == nullptr) return -1;
    const std::uint64_t end = (seen >> 32U) - 1;
    if (longest->left.compare_exchange_strong(seen, end << 32U | (seen & kLow))) {
      return static_cast<std::int64_t>(end);
    }
  }
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
