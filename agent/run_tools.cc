// The part of a run that looks for tools: find_tools is answered here, and what it found is
// declared once its result is given to the model.
#include "agent/run.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace facet::agent {

ToolOutput Session::Run::error_output(const std::string& message) {
  return {.content = "{\"error\":" + json_quote(message) + "}", .is_error = true};
}

bool Session::Run::is_find_tools(std::string_view name) const {
  return name == kFindTool && state_.catalog->searches();
}

/// A tool whose schema cannot be enforced is not offered: its whole search fails, by name.
void Session::Run::find_tools(Pending& pending) const {
  const auto begin = parts_.clock->now();
  const auto find = [&]() -> Result<std::string> {
    FACET_TRY(const auto found, state_.catalog->find(pending.call.arguments));
    std::string content = dump_json(found);
    FACET_TRY(const std::vector<ToolSpec> fresh, state_.catalog->named_in(content));
    if (!fresh.empty()) FACET_TRY_STATUS(conversation_.check_tools(fresh));
    return content;
  };
  const auto content = find();
  if (content) {
    pending.record.output = {.content = *content};
    pending.record.outcome = "ok";
  } else {
    pending.record.output = error_output(content.error().message);
    pending.record.outcome =
        content.error().code == Code::invalid_argument ? "invalid_arguments" : "tool_error";
  }
  pending.record.elapsed =
      std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock->now() - begin);
}

Status Session::Run::declare_found(const CallRecord& record) {
  if (!is_find_tools(record.call.name) || record.outcome != "ok") return ok();
  FACET_TRY(const std::vector<ToolSpec> fresh,
            state_.catalog->declare_found(record.output.content));
  if (fresh.empty()) return ok();
  FACET_TRY_STATUS(conversation_.declare(fresh));
  tell_relaxed();
  return ok();
}

}  // namespace facet::agent
