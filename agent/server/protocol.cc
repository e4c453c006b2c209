#include "agent/server/protocol.h"

#include "agent/server/base64.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kItemsMax = 1000;
constexpr std::size_t kToolsMax = 128;
constexpr std::size_t kToolNameBytesMax = 64;

Error wrong(const std::string& field, const std::string& what) {
  return Error{Code::invalid_argument, "\"" + field + "\" " + what};
}

Status only_fields(const Json& object,
                   const std::vector<std::string_view>& known,
                   const std::string& where) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string message = "unknown field \"";
      message.append(key).append("\" in ").append(where);
      return Error{Code::invalid_argument, std::move(message)};
    }
  }
  return ok();
}

Result<std::string> text_field(const Json& object, const std::string& key, bool is_required) {
  if (!object.contains(key) || object.at(key).is_null()) {
    if (is_required) return wrong(key, "is missing");
    return std::string();
  }
  if (!object.at(key).is_string()) return wrong(key, "is not a string");
  return object.at(key).get<std::string>();
}

/// The file in a data URL, "data:image/png;base64,...". The format is told from the bytes later.
Result<std::string> data_url_bytes(const std::string& url) {
  constexpr std::string_view kBegin = "data:image/";
  constexpr std::string_view kMark = ";base64,";
  constexpr std::size_t kHeadBytesMax = 64;
  const std::size_t mark = url.substr(0, kHeadBytesMax).find(kMark);
  if (!url.starts_with(kBegin) || mark == std::string::npos) {
    return wrong("image_url",
                 "is not a data URL with base64 (data:image/png;base64,...): nothing is fetched");
  }
  auto bytes = decode_base64(std::string_view(url).substr(mark + kMark.size()), kPictureBytesMax);
  if (!bytes) return bytes.error().with_context("\"image_url\"");
  if (bytes->empty()) return wrong("image_url", "holds no bytes");
  return bytes;
}

Status read_picture_part(const Json& part, Message& message, CreateRequest& request) {
  FACET_TRY_STATUS(only_fields(part, {"type", "image_url", "detail"}, "a picture"));
  if (message.role != Role::user) return wrong("content", "of an assistant holds a picture");
  if (!message.content.empty()) {
    return wrong("content", "holds a picture behind text: pictures come first");
  }
  if (request.pictures.size() == kPicturesMax) {
    return Error{Code::limit_exceeded,
                 "the request holds more than " + std::to_string(kPicturesMax) + " pictures"};
  }
  FACET_TRY(const std::string detail, text_field(part, "detail", false));
  if (!detail.empty() && detail != "auto" && detail != "low" && detail != "high") {
    return wrong("detail", "is \"" + detail + "\"; known are auto, low and high");
  }
  FACET_TRY(const std::string url, text_field(part, "image_url", true));
  RequestPicture picture{.pan_and_scan = detail == "high"};
  FACET_TRY(picture.bytes, data_url_bytes(url));
  request.pictures.push_back(std::move(picture));
  ++message.images;
  return ok();
}

/// A string, or a list of {"type": "input_text" | "output_text" | "text", "text"} and pictures.
Status read_content(const Json& content, Message& message, CreateRequest& request) {
  if (content.is_string()) {
    message.content = content.get<std::string>();
    return ok();
  }
  if (!content.is_array()) return wrong("content", "is neither a string nor a list of parts");
  for (const Json& part : content) {
    if (!part.is_object()) return wrong("content", "holds a part that is not an object");
    FACET_TRY(const std::string type, text_field(part, "type", true));
    if (type == "input_image") {
      FACET_TRY_STATUS(read_picture_part(part, message, request));
      continue;
    }
    if (type != "input_text" && type != "output_text" && type != "text") {
      return wrong("content", "holds a part of type \"" + type + "\", which is not handled");
    }
    FACET_TRY(const std::string text, text_field(part, "text", true));
    message.content += text;
  }
  return ok();
}

Status read_message(const Json& item, CreateRequest& request) {
  FACET_TRY_STATUS(only_fields(item, {"type", "role", "content", "id", "status"}, "a message"));
  FACET_TRY(const std::string role_text, text_field(item, "role", true));
  FACET_TRY(const Role role, role_from_name(role_text));
  if (role != Role::user && role != Role::assistant) {
    return wrong("role",
                 "of an input message is user or assistant, not " + role_text +
                     "; use \"instructions\" for the system's part");
  }
  if (!item.contains("content")) return wrong("content", "is missing");
  Message message{.role = role};
  FACET_TRY_STATUS(read_content(item.at("content"), message, request));
  request.messages.push_back(std::move(message));
  return ok();
}

Status read_item(const Json& item, CreateRequest& request) {
  if (!item.is_object()) return wrong("input", "holds an item that is not an object");
  FACET_TRY(const std::string type, text_field(item, "type", false));
  if (type.empty() || type == "message") return read_message(item, request);
  if (type != "function_call_output") {
    return wrong("input", "holds an item of type \"" + type + "\", which is not handled");
  }
  FACET_TRY_STATUS(only_fields(item, {"type", "call_id", "output", "id", "status"}, "an output"));
  FunctionCallOutput output;
  FACET_TRY(output.call_id, text_field(item, "call_id", true));
  FACET_TRY(output.output, text_field(item, "output", true));
  request.outputs.push_back(std::move(output));
  return ok();
}

Status read_input(const Json& message, CreateRequest& request) {
  if (!message.contains("input")) return wrong("input", "is missing");
  const Json& input = message.at("input");
  if (input.is_string()) {
    request.messages.push_back({.role = Role::user, .content = input.get<std::string>()});
    return ok();
  }
  if (!input.is_array() || input.empty() || input.size() > kItemsMax) {
    return wrong("input",
                 "is neither a string nor a list of 1 to " + std::to_string(kItemsMax) + " items");
  }
  for (const Json& item : input) FACET_TRY_STATUS(read_item(item, request));
  return ok();
}

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kToolNameBytesMax &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-';
         });
}

Status read_tools(const Json& message, CreateRequest& request) {
  if (!message.contains("tools")) return ok();
  const Json& tools = message.at("tools");
  if (!tools.is_array() || tools.size() > kToolsMax) {
    return wrong("tools", "is not a list of at most " + std::to_string(kToolsMax));
  }
  for (const Json& tool : tools) {
    if (!tool.is_object()) return wrong("tools", "holds an entry that is not an object");
    FACET_TRY(const std::string type, text_field(tool, "type", true));
    if (type != "function") {
      return wrong("tools", "holds an entry of type \"" + type + "\", which is not handled");
    }
    FACET_TRY_STATUS(
        only_fields(tool, {"type", "name", "description", "parameters", "strict"}, "a tool"));
    ToolSpec spec;
    FACET_TRY(spec.name, text_field(tool, "name", true));
    if (!is_tool_name(spec.name)) {
      return wrong("name",
                   "of a tool is 1 to 64 letters, digits, _ and -, not " +
                       json_quote(spec.name.substr(0, kToolNameBytesMax)));
    }
    FACET_TRY(spec.description, text_field(tool, "description", false));
    if (tool.contains("parameters") && !tool.at("parameters").is_null()) {
      if (!tool.at("parameters").is_object()) return wrong("parameters", "is not an object");
      spec.parameters = dump_json(tool.at("parameters"));
    }
    request.tools.push_back(std::move(spec));
  }
  return ok();
}

Result<std::optional<double>> number_field(const Json& message, const std::string& key) {
  if (!message.contains(key) || message.at(key).is_null()) return std::optional<double>();
  if (!message.at(key).is_number()) return wrong(key, "is not a number");
  const auto value = message.at(key).get<double>();
  if (!std::isfinite(value)) return wrong(key, "is not a finite number");
  return std::optional<double>(value);
}

template <typename T>
Result<std::optional<T>> integer_field(const Json& message, const std::string& key, T min) {
  if (!message.contains(key) || message.at(key).is_null()) return std::optional<T>();
  const Json& value = message.at(key);
  const bool fits = value.is_number_integer() &&
                    (value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                                : std::in_range<T>(value.get<std::int64_t>()));
  if (!fits) return wrong(key, "is not an integer in range");
  const T number = value.get<T>();
  if (number < min) return wrong(key, "is less than " + std::to_string(min));
  return std::optional<T>(number);
}

Status read_tool_choice(const Json& message, CreateRequest& request) {
  if (message.contains("parallel_tool_calls") && !message.at("parallel_tool_calls").is_null()) {
    const Json& parallel = message.at("parallel_tool_calls");
    if (!parallel.is_boolean()) return wrong("parallel_tool_calls", "is neither true nor false");
    request.parallel_tool_calls = parallel.get<bool>();
  }
  if (!message.contains("tool_choice") || message.at("tool_choice").is_null()) return ok();
  const Json& choice = message.at("tool_choice");
  if (choice.is_string()) {
    const auto& name = choice.get_ref<const std::string&>();
    if (name != "auto" && name != "none" && name != "required") {
      return wrong("tool_choice", "is " + json_quote(name) + "; known are auto, none, required");
    }
    request.tool_choice = prompts::tool_choice_from_name(name);
    return ok();
  }
  if (!choice.is_object()) return wrong("tool_choice", "is neither a string nor an object");
  FACET_TRY_STATUS(only_fields(choice, {"type", "name"}, "\"tool_choice\""));
  FACET_TRY(const std::string type, text_field(choice, "type", true));
  if (type != "function") {
    return wrong("tool_choice", "is of type \"" + type + "\", which is not handled");
  }
  prompts::ToolChoice named{.mode = prompts::ToolChoice::Mode::named};
  FACET_TRY(named.name, text_field(choice, "name", true));
  request.tool_choice = std::move(named);
  return ok();
}

/// {"format": {"type": "text"}} or {"format": {"type": "json_schema", "name", "schema"}}.
Status read_text_format(const Json& message, CreateRequest& request) {
  if (!message.contains("text") || message.at("text").is_null()) return ok();
  const Json& text = message.at("text");
  if (!text.is_object()) return wrong("text", "is not an object");
  FACET_TRY_STATUS(only_fields(text, {"format"}, "\"text\""));
  if (!text.contains("format") || text.at("format").is_null()) return ok();
  const Json& format = text.at("format");
  if (!format.is_object()) return wrong("format", "is not an object");
  FACET_TRY(const std::string type, text_field(format, "type", true));
  if (type == "text") return only_fields(format, {"type"}, "\"format\"");
  if (type != "json_schema") {
    return wrong("format", "is of type \"" + type + "\"; known are text and json_schema");
  }
  FACET_TRY_STATUS(
      only_fields(format, {"type", "name", "description", "schema", "strict"}, "\"format\""));
  if (!format.contains("schema") || !format.at("schema").is_object()) {
    return wrong("schema", "is not an object");
  }
  request.answer_schema = dump_json(format.at("schema"));
  return ok();
}

Result<ClientMessage> read_create(const Json& message) {
  FACET_TRY_STATUS(only_fields(message,
                               {"type",
                                "model",
                                "input",
                                "instructions",
                                "tools",
                                "previous_response_id",
                                "max_output_tokens",
                                "temperature",
                                "top_p",
                                "seed",
                                "stream",
                                "tool_choice",
                                "parallel_tool_calls",
                                "max_tool_calls",
                                "text"},
                               "response.create"));
  FACET_TRY([[maybe_unused]] const std::string model, text_field(message, "model", false));
  if (message.contains("stream") && message.at("stream") != true) {
    return wrong("stream", "is always true on a websocket");
  }
  CreateRequest request;
  FACET_TRY_STATUS(read_input(message, request));
  FACET_TRY_STATUS(read_tools(message, request));
  FACET_TRY(request.instructions, text_field(message, "instructions", false));
  FACET_TRY(request.previous_response_id, text_field(message, "previous_response_id", false));
  FACET_TRY(request.max_output_tokens,
            integer_field<std::int64_t>(message, "max_output_tokens", 1));
  FACET_TRY(request.seed, integer_field<std::uint64_t>(message, "seed", 0));
  FACET_TRY(request.temperature, number_field(message, "temperature"));
  FACET_TRY(request.top_p, number_field(message, "top_p"));
  FACET_TRY(request.max_tool_calls, integer_field<std::int64_t>(message, "max_tool_calls", 1));
  FACET_TRY_STATUS(read_tool_choice(message, request));
  FACET_TRY_STATUS(read_text_format(message, request));
  const bool ends_with_user =
      !request.messages.empty() && request.messages.back().role == Role::user;
  if (!request.outputs.empty() && !request.messages.empty()) {
    return wrong("input", "holds messages beside function_call_output items");
  }
  if (request.outputs.empty() && !ends_with_user) {
    return wrong("input", "does not end with a user's message");
  }
  return ClientMessage(std::move(request));
}

}  // namespace

Result<ClientMessage> parse_client_message(std::string_view text) {
  FACET_TRY(const Json message, parse_json(text, "message", {.nesting_depth_max = 64}));
  if (!message.is_object()) return Error{Code::invalid_argument, "the message is not an object"};
  FACET_TRY(const std::string type, text_field(message, "type", true));
  if (type == "response.create") return read_create(message);
  if (type == "response.cancel") {
    FACET_TRY_STATUS(only_fields(message, {"type", "response_id"}, "response.cancel"));
    FACET_TRY(std::string id, text_field(message, "response_id", false));
    return ClientMessage(CancelRequest{std::move(id)});
  }
  return wrong("type", "is \"" + type + "\"; known are response.create and response.cancel");
}

Status check_follows(const CreateRequest& first, const CreateRequest& next) {
  const auto differs = [](const std::string& field) {
    return wrong(field,
                 "is not that of the first response: leave it out beside previous_response_id");
  };
  if (next.messages.size() > 1) {
    return wrong("input", "holds earlier messages beside previous_response_id");
  }
  if (!next.instructions.empty() && next.instructions != first.instructions) {
    return differs("instructions");
  }
  const auto is_same = [](const ToolSpec& a, const ToolSpec& b) {
    return a.name == b.name && a.description == b.description && a.parameters == b.parameters;
  };
  const bool has_same_tools = std::equal(
      first.tools.begin(), first.tools.end(), next.tools.begin(), next.tools.end(), is_same);
  if (!next.tools.empty() && !has_same_tools) return differs("tools");
  if (next.max_output_tokens && next.max_output_tokens != first.max_output_tokens) {
    return differs("max_output_tokens");
  }
  if (next.temperature && next.temperature != first.temperature) return differs("temperature");
  if (next.top_p && next.top_p != first.top_p) return differs("top_p");
  if (next.seed && next.seed != first.seed) return differs("seed");
  if (next.tool_choice && next.tool_choice != first.tool_choice) return differs("tool_choice");
  if (next.parallel_tool_calls && next.parallel_tool_calls != first.parallel_tool_calls) {
    return differs("parallel_tool_calls");
  }
  if (next.max_tool_calls && next.max_tool_calls != first.max_tool_calls) {
    return differs("max_tool_calls");
  }
  if (!next.answer_schema.empty() && next.answer_schema != first.answer_schema) {
    return differs("text");
  }
  return ok();
}

}  // namespace facet::agent
