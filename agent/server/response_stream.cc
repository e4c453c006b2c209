#include "agent/server/response_stream.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace facet::agent {

using Json = nlohmann::ordered_json;

namespace {

Json message_item(const std::string& id, std::string_view status, const std::string& text) {
  Json content = Json::array();
  if (!text.empty()) {
    content.push_back({{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}});
  }
  return {{"type", "message"},
          {"id", id},
          {"role", "assistant"},
          {"status", status},
          {"content", std::move(content)}};
}

std::string random_id(std::string_view prefix) {
  std::random_device device;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id(prefix);
  for (int i = 0; i < 16; ++i) id += kDigits[device() % kDigits.size()];
  return id;
}

}  // namespace

std::string error_event(const Error& error, std::int64_t sequence_number) {
  return dump_json({{"type", "error"},
                    {"code", code_name(error.code)},
                    {"message", error.message},
                    {"sequence_number", sequence_number}});
}

ResponseStream::ResponseStream(std::string response_id,
                               std::string model,
                               std::int64_t created_at,
                               std::vector<std::string> client_tools,
                               Send send)
    : id_(std::move(response_id)),
      model_(std::move(model)),
      created_at_(created_at),
      client_tools_(std::move(client_tools)),
      send_(std::move(send)) {}

void ResponseStream::send(Json event) {
  event["sequence_number"] = sequence_++;
  send_(dump_json(event));
}

Json ResponseStream::response_json(std::string_view status) const {
  Json output = Json::array();
  for (const std::string& item : items_) {
    if (!item.empty()) output.push_back(json_or_string(item));
  }
  return {{"id", id_},
          {"object", "response"},
          {"created_at", created_at_},
          {"status", status},
          {"model", model_},
          {"output", std::move(output)}};
}

void ResponseStream::begin() {
  send({{"type", "response.created"}, {"response", response_json("in_progress")}});
}

std::size_t ResponseStream::add_item() {
  items_.emplace_back();
  return items_.size() - 1;
}

void ResponseStream::finish_item(std::size_t index, const Json& item) {
  send({{"type", "response.output_item.done"}, {"output_index", index}, {"item", item}});
  items_[index] = dump_json(item);
}

void ResponseStream::add_text(std::string_view delta) {
  if (!text_index_) {
    text_index_ = add_item();
    send({{"type", "response.output_item.added"},
          {"output_index", *text_index_},
          {"item", message_item("msg_" + std::to_string(*text_index_), "in_progress", "")}});
  }
  text_ += delta;
  send({{"type", "response.output_text.delta"},
        {"item_id", "msg_" + std::to_string(*text_index_)},
        {"output_index", *text_index_},
        {"content_index", 0},
        {"delta", delta}});
}

void ResponseStream::close_text() {
  if (!text_index_) return;
  const std::size_t index = *std::exchange(text_index_, std::nullopt);
  const std::string item_id = "msg_" + std::to_string(index);
  const std::string text = std::exchange(text_, {});
  send({{"type", "response.output_text.done"},
        {"item_id", item_id},
        {"output_index", index},
        {"content_index", 0},
        {"text", text}});
  finish_item(index, message_item(item_id, "completed", text));
}

std::string_view ResponseStream::runs_on(std::string_view tool) const {
  const bool is_client =
      std::find(client_tools_.begin(), client_tools_.end(), tool) != client_tools_.end();
  return is_client ? "client" : "server";
}

Json ResponseStream::call_item(const OpenCall& open, std::string_view status) const {
  return {{"type", "function_call"},
          {"id", "fc_" + std::to_string(open.index)},
          {"call_id", open.call.id},
          {"name", open.call.name},
          {"arguments", open.call.arguments},
          {"status", status},
          {"runs_on", runs_on(open.call.name)}};
}

/// The item of the call `id`, which is added where it is not there yet.
ResponseStream::OpenCall& ResponseStream::open_call(const std::string& id,
                                                    const std::string& name) {
  for (OpenCall& open : open_calls_) {
    if (open.call.id == id) return open;
  }
  close_text();
  open_calls_.push_back({.call = {.id = id, .name = name, .arguments = ""}, .index = add_item()});
  const OpenCall& open = open_calls_.back();
  send({{"type", "response.output_item.added"},
        {"output_index", open.index},
        {"item", call_item(open, "in_progress")}});
  return open_calls_.back();
}

void ResponseStream::add_arguments(OpenCall& open, std::string_view delta) {
  open.call.arguments += delta;
  send({{"type", "response.function_call_arguments.delta"},
        {"item_id", "fc_" + std::to_string(open.index)},
        {"output_index", open.index},
        {"delta", delta}});
}

void ResponseStream::close_arguments(OpenCall& open, const std::string& arguments) {
  if (std::exchange(open.has_all_arguments, true)) return;
  // What did not stream, as when a run is put back from its journal, comes in one piece.
  if (arguments.size() > open.call.arguments.size()) {
    add_arguments(open, std::string_view(arguments).substr(open.call.arguments.size()));
  }
  send({{"type", "response.function_call_arguments.done"},
        {"item_id", "fc_" + std::to_string(open.index)},
        {"output_index", open.index},
        {"call_id", open.call.id},
        {"name", open.call.name},
        {"arguments", arguments},
        {"runs_on", runs_on(open.call.name)}});
}

void ResponseStream::finish_call(const ToolCall& call) {
  OpenCall& open = open_call(call.id, call.name);
  close_arguments(open, call.arguments);
  finish_item(open.index, call_item(open, "completed"));
  std::erase_if(open_calls_, [&](const OpenCall& other) { return other.call.id == call.id; });
}

/// Their turn was cut off or cannot be read: nobody runs them.
void ResponseStream::abandon_calls() {
  for (const OpenCall& open : std::exchange(open_calls_, {})) {
    finish_item(open.index, call_item(open, "incomplete"));
  }
}

void ResponseStream::finish(const RunResult& result) {
  close_text();
  abandon_calls();
  if (result.finish == RunFinish::failed || result.finish == RunFinish::approval_needed) {
    return fail(result.error);
  }
  const bool is_complete =
      result.finish == RunFinish::answered || result.finish == RunFinish::client_tools;
  Json response = response_json(is_complete ? "completed" : "incomplete");
  if (!is_complete) {
    response["incomplete_details"] = {
        {"reason", result.finish == RunFinish::cancelled ? "cancelled" : "limit"},
        {"message", result.error.message}};
  }
  const Json run = run_result_json(result);
  response["citations"] = run.at("citations");
  response["usage"] = {
      {"input_tokens", result.usage.prompt_tokens},
      {"input_tokens_details", {{"cached_tokens", result.usage.cached_tokens}}},
      {"output_tokens", result.usage.completion_tokens},
      {"output_tokens_details", {{"forced_tokens", result.usage.forced_tokens}}},
      {"total_tokens", result.usage.prompt_tokens + result.usage.completion_tokens}};
  send({{"type", is_complete ? "response.completed" : "response.incomplete"},
        {"response", std::move(response)}});
}

void ResponseStream::fail(const Error& error) {
  send_(error_event(error, sequence_++));
}

void ResponseStream::handle(const Event& event) {
  if (const auto* text = std::get_if<TextDelta>(&event)) {
    add_text(text->text);
  } else if (const auto* plan = std::get_if<PlanMade>(&event)) {
    send({{"type", "facet.plan"}, {"steps", plan->steps}});
  } else if (const auto* started = std::get_if<ToolCallStarted>(&event)) {
    open_call(started->id, started->name);
  } else if (const auto* delta = std::get_if<ToolArgumentsDelta>(&event)) {
    for (OpenCall& open : open_calls_) {
      if (open.call.id == delta->id) add_arguments(open, delta->text);
    }
  } else if (const auto* closed = std::get_if<ToolCallClosed>(&event)) {
    close_arguments(open_call(closed->call.id, closed->call.name), closed->call.arguments);
  } else if (const auto* step = std::get_if<StepFinished>(&event)) {
    const bool is_whole = step->result.finish_reason == engine::FinishReason::stop;
    if (!is_whole || !step->result.parse_error.empty()) abandon_calls();
  } else if (const auto* called = std::get_if<ToolCalled>(&event)) {
    finish_call(called->call);
  } else if (const auto* returned = std::get_if<ToolReturned>(&event)) {
    send({{"type", "facet.tool_result"},
          {"call_id", returned->call.id},
          {"name", returned->call.name},
          {"outcome", returned->outcome},
          {"output", json_or_string(returned->output.content)}});
  } else if (const auto* relaxed = std::get_if<SchemaRelaxed>(&event)) {
    send({{"type", "facet.warning"}, {"pointer", relaxed->pointer}, {"message", relaxed->message}});
  } else if (std::holds_alternative<TrainingExceeded>(event)) {
    send({{"type", "facet.warning"}, {"message", warning_of(event)}});
  } else if (const auto* finished = std::get_if<RunFinished>(&event)) {
    finish(finished->result);
  }
}

std::string new_response_id() {
  return random_id("resp_");
}

}  // namespace facet::agent
