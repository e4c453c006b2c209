#include "retrieval/loaders/child_process.h"

#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace facet::retrieval {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kErrorsBytesMax = 4096;
constexpr int kCannotExec = 127;
constexpr long kExitPollNs = 1'000'000;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Error system_error(const char* doing) {
  return {Code::unavailable, std::string("cannot ") + doing + ": " + std::strerror(errno)};
}

/// `fd` under a number above the three streams, so that moving it onto one of them in the child
/// never overwrites another; it happens when our own stdin is closed.
Fd above_streams(int fd) {
  if (fd < 0 || fd > 2) return Fd(fd);
  const Fd low(fd);
  return Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

struct Pipe {
  Fd read_end;
  Fd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("make a pipe");
  return Pipe{above_streams(ends[0]), above_streams(ends[1])};
}

Result<Fd> make_input(std::string_view input) {
  Fd file = above_streams(::memfd_create("document", MFD_CLOEXEC));
  if (file.get() < 0) return system_error("make a memory file");
  while (!input.empty()) {
    const ssize_t wrote = ::write(file.get(), input.data(), input.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return system_error("write to a memory file");
    input.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return system_error("rewind a memory file");
  return file;
}

/// All that the child does before exec. Only calls that are safe after fork in a program with
/// threads; everything that allocates was done before.
struct ChildPlan {
  const char* program;
  char* const* argv;
  int input;
  int output;
  int errors;
  ChildLimits limits;

  [[noreturn]] void run() const {
    char* const environment[] = {nullptr};
    const bool ready = ::setsid() >= 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                       ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && limit_all() &&
                       ::dup2(input, 0) == 0 && ::dup2(output, 1) == 1 && ::dup2(errors, 2) == 2 &&
                       ::syscall(SYS_close_range, 3U, ~0U, 0U) == 0 && ::chdir("/") == 0;
    if (ready) ::execve(program, argv, environment);
    ::_exit(kCannotExec);
  }

  [[nodiscard]] bool limit_all() const {
    return limit(RLIMIT_CPU, limits.seconds_max) && limit(RLIMIT_AS, limits.memory_bytes_max) &&
           limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 64);
  }

  static bool limit(decltype(RLIMIT_CPU) resource, std::uint64_t value) {
    const rlimit both = {value, value};
    return ::setrlimit(resource, &both) == 0;
  }
};

/// Kills the child's whole session and reaps it, unless it was reaped already.
class ChildGuard {
 public:
  explicit ChildGuard(pid_t pid) : pid_(pid) {}
  ChildGuard(const ChildGuard&) = delete;
  ChildGuard& operator=(const ChildGuard&) = delete;
  ~ChildGuard() {
    if (pid_ > 0) static_cast<void>(kill_and_wait());
  }

  /// Gives it until `deadline` to exit by itself; false when it has not. It stays to be reaped, so
  /// that its number still names its session.
  [[nodiscard]] bool exits_before(SteadyClock::time_point deadline) const {
    for (;;) {
      siginfo_t info{};
      const int found =
          ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
      if (found == 0 && info.si_pid == pid_) return true;
      if (SteadyClock::now() >= deadline) return false;
      const timespec pause = {0, kExitPollNs};
      ::nanosleep(&pause, nullptr);
    }
  }

  int kill_and_wait() {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);  // It may not have reached setsid yet.
    return wait();
  }

  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

/// Appends what can be read now; false at the end of the stream.
Result<bool> drain(int fd, std::string& out) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(fd, buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return true;
  if (count < 0) return system_error("read from a child process");
  out.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

Error too_slow(const ChildLimits& limits) {
  return {Code::timeout, "it took longer than " + std::to_string(limits.seconds_max) + " s"};
}

Status collect(const Fd& output,
               const Fd& errors,
               const ChildLimits& limits,
               SteadyClock::time_point deadline,
               ChildOutput& out) {
  std::array<pollfd, 2> streams = {pollfd{output.get(), POLLIN, 0},
                                   pollfd{errors.get(), POLLIN, 0}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (left.count() <= 0) return too_slow(limits);
    const int ready = ::poll(streams.data(), streams.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) return system_error("wait for a child process");
    if (ready <= 0) continue;
    for (pollfd& stream : streams) {
      if (stream.fd < 0 || stream.revents == 0) continue;
      std::string& to = stream.fd == output.get() ? out.output : out.errors;
      FACET_TRY(const bool more, drain(stream.fd, to));
      if (!more) stream.fd = -1;
    }
    if (out.output.size() > limits.output_bytes_max) {
      return Error{Code::limit_exceeded,
                   "it wrote more than " + std::to_string(limits.output_bytes_max) + " bytes"};
    }
    out.errors.resize(std::min(out.errors.size(), kErrorsBytesMax));
  }
  return ok();
}

}  // namespace

Result<ChildOutput> run_child(const std::filesystem::path& program,
                              const std::vector<std::string>& arguments,
                              std::string_view input,
                              const ChildLimits& limits) {
  if (::access(program.c_str(), X_OK) != 0) {
    return Error{Code::unavailable, program.string() + ": " + std::strerror(errno)};
  }
  FACET_TRY(Fd source, make_input(input));
  FACET_TRY(Pipe output, make_pipe());
  FACET_TRY(Pipe errors, make_pipe());
  std::vector<std::string> words = {program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const ChildPlan plan = {words[0].c_str(),
                          argv.data(),
                          source.get(),
                          output.write_end.get(),
                          errors.write_end.get(),
                          limits};

  const pid_t pid = ::fork();
  if (pid < 0) return system_error("start a child process");
  if (pid == 0) plan.run();
  ChildGuard child(pid);
  output.write_end.reset();
  errors.write_end.reset();
  ChildOutput out;
  const auto deadline = SteadyClock::now() + std::chrono::seconds(limits.seconds_max);
  FACET_TRY_STATUS(collect(output.read_end, errors.read_end, limits, deadline, out));
  // Programs close their streams before they exit; killed in between they would seem to have
  // failed.
  if (!child.exits_before(deadline)) return too_slow(limits);
  const int status = child.kill_and_wait();  // Kills what it may have left in its session.
  if (WIFEXITED(status)) {
    out.exit_code = WEXITSTATUS(status);
  } else {
    out.exit_code = -WTERMSIG(status);
  }
  return out;
}

}  // namespace facet::retrieval
