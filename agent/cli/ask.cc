// facet ask: one question, one run.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "agent/cli/run_view.h"
#include "agent/cli/workbench.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace facet::agent::cli {

namespace {

constexpr int kRunsSearchedMax = 100;

/// False for runs that belong to a client of facet serve.
bool is_resumable(const RunRecord& record) {
  const auto options = parse_json(record.options, "options of the recorded run");
  return options && options->is_object() && !options->contains("made_by");
}

/// The record to resume; "last" is the newest run that has not been answered.
Result<RunRecord> find_run(const Journal& journal, const std::string& id) {
  if (id != "last") return journal.run(id);
  FACET_TRY(const auto runs, journal.runs(kRunsSearchedMax));
  for (const RunRecord& run : runs) {
    if (run.status != run_finish_name(RunFinish::answered) && is_resumable(run)) return run;
  }
  return Error{Code::not_found, "the journal holds no run that is not finished"};
}

/// Puts the budgets that were given with --resume above the recorded ones.
void take_budgets(const AskOptions& given, Budgets& budgets) {
  const Budgets& now = given.agent.budgets;
  for (const std::string& flag : given.budgets_given) {
    if (flag == "--steps-max") budgets.steps_max = now.steps_max;
    if (flag == "--tokens-max") budgets.tokens_max = now.tokens_max;
    if (flag == "--step-tokens-max") budgets.step_tokens_max = now.step_tokens_max;
    if (flag == "--tool-calls-max") budgets.tool_calls_max = now.tool_calls_max;
    if (flag == "--seconds-max") budgets.seconds_max = now.seconds_max;
  }
}

/// The options the run was begun with, approvals as they are given now; `recorded` gets what the
/// journal holds of them.
Result<AskOptions> resumed_options(const AskOptions& given, nlohmann::ordered_json& recorded) {
  std::filesystem::path path = given.agent.journal;
  if (path.empty()) {
    FACET_TRY(path, default_journal());
  }
  FACET_TRY(const auto journal, Journal::open(path));
  FACET_TRY(const RunRecord record, find_run(*journal, given.resume));
  FACET_TRY(recorded, parse_json(record.options, "options of the recorded run"));
  AskOptions options = given;
  options.resume = record.id;
  auto agent = agent_options_from_json(recorded);
  if (!agent) return agent.error().with_context("run '" + record.id + "'");
  options.agent = *std::move(agent);
  take_budgets(given, options.agent.budgets);
  options.agent.journal = path.string();
  ModelOptions model = given.agent.model;  // How it is computed is asked for anew.
  model.model = options.agent.model.model;
  model.embedder = options.agent.model.embedder;
  model.vision = options.agent.model.vision;
  model.dialect = options.agent.model.dialect;
  options.agent.model = std::move(model);
  options.agent.yes = given.agent.yes;
  options.agent.rerun = given.agent.rerun;
  return options;
}

/// The error of a run, and how to go on where a flag is all that it lacks.
Error with_advice(const RunResult& result, bool is_recorded) {
  Error error = result.error;
  if (result.finish != RunFinish::approval_needed) return error;
  error.message += is_recorded ? "; allow it with: facet ask --resume " + result.run_id + " --yes"
                               : "; --yes allows it";
  return error;
}

}  // namespace

int run_exit_code(const RunResult& result) {
  switch (result.finish) {
    case RunFinish::answered:
    case RunFinish::client_tools:
      return exit_ok;
    case RunFinish::limit:
      return exit_limit;
    case RunFinish::approval_needed:
      return exit_approval;
    case RunFinish::cancelled:
      return exit_interrupted;
    case RunFinish::failed:
      return exit_code_of(result.error.code);
  }
  return exit_failed;
}

int run_ask(const AskOptions& given, Environment environment) {
  Console& console = environment.console;
  const bool is_json = given.json || given.events;
  AskOptions options = given;
  nlohmann::ordered_json recorded = nlohmann::ordered_json::object();
  if (!given.resume.empty()) {
    auto resumed = resumed_options(given, recorded);
    if (!resumed) return console.fail(resumed.error(), is_json);
    options = *std::move(resumed);
  }
  Failure failure;
  const auto bench = Workbench::open(options.agent, console, failure);
  if (!bench) return console.fail(failure.error, is_json, failure.exit_code);
  const auto book = std::make_shared<PassageBook>();
  const auto registry = bench->toolbox().make_registry(book);
  if (!registry) return console.fail(registry.error(), is_json);
  const auto pictures =
      given.resume.empty() ? read_shown_pictures(bench->model().engine(), options.pictures, console)
                           : recorded_pictures(bench->model().engine(), recorded, console);
  if (!pictures) return console.fail(pictures.error(), is_json);
  SessionOptions session_options = bench->session_options(environment.stop);
  session_options.pictures = pictures_of(*pictures);
  session_options.journal_options = with_pictures(session_options.journal_options, *pictures);
  auto session = Session::open({.model = &bench->model(),
                                .registry = &*registry,
                                .executor = &bench->executor(),
                                .clock = &bench->clock(),
                                .passages = book.get(),
                                .journal = bench->journal(),
                                .pictures = bench->pictures(),
                                .embedder = bench->toolbox().embedder()},
                               std::move(session_options));
  if (!session) return console.fail(session.error(), is_json);
  RunView view(console, options.quiet);
  const EventSink sink = [&](const Event& event) {
    if (is_json) view.warn(event);
    if (options.events) {
      console.out_json(event_json(event));
    } else if (!options.json) {
      view.show(event);
    }
  };
  RunResult result;
  if (options.resume.empty()) {
    result = (*session)->run(options.question, sink, environment.stop);
  } else {
    auto resumed = (*session)->resume(options.resume, sink, environment.stop);
    if (!resumed) return console.fail(resumed.error(), is_json);
    result = *std::move(resumed);
  }
  if (options.json && !options.events) console.out_json(run_result_json(result));
  const int exit_code = run_exit_code(result);
  if (exit_code == exit_ok) return exit_ok;
  // The error is inside of the JSON result already; people and logs read the line.
  return console.fail(with_advice(result, bench->journal() != nullptr), false, exit_code);
}

}  // namespace facet::agent::cli
