// A running `facet` to talk to: stdin and stdout are pipes of the test,
// stderr is the file "stderr" in its home.
#pragma once

#include "tests/support/catch.h"

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <spawn.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace facet::test {

/// Started with the default signal handling, as from a person's shell. Killed by the destructor.
class LiveFacet {
 public:
  LiveFacet(const std::filesystem::path& home, std::vector<std::string> arguments) {
    REQUIRE(::setenv("FACET_HOME", home.c_str(), 1) == 0);
    arguments.insert(arguments.begin(), FACET_PROGRAM);
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(
        &actions, STDERR_FILENO, (home / "stderr").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    ::posix_spawnattr_setsigdefault(&attributes, &signals);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    const int rc =
        ::posix_spawn(&child_, FACET_PROGRAM, &actions, &attributes, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    REQUIRE(rc == 0);
  }
  LiveFacet(const LiveFacet&) = delete;
  LiveFacet& operator=(const LiveFacet&) = delete;
  ~LiveFacet() {
    ::close(to_);
    ::close(from_);
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  /// Blocks until all of it is in the pipe.
  void say(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = ::write(to_, text.data(), text.size());
      REQUIRE(written > 0);
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  /// Reads until `text` has come. False when the output ends before it, or nothing came for a
  /// minute; then the next failed check shows what did come.
  bool hear(std::string_view text) {
    while (heard_.find(text) == std::string::npos) {
      std::array<char, 4096> bytes{};
      const ssize_t got = has_output() ? ::read(from_, bytes.data(), bytes.size()) : 0;
      if (got <= 0) {
        UNSCOPED_INFO("heard instead of \"" << text << "\": " << heard_);
        return false;
      }
      heard_.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return true;
  }
  /// What has come so far no longer counts as heard.
  void forget() { heard_.clear(); }
  void send_signal(int number) const { REQUIRE(::kill(child_, number) == 0); }

  /// Waits for the end: the exit code, or minus the signal that killed it.
  int wait() {
    int status = 0;
    REQUIRE(::waitpid(std::exchange(child_, 0), &status, 0) > 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static constexpr int kSilenceMsMax = 60'000;

  /// Waits for something to read, or the end of the output; false when it stays silent.
  [[nodiscard]] bool has_output() const {
    pollfd from{.fd = from_, .events = POLLIN, .revents = 0};
    int ready = 0;
    do {
      ready = ::poll(&from, 1, kSilenceMsMax);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
  }

  pid_t child_ = 0;
  int to_ = -1;
  int from_ = -1;
  std::string heard_;
};

}  // namespace facet::test
