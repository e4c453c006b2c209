// facet pull as a process: killed in the middle, interrupted, and what it prints.
#include "tests/e2e/run_facet.h"
#include "tests/support/fake_hub.h"
#include "tests/support/temp_dir.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace {

using namespace facet;
using test::FakeHub;
using test::FakeRepository;
using test::HubAnswer;
using test::HubRequest;
namespace fs = std::filesystem;

/// Three chunks of the size that the program uses, and a bit.
constexpr std::size_t kBytes = 3 * (16U << 20U) + 12'345;

/// `facet pull owner/name` as a process that can be sent signals.
pid_t start_pull(const std::string& endpoint, const fs::path& cache) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::setenv("HF_ENDPOINT", endpoint.c_str(), 1);
  ::setenv("HF_HUB_CACHE", cache.c_str(), 1);
  if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(99);
  if (std::freopen((cache.string() + ".out").c_str(), "w", stdout) == nullptr) ::_exit(99);
  ::execl(FACET_PROGRAM, FACET_PROGRAM, "pull", "owner/name", nullptr);
  ::_exit(99);
}

int wait_for(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

void wait_for_bytes(const FakeHub& hub, std::int64_t bytes) {
  for (int i = 0; hub.bytes_sent() < bytes; ++i) {
    REQUIRE(i < 3000);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

TEST_CASE("a pull that was killed or interrupted fetches only the rest", "[hub]") {
  const FakeRepository repository{.files = {{"a.gguf", test::noise(kBytes, 9)}}};
  std::atomic<bool> is_slow{true};
  const HubAnswer info = repository.info();
  FakeHub hub([&](const HubRequest& r) {
    if (r.target.starts_with("/api/")) return info;
    HubAnswer answer = repository.answer(r);
    if (is_slow) answer.wait_per_block = std::chrono::milliseconds(3);
    return answer;
  });
  const test::TempDir folder;
  const fs::path cache = folder.path() / "hub";
  const int signal = GENERATE(SIGKILL, SIGINT);
  const pid_t pid = start_pull(hub.url(), cache);
  wait_for_bytes(hub, 10 << 20);
  REQUIRE(::kill(pid, signal) == 0);
  const int status = wait_for(pid);
  if (signal == SIGKILL) CHECK(WIFSIGNALED(status));
  if (signal == SIGINT) {
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
  }
  CHECK(!fs::exists(cache / "models--owner--name/snapshots"));
  is_slow = false;
  const auto before = hub.bytes_sent();
  CHECK(wait_for(start_pull(hub.url(), cache)) == 0);
  // What lay in the buffers of the sockets was sent and lost: 4 connections of a few MiB at most.
  CHECK(hub.bytes_sent() - before < static_cast<std::int64_t>(kBytes) - (2 << 20));
  std::ostringstream bytes;
  bytes << std::ifstream(cache / "models--owner--name/snapshots" / repository.commit / "a.gguf")
               .rdbuf();
  CHECK(bytes.str() == repository.files.at("a.gguf"));
}

TEST_CASE("facet pull prints the path, lists in a dry run and says what is wrong", "[hub]") {
  const FakeRepository repository{
      .files = {{"a-Q4_0.gguf", test::noise(5'000, 1)}, {"a-Q8_0.gguf", test::noise(9'000, 2)}}};
  FakeHub hub([&](const HubRequest& r) { return repository.answer(r); });
  const test::TempDir folder;
  ::setenv("HF_ENDPOINT", hub.url().c_str(), 1);
  ::setenv("HF_HOME", folder.path().c_str(), 1);
  const auto run = [&](const std::string& words) { return test::run_facet(folder.path(), words); };

  const auto ambiguous = run("pull owner/name");
  CHECK(ambiguous.exit_code == 2);
  CHECK(ambiguous.err.find("a-Q4_0.gguf (4.9 KiB), a-Q8_0.gguf (8.8 KiB)") != std::string::npos);
  const auto dry = run("pull owner/name:Q8_0 --dry-run");
  CHECK(dry.exit_code == 0);
  CHECK(dry.out == "a-Q8_0.gguf  8.8 KiB\n1 files, 8.8 KiB, of which 8.8 KiB would be fetched\n");
  CHECK(!fs::exists(folder.path() / "hub"));
  const auto absent = run("tokenize --model owner/name:Q8_0");
  CHECK(absent.exit_code == 5);
  CHECK(absent.err.find("facet pull owner/name:Q8_0") != std::string::npos);

  const auto pulled = run("pull owner/name:Q8_0");
  CHECK(pulled.exit_code == 0);
  const fs::path path = folder.path() / "hub/models--owner--name/snapshots" / repository.commit;
  CHECK(pulled.out == (path / "a-Q8_0.gguf").string() + "\n");
  const auto again = run("pull owner/name:Q8_0 --json").json();
  CHECK(again["bytes_fetched"] == 0);
  CHECK(again["path"] == (path / "a-Q8_0.gguf").string());
  CHECK(again["files"][0]["cached"] == true);

  CHECK(run("pull owner/other").exit_code == 1);
  CHECK(run("pull name").exit_code == 2);
  ::setenv("HF_HUB_OFFLINE", "1", 1);
  CHECK(run("pull owner/name:Q8_0").out == pulled.out);
  CHECK(run("pull owner/name:Q4_0").exit_code == 1);
  ::unsetenv("HF_HUB_OFFLINE");
  ::setenv("HF_ENDPOINT", "http://hub.example", 1);
  CHECK(run("pull owner/name").exit_code == 2);
  ::unsetenv("HF_ENDPOINT");
  ::unsetenv("HF_HOME");
}

TEST_CASE("a disk that takes no more, and a folder that may not be written, are named", "[hub]") {
  const FakeRepository repository{.files = {{"a.gguf", test::noise(3'000'000, 1)}}};
  FakeHub hub([&](const HubRequest& r) { return repository.answer(r); });
  const test::TempDir folder;
  // A limit on the size of files stands for a full disk: a write fails in the middle.
  const std::string variables =
      "HF_ENDPOINT=" + hub.url() + " HF_HOME=" + test::quoted(folder.path().string());
  const std::string command = "trap '' XFSZ; ulimit -f 1000; " + variables + " " +
                              test::quoted(FACET_PROGRAM) + " pull owner/name 2>" +
                              test::quoted((folder.path() / "err").string());
  const int status = std::system(command.c_str());
  CHECK(WEXITSTATUS(status) == 5);
  std::ostringstream err;
  err << std::ifstream(folder.path() / "err").rdbuf();
  CHECK(err.str().find("cannot be written") != std::string::npos);
  // /proc takes no folder, from nobody.
  const std::string denied = "HF_ENDPOINT=" + hub.url() + " HF_HUB_CACHE=/proc/facet " +
                             test::quoted(FACET_PROGRAM) + " pull owner/name 2>/dev/null";
  CHECK(WEXITSTATUS(std::system(denied.c_str())) != 0);
}
