#include "agent/cli/interrupt.h"

#include "agent/cli/console.h"
#include "base/check.h"

#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

namespace facet::agent::cli {

Interrupt::Interrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  FACET_CHECK(::pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  // A reader that went away shows up as a failed write, not as a death.
  FACET_CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  signal_fd_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
  FACET_CHECK(signal_fd_ >= 0 && wake_fd_ >= 0);
  waiter_ = std::thread([this] { wait(); });
}

Interrupt::~Interrupt() {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_fd_, &one, sizeof one);
  FACET_CHECK(written == sizeof one);
  waiter_.join();
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
    signalfd_siginfo info{};
    if (::read(signal_fd_, &info, sizeof info) != sizeof info) return;
    if (!stop_.request_stop()) ::_exit(exit_interrupted);
  }
}

}  // namespace facet::agent::cli
