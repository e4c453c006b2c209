// facet run: a scripted workflow.
#include "agent/cli/commands.h"
#include "agent/cli/run_view.h"
#include "agent/cli/workbench.h"
#include "agent/workflow/runner.h"
#include "agent/workflow/workflow.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace facet::agent::cli {

namespace {

/// "name=value" as a pair.
Result<std::vector<std::pair<std::string, std::string>>> read_variables(
    const std::vector<std::string>& settings) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{Code::invalid_argument, "--set takes name=value, not \"" + setting + "\""};
    }
    variables.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return variables;
}

int exit_code_of_workflow(const WorkflowResult& result) {
  RunResult last;
  last.finish = result.finish;
  last.error = result.error;
  return run_exit_code(last);
}

}  // namespace

int run_workflow_file(const RunOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto workflow = load_workflow(options.file);
  if (!workflow) return console.fail(workflow.error(), options.json);
  auto variables = read_variables(options.variables);
  if (!variables) return console.fail(variables.error(), options.json);
  Failure failure;
  const auto bench = Workbench::open(options.agent, console, failure);
  if (!bench) return console.fail(failure.error, options.json, failure.exit_code);
  const auto book = std::make_shared<PassageBook>();
  const auto registry = bench->toolbox().make_registry(book);
  if (!registry) return console.fail(registry.error(), options.json);

  RunView view(console, /*is_quiet=*/false);
  WorkflowRun run;
  run.workflow = &*workflow;
  run.variables = *std::move(variables);
  run.parts = {.model = &bench->model(),
               .registry = &*registry,
               .executor = &bench->executor(),
               .clock = &bench->clock(),
               .passages = book.get(),
               .journal = bench->journal(),
               .pictures = bench->pictures(),
               .embedder = bench->toolbox().embedder()};
  run.session = bench->session_options(environment.stop);
  run.show_images = [&](const std::vector<std::string>& paths, SessionOptions& session) -> Status {
    FACET_TRY(const auto shown,
              read_shown_pictures(bench->model().engine(), {.files = paths}, console));
    session.pictures = pictures_of(shown);
    session.journal_options = with_pictures(session.journal_options, shown);
    return ok();
  };
  run.stop = environment.stop;
  if (!options.json) {
    run.step_started = [&](const WorkflowStep& step) {
      console.out_line(console.styled(Style::bold, "step " + step.name));
    };
    run.sink = [&](const Event& event) { view.show(event); };
  } else {
    run.sink = [&](const Event& event) { view.warn(event); };
  }
  const WorkflowResult result = run_workflow(run);
  if (options.json) {
    console.out_json(workflow_result_json(result));
  } else if (result.finish == RunFinish::answered) {
    console.out_line(console.styled(Style::bold, "result ") + printable(result.result));
  }
  const int exit_code = exit_code_of_workflow(result);
  return exit_code == exit_ok ? exit_ok : console.fail(result.error, false, exit_code);
}

}  // namespace facet::agent::cli
