// Workflow: a scripted run, read from YAML. Named steps in sequence, each an agent prompt or a
// direct tool call; later steps use the results of earlier ones.
//
//   name: trip-cost
//   variables:
//     city: Lisbon
//     nights: 4
//   steps:
//     - name: limit
//       ask: What is the hotel limit per night in ${city}?
//     - name: total
//       tool: calculator
//       arguments:
//         expression: 140 * ${nights}
//   result: ${total.result}
//
// `${name}` is a variable, `${step}` the result of a step, `${step.field.inner}` a field of it;
// `$$` is a dollar sign. An argument that is nothing but one reference keeps the type of its value.
// An `ask` step may show pictures: `images: [photo.jpg, "${other}"]`, or one path alone; relative
// paths are those of the current folder.
//
// An `ask` step may hold its answer to a JSON Schema: `answer_schema: {type: object, ...}`; the
// answer is then also in `${step.value}`, as JSON.
//
// The result of an `ask` step is {"answer", "plan", "citations", "tool_calls", "finish_reason",
// ...}; of a `tool` step it is what the tool returned.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::agent {

/// Bounds on a workflow file; more is limit_exceeded.
inline constexpr std::size_t kWorkflowBytesMax = 1U << 20U;
inline constexpr std::size_t kWorkflowStepsMax = 100;
inline constexpr std::size_t kWorkflowNodesMax = 10'000;
inline constexpr int kWorkflowDepthMax = 32;
inline constexpr std::size_t kWorkflowImagesMax = 16;  ///< Of one step.

struct WorkflowStep {
  enum class Kind { ask, tool };
  std::string name;
  Kind kind = Kind::ask;
  std::string prompt;               ///< ask: with references.
  std::vector<std::string> images;  ///< ask: paths, with references.
  std::string answer_schema;        ///< ask: JSON text of the answer's schema; empty: it is free.
  std::string tool;                 ///< tool: its name.
  std::string arguments = "{}";     ///< tool: JSON object whose strings may hold references.
  int line = 0;                     ///< In the file, from 1.
};

struct Workflow {
  std::string name;
  std::string description;
  std::vector<std::pair<std::string, std::string>> variables;  ///< Name and JSON value, in order.
  std::vector<WorkflowStep> steps;
  std::string result;  ///< With references; empty: the result of the last step.
};

/// invalid_data, as "source:line: what", for text that is not YAML, an unknown or missing key, a
/// step with both or neither of `ask` and `tool`, a repeated name, or a reference to a variable or
/// step that does not exist or comes later.
Result<Workflow> parse_workflow(std::string_view yaml, std::string_view source);

/// The same, from a file. not_found, limit_exceeded or unavailable when it cannot be read.
Result<Workflow> load_workflow(const std::filesystem::path& path);

}  // namespace facet::agent
