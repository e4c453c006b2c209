// Interrupt: Ctrl-C and SIGTERM as a stop token. The first asks for a clean end, the second ends
// the program at once.
#pragma once

#include <stop_token>
#include <thread>

namespace facet::agent::cli {

/// Blocks the two signals for the whole process and waits for them on a thread of its own. Create
/// one, before any other thread, in main. A program that is asked to stop exits with 130.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

 private:
  void wait();

  std::stop_source stop_;
  int signal_fd_;
  int wake_fd_;
  std::thread waiter_;
};

}  // namespace facet::agent::cli
