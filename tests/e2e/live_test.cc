// The program while it runs: signals, and answers that arrive before the input ends. A program
// that does not react hangs here until ctest's timeout.
#include "tests/e2e/live_facet.h"
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"

using namespace facet::test;

namespace {

/// More than a pipe holds: once it is written, the program is reading its stdin.
const std::string kMoreThanAPipe(1U << 18U, 'x');

}  // namespace

TEST_CASE("Ctrl-C ends a wait for stdin with 130", "[e2e]") {
  const TempDir home;
  {
    LiveFacet facet(home.path(), {"prompt", "parse"});
    facet.say(kMoreThanAPipe);
    facet.send_signal(SIGINT);
    CHECK(facet.wait() == 130);
  }
  if (!has_pocket()) return;
  LiveFacet facet(home.path(), {"embed"});
  facet.say(kMoreThanAPipe);
  facet.send_signal(SIGINT);
  CHECK(facet.wait() == 130);
}

TEST_CASE("a server that is told to stop ends well", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  for (const int number : {SIGINT, SIGTERM}) {
    LiveFacet facet(home.path(), {"serve", "--port", "0"});
    REQUIRE(facet.hear("Listening"));
    facet.send_signal(number);
    CHECK(facet.wait() == 0);
  }
}

TEST_CASE("chat answers through a pipe before its input ends, and Ctrl-C ends it", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  for (const bool is_json : {true, false}) {
    std::vector<std::string> arguments = {"chat"};
    if (is_json) arguments.emplace_back("--json");
    LiveFacet facet(home.path(), arguments);
    facet.say("What is 3 * 4?\n");
    CHECK(facet.hear("12"));
    facet.send_signal(SIGINT);
    CHECK(facet.wait() == 130);
  }
}

TEST_CASE("a run that is interrupted says so and can go on", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  LiveFacet facet(home.path(), {"ask", "Hello", "--events", "--temperature", "1"});
  REQUIRE(facet.hear("run_started"));
  facet.send_signal(SIGINT);
  const int exit_code = facet.wait();
  INFO(exit_code);
  CHECK((exit_code == 130 || exit_code == 0 || exit_code == 3));  // It may have been faster.
  if (exit_code != 130) return;
  CHECK(facet.hear(R"("finish_reason":"cancelled")"));
  CHECK(run_facet(home.path(), "ask --resume last --json").json().at("finish_reason") !=
        "cancelled");
}
