#include "agent/cli/cut_file.h"

#include "agent/cli/console.h"
#include "base/check.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace facet::agent::cli {

namespace {

// All of this runs in a signal handler: only system calls, no memory but the stack.

/// The value of a lower-case hexadecimal digit, -1 for anything else.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// One line of /proc/self/maps at a time: "begin-end flags offset device inode   path".
class MapsLine {
 public:
  void add(char c) {
    if (field_ < 2) {
      const int value = digit(c);
      std::uintptr_t& bound = field_ == 0 ? begin_ : end_;
      if (value >= 0) bound = bound * 16 + static_cast<std::uintptr_t>(value);
      if (value < 0) ++field_;
    } else if (c == '/' || size_ > 0) {  // Nothing in front of the path has a slash.
      if (size_ < path_.size()) path_[size_++] = c;
    }
  }
  [[nodiscard]] bool holds(std::uintptr_t address) const {
    return begin_ <= address && address < end_;
  }
  [[nodiscard]] std::string_view path() const { return {path_.data(), size_}; }

 private:
  int field_ = 0;  ///< 0 begin, 1 end, 2 the rest.
  std::uintptr_t begin_ = 0;
  std::uintptr_t end_ = 0;
  std::array<char, 1024> path_{};
  std::size_t size_ = 0;
};

/// The line of the mapping at `address`; one without a path when there is none.
MapsLine find_mapping(std::uintptr_t address) {
  const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 4096> bytes{};
  MapsLine line;
  for (ssize_t got = ::read(fd, bytes.data(), bytes.size()); got > 0;
       got = ::read(fd, bytes.data(), bytes.size())) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      if (bytes[i] != '\n') {
        line.add(bytes[i]);
      } else if (line.holds(address)) {
        ::close(fd);
        return line;
      } else {
        line = {};
      }
    }
  }
  ::close(fd);
  return {};
}

void say(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

void on_bus_error(int number, siginfo_t* info, void* /*context*/) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const MapsLine mapping = info->si_code == BUS_ADRERR ? find_mapping(address) : MapsLine();
  if (mapping.path().empty()) {
    // Not a mapped file: the instruction runs again and has its default end.
    std::signal(number, SIG_DFL);
    return;
  }
  say("facet: ");
  say(mapping.path());
  say(" was cut short while it was in use; replace such files by renaming\n");
  ::_exit(exit_unavailable);
}

}  // namespace

void report_cut_files() {
  struct sigaction action = {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  FACET_CHECK(::sigaction(SIGBUS, &action, nullptr) == 0);
}

}  // namespace facet::agent::cli
