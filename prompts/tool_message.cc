#include "prompts/tool_message.h"

#include <nlohmann/json.hpp>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

Result<ToolResponse> read_mapping(const Json& mapping, const Message& message, std::size_t index) {
  if (!mapping.is_object()) return bad_message(index, "a tool response is not a mapping");
  if (mapping.contains("name") && mapping.contains("response")) {
    if (!mapping["name"].is_string()) {
      return bad_message(index, "the name of a tool response is not a string");
    }
    return ToolResponse{mapping["name"].get<std::string>(), dump_json(mapping["response"])};
  }
  if (message.name.empty()) {
    return bad_message(index,
                       "a tool response needs \"name\" and \"response\", or a name in the message");
  }
  return ToolResponse{message.name, dump_json(mapping)};
}

}  // namespace

Error bad_message(std::size_t index, const std::string& rule) {
  return Error{Code::invalid_argument, "message " + std::to_string(index) + ": " + rule};
}

Status check_system_message(const Message& message) {
  if (message.images != 0 || !message.tool_calls.empty()) {
    return bad_message(0, "a " + std::string(role_name(message.role)) + " message holds text only");
  }
  return ok();
}

Result<std::vector<ToolResponse>> read_tool_message(const Message& message, std::size_t index) {
  if (message.images != 0) return bad_message(index, "a tool message cannot hold images");
  Json content = message.content;
  if (message.content_is_json) {
    auto parsed = parse_json(message.content, "content", kResponseLimits);
    if (!parsed) return bad_message(index, parsed.error().message);
    content = *std::move(parsed);
  }
  std::vector<ToolResponse> responses;
  if (content.is_array()) {
    if (content.empty()) return bad_message(index, "a tool message holds no response");
    for (const Json& item : content) {
      FACET_TRY(ToolResponse response, read_mapping(item, message, index));
      responses.push_back(std::move(response));
    }
  } else if (content.is_object()) {
    FACET_TRY(ToolResponse response, read_mapping(content, message, index));
    responses.push_back(std::move(response));
  } else if (message.name.empty()) {
    return bad_message(index, "a tool response needs a name");
  } else {
    responses.push_back({message.name, dump_json(content)});
  }
  return responses;
}

Result<std::vector<ToolResponse>> pair_tool_outputs(const std::vector<ToolCall>& calls,
                                                    const std::vector<ToolOutput>& outputs) {
  if (calls.empty() || calls.size() != outputs.size()) {
    return Error{Code::invalid_argument,
                 std::to_string(outputs.size()) + " tool outputs for " +
                     std::to_string(calls.size()) + " calls"};
  }
  std::vector<ToolResponse> responses;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::string what = "output of tool \"" + calls[i].name + "\"";
    FACET_TRY(const Json content, parse_json(outputs[i].content, what, kResponseLimits));
    responses.push_back({calls[i].name, dump_json(content)});
  }
  return responses;
}

}  // namespace facet::prompts
