// A run that kills its own process, for journal_test.cc: dying_run JOURNAL EFFECTS EFFECT POINT.
// Each call appends a line to EFFECTS; POINT is "step N" (before the N-th output, from 0) or "tool"
// (inside of the first call, behind its effect). Ends by SIGKILL; any other end is a failure.
#include "agent/loop.h"
#include "agent/scripted_chat_model.h"
#include "base/clock.h"
#include "tests/agent/lambda_tool.h"

#include <csignal>
#include <fstream>
#include <unistd.h>

namespace {

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

void die() {
  ::kill(::getpid(), SIGKILL);
}

int run(const std::string& journal_path,
        const std::string& effects,
        tools::Effect effect,
        const std::string& point) {
  auto journal = Journal::open(journal_path);
  auto model = ScriptedChatModel::create(
      {call("append", 1) + kWait, call("append", 2) + kWait, "Done." + kEnd},
      {.on_generate = [&](int step) {
        if (point == "step " + std::to_string(step)) die();
      }});
  tools::Registry registry;
  const auto append = [&](const Json& arguments) -> Result<Json> {
    std::ofstream(effects, std::ios::app) << arguments.dump() << "\n";
    if (point == "tool") die();
    return Json("appended");
  };
  const auto status = registry.add(std::make_shared<LambdaTool>("append", append, effect));
  if (!journal || !model || !status) return 1;
  const tools::Executor executor;
  const SystemClock clock;
  auto session = Session::open({.model = model->get(),
                                .registry = &registry,
                                .executor = &executor,
                                .clock = &clock,
                                .journal = journal->get()},
                               {.policy = {.allow_all = true}});
  if (!session) return 1;
  (*session)->run("go");
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const bool is_read_only = std::string(argv[3]) == "read_only";
  return run(argv[1],
             argv[2],
             is_read_only ? facet::tools::Effect::read_only : facet::tools::Effect::changes_state,
             argv[4]);
}
