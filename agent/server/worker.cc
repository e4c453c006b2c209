#include "agent/server/worker.h"

#include <string>
#include <utility>

namespace facet::agent {

Worker::Worker(std::size_t jobs_max) : jobs_max_(jobs_max), thread_([this] { work(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    jobs_.clear();
  }
  changed_.notify_all();
  thread_.join();
}

Status Worker::submit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= jobs_max_) {
      return Error{Code::limit_exceeded,
                   std::to_string(jobs_max_) + " requests are waiting already; try again later"};
    }
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
  return ok();
}

void Worker::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return is_ending_ || !jobs_.empty(); });
    if (is_ending_) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace facet::agent
