#include "prompts/json_io.h"

#include "base/json.h"
#include "prompts/json_fields.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

/// The string at `key`; empty when it is absent or null.
Result<std::string> text_at(const Json& object, const char* key, const std::string& pointer) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) return bad_field(pointer + "/" + key, "is not a string");
  return found->get<std::string>();
}

Result<std::string> name_at(const Json& object, const std::string& pointer) {
  FACET_TRY(std::string name, text_at(object, "name", pointer));
  if (name.empty()) return bad_field(pointer + "/name", "is missing");
  return name;
}

/// {"type":"function","function":{...}} or the inner object itself.
Result<const Json*> unwrap_function(const Json& object,
                                    std::initializer_list<std::string_view> wrapper_fields,
                                    const std::string& pointer) {
  if (!object.is_object()) return bad_field(pointer, "is not an object");
  const auto inner = object.find("function");
  if (inner == object.end()) return &object;
  FACET_TRY_STATUS(check_fields(object, wrapper_fields, pointer));
  const auto type = object.find("type");
  if (type != object.end() && *type != "function") {
    return bad_field(pointer + "/type", "is not \"function\"");
  }
  return &*inner;
}

Result<ToolCall> read_call(const Json& object, const std::string& pointer) {
  FACET_TRY(const Json* function, unwrap_function(object, {"id", "type", "function"}, pointer));
  const bool wrapped = function != &object;
  const std::string at = wrapped ? pointer + "/function" : pointer;
  if (wrapped) {
    FACET_TRY_STATUS(check_fields(*function, {"name", "arguments"}, at));
  } else {
    FACET_TRY_STATUS(check_fields(*function, {"id", "type", "name", "arguments"}, at));
  }
  ToolCall call;
  FACET_TRY(call.id, text_at(object, "id", pointer));
  FACET_TRY(call.name, name_at(*function, at));
  const auto arguments = function->find("arguments");
  if (arguments == function->end() || arguments->is_null()) return call;
  Json value = *arguments;
  if (value.is_string()) {
    const std::string text = value.get<std::string>();
    FACET_TRY(value,
              parse_json(text, "arguments of call \"" + call.name + "\"", kConversationLimits));
  }
  if (!value.is_object())
    return bad_field(at + "/arguments", "is neither an object nor the JSON of one");
  call.arguments = dump_json(value);
  return call;
}

/// Text and image parts. Each text is trimmed when there are several, as the templates do; a single
/// one is left to the dialect.
Status read_parts(const Json& parts, const std::string& pointer, Message& message) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string at = pointer + "/" + std::to_string(i);
    FACET_TRY_STATUS(check_fields(parts[i], {"type", "text"}, at));
    FACET_TRY(const std::string type, text_at(parts[i], "type", at));
    if (type == "image") {
      if (!texts.empty()) return bad_field(at, "an image must come before the text of its message");
      ++message.images;
    } else if (type == "text") {
      FACET_TRY(std::string text, text_at(parts[i], "text", at));
      texts.push_back(std::move(text));
    } else {
      return bad_field(at + "/type", "\"" + type + "\" is neither \"text\" nor \"image\"");
    }
  }
  if (texts.size() == 1) {
    message.content = texts.front();
  } else {
    for (const std::string& text : texts) message.content += strip(text);
  }
  return ok();
}

Status read_content(const Json& object, const std::string& pointer, Message& message) {
  const auto content = object.find("content");
  if (content == object.end() || content->is_null()) {
    if (message.role == Role::assistant) return ok();
    return bad_field(pointer + "/content", "is missing");
  }
  const std::string at = pointer + "/content";
  if (content->is_string()) {
    message.content = content->get<std::string>();
  } else if (message.role == Role::tool && content->is_structured()) {
    message.content = dump_json(*content);
    message.content_is_json = true;
  } else if (content->is_array()) {
    return read_parts(*content, at, message);
  } else {
    return bad_field(at, "Invalid content type");
  }
  return ok();
}

Result<Message> read_message(const Json& object, const std::string& pointer) {
  FACET_TRY_STATUS(
      check_fields(object, {"role", "content", "tool_calls", "name", "tool_call_id"}, pointer));
  Message message;
  FACET_TRY(const std::string role, text_at(object, "role", pointer));
  auto parsed_role = role_from_name(role);
  if (!parsed_role) return bad_field(pointer + "/role", parsed_role.error().message);
  message.role = *parsed_role;
  FACET_TRY(message.name, text_at(object, "name", pointer));
  FACET_TRY(message.tool_call_id, text_at(object, "tool_call_id", pointer));
  FACET_TRY_STATUS(read_content(object, pointer, message));
  const auto calls = object.find("tool_calls");
  if (calls == object.end() || calls->is_null()) return message;
  if (!calls->is_array()) return bad_field(pointer + "/tool_calls", "is not a list");
  for (std::size_t i = 0; i < calls->size(); ++i) {
    FACET_TRY(ToolCall call, read_call((*calls)[i], pointer + "/tool_calls/" + std::to_string(i)));
    message.tool_calls.push_back(std::move(call));
  }
  return message;
}

Result<ToolSpec> read_tool(const Json& object, const std::string& pointer) {
  FACET_TRY(const Json* function, unwrap_function(object, {"type", "function"}, pointer));
  const std::string at = function != &object ? pointer + "/function" : pointer;
  FACET_TRY_STATUS(check_fields(*function, {"name", "description", "parameters"}, at));
  ToolSpec tool;
  FACET_TRY(tool.name, name_at(*function, at));
  FACET_TRY(tool.description, text_at(*function, "description", at));
  const auto parameters = function->find("parameters");
  const bool absent = parameters == function->end() || parameters->is_null();
  if (!absent && !parameters->is_object()) return bad_field(at + "/parameters", "is not an object");
  tool.parameters = absent ? "{}" : dump_json(*parameters);
  return tool;
}

/// The name of the call with this id in the messages so far; empty when there is none.
std::string called_name(const std::vector<Message>& messages, const std::string& id) {
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    for (const ToolCall& call : message->tool_calls) {
      if (!id.empty() && call.id == id) return call.name;
    }
  }
  return "";
}

Result<std::vector<ToolSpec>> read_tool_list(const Json& tools, const std::string& pointer) {
  if (!tools.is_array()) return bad_field(pointer, "is not a list");
  std::vector<ToolSpec> out;
  for (std::size_t i = 0; i < tools.size(); ++i) {
    FACET_TRY(ToolSpec tool, read_tool(tools[i], pointer + "/" + std::to_string(i)));
    out.push_back(std::move(tool));
  }
  return out;
}

}  // namespace

Result<std::vector<ToolSpec>> read_tools(std::string_view json) {
  FACET_TRY(const Json root, parse_json(json, "tools", kConversationLimits));
  if (!root.is_object()) return read_tool_list(root, "");
  FACET_TRY_STATUS(check_fields(root, {"tools"}, ""));
  const auto tools = root.find("tools");
  if (tools == root.end()) return bad_field("/tools", "is not there");
  return read_tool_list(*tools, "/tools");
}

Result<RenderInput> read_render_input(std::string_view json) {
  FACET_TRY(const Json root, parse_json(json, "conversation", kConversationLimits));
  FACET_TRY_STATUS(check_fields(root, {"messages", "tools", "add_generation_prompt"}, ""));
  RenderInput input;
  const auto messages = root.find("messages");
  if (messages == root.end() || !messages->is_array())
    return bad_field("/messages", "is not a list");
  for (std::size_t i = 0; i < messages->size(); ++i) {
    FACET_TRY(Message message, read_message((*messages)[i], "/messages/" + std::to_string(i)));
    if (message.role == Role::tool && message.name.empty()) {
      message.name = called_name(input.messages, message.tool_call_id);
    }
    input.messages.push_back(std::move(message));
  }
  const auto tools = root.find("tools");
  if (tools != root.end() && !tools->is_null()) {
    FACET_TRY(input.tools, read_tool_list(*tools, "/tools"));
  }
  const auto prompt = root.find("add_generation_prompt");
  if (prompt != root.end()) {
    if (!prompt->is_boolean()) return bad_field("/add_generation_prompt", "is not true or false");
    input.add_generation_prompt = prompt->get<bool>();
  }
  return input;
}

std::string write_parsed_output(const ParsedOutput& output) {
  // Arguments are spliced in as text, so that numbers keep all their digits.
  std::string out = "{\"text\":" + json_quote(output.text) + ",\"tool_calls\":[";
  bool first = true;
  for (const ToolCall& call : output.tool_calls) {
    if (!std::exchange(first, false)) out += ',';
    out += "{\"name\":" + json_quote(call.name) + ",\"arguments\":" + call.arguments + "}";
  }
  return out + "]}";
}

}  // namespace facet::prompts
