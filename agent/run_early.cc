// The part of a run that follows calls while a turn streams in, and starts those that only read.
#include "agent/run.h"
#include "tools/builtin/search_documents.h"

#include <string>
#include <utility>

namespace facet::agent {

/// Ids are given in the order in which calls are told of, so that those of a streamed call and of
/// the same call in the whole output are equal. From 1.
std::string Session::Run::call_id(int number_in_output) const {
  return "call_" + std::to_string(calls_numbered_ + number_in_output);
}

void Session::Run::close_call(ToolCall call) {
  call.id = call_id(calls_begun_);
  const bool is_running = start_early(call);
  emit(ToolCallClosed{.call = std::move(call), .is_running = is_running});
}

/// Starts what would run anyway once the turn is whole, and may be thrown away if it never is. What
/// is refused here runs, is answered or ends the run in its turn.
bool Session::Run::start_early(const ToolCall& call) {
  if (streamed_.count(call) > 1 || !options_.early_start || !early_status_) return false;
  const tools::Tool* tool = parts_.registry->find(call.name);
  if (tool == nullptr || tool->effect() != tools::Effect::read_only) return false;
  if (call.name == tools::kSearchDocuments || is_client_tool(call.name)) return false;
  if (!missing_of(call).empty()) return false;
  if (calls_made_ + calls_begun_ > options_.budgets.tool_calls_max) return false;
  if (stop_.stop_requested() || parts_.clock->now() >= deadline_) return false;
  if (!recording_.has_intent(call)) early_status_ = recording_.write_intents({call});
  return early_status_.has_value() && early_.start(call, stop_, time_left());
}

}  // namespace facet::agent
