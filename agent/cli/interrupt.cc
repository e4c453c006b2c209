#include "agent/cli/interrupt.h"

#include "agent/cli/console.h"
#include "base/check.h"

#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <unistd.h>

namespace facet::agent::cli {

namespace {

// A handler is given nothing but the signal, so this is the one thing it can reach. Blocking the
// signals and reading them from a signalfd needs no such variable, but works only when every thread
// blocks them, and OpenBLAS starts threads before main() does: one of them would take the signal
// and end the process.
std::atomic<int> signal_target{-1};
static_assert(std::atomic<int>::is_always_lock_free);

void add_one(int fd) {
  const std::uint64_t one = 1;
  // Full only after 2^64 signals; there is nothing a handler could do about it.
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

void on_signal(int /*number*/) {
  const int saved = errno;
  add_one(signal_target.load());
  errno = saved;
}

}  // namespace

Interrupt::Interrupt() {
  signal_fd_ = ::eventfd(0, EFD_CLOEXEC);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
  FACET_CHECK(signal_fd_ >= 0 && wake_fd_ >= 0);
  FACET_CHECK(signal_target.exchange(signal_fd_) == -1);
  waiter_ = std::thread([this] { wait(); });
  // A reader that went away shows up as a failed write, not as a death.
  FACET_CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    FACET_CHECK(::sigaction(kSignals[i], nullptr, &before_[i]) == 0);
    // nohup and background jobs of a script are started with the signal ignored, and mean it.
    if (before_[i].sa_handler == SIG_IGN) continue;
    FACET_CHECK(::sigaction(kSignals[i], &action, nullptr) == 0);
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    FACET_CHECK(::sigaction(kSignals[i], &before_[i], nullptr) == 0);
  }
  add_one(wake_fd_);
  waiter_.join();
  signal_target = -1;
  ::close(signal_fd_);
  ::close(wake_fd_);
}

void Interrupt::wait() {
  while (true) {
    std::array<pollfd, 2> fds = {
        {{.fd = signal_fd_, .events = POLLIN}, {.fd = wake_fd_, .events = POLLIN}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (fds[1].revents != 0) return;
    std::uint64_t signals = 0;
    if (::read(signal_fd_, &signals, sizeof signals) != sizeof signals) return;
    if (!stop_.request_stop()) ::_exit(exit_interrupted);
  }
}

}  // namespace facet::agent::cli
