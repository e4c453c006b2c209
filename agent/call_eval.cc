#include "agent/call_eval.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

/// The field `key` of `object`; an error that names `where` when it is missing or of another type.
Result<const ordered_json*> field(const ordered_json& object,
                                  const char* key,
                                  ordered_json::value_t type,
                                  const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) {
    return Error{Code::invalid_argument, where + "/" + key + " is missing"};
  }
  if (found->type() != type) {
    return Error{
        Code::invalid_argument,
        where + "/" + key + " is of type " + found->type_name() + ", which is not expected"};
  }
  return &*found;
}

Status only_fields(const ordered_json& object,
                   std::initializer_list<std::string_view> known,
                   const std::string& where) {
  if (!object.is_object()) return Error{Code::invalid_argument, where + " is not an object"};
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Error{Code::invalid_argument, where + "/" + key + " is not a known field"};
    }
  }
  return ok();
}

using Type = ordered_json::value_t;

Result<ToolSpec> read_tool(const ordered_json& json, const std::string& where) {
  FACET_TRY_STATUS(only_fields(json, {"name", "description", "parameters"}, where));
  FACET_TRY(const auto* name, field(json, "name", Type::string, where));
  FACET_TRY(const auto* description, field(json, "description", Type::string, where));
  FACET_TRY(const auto* parameters, field(json, "parameters", Type::object, where));
  return ToolSpec{.name = name->get<std::string>(),
                  .description = description->get<std::string>(),
                  .parameters = dump_json(*parameters)};
}

Result<CallCase::Step> read_step(const ordered_json& json, const std::string& where) {
  FACET_TRY_STATUS(only_fields(json, {"calls", "outputs"}, where));
  FACET_TRY(const auto* calls, field(json, "calls", Type::array, where));
  FACET_TRY(const auto* outputs, field(json, "outputs", Type::array, where));
  if (calls->empty() || calls->size() != outputs->size()) {
    return Error{Code::invalid_argument,
                 where + " has " + std::to_string(calls->size()) + " calls and " +
                     std::to_string(outputs->size()) + " outputs"};
  }
  CallCase::Step step;
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const std::string at = where + "/calls/" + std::to_string(i);
    const ordered_json& call = (*calls)[i];
    FACET_TRY_STATUS(only_fields(call, {"name", "arguments"}, at));
    FACET_TRY(const auto* name, field(call, "name", Type::string, at));
    FACET_TRY(const auto* arguments, field(call, "arguments", Type::object, at));
    step.calls.push_back({.id = "call_" + std::to_string(i + 1),
                          .name = name->get<std::string>(),
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

Result<StepResult> next_output(Conversation& conversation, const CallEvalOptions& options) {
  FACET_TRY(StepResult step,
            conversation.generate({.tokens_max = options.step_tokens_max, .stop = options.stop},
                                  StepSink()));
  if (step.finish_reason == engine::FinishReason::cancelled) {
    return Error{Code::cancelled, "stopped while a case was running"};
  }
  return step;
}

ordered_json percent(int right, int of) {
  if (of == 0) return nullptr;
  return static_cast<double>(right) * 100.0 / static_cast<double>(of);
}

}  // namespace

Result<CallCase> read_call_case(std::string_view json, std::string_view what) {
  FACET_TRY(const ordered_json root, parse_json(json, what));
  const std::string where(what);
  FACET_TRY_STATUS(only_fields(root, {"id", "kind", "tools", "user", "steps"}, where));
  FACET_TRY(const auto* id, field(root, "id", Type::string, where));
  FACET_TRY(const auto* kind, field(root, "kind", Type::string, where));
  FACET_TRY(const auto* tools, field(root, "tools", Type::array, where));
  FACET_TRY(const auto* user, field(root, "user", Type::string, where));
  FACET_TRY(const auto* steps, field(root, "steps", Type::array, where));
  CallCase test{.id = id->get<std::string>(),
                .kind = kind->get<std::string>(),
                .user = user->get<std::string>()};
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

Result<CallScore> score_call_case(const ChatModel& model,
                                  const CallCase& test,
                                  const CallEvalOptions& options) {
  CallScore score;
  for (const auto& step : test.steps) score.calls_expected += static_cast<int>(step.calls.size());
  FACET_TRY(const auto conversation,
            model.start({.plan_first = options.plan_first, .tools = test.tools}));
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
    for (const int k : paired) outputs.push_back(expected.outputs[static_cast<std::size_t>(k)]);
    if (auto status = conversation->add_tool_outputs(step.tool_calls, outputs); !status) {
      if (status.error().code != Code::limit_exceeded) return status.error();
      score.got = status.error().message;
      return score;
    }
  }
  FACET_TRY(StepResult last, next_output(*conversation, options));
  if (!last.tool_calls.empty() || !last.parse_error.empty()) {
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
          {"cases_right_percent", percent(totals.cases_right, totals.cases)},
          {"calls_expected", totals.calls_expected},
          {"calls_right", totals.calls_right},
          {"calls_right_percent", percent(totals.calls_right, totals.calls_expected)}};
}

}  // namespace facet::agent
