// Interrupt: Ctrl-C and SIGTERM as a stop token. The first asks for a clean end, the second ends
// the program at once.
#pragma once

#include <array>
#include <csignal>
#include <stop_token>
#include <thread>

namespace facet::agent::cli {

/// Handles the two signals, whatever threads the libraries have started before main, and leaves
/// alone one that was ignored already (nohup). Create one, in main. A program that is asked to stop
/// exits with 130.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  void wait();

  static constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};

  std::stop_source stop_;
  std::array<struct sigaction, kSignals.size()> before_{};
  int signal_fd_;
  int wake_fd_;
  std::thread waiter_;
};

}  // namespace facet::agent::cli
