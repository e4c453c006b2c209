// facet eval calls --format bfcl: a model on the Berkeley leaderboard's single-turn categories.
#include "agent/bfcl.h"
#include "agent/bfcl_eval.h"
#include "agent/cli/commands.h"
#include "agent/cli/output_rules.h"
#include "agent/cli/workbench.h"
#include "base/json.h"

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
  BfclTotals all;
  std::map<std::string, BfclTotals> by_category;
  ordered_json wrong = ordered_json::array();
};

Result<BfclOptions> bfcl_options(const EvalCallsOptions& options, const Environment& environment) {
  FACET_TRY_STATUS(engine::validate(options.bfcl.sampling));
  const auto choice = prompts::tool_choice_from_name(options.bfcl.tool_choice);
  if (!options.bfcl.constrained && choice.mode != prompts::ToolChoice::Mode::automatic) {
    return Error{Code::invalid_argument,
                 "--free holds the model to nothing, --tool-choice " + options.bfcl.tool_choice +
                     " included"};
  }
  if (!options.bfcl.constrained && options.bfcl.agent) {
    return Error{Code::invalid_argument, "--free holds the model to nothing, --agent to its plan"};
  }
  return BfclOptions{.is_constrained = options.bfcl.constrained,
                     .is_agents = options.bfcl.agent,
                     .rules = {.choice = choice, .calls_max = options.bfcl.calls_max},
                     .tokens_max = options.bfcl.tokens_max,
                     .sampling = options.bfcl.sampling,
                     .stop = environment.stop};
}

ordered_json wrong_json(const BfclCase& test, const BfclScore& score) {
  return {{"id", test.id},
          {"question", test.messages.back().content},
          {"is_valid", score.is_valid},
          {"why", score.why},
          {"got", score.got}};
}

Result<Tally> run_cases(const LocalChatModel& model,
                        const std::vector<BfclCase>& cases,
                        const EvalCallsOptions& options,
                        Environment& environment) {
  FACET_TRY(const BfclOptions run, bfcl_options(options, environment));
  Tally tally;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const BfclCase& test = cases[i];
    environment.console.progress(i, cases.size(), test.category);
    const auto score = score_bfcl_case(model, test, run);
    if (!score) return score.error().with_context(test.id);
    tally.all.add(*score);
    tally.by_category[test.category].add(*score);
    const bool is_fine = score->is_right && score->is_valid;
    if (options.wrong && !is_fine) tally.wrong.push_back(wrong_json(test, *score));
  }
  return tally;
}

std::string share(std::int64_t part, std::int64_t of) {
  char text[64];
  std::snprintf(text,
                sizeof text,
                "%5.1f %% (%lld/%lld)",
                100.0 * static_cast<double>(part) / static_cast<double>(of),
                static_cast<long long>(part),
                static_cast<long long>(of));
  return text;
}

void show_row(const std::string& name, const BfclTotals& totals, Console& console) {
  const auto per_case = [&](auto sum) {
    return static_cast<double>(sum) / static_cast<double>(totals.cases);
  };
  char line[200];
  std::snprintf(line,
                sizeof line,
                "%-20s  %-20s %-20s %8.1f %8.1f %9.1f",
                name.c_str(),
                share(totals.valid, totals.cases).c_str(),
                share(totals.right, totals.cases).c_str(),
                per_case(totals.sampled_tokens),
                per_case(totals.forced_tokens),
                per_case(totals.compile_ms + totals.prefill_ms + totals.decode_ms));
  console.out_line(printable(line));
}

void show(const Tally& tally, Console& console) {
  console.out_line(
      "                      valid                right                 sampled   forced   ms "
      "(each)");
  for (const auto& [category, totals] : tally.by_category) show_row(category, totals, console);
  show_row("all", tally.all, console);
  for (const ordered_json& wrong : tally.wrong) console.out_json(wrong);
}

ordered_json tally_json(const Tally& tally,
                        const LocalChatModel& model,
                        const EvalCallsOptions& options) {
  ordered_json categories = ordered_json::object();
  for (const auto& [category, totals] : tally.by_category) {
    categories[category] = bfcl_totals_json(totals);
  }
  const EvalBfclOptions& run = options.bfcl;
  ordered_json json = {
      {"model", model.name()},
      {"format", "bfcl"},
      {"questions", run.questions},
      {"answers", run.answers.empty() ? ordered_json() : ordered_json(run.answers)},
      {"dialect", model.dialect().name()},
      {"constrained", run.constrained},
      {"agent", run.agent},
      {"tool_choice", run.tool_choice.empty() ? "auto" : run.tool_choice},
      {"temperature", run.sampling.temperature},
      {"all", bfcl_totals_json(tally.all)},
      {"categories", std::move(categories)}};
  if (options.wrong) json["wrong"] = tally.wrong;
  return json;
}

}  // namespace

int run_eval_bfcl(const EvalCallsOptions& options, Environment environment) {
  Console& console = environment.console;
  if (const auto run = bfcl_options(options, environment); !run) {
    return console.fail(run.error(), options.json, exit_usage);
  }
  const auto cases = read_bfcl(options.bfcl.questions, options.bfcl.answers, options.cases_max);
  if (!cases) return console.fail(cases.error(), options.json);
  const auto engine = load_generator(options.model, console);
  if (!engine) return console.fail(engine.error(), options.json, exit_unavailable);
  const auto model = LocalChatModel::create(*engine, options.model.dialect);
  if (!model) return console.fail(model.error(), options.json);
  const auto tally = run_cases(**model, *cases, options, environment);
  console.end_progress();
  if (!tally) return console.fail(tally.error(), options.json);
  if (options.json) {
    console.out_json(tally_json(*tally, **model, options));
  } else {
    show(*tally, console);
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
