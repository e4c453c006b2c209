#include "agent/workflow/runner.h"

#include "agent/workflow/references.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;

/// A step that did not succeed: how the workflow finishes, and why.
struct StepFailure {
  RunFinish finish = RunFinish::failed;
  Error error;
};

RunFinish finish_of(const Error& error) {
  switch (error.code) {
    case Code::cancelled:
      return RunFinish::cancelled;
    case Code::permission_denied:
      return RunFinish::approval_needed;
    default:
      return RunFinish::failed;
  }
}

Result<Json> initial_scope(const WorkflowRun& run) {
  Json scope = Json::object();
  for (const auto& [name, value] : run.workflow->variables) {
    FACET_TRY(scope[name], parse_json(value, "variable " + name));
  }
  for (const auto& [name, value] : run.variables) {
    if (!scope.contains(name)) {
      return Error{Code::invalid_argument,
                   "the workflow \"" + run.workflow->name + "\" has no variable \"" + name + "\""};
    }
    scope[name] = json_or_string(value);
  }
  return scope;
}

/// The error that a tool's outcome is for a workflow, which nobody reads and answers.
Code code_of(tools::CallOutcome::Kind kind) {
  using Kind = tools::CallOutcome::Kind;
  switch (kind) {
    case Kind::timeout:
      return Code::timeout;
    case Kind::cancelled:
      return Code::cancelled;
    case Kind::too_large:
      return Code::limit_exceeded;
    case Kind::unknown_tool:
      return Code::not_found;
    case Kind::ok:
    case Kind::tool_error:
    case Kind::invalid_arguments:
      return Code::invalid_data;
  }
  return Code::internal;
}

/// The options of a step's session, its pictures among them.
Result<SessionOptions> session_options(const WorkflowRun& run,
                                       const WorkflowStep& step,
                                       const Json& scope) {
  SessionOptions options = run.session;
  if (!step.answer_schema.empty()) {
    options.rules.answer_schema = step.answer_schema;
    FACET_TRY(Json recorded, parse_json(options.journal_options, "journal options"));
    recorded["answer_schema"] = step.answer_schema;
    options.journal_options = dump_json(recorded);
  }
  if (step.images.empty()) return options;
  if (!run.show_images) {
    return Error{Code::unsupported, "this workflow runs without pictures"};
  }
  std::vector<std::string> paths;
  for (const std::string& image : step.images) {
    FACET_TRY(std::string path, substitute(image, scope));
    paths.push_back(std::move(path));
  }
  FACET_TRY_STATUS(run.show_images(paths, options));
  return options;
}

/// Puts `result` into `to`; nullopt when the step succeeded.
std::optional<StepFailure> ask(const WorkflowRun& run,
                               const WorkflowStep& step,
                               const Json& scope,
                               Json& to) {
  const auto prompt = substitute(step.prompt, scope);
  if (!prompt) return StepFailure{RunFinish::failed, prompt.error()};
  // Numbers of an earlier step mean nothing in this conversation, nor to a resume of its run.
  if (run.parts.passages != nullptr) run.parts.passages->clear();
  auto options = session_options(run, step, scope);
  if (!options) return StepFailure{RunFinish::failed, options.error()};
  auto session = Session::open(run.parts, *std::move(options));
  if (!session) return StepFailure{RunFinish::failed, session.error()};
  const RunResult result = (*session)->run(*prompt, run.sink, run.stop);
  to = run_result_json(result);
  if (result.finish == RunFinish::answered) return std::nullopt;
  return StepFailure{result.finish, result.error};
}

std::optional<StepFailure> call(const WorkflowRun& run,
                                const WorkflowStep& step,
                                const Json& scope,
                                Json& to) {
  const auto fail = [](Error error) {
    const RunFinish finish = finish_of(error);
    return StepFailure{finish, std::move(error)};
  };
  const tools::Tool* tool = run.parts.registry->find(step.tool);
  if (tool == nullptr) {
    return fail(Error{Code::not_found, "there is no tool \"" + step.tool + "\""});
  }
  const auto with_references = parse_json(step.arguments, "arguments of step " + step.name);
  if (!with_references) return fail(with_references.error());
  const auto arguments = substitute_json(*with_references, scope);
  if (!arguments) return fail(arguments.error());
  const ToolCall tool_call{.id = step.name, .name = step.tool, .arguments = dump_json(*arguments)};
  if (run.session.policy.decide({tool_call, tool->effect(), false}) != Decision::allow) {
    return fail(Error{Code::permission_denied,
                      "tool \"" + step.tool + "\" (" + std::string(effect_name(tool->effect())) +
                          ") was not approved"});
  }
  if (run.sink) run.sink(ToolCalled{tool_call});
  const auto outcomes = run.parts.executor->run(*run.parts.registry, {&tool_call, 1}, run.stop);
  const tools::CallOutcome& outcome = outcomes.front();
  to = json_or_string(outcome.output.content);
  if (run.sink) {
    run.sink(ToolReturned{tool_call,
                          outcome.output,
                          outcome.output.is_error ? "tool_error" : "ok",
                          outcome.elapsed,
                          false});
  }
  if (!outcome.output.is_error) return std::nullopt;
  return fail(Error{code_of(outcome.kind),
                    "tool \"" + step.tool + "\" returned " + outcome.output.content});
}

Result<Json> final_result(const Workflow& workflow, const Json& scope) {
  if (workflow.result.empty()) return scope.at(workflow.steps.back().name);
  return substitute_json(Json(workflow.result), scope);
}

}  // namespace

WorkflowResult run_workflow(const WorkflowRun& run) {
  WorkflowResult result;
  result.name = run.workflow->name;
  auto scope = initial_scope(run);
  if (!scope) {
    result.error = scope.error();
    return result;
  }
  for (const WorkflowStep& step : run.workflow->steps) {
    if (run.step_started) run.step_started(step);
    const auto begin = run.parts.clock->now();
    Json value;
    const auto failure = step.kind == WorkflowStep::Kind::ask ? ask(run, step, *scope, value)
                                                              : call(run, step, *scope, value);
    result.steps.push_back(
        {step.name,
         step.kind,
         dump_json(value),
         std::chrono::duration_cast<std::chrono::milliseconds>(run.parts.clock->now() - begin)});
    if (failure) {
      result.finish = failure->finish;
      result.error = failure->error.with_context("step " + step.name);
      return result;
    }
    (*scope)[step.name] = std::move(value);
  }
  const auto value = final_result(*run.workflow, *scope);
  if (!value) {
    result.error = value.error().with_context("result");
    return result;
  }
  result.result = dump_json(*value);
  result.finish = RunFinish::answered;
  return result;
}

Json workflow_result_json(const WorkflowResult& result) {
  Json steps = Json::array();
  for (const StepOutcome& step : result.steps) {
    steps.push_back({{"name", step.name},
                     {"kind", step.kind == WorkflowStep::Kind::ask ? "ask" : "tool"},
                     {"result", json_or_string(step.result)},
                     {"elapsed_ms", step.elapsed.count()}});
  }
  Json out{{"name", result.name},
           {"finish_reason", run_finish_name(result.finish)},
           {"result", json_or_string(result.result)},
           {"steps", std::move(steps)}};
  if (result.finish != RunFinish::answered) out["error"] = error_json(result.error);
  return out;
}

}  // namespace facet::agent
