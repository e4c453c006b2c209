#include "engine/cpu/thread_pool.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace facet::engine {
namespace {

using Run = void (ThreadPool::*)(std::int64_t, const ThreadPool::Body&);
constexpr Run kBoth[] = {&ThreadPool::run, &ThreadPool::run_in_ranges};

/// How often each part was done.
std::vector<int> counts_of(ThreadPool& pool, Run run, std::int64_t parts) {
  std::vector<std::atomic<int>> counts(static_cast<std::size_t>(parts));
  std::atomic<bool> has_odd_worker = false;
  (pool.*run)(parts, [&](std::int64_t part, int worker) {
    counts.at(static_cast<std::size_t>(part)).fetch_add(1);
    if (worker < 0 || worker >= pool.threads()) has_odd_worker = true;
  });
  CHECK_FALSE(has_odd_worker);
  return {counts.begin(), counts.end()};
}

}  // namespace

TEST_CASE("every part is done once", "[engine][unit]") {
  const Run run = kBoth[GENERATE(0, 1)];
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    for (const std::int64_t parts : {0, 1, 2, 3, 4, 5, 9, 64, 1000}) {
      INFO(threads << " threads, " << parts << " parts");
      for (int round = 0; round < 20; ++round) {
        REQUIRE(counts_of(pool, run, parts) ==
                std::vector<int>(static_cast<std::size_t>(parts), 1));
      }
    }
  }
}

TEST_CASE("every part is done once, whoever else calls", "[engine][unit]") {
  const Run run = kBoth[GENERATE(0, 1)];
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 200; ++round) {
        std::vector<std::atomic<int>> counts(static_cast<std::size_t>(10 + caller));
        (pool.*run)(std::ssize(counts), [&](std::int64_t part, int) {
          counts[static_cast<std::size_t>(part)].fetch_add(1);
        });
        for (const std::atomic<int>& count : counts) wrong += count == 1 ? 0 : 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("a thread of a pool takes a range in order, and others help it", "[engine][unit]") {
  constexpr std::int64_t kParts = 40;
  ThreadPool pool(2);
  // Part 0 lasts until all but what follows in its range may be done, which is one part.
  std::atomic<int> done = 0;
  std::vector<int> order(kParts, -1);
  pool.run_in_ranges(kParts, [&](std::int64_t part, int) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (part == 0 && done < kParts - 2 && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    order[static_cast<std::size_t>(part)] = done.fetch_add(1);
  });
  // The other thread did its own range in rising order, then the end of this one in falling order.
  std::vector<int> expected(kParts);
  for (int i = 0; i < 20; ++i) expected[static_cast<std::size_t>(20 + i)] = i;
  for (int i = 2; i < 20; ++i) expected[static_cast<std::size_t>(i)] = 39 - i;
  expected[0] = 38;
  expected[1] = 39;
  CHECK(order == expected);
}

}  // namespace facet::engine
