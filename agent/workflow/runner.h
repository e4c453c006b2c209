// Runner: carries out a workflow, step by step.
#pragma once

#include "agent/events.h"
#include "agent/loop.h"
#include "agent/workflow/workflow.h"
#include "base/result.h"

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace facet::agent {

struct StepOutcome {
  std::string name;
  WorkflowStep::Kind kind = WorkflowStep::Kind::ask;
  std::string result;  ///< JSON.
  std::chrono::milliseconds elapsed{0};
};

struct WorkflowResult {
  std::string name;
  RunFinish finish = RunFinish::failed;
  std::vector<StepOutcome> steps;   ///< Those that were begun; the last one may have failed.
  std::string result = "null";      ///< JSON: the workflow's `result`, or that of its last step.
  Error error{Code::internal, ""};  ///< Why it ended, unless finish is answered.
};

/// Puts the pictures in the files at `paths` into a session's options, and into what is journalled.
using ShowImages =
    std::function<Status(const std::vector<std::string>& paths, SessionOptions& session)>;

/// Called before each step begins.
using StepStarted = std::function<void(const WorkflowStep& step)>;

struct WorkflowRun {
  const Workflow* workflow = nullptr;  ///< Borrowed.
  /// Values that replace those of the file: name and text (JSON where it parses, else a string).
  std::vector<std::pair<std::string, std::string>> variables;
  SessionParts parts;  ///< Each `ask` step is a session, and a journalled run, of its own.
  SessionOptions session;
  ShowImages show_images;  ///< Null: a step with images fails.
  StepStarted step_started;
  EventSink sink;
  std::stop_token stop;
};

/// Runs the steps in order and stops at the first that does not succeed: an ask that is not
/// answered, a tool that returns an error, a reference to a field that is not there. A direct tool
/// call is subject to the policy of `session`. Not thread-safe.
WorkflowResult run_workflow(const WorkflowRun& run);

/// {"name", "finish_reason", "result", "steps": [{"name", "kind", "result", "elapsed_ms"}]} and,
/// unless answered, "error".
nlohmann::ordered_json workflow_result_json(const WorkflowResult& result);

}  // namespace facet::agent
