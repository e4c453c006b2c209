// Values and tool declarations as Gemma 4's template writes them.
#include "prompts/functiongemma_value.h"
#include "prompts/gemma4.h"
#include "prompts/json_fields.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

void write_text(std::string_view text, SegmentWriter& out) {
  out.control(kGemma4Quote);
  out.data(text);
  out.control(kGemma4Quote);
}

/// What the template's `if value` lets through.
bool is_filled(const Json* value) {
  if (value == nullptr || value->is_null()) return false;
  if (value->is_boolean()) return value->get<bool>();
  return !value->empty() && *value != "";
}

std::string printed(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_structured() ? python_literal(value) : python_scalar(value);
}

/// `{{ type | upper }}`; a list of types prints as Python prints the list.
std::string type_name(const Json& schema) {
  const Json* type = member(schema, "type");
  if (type == nullptr) return "";
  if (!type->is_array()) return upper_ascii(printed(*type));
  std::string out = "[";
  for (const Json& item : *type) {
    if (out.size() > 1) out += ", ";
    out += "'" + upper_ascii(printed(item)) + "'";
  }
  return out + "]";
}

void write_names(const Json& names, SegmentWriter& out) {
  out.control("required:[");
  bool first = true;
  for (const Json& name : names) {
    if (!std::exchange(first, false)) out.control(",");
    write_text(printed(name), out);
  }
  out.control("]");
}

void write_properties(const Json& properties, SegmentWriter& out);

/// The schema of items: its own keywords, sorted.
void write_items(const Json& items, SegmentWriter& out) {
  out.control("items:{");
  bool first = true;
  for (const auto& [key, value] : sorted_members(items)) {
    if (value->is_null()) continue;
    if (!std::exchange(first, false)) out.control(",");
    if (key == "properties") {
      out.control("properties:{");
      if (value->is_object()) write_properties(*value, out);
      out.control("}");
    } else if (key == "required" && value->is_array()) {
      write_names(*value, out);
    } else if (key == "type" && value->is_string()) {
      out.control("type:");
      write_text(type_name(items), out);
    } else if (key == "type" && value->is_array()) {
      Json types = Json::array();
      for (const Json& type : *value) types.push_back(upper_ascii(printed(type)));
      out.control("type:");
      write_gemma4_value(types, true, out);
    } else {
      out.data(key);
      out.control(":");
      write_gemma4_value(*value, true, out);
    }
  }
  out.control("}");
}

void write_property(std::string_view name, const Json& schema, SegmentWriter& out) {
  out.data(name);
  out.control(":{");
  bool first = true;
  const auto next = [&] {
    if (!std::exchange(first, false)) out.control(",");
  };
  if (const Json* description = member(schema, "description"); is_filled(description)) {
    next();
    out.control("description:");
    write_text(printed(*description), out);
  }
  const std::string type = type_name(schema);
  const Json* values = member(schema, "enum");
  const Json* items = member(schema, "items");
  if (type == "STRING" && is_filled(values)) {
    next();
    out.control("enum:");
    write_gemma4_value(*values, true, out);
  } else if (type == "ARRAY" && items != nullptr && items->is_object() && !items->empty()) {
    next();
    write_items(*items, out);
  }
  if (is_filled(member(schema, "nullable"))) {
    next();
    out.control("nullable:true");
  }
  if (type == "OBJECT") {
    const Json* properties = member(schema, "properties");
    next();
    out.control("properties:{");
    write_properties(
        properties != nullptr && properties->is_object() ? *properties : Json::object(), out);
    out.control("}");
    const Json* required = member(schema, "required");
    if (is_filled(required) && required->is_array()) {
      next();
      write_names(*required, out);
    }
  }
  next();
  out.control("type:");
  write_text(type, out);
  out.control("}");
}

void write_properties(const Json& properties, SegmentWriter& out) {
  bool first = true;
  for (const auto& [name, property] : sorted_members(properties)) {
    if (!std::exchange(first, false)) out.control(",");
    write_property(name, *property, out);
  }
}

}  // namespace

void write_gemma4_members(const Json& object, SegmentWriter& out) {
  bool first = true;
  for (const SortedMember& entry : sorted_members(object)) {
    if (!std::exchange(first, false)) out.control(",");
    out.data(entry.key);
    out.control(":");
    write_gemma4_value(*entry.value, false, out);
  }
}

void write_gemma4_value(const Json& value, bool quote_keys, SegmentWriter& out) {
  if (value.is_string()) {
    write_text(value.get_ref<const std::string&>(), out);
  } else if (value.is_null()) {
    out.control("null");
  } else if (value.is_array()) {
    out.control("[");
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i != 0) out.control(",");
      write_gemma4_value(value[i], quote_keys, out);
    }
    out.control("]");
  } else if (value.is_object() && !quote_keys) {
    out.control("{");
    write_gemma4_members(value, out);
    out.control("}");
  } else if (value.is_object()) {
    out.control("{");
    bool first = true;
    for (const SortedMember& entry : sorted_members(value)) {
      if (!std::exchange(first, false)) out.control(",");
      write_text(entry.key, out);
      out.control(":");
      write_gemma4_value(*entry.value, true, out);
    }
    out.control("}");
  } else {
    out.control(python_scalar(value));
  }
}

Status write_gemma4_declaration(const ToolSpec& tool, SegmentWriter& out) {
  FACET_TRY(const Json parameters, parse_parameters(tool));
  out.control("<|tool>declaration:");
  out.data(tool.name);
  out.control("{description:");
  write_text(tool.description, out);
  if (!parameters.empty()) {
    out.control(",parameters:{");
    const Json* properties = member(parameters, "properties");
    if (is_filled(properties) && properties->is_object()) {
      out.control("properties:{");
      write_properties(*properties, out);
      out.control("},");
    }
    const Json* required = member(parameters, "required");
    if (is_filled(required) && required->is_array()) {
      write_names(*required, out);
      out.control(",");
    }
    const std::string type = type_name(parameters);
    out.control("type:");
    write_text(type.empty() ? "OBJECT" : type, out);
    out.control("}");
  }
  out.control("}<tool|>");
  return ok();
}

}  // namespace facet::prompts
