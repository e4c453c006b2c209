#include "prompts/gemma3_calls.h"

#include "prompts/json_fields.h"
#include "prompts/python_calls.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormHead =
    "You have access to functions. If you decide to invoke any of the function(s),\n you MUST put "
    "it in the format of\n";
constexpr std::string_view kPythonForm =
    "[func_name1(params_name1=params_value1, params_name2=params_value2...), func_name2(params)]";
constexpr std::string_view kJsonForm =
    R"({"name": function name, "parameters": dictionary of argument name and its value})";
constexpr std::string_view kFormFoot =
    "\n\nYou SHOULD NOT include any other text in the response if you call a function\n";
constexpr std::string_view kToolCodeHead =
    "At each turn, if you decide to invoke any of the function(s), it should be wrapped with "
    "```tool_code```. The python methods described below are imported and available, you can only "
    "use defined methods. The generated code should be readable and efficient. The response to a "
    "method will be wrapped in ```tool_output``` use it to call more tools or generate a helpful, "
    "friendly response. When using a ```tool_call``` think step by step why and how it should be "
    "used.\n\nThe following Python methods are available:\n\n```python\n";

/// Python's name for the type of a parameter.
std::string annotation(const Json& schema) {
  if (!schema.is_object()) return "Any";
  if (const auto values = schema.find("enum"); values != schema.end() && values->is_array()) {
    const std::string list = python_literal(*values);
    return "Literal" + (list == "[]" ? "[None]" : list);
  }
  const auto type = schema.find("type");
  if (type == schema.end() || !type->is_string()) return "Any";
  const std::string& name = type->get_ref<const std::string&>();
  if (name == "string") return "str";
  if (name == "integer") return "int";
  if (name == "number") return "float";
  if (name == "boolean") return "bool";
  if (name == "object") return "dict";
  if (name != "array") return "Any";
  const auto items = schema.find("items");
  const std::string item = items == schema.end() ? "Any" : annotation(*items);
  return item == "Any" ? "list" : "list[" + item + "]";
}

/// `print(f())` is a call of f, so a tool of that name would never be called.
bool is_callable_name(std::string_view name) {
  return is_python_name(name) && name != "print";
}

/// Text inside a docstring, where three quotes would end it.
std::string docstring_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' || text.substr(i, 3) == R"(""")") out += '\\';
    out += text[i];
  }
  return out;
}

struct Parameter {
  std::string name;
  std::string declared;  ///< "name: type" or "name: type = default".
  std::string description;
  bool has_default = false;
};

std::vector<Parameter> list_parameters(const Json& schema) {
  std::vector<Parameter> parameters;
  const auto properties = schema.find("properties");
  if (properties == schema.end() || !properties->is_object()) return parameters;
  const auto required = schema.find("required");
  for (const auto& [name, property] : properties->items()) {
    Parameter parameter{.name = name, .declared = name + ": " + annotation(property)};
    const bool has_value = property.is_object() && property.contains("default");
    const bool needed = required != schema.end() && required->is_array() &&
                        std::find(required->begin(), required->end(), name) != required->end();
    parameter.has_default = has_value || !needed;
    if (has_value) {
      parameter.declared += " = " + python_literal(property["default"]);
    } else if (!needed) {
      parameter.declared += " = None";
    }
    if (property.is_object() && property.contains("description") &&
        property["description"].is_string()) {
      parameter.description = property["description"].get<std::string>();
    }
    parameters.push_back(std::move(parameter));
  }
  std::stable_partition(parameters.begin(), parameters.end(), [](const Parameter& parameter) {
    return !parameter.has_default;
  });
  return parameters;
}

Status write_signature(const ToolSpec& tool, SegmentWriter& out) {
  FACET_TRY(const Json schema, parse_parameters(tool));
  const std::vector<Parameter> parameters = list_parameters(schema);
  out.control("def ");
  out.data(tool.name);
  out.control("(");
  bool described = false;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (i != 0) out.control(", ");
    out.data(parameters[i].declared);
    described = described || !parameters[i].description.empty();
  }
  out.control("):\n    \"\"\"");
  out.data(docstring_text(tool.description));
  if (described) {
    out.control("\n\n    Args:\n");
    for (const Parameter& parameter : parameters) {
      out.control("        ");
      out.data(parameter.name);
      out.control(": ");
      out.data(docstring_text(parameter.description));
      out.control("\n");
    }
    out.control("    ");
  }
  out.control("\"\"\"\n");
  return ok();
}

/// `f(a=1, **{"b-c": 2})`.
Status write_python_call(const ToolCall& call, SegmentWriter& out) {
  FACET_TRY(const Json arguments,
            parse_object(
                call.arguments, "arguments of call \"" + call.name + "\"", Code::invalid_argument));
  out.data(call.name);
  out.control("(");
  bool first = true;
  for (const auto& [key, value] : arguments.items()) {
    if (!std::exchange(first, false)) out.control(", ");
    if (is_python_name(key)) {
      out.data(key);
      out.control("=");
      out.data(python_literal(value));
    } else {
      out.control("**");
      out.data(python_literal(Json{{key, value}}));
    }
  }
  out.control(")");
  return ok();
}

Status write_json_calls(const std::vector<ToolCall>& calls, SegmentWriter& out) {
  Json list = Json::array();
  for (const ToolCall& call : calls) {
    FACET_TRY(
        Json arguments,
        parse_object(
            call.arguments, "arguments of call \"" + call.name + "\"", Code::invalid_argument));
    list.push_back({{"name", call.name}, {"parameters", std::move(arguments)}});
  }
  out.data(spaced_json(list.size() == 1 ? list.front() : list));
  return ok();
}

}  // namespace

Status write_tools(CallStyle style, const std::vector<ToolSpec>& tools, SegmentWriter& out) {
  for (const ToolSpec& tool : tools) {
    if (style == CallStyle::json || is_callable_name(tool.name)) continue;
    return Error{Code::invalid_argument,
                 "tool " + json_quote(tool.name) + " has a name that no Python call can spell"};
  }
  if (style == CallStyle::tool_code) {
    out.control(kToolCodeHead);
    bool first = true;
    for (const ToolSpec& tool : tools) {
      if (!std::exchange(first, false)) out.control("\n");
      FACET_TRY_STATUS(write_signature(tool, out));
    }
    out.control("```\n\n");
    return ok();
  }
  Json list = Json::array();
  for (const ToolSpec& tool : tools) {
    FACET_TRY(Json parameters, parse_parameters(tool));
    list.push_back({{"name", tool.name},
                    {"description", tool.description},
                    {"parameters", std::move(parameters)}});
  }
  out.control(kFormHead);
  out.control(style == CallStyle::json ? kJsonForm : kPythonForm);
  out.control(kFormFoot);
  out.data(dump_json(list, 2));
  out.control("\n");
  return ok();
}

Status write_calls(CallStyle style, const std::vector<ToolCall>& calls, SegmentWriter& out) {
  if (style == CallStyle::json) return write_json_calls(calls, out);
  const bool is_list = style == CallStyle::python_list;
  out.control(is_list ? "[" : "```tool_code\n");
  bool first = true;
  for (const ToolCall& call : calls) {
    if (!std::exchange(first, false)) out.control(is_list ? ", " : "\n");
    FACET_TRY_STATUS(write_python_call(call, out));
  }
  out.control(is_list ? "]" : "\n```");
  return ok();
}

Status write_responses(CallStyle style,
                       const std::vector<ToolResponse>& responses,
                       SegmentWriter& out) {
  const bool fence_each = style == CallStyle::tool_code;
  if (!fence_each) out.control("```tool_output\n");
  bool first = true;
  for (const ToolResponse& response : responses) {
    if (!std::exchange(first, false)) out.control("\n");
    FACET_TRY(
        Json value,
        parse_json(response.response, "response of \"" + response.name + "\"", kResponseLimits));
    if (fence_each) {
      out.control("```tool_output\n");
      out.data(value.is_string() ? value.get<std::string>() : python_literal(value));
      out.control("\n```");
    } else {
      out.data(spaced_json(Json{{"name", response.name}, {"response", std::move(value)}}));
    }
  }
  if (!fence_each) out.control("\n```");
  return ok();
}

}  // namespace facet::prompts
