#include "agent/call_eval.h"

#include "agent/eval_json.h"
#include "agent/tool_catalog.h"
#include "base/ascii.h"
#include "base/json.h"
#include "tools/missing_arguments.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

Result<ToolSpec> read_tool(const ordered_json& json, const std::string& where) {
  FACET_TRY_STATUS(json_only_fields(json, {"name", "description", "parameters"}, where));
  FACET_TRY(std::string name, json_text(json, "name", where));
  FACET_TRY(std::string description, json_text(json, "description", where));
  FACET_TRY(const auto* parameters, json_object(json, "parameters", where));
  return ToolSpec{.name = std::move(name),
                  .description = std::move(description),
                  .parameters = dump_json(*parameters)};
}

Result<CallCase::Step> read_step(const ordered_json& json, const std::string& where) {
  FACET_TRY_STATUS(json_only_fields(json, {"calls", "outputs"}, where));
  FACET_TRY(const auto* calls, json_array(json, "calls", where));
  FACET_TRY(const auto* outputs, json_array(json, "outputs", where));
  if (calls->empty() || calls->size() != outputs->size()) {
    return Error{Code::invalid_argument,
                 where + " has " + std::to_string(calls->size()) + " calls and " +
                     std::to_string(outputs->size()) + " outputs"};
  }
  CallCase::Step step;
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const std::string at = where + "/calls/" + std::to_string(i);
    const ordered_json& call = (*calls)[i];
    FACET_TRY_STATUS(json_only_fields(call, {"name", "arguments"}, at));
    FACET_TRY(std::string name, json_text(call, "name", at));
    FACET_TRY(const auto* arguments, json_object(call, "arguments", at));
    step.calls.push_back({.id = "call_" + std::to_string(i + 1),
                          .name = std::move(name),
                          .arguments = dump_json(*arguments)});
    step.outputs.push_back({.content = dump_json((*outputs)[i])});
  }
  return step;
}

/// Equal as values: the order of keys and the spelling of numbers do not matter.
bool same_call(const ToolCall& a, const ToolCall& b) {
  if (a.name != b.name) return false;
  const auto left = parse_json(a.arguments, "arguments");
  const auto right = parse_json(b.arguments, "arguments");
  return left && right && nlohmann::json(*left) == nlohmann::json(*right);
}

/// For each of `made` the index of the call of `expected` that it is, each taken once; -1: of none.
std::vector<int> pairs(const std::vector<ToolCall>& expected, const std::vector<ToolCall>& made) {
  std::vector<int> out(made.size(), -1);
  std::vector<bool> taken(expected.size(), false);
  for (std::size_t i = 0; i < made.size(); ++i) {
    for (std::size_t k = 0; k < expected.size() && out[i] < 0; ++k) {
      if (taken[k] || !same_call(expected[k], made[i])) continue;
      taken[k] = true;
      out[i] = static_cast<int>(k);
    }
  }
  return out;
}

/// Whether `text` holds `part`, letters of ASCII compared without case; an empty part always.
bool holds(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end() ||
         part.empty();
}

/// What a run gives back to calls none of which can run, because each lacks an argument; nullopt
/// where one of them can.
std::optional<std::vector<ToolOutput>> told_what_is_missing(const CallCase& test,
                                                            const std::vector<ToolCall>& calls) {
  std::vector<ToolOutput> out;
  for (const ToolCall& call : calls) {
    const auto tool = std::find_if(test.tools.begin(),
                                   test.tools.end(),
                                   [&](const ToolSpec& known) { return known.name == call.name; });
    if (tool == test.tools.end()) return std::nullopt;
    const auto missing = tools::missing_arguments(*tool, call.arguments);
    if (missing.empty()) return std::nullopt;
    const std::string told = json_quote(tools::missing_arguments_text(missing));
    out.push_back({.content = "{\"error\":" + told + "}", .is_error = true});
  }
  return out;
}

Result<StepResult> next_output(Conversation& conversation, const CallEvalOptions& options) {
  FACET_TRY(StepResult step,
            conversation.generate({.tokens_max = options.step_tokens_max, .stop = options.stop},
                                  StepSink()));
  if (step.finish_reason == engine::FinishReason::cancelled) {
    return Error{Code::cancelled, "stopped while a case was running"};
  }
  return step;
}

}  // namespace

Result<CallCase> read_call_case(std::string_view json, std::string_view what) {
  FACET_TRY(const ordered_json root, parse_json(json, what));
  const std::string where(what);
  FACET_TRY_STATUS(
      json_only_fields(root, {"id", "kind", "tools", "user", "steps", "reply_holds"}, where));
  FACET_TRY(std::string id, json_text(root, "id", where));
  FACET_TRY(std::string kind, json_text(root, "kind", where));
  FACET_TRY(const auto* tools, json_array(root, "tools", where));
  FACET_TRY(std::string user, json_text(root, "user", where));
  FACET_TRY(const auto* steps, json_array(root, "steps", where));
  CallCase test{.id = std::move(id), .kind = std::move(kind), .user = std::move(user)};
  if (root.contains("reply_holds")) {
    FACET_TRY(test.reply_holds, json_text(root, "reply_holds", where));
  }
  for (std::size_t i = 0; i < tools->size(); ++i) {
    FACET_TRY(test.tools.emplace_back(),
              read_tool((*tools)[i], where + "/tools/" + std::to_string(i)));
  }
  for (std::size_t i = 0; i < steps->size(); ++i) {
    FACET_TRY(test.steps.emplace_back(),
              read_step((*steps)[i], where + "/steps/" + std::to_string(i)));
  }
  return test;
}

Result<std::vector<ToolSpec>> declared_tools(const ChatModel& model,
                                             const CallCase& test,
                                             int tools_max) {
  ToolCatalogOptions limits = catalog_options(model, 0, tools_max);
  if (limits.tools_max == 0 || test.tools.size() <= limits.tools_max) return test.tools;
  std::vector<ToolCatalog::Entry> entries;
  entries.reserve(test.tools.size());
  for (const ToolSpec& tool : test.tools) entries.push_back({.spec = tool, .effect = {}});
  FACET_TRY(const auto catalog, ToolCatalog::make(std::move(entries), std::move(limits)));
  FACET_TRY_STATUS(catalog->choose(test.user));
  return catalog->declared();
}

Result<CallScore> score_call_case(const ChatModel& model,
                                  const CallCase& test,
                                  const CallEvalOptions& options) {
  CallScore score;
  for (const auto& step : test.steps) score.calls_expected += static_cast<int>(step.calls.size());
  FACET_TRY(std::vector<ToolSpec> tools, declared_tools(model, test, options.tools_max));
  FACET_TRY(const auto conversation,
            model.start({.plan_first = options.plan_first,
                         .tools = std::move(tools),
                         .arguments = options.arguments}));
  FACET_TRY_STATUS(conversation->add_user(test.user));
  for (const auto& expected : test.steps) {
    FACET_TRY(StepResult step, next_output(*conversation, options));
    if (!step.parse_error.empty()) step.tool_calls.clear();
    const std::vector<int> paired = pairs(expected.calls, step.tool_calls);
    const auto wrong = std::count(paired.begin(), paired.end(), -1);
    const auto right = static_cast<std::size_t>(std::ssize(paired) - wrong);
    score.calls_right += static_cast<int>(right);
    if (wrong > 0 || right != expected.calls.size()) {
      score.got = std::move(step.raw);
      return score;
    }
    // The results go back in the order in which the model called.
    std::vector<ToolOutput> outputs;
    outputs.reserve(paired.size());
    for (const int k : paired) outputs.push_back(expected.outputs[static_cast<std::size_t>(k)]);
    if (auto status = conversation->add_tool_outputs(step.tool_calls, outputs); !status) {
      if (status.error().code != Code::limit_exceeded) return status.error();
      score.got = status.error().message;
      return score;
    }
  }
  FACET_TRY(StepResult last, next_output(*conversation, options));
  const auto told = told_what_is_missing(test, last.tool_calls);
  if (!last.tool_calls.empty() && last.parse_error.empty() && told) {
    if (auto status = conversation->add_tool_outputs(last.tool_calls, *told); !status) {
      if (status.error().code != Code::limit_exceeded) return status.error();
      score.got = status.error().message;
      return score;
    }
    const std::string asked = std::move(last.raw);
    FACET_TRY(last, next_output(*conversation, options));
    last.raw = asked + "\n" + last.raw;
  }
  if (!last.tool_calls.empty() || !last.parse_error.empty() ||
      !holds(last.text, test.reply_holds)) {
    score.got = std::move(last.raw);
    return score;
  }
  score.is_right = true;
  return score;
}

void CallTotals::add(const CallScore& score) {
  ++cases;
  cases_right += score.is_right ? 1 : 0;
  calls_expected += score.calls_expected;
  calls_right += score.calls_right;
}

ordered_json call_totals_json(const CallTotals& totals) {
  return {{"cases", totals.cases},
          {"cases_right", totals.cases_right},
          {"cases_right_percent", json_percent(totals.cases_right, totals.cases)},
          {"calls_expected", totals.calls_expected},
          {"calls_right", totals.calls_right},
          {"calls_right_percent", json_percent(totals.calls_right, totals.calls_expected)}};
}

}  // namespace facet::agent
