// ThreadPool: runs the parts of one loop on a few persistent threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace facet::engine {

/// The calling thread always works too, so a pool of one thread starts none. Who waits (workers for
/// the next loop, the caller for the last part) spins for a moment, because the wait is usually
/// over within microseconds, and then sleeps, because other threads may want the core.
/// Thread-safe: while one caller has the workers, another one runs its loop alone.
class ThreadPool {
 public:
  /// The body of a loop: handles part `index` on worker `worker` (0 is the caller; the number picks
  /// scratch memory and must not influence results).
  using Body = std::function<void(std::int64_t index, int worker)>;

  /// `threads` >= 1, the caller counted in. threads() is less where the system starts no more.
  explicit ThreadPool(int threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  /// Threads that a loop may run on: worker numbers are below it.
  [[nodiscard]] int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(i, worker) once for every i in [0, parts) and returns when all are done. Parts are
  /// handed out one by one, so a worker that is late (or not scheduled at all) holds up nobody.
  void run(std::int64_t parts, const Body& body);

  /// As run, for parts that are best done one after the other by the same thread, because each asks
  /// for the memory of the next: every thread has a range of them, and who is done takes from the
  /// end of the longest range left.
  void run_in_ranges(std::int64_t parts, const Body& body);

 private:
  /// What is left of a range: (end << 32 | next).
  struct alignas(64) Range {
    std::atomic<std::uint64_t> left{0};
  };

  /// The workers, unless the loop is too short for them or another caller has them.
  std::unique_lock<std::mutex> workers_for(std::int64_t parts);
  static void run_alone(std::int64_t parts, const Body& body);
  /// run, by the caller who has the workers.
  void hand_out(std::uint32_t parts, const Body& body);
  /// The next part of the range; -1 when there is none.
  static std::int64_t take_next(Range& range);
  /// The last part of the longest range; -1 when none has more than one left, which its owner will
  /// be done with sooner.
  std::int64_t take_last();
  void work(int worker);
  bool take_part(std::uint32_t generation, int worker);

  // ticket_ is (generation << 32 | next part). A thread that advances it within a generation owns
  // that part, and the caller of that generation waits for it: so body_ is alive while it is used.
  std::atomic<std::uint64_t> ticket_{0};
  std::atomic<std::uint32_t> parts_{0};
  std::atomic<std::uint32_t> done_{0};
  std::atomic<const Body*> body_{nullptr};
  std::atomic<bool> stop_{false};
  std::atomic<std::uint32_t> started_{0};  ///< Loops so far: what sleeping workers wait on.

  std::mutex caller_;          ///< Held by the one caller who has the workers.
  std::vector<Range> ranges_;  ///< One per thread.
  std::vector<std::thread> workers_;
};

}  // namespace facet::engine
