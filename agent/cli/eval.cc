// facet eval calls: how many calls of a file of cases a model makes exactly right.
#include "agent/call_eval.h"
#include "agent/cli/commands.h"
#include "agent/cli/workbench.h"
#include "agent/eval_json.h"
#include "agent/events.h"
#include "agent/local_chat_model.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace facet::agent::cli {

using nlohmann::ordered_json;

namespace {

struct Tally {
  CallTotals all;
  std::map<std::string, CallTotals> by_kind;
  std::map<std::string, CallTotals> by_tools;  ///< By how many tools are declared.
  ordered_json wrong = ordered_json::array();
};

std::string tools_group(std::size_t declared) {
  if (declared == 0) return "no tool declared";
  if (declared == 1) return "1 tool declared";
  if (declared <= 3) return "2 to 3 tools declared";
  return declared <= 6 ? "4 to 6 tools declared" : "7 or more tools declared";
}

ordered_json wrong_json(const CallCase& test, const CallScore& score) {
  ordered_json steps = ordered_json::array();
  for (const auto& step : test.steps) {
    ordered_json calls = ordered_json::array();
    for (const ToolCall& call : step.calls) {
      calls.push_back({{"name", call.name}, {"arguments", json_or_string(call.arguments)}});
    }
    steps.push_back(std::move(calls));
  }
  return {{"id", test.id},
          {"kind", test.kind},
          {"user", test.user},
          {"expected", std::move(steps)},
          {"got", score.got}};
}

std::string share(int right, int of) {
  if (of == 0) return "       -        ";
  char text[64];
  std::snprintf(text, sizeof text, "%5.1f %% (%d/%d)", 100.0 * right / of, right, of);
  return text;
}

void show_row(const std::string& name, const CallTotals& totals, Console& console) {
  char line[160];
  std::snprintf(line,
                sizeof line,
                "%-24s  %-20s  %-20s",
                name.c_str(),
                share(totals.calls_right, totals.calls_expected).c_str(),
                share(totals.cases_right, totals.cases).c_str());
  console.out_line(printable(line));
}

void show(const Tally& tally, Console& console) {
  console.out_line("                          calls exact           whole case right");
  for (const auto& [kind, totals] : tally.by_kind) show_row(kind, totals, console);
  for (const auto& [group, totals] : tally.by_tools) show_row(group, totals, console);
  show_row("all", tally.all, console);
  for (const ordered_json& wrong : tally.wrong) console.out_json(wrong);
}

ordered_json groups_json(const std::map<std::string, CallTotals>& groups) {
  ordered_json json = ordered_json::object();
  for (const auto& [name, totals] : groups) json[name] = call_totals_json(totals);
  return json;
}

Result<Tally> run_cases(const ChatModel& model,
                        const std::vector<CallCase>& cases,
                        const EvalCallsOptions& options,
                        Environment& environment) {
  Tally tally;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const CallCase& test = cases[i];
    environment.console.progress(i, cases.size(), test.kind);
    FACET_TRY(const CallScore score,
              score_call_case(model,
                              test,
                              {.plan_first = !options.no_plan,
                               .arguments = options.arguments,
                               .tools_max = options.tools_max,
                               .stop = environment.stop}));
    tally.all.add(score);
    tally.by_kind[test.kind].add(score);
    tally.by_tools[tools_group(test.tools.size())].add(score);
    if (options.wrong && !score.is_right) tally.wrong.push_back(wrong_json(test, score));
  }
  return tally;
}

}  // namespace

int run_eval_calls(const EvalCallsOptions& options, Environment environment) {
  if (options.format == "bfcl") return run_eval_bfcl(options, environment);
  Console& console = environment.console;
  const auto cases = read_eval_cases(options.data, options.cases_max, read_call_case);
  if (!cases) return console.fail(cases.error(), options.json);
  const auto engine = load_generator(options.model, console);
  if (!engine) return console.fail(engine.error(), options.json, exit_unavailable);
  const auto model = LocalChatModel::create(*engine, options.model.dialect);
  if (!model) return console.fail(model.error(), options.json);
  const auto tally = run_cases(**model, *cases, options, environment);
  console.end_progress();
  if (!tally) return console.fail(tally.error(), options.json);
  if (options.json) {
    ordered_json json = {{"model", (*model)->name()},
                         {"data", options.data},
                         {"all", call_totals_json(tally->all)},
                         {"kinds", groups_json(tally->by_kind)},
                         {"tools_declared", groups_json(tally->by_tools)}};
    if (options.wrong) json["wrong"] = tally->wrong;
    console.out_json(json);
  } else {
    show(*tally, console);
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
