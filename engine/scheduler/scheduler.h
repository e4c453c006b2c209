// Scheduler: sequences that run at the same time share passes through the model (continuous
// batching). A pass reads every weight once, whoever is in it, so several sequences that decode
// together cost little more than one.
//
// There is no thread of its own: a caller whose turn it is runs the pass for all who wait, and the
// others sleep until theirs is done. A pass waits a moment for the sequences that took part in the
// last one: they are only choosing their next token, and without them a whole pass more is needed.
//
// Passes are filled in the order of arrival, up to rows_max; what does not fit any more is first in
// the next one. So a long prompt, handed in chunk by chunk, never holds up a decoding sequence by
// more than one chunk, and nobody is overtaken twice by the same neighbour.
#pragma once

#include "base/result.h"
#include "engine/backend.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

namespace facet::engine {

struct SchedulerStats {
  std::int64_t passes = 0;
  std::int64_t items = 0;  ///< Parts of sequences in them.
  std::int64_t rows = 0;   ///< Tokens in them.
};

/// Thread-safe.
class Scheduler {
 public:
  /// `backend` must outlive it. `hidden`: values of a row of an image. `rows_max`: tokens of a pass
  /// with more than one item.
  Scheduler(Backend& backend, std::int64_t hidden, std::int64_t rows_max);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler() = default;

  /// Runs one item in the next pass that has room for it; blocks until it is done. What
  /// Backend::step says; an error of a pass goes to everybody in it, one by one: they are then
  /// tried alone, so that one sequence without room does not fail its neighbours.
  Status run(const StepItem& item);

  [[nodiscard]] SchedulerStats stats() const;

 private:
  struct Ticket;
  using Clock = std::chrono::steady_clock;

  /// Takes the tickets of the next pass out of the queue. Called with the lock.
  std::vector<Ticket*> next_pass();
  /// Waits, for a share of a pass, until the sequences of the last one are back. Called with the
  /// lock.
  void await_others(std::unique_lock<std::mutex>& lock);
  void run_pass(std::span<Ticket* const> pass);

  [[nodiscard]] std::int64_t rows_of(const StepItem& item) const;

  Backend& backend_;
  const std::int64_t hidden_;
  const std::int64_t rows_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Ticket*> queue_;
  std::vector<const KvCache*> awaited_;  ///< Of the last pass, not back yet. Never looked into.
  bool is_running_ = false;
  Clock::duration last_pass_{0};
  SchedulerStats stats_;
};

}  // namespace facet::engine
