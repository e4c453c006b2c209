// Worker: one thread that does the model's work, fed by a bounded queue.
#pragma once

#include "base/result.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace facet::agent {

/// Thread-safe. The destructor drops what has not begun and waits for the job that runs; whoever
/// owns the worker asks that job to stop first.
class Worker {
 public:
  explicit Worker(std::size_t jobs_max);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  /// limit_exceeded when `jobs_max` jobs wait already. Jobs run in order and must not throw.
  Status submit(std::function<void()> job);

 private:
  void work();

  std::size_t jobs_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool is_ending_ = false;
  std::thread thread_;
};

}  // namespace facet::agent
