// facet debug plans: what speaks for each first step of the plans for a file of cases; what the
// weights of agent/weighed_plan.h are fitted to.
#include "agent/call_eval.h"
#include "agent/cli/commands.h"
#include "agent/cli/workbench.h"
#include "agent/eval_json.h"
#include "agent/local_chat_model.h"

#include <nlohmann/json.hpp>

namespace facet::agent::cli {
namespace {

using nlohmann::ordered_json;

ordered_json steps_json(const CallCase& test, const std::vector<PlanStep>& steps) {
  ordered_json shown = ordered_json::array();
  for (const PlanStep& step : steps) {
    shown.push_back({{"name", step.name},
                     {"log_p", step.log_p},
                     {"words", step.common.words},
                     {"cover", step.common.cover},
                     {"parameters", step.common.parameters},
                     {"filled", step.fit.filled},
                     {"open", step.fit.open},
                     {"leaves_number", step.fit.leaves_number},
                     {"leaves_name", step.fit.leaves_name},
                     {"left", step.fit.left},
                     {"goes_on", step.goes_on}});
  }
  const bool calls = !test.steps.empty() && !test.steps.front().calls.empty();
  return {{"id", test.id},
          {"kind", test.kind},
          {"expected", calls ? ordered_json(test.steps.front().calls.front().name) : nullptr},
          {"steps", std::move(shown)}};
}

}  // namespace

int run_debug_plans(const DebugPlansOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto cases = read_eval_cases(options.data, options.cases_max, read_call_case);
  if (!cases) return console.fail(cases.error(), false);
  const auto engine = load_generator(options.model, console);
  if (!engine) return console.fail(engine.error(), false, exit_unavailable);
  const auto model = LocalChatModel::create(*engine, options.model.dialect);
  if (!model) return console.fail(model.error(), false);
  for (const CallCase& test : *cases) {
    const auto tools = declared_tools(**model, test, 0);
    if (!tools) return console.fail(tools.error(), false);
    const auto steps = (*model)->plan_steps({.tools = *tools}, test.user, environment.stop);
    if (!steps) return console.fail(steps.error(), false);
    if (environment.stop.stop_requested()) {
      return console.fail({Code::cancelled, "stopped while a case was looked at"}, false);
    }
    console.out_json(steps_json(test, *steps));
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
