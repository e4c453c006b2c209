#include "engine/cpu/machine_limits.h"

#include "engine/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace facet::engine {
namespace {

constexpr std::int64_t kReadBytes = std::int64_t{256} << 20;
constexpr std::int64_t kPartBytes = std::int64_t{1} << 20;
constexpr int kRuns = 5;

/// The shortest time of several runs, in seconds.
template <class Body>
double best_seconds(const Body& body) {
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    best = std::min(best, spent.count());
  }
  return best;
}

double read_gb_per_s(const Ops& ops, ThreadPool& pool) {
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  const std::unique_ptr<std::byte, Free> memory(
      static_cast<std::byte*>(std::aligned_alloc(std::size_t{4096}, std::size_t{kReadBytes})));
  if (memory == nullptr) return 0.0;
  std::memset(memory.get(), 1, std::size_t{kReadBytes});  // Pages of its own, not the zero page.
  std::atomic<std::uint64_t> sum{0};
  const double seconds = best_seconds([&] {
    pool.run(kReadBytes / kPartBytes, [&](std::int64_t part, int) {
      sum.fetch_add(ops.read(memory.get() + part * kPartBytes, kPartBytes));
    });
  });
  return sum.load() == 0 ? 0.0 : static_cast<double>(kReadBytes) / seconds * 1e-9;
}

double arithmetic_gop_per_s(const Ops& ops, ThreadPool& pool) {
  constexpr std::int64_t kRounds = 200'000;
  const std::int64_t parts = 4 * std::int64_t{pool.threads()};
  std::atomic<std::int64_t> operations{0};
  const double seconds = best_seconds([&] {
    operations = 0;
    pool.run(parts, [&](std::int64_t, int) { operations.fetch_add(ops.busy(kRounds)); });
  });
  return static_cast<double>(operations.load()) / seconds * 1e-9;
}

}  // namespace

MachineLimits measure_machine_limits(const Ops& ops, int threads) {
  ThreadPool pool(threads);
  return {.read_gb_per_s = read_gb_per_s(ops, pool),
          .arithmetic_gop_per_s = arithmetic_gop_per_s(ops, pool),
          .arithmetic = ops.arithmetic};
}

}  // namespace facet::engine
