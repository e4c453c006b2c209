#include "agent/journal.h"

#include "tests/agent/session_fixture.h"
#include "tests/support/temp_dir.h"

#include <sys/wait.h>

#include <array>
#include <csignal>
#include <fstream>
#include <spawn.h>
#include <unistd.h>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

std::unique_ptr<Journal> open_journal(const std::filesystem::path& path) {
  auto journal = Journal::open(path);
  REQUIRE(journal);
  return *std::move(journal);
}

/// Lines in a file: what the tools of these tests have done to the world.
int count_effects(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  int lines = 0;
  while (std::getline(file, line)) ++lines;
  return lines;
}

/// The session that dying_run.cc runs too: two calls that each append one line, then the answer.
struct TwoEffects : SessionFixture {
  TwoEffects(const std::filesystem::path& effects, tools::Effect effect)
      : SessionFixture({call("append", 1) + kWait, call("append", 2) + kWait, "Done." + kEnd}) {
    add(
        "append",
        [effects](const Json& arguments) -> Result<Json> {
          std::ofstream(effects, std::ios::app) << arguments.dump() << "\n";
          return Json("appended");
        },
        effect);
    options.policy.allow_all = true;
  }
};

/// Starts the program that runs these two effects and kills itself at `point`: "step N" before the
/// N-th output, "tool" inside of the first call. A program of its own, because a fork of a process
/// with threads may not start threads.
void run_and_die(const TempDir& dir, const std::string& effect, const std::string& point) {
  const std::string journal = (dir.path() / "j.sqlite").string();
  const std::string effects = (dir.path() / "effects").string();
  std::array<char*, 6> arguments = {};
  std::vector<std::string> words = {FACET_DYING_RUN, journal, effects, effect, point};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, FACET_DYING_RUN, nullptr, nullptr, arguments.data(), environ) == 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
}

}  // namespace

TEST_CASE("a new journal can be read by its owner only", "[agent][unit]") {
  namespace fs = std::filesystem;
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "j.sqlite");
  for (const auto& file : fs::directory_iterator(dir.path())) {
    INFO(file.path());
    CHECK((file.status().permissions() & (fs::perms::group_all | fs::perms::others_all)) ==
          fs::perms::none);
  }
}

TEST_CASE("a journal gives back what was written, in order", "[agent]") {
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "deep" / "journal.sqlite");
  REQUIRE(journal->begin_run({.id = "run_1", .created_ms = 5, .question = "q", .model = "m"}));
  const std::vector<JournalEntry> entries = {{"output", "{}"}, {"intent", "{\"id\":\"call_1\"}"}};
  REQUIRE(journal->append("run_1", entries));
  const auto read = journal->entries("run_1");
  REQUIRE(read);
  CHECK(*read == entries);
  REQUIRE(journal->finish_run("run_1", "answered", "{}"));
  const auto run = journal->run("run_1");
  REQUIRE(run);
  CHECK(run->status == "answered");
  CHECK(journal->run("run_2").error().code == Code::not_found);
  CHECK(journal->runs(10)->size() == 1);
}

TEST_CASE("entries of an unknown run are refused", "[agent]") {
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "j.sqlite");
  const std::vector<JournalEntry> entries = {{"output", "{}"}};
  const auto status = journal->append("run_9", entries);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Code::invalid_argument);
}

TEST_CASE("what is no journal is refused with a reason", "[agent]") {
  const TempDir dir;
  const auto path = dir.path() / "j.sqlite";
  SECTION("not a database") {
    std::ofstream(path) << std::string(5000, 'x');
    CHECK(Journal::open(path).error().code == Code::invalid_data);
  }
  SECTION("a folder that cannot be made") {
    std::ofstream(path) << "file";
    CHECK(Journal::open(path / "below" / "j").error().code == Code::unavailable);
  }
}

TEST_CASE("somebody else's database is refused and stays as it is", "[agent]") {
  const TempDir dir;
  const auto path = dir.path() / "other.sqlite";
  REQUIRE(open_journal(path));
  {
    // The header of an SQLite file: write and read version (1: no WAL), and the application id.
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(18).write("\1\1", 2);
    file.seekp(68).write("\0\0\0\0", 4);
  }
  std::ostringstream before;
  before << std::ifstream(path, std::ios::binary).rdbuf();
  CHECK(Journal::open(path).error().code == Code::invalid_data);
  std::ostringstream after;
  after << std::ifstream(path, std::ios::binary).rdbuf();
  CHECK(before.str() == after.str());
}

TEST_CASE("the newest run is the one begun last, even when the clock went back", "[agent]") {
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "j.sqlite");
  REQUIRE(journal->begin_run({.id = "run_b", .created_ms = 9, .question = "q", .model = "m"}));
  REQUIRE(journal->begin_run({.id = "run_c", .created_ms = 5, .question = "q", .model = "m"}));
  REQUIRE(journal->begin_run({.id = "run_a", .created_ms = 5, .question = "q", .model = "m"}));
  const auto runs = journal->runs(3);
  REQUIRE(runs);
  CHECK(runs->at(0).id == "run_a");
  CHECK(runs->at(2).id == "run_b");
}

TEST_CASE("one run has one worker", "[agent]") {
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "j.sqlite");
  {
    const auto lease = journal->lease("run_1");
    REQUIRE(lease);
    CHECK(journal->lease("run_1").error().code == Code::unavailable);
    CHECK(journal->lease("run_2"));
  }
  CHECK(journal->lease("run_1"));
}

TEST_CASE("run ids are of one form and differ", "[agent]") {
  const std::string id = new_run_id();
  CHECK(id.size() == 20);
  CHECK(id.starts_with("run_"));
  CHECK(id != new_run_id());
}

TEST_CASE("a finished run resumes to the same answer without sampling or calling", "[agent]") {
  const TempDir dir;
  const auto effects = dir.path() / "effects";
  const auto journal = open_journal(dir.path() / "j.sqlite");
  TwoEffects first(effects, tools::Effect::changes_state);
  first.journal = journal.get();
  const RunResult before = first.run("go");
  REQUIRE(before.finish == RunFinish::answered);
  CHECK(journal->run(before.run_id)->status == "answered");

  TwoEffects second(effects, tools::Effect::changes_state);
  second.journal = journal.get();
  const auto after = second.open()->resume(before.run_id, second.sink());
  REQUIRE(after);
  CHECK(after->answer == before.answer);
  CHECK(after->calls.size() == 2);
  CHECK(second.model->transcript().generated_steps == 0);
  CHECK(count_effects(effects) == 2);
}

TEST_CASE("a run killed at any step resumes to its answer with each effect once", "[agent]") {
  const TempDir dir;
  const int kill_at = GENERATE(0, 1, 2);
  const auto effects = dir.path() / "effects";
  const auto path = dir.path() / "j.sqlite";
  run_and_die(dir, "changes_state", "step " + std::to_string(kill_at));
  const auto journal = open_journal(path);
  const auto runs = journal->runs(2);
  REQUIRE(runs);
  REQUIRE(runs->size() == 1);
  CHECK(runs->front().status == "running");
  CHECK(count_effects(effects) == kill_at);

  TwoEffects resumed(effects, tools::Effect::changes_state);
  resumed.journal = journal.get();
  const auto result = resumed.open()->resume(runs->front().id, resumed.sink());
  REQUIRE(result);
  CHECK(result->finish == RunFinish::answered);
  CHECK(result->answer == "Done.");
  CHECK(count_effects(effects) == 2);
  CHECK(resumed.model->transcript().replayed_steps == kill_at);
}

TEST_CASE("a call that may have happened is repeated only when it cannot hurt", "[agent]") {
  const TempDir dir;
  const auto effects = dir.path() / "effects";
  const auto path = dir.path() / "j.sqlite";
  const auto effect = GENERATE(tools::Effect::read_only, tools::Effect::changes_state);
  run_and_die(dir, effect == tools::Effect::read_only ? "read_only" : "changes_state", "tool");
  const auto journal = open_journal(path);
  const std::string id = journal->runs(1)->front().id;
  REQUIRE(count_effects(effects) == 1);

  TwoEffects resumed(effects, effect);
  resumed.journal = journal.get();
  const auto result = resumed.open()->resume(id, resumed.sink());
  REQUIRE(result);
  if (effect == tools::Effect::read_only) {
    CHECK(result->finish == RunFinish::answered);
    CHECK(count_effects(effects) == 3);
    return;
  }
  CHECK(result->finish == RunFinish::approval_needed);
  CHECK_THAT(result->error.message, Catch::Contains("had begun"));
  CHECK(count_effects(effects) == 1);

  TwoEffects allowed(effects, effect);
  allowed.journal = journal.get();
  allowed.options.policy.allow_rerun = true;
  const auto done = allowed.open()->resume(id, allowed.sink());
  REQUIRE(done);
  CHECK(done->finish == RunFinish::answered);
  CHECK(count_effects(effects) == 3);
}

TEST_CASE("resume refuses unknown runs, held runs and other models", "[agent]") {
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "j.sqlite");
  REQUIRE(journal->begin_run({.id = "run_other", .question = "q", .model = "another"}));
  REQUIRE(journal->begin_run({.id = "run_held", .question = "q", .model = "scripted"}));
  SessionFixture fixture({});
  fixture.journal = journal.get();
  CHECK(fixture.open()->resume("run_none").error().code == Code::not_found);
  CHECK(fixture.open()->resume("run_other").error().code == Code::invalid_argument);
  const auto lease = journal->lease("run_held");
  CHECK(fixture.open()->resume("run_held").error().code == Code::unavailable);
}

TEST_CASE("passages found before a kill still resolve afterwards", "[agent]") {
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "j.sqlite");
  const auto make = [&](SessionFixture& fixture) {
    fixture.add("find", [&fixture](const Json&) -> Result<Json> {
      fixture.passages.add({{.chunk_id = 7, .document = "travel.md", .text = "Trips."}});
      return Json("found");
    });
    fixture.journal = journal.get();
  };
  const std::vector<std::string> outputs = {call("find", 1) + kWait, "Trips. [1]" + kEnd};
  std::stop_source stop;
  SessionFixture first(outputs, {.on_generate = [&stop](int step) {
                         if (step == 1) stop.request_stop();
                       }});
  make(first);
  const RunResult cut = first.run("go", stop.get_token());
  REQUIRE(cut.finish == RunFinish::cancelled);

  SessionFixture second(outputs);
  make(second);
  const auto result = second.open()->resume(cut.run_id);
  REQUIRE(result);
  REQUIRE(result->citations.size() == 1);
  REQUIRE(result->citations[0].is_resolved());
  CHECK(result->citations[0].passage->document == "travel.md");
}

TEST_CASE("a run that a budget cut off can go on with a larger one", "[agent]") {
  const TempDir dir;
  const auto journal = open_journal(dir.path() / "j.sqlite");
  SessionFixture first({"A long answer." + kEnd});
  first.journal = journal.get();
  first.options.budgets.step_tokens_max = 3;
  const RunResult cut = first.run("go");
  REQUIRE(cut.finish == RunFinish::limit);

  SessionFixture second({"A long answer." + kEnd});
  second.journal = journal.get();
  const auto result = second.open()->resume(cut.run_id);
  REQUIRE(result);
  CHECK(result->finish == RunFinish::answered);
  CHECK(result->answer == "A long answer.");
}

TEST_CASE("an approval that a stop cut off is no refusal", "[agent]") {
  const TempDir dir;
  const auto effects = dir.path() / "effects";
  const auto journal = open_journal(dir.path() / "j.sqlite");
  std::stop_source stop;
  TwoEffects first(effects, tools::Effect::changes_state);
  first.journal = journal.get();
  first.options.policy.allow_all = false;
  first.options.policy.ask = [&](const ApprovalQuestion&) {
    stop.request_stop();
    return false;
  };
  const RunResult cut = first.run("go", stop.get_token());
  CHECK(cut.finish == RunFinish::cancelled);

  TwoEffects second(effects, tools::Effect::changes_state);
  second.journal = journal.get();
  const auto result = second.open()->resume(cut.run_id);
  REQUIRE(result);
  CHECK(result->finish == RunFinish::answered);
  CHECK(count_effects(effects) == 2);
}
