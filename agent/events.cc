#include "agent/events.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

std::string_view run_finish_name(RunFinish finish) {
  switch (finish) {
    case RunFinish::answered:
      return "answered";
    case RunFinish::client_tools:
      return "client_tools";
    case RunFinish::limit:
      return "limit";
    case RunFinish::approval_needed:
      return "approval_needed";
    case RunFinish::cancelled:
      return "cancelled";
    case RunFinish::failed:
      return "failed";
  }
  return "failed";
}

ordered_json error_json(const Error& error) {
  return {{"code", code_name(error.code)}, {"message", error.message}};
}

ordered_json json_or_string(std::string_view text) {
  if (auto json = parse_json(text, "value")) return *std::move(json);
  return std::string(text);
}

namespace {

ordered_json call_json(const ToolCall& call) {
  return {{"id", call.id}, {"name", call.name}, {"arguments", json_or_string(call.arguments)}};
}

ordered_json call_record_json(const CallRecord& record) {
  ordered_json json = call_json(record.call);
  json["output"] = json_or_string(record.output.content);
  json["is_error"] = record.output.is_error;
  json["outcome"] = record.outcome;
  json["elapsed_ms"] = record.elapsed.count();
  return json;
}

struct EventWriter {
  ordered_json operator()(const RunStarted& event) const {
    return {{"type", "run_started"},
            {"run_id", event.run_id},
            {"question", event.question},
            {"model", event.model},
            {"resumed", event.is_resumed}};
  }
  ordered_json operator()(const PlanMade& event) const {
    return {{"type", "plan"}, {"text", event.text}, {"steps", event.steps}};
  }
  ordered_json operator()(const TextDelta& event) const {
    return {{"type", "text_delta"}, {"step", event.step}, {"text", event.text}};
  }
  ordered_json operator()(const ToolCallStarted& event) const {
    return {{"type", "tool_call_started"}, {"id", event.id}, {"name", event.name}};
  }
  ordered_json operator()(const ToolArgumentsDelta& event) const {
    return {{"type", "tool_call_delta"}, {"id", event.id}, {"delta", event.text}};
  }
  ordered_json operator()(const ToolCallClosed& event) const {
    ordered_json json = {{"type", "tool_call_closed"}};
    json.update(call_json(event.call));
    json["running"] = event.is_running;
    return json;
  }
  ordered_json operator()(const ToolCalled& event) const {
    ordered_json json = {{"type", "tool_call"}};
    json.update(call_json(event.call));
    return json;
  }
  ordered_json operator()(const ToolReturned& event) const {
    ordered_json json = {{"type", "tool_result"}};
    json.update(call_record_json({.call = event.call,
                                  .output = event.output,
                                  .outcome = event.outcome,
                                  .elapsed = event.elapsed}));
    json["replayed"] = event.is_replayed;
    return json;
  }
  ordered_json operator()(const PictureFound& event) const {
    ordered_json json = {{"type", "picture"},
                         {"passage_id", event.passage_id},
                         {"document", event.document},
                         {"shown", event.not_shown.empty()}};
    if (!event.not_shown.empty()) json["reason"] = event.not_shown;
    return json;
  }
  ordered_json operator()(const SchemaRelaxed& event) const {
    return {{"type", "schema_relaxed"}, {"pointer", event.pointer}, {"message", event.message}};
  }
  ordered_json operator()(const TrainingExceeded& event) const {
    return {{"type", "training_exceeded"},
            {"tokens", event.tokens},
            {"trained_tokens", event.trained_tokens}};
  }
  ordered_json operator()(const CitationFound& event) const {
    ordered_json json = {{"type", "citation"}};
    json.update(citation_json(event.citation));
    return json;
  }
  ordered_json operator()(const StepFinished& event) const {
    return {{"type", "step"},
            {"step", event.step},
            {"finish_reason", engine::finish_reason_name(event.result.finish_reason)},
            {"usage", usage_json(event.result.usage)},
            {"timings",
             {{"prefill_ms", event.result.prefill_ms}, {"decode_ms", event.result.decode_ms}}},
            {"replayed", event.is_replayed}};
  }
  ordered_json operator()(const RunFinished& event) const {
    const bool failed = event.result.finish == RunFinish::failed;
    ordered_json json = {{"type", failed ? "error" : "run_finished"}};
    json.update(run_result_json(event.result));
    return json;
  }
};

}  // namespace

ordered_json event_json(const Event& event) {
  return std::visit(EventWriter{}, event);
}

std::string warning_of(const Event& event) {
  if (const auto* relaxed = std::get_if<SchemaRelaxed>(&event)) {
    return relaxed->pointer + ": " + relaxed->message;
  }
  if (const auto* longer = std::get_if<TrainingExceeded>(&event)) {
    return "the conversation has " + std::to_string(longer->tokens) +
           " tokens, and the model was trained on up to " + std::to_string(longer->trained_tokens) +
           ": what it says may be worse from here on";
  }
  return {};
}

ordered_json run_result_json(const RunResult& result) {
  ordered_json citations = ordered_json::array();
  for (const Citation& citation : result.citations) citations.push_back(citation_json(citation));
  ordered_json calls = ordered_json::array();
  for (const CallRecord& record : result.calls) calls.push_back(call_record_json(record));
  ordered_json json = {
      {"run_id", result.run_id},
      {"finish_reason", run_finish_name(result.finish)},
      {"answer", result.answer},
      {"plan", result.plan},
      {"citations", std::move(citations)},
      {"tool_calls", std::move(calls)},
      {"usage", usage_json(result.usage)},
      {"steps", result.steps},
      {"timings", {{"prefill_ms", result.prefill_ms}, {"decode_ms", result.decode_ms}}}};
  if (result.is_answer_json) json["value"] = json_or_string(result.answer);
  if (!result.client_calls.empty()) {
    ordered_json waiting = ordered_json::array();
    for (const ToolCall& call : result.client_calls) waiting.push_back(call_json(call));
    json["client_calls"] = std::move(waiting);
  }
  if (result.finish != RunFinish::answered && result.finish != RunFinish::client_tools) {
    json["error"] = error_json(result.error);
  }
  return json;
}

}  // namespace facet::agent
