#include "engine/scheduler/scheduler.h"

#include "base/check.h"

#include <algorithm>

namespace facet::engine {
namespace {

/// The share of a pass's time that it waits for a sequence that is choosing its token.
constexpr int kPatience = 8;

/// The most that a pass waits, however long passes are.
constexpr std::chrono::milliseconds kPatienceMax{10};

}  // namespace

/// One caller's item while it waits. Lives on the caller's stack.
struct Scheduler::Ticket {
  const StepItem& item;
  Status result = ok();
  bool is_done = false;
};

Scheduler::Scheduler(Backend& backend, std::int64_t hidden, std::int64_t rows_max)
    : backend_(backend), hidden_(hidden), rows_max_(rows_max) {}

std::int64_t Scheduler::rows_of(const StepItem& item) const {
  return item.image_rows.empty() ? std::ssize(item.ids) : std::ssize(item.image_rows) / hidden_;
}

void Scheduler::await_others(std::unique_lock<std::mutex>& lock) {
  const auto patience = std::min<Clock::duration>(last_pass_ / kPatience, kPatienceMax);
  changed_.wait_for(lock, patience, [this] { return awaited_.empty(); });
  awaited_.clear();
}

std::vector<Scheduler::Ticket*> Scheduler::next_pass() {
  std::vector<Ticket*> pass;
  std::int64_t rows = 0;
  for (auto at = queue_.begin(); at != queue_.end();) {
    const std::int64_t more = rows_of((*at)->item);
    if (!pass.empty() && rows + more > rows_max_) {
      ++at;
      continue;
    }
    rows += more;
    pass.push_back(*at);
    at = queue_.erase(at);
  }
  return pass;
}

void Scheduler::run_pass(std::span<Ticket* const> pass) {
  std::vector<StepItem> items;
  for (const Ticket* ticket : pass) items.push_back(ticket->item);
  const Status result = backend_.step(items);
  for (Ticket* ticket : pass) ticket->result = result;
  if (result || pass.size() == 1) return;
  for (Ticket* ticket : pass) ticket->result = backend_.step(std::span(&ticket->item, 1));
}

Status Scheduler::run(const StepItem& item) {
  Ticket ticket{.item = item};
  std::unique_lock lock(mutex_);
  queue_.push_back(&ticket);
  std::erase(awaited_, item.cache);
  changed_.notify_all();
  while (!ticket.is_done) {
    if (is_running_) {
      changed_.wait(lock, [&] { return ticket.is_done || !is_running_; });
      continue;
    }
    is_running_ = true;
    await_others(lock);
    const std::vector<Ticket*> pass = next_pass();
    lock.unlock();
    const auto start = Clock::now();
    run_pass(pass);
    const auto took = Clock::now() - start;
    lock.lock();
    last_pass_ = took;
    ++stats_.passes;
    for (Ticket* done : pass) {
      ++stats_.items;
      stats_.rows += rows_of(done->item);
      awaited_.push_back(done->item.cache);
      done->is_done = true;
    }
    is_running_ = false;
    changed_.notify_all();
  }
  return std::move(ticket.result);
}

SchedulerStats Scheduler::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace facet::engine
