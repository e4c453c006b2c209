#include "prompts/functiongemma_declaration.h"

#include "prompts/functiongemma_value.h"
#include "prompts/json_fields.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

void write_properties(const Json& properties, SegmentWriter& out);

/// What `{{ value }}` prints: a string as it is, nothing for an absent value.
std::string printed(const Json* value) {
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_boolean()) return value->get<bool>() ? "True" : "False";
  return value->is_structured() ? python_literal(*value) : python_scalar(*value);
}

/// `{{ type | upper }}`; a list of types prints as Python prints the list.
std::string type_name(const Json& schema) {
  const Json* type = member(schema, "type");
  if (type == nullptr || !type->is_array()) return upper_ascii(printed(type));
  std::string out = "[";
  for (const Json& item : *type) {
    if (out.size() > 1) out += ", ";
    out += "'" + upper_ascii(printed(&item)) + "'";
  }
  return out + "]";
}

void write_names(const Json& names, SegmentWriter& out) {
  out.control("[");
  bool first = true;
  for (const Json& name : names) {
    if (!std::exchange(first, false)) out.control(",");
    write_string(printed(&name), out);
  }
  out.control("]");
}

/// A list with something in it: what the template's `if value['required']` asks.
const Json* filled_array(const Json& schema, const char* key) {
  const Json* list = member(schema, key);
  return list != nullptr && list->is_array() && !list->empty() ? list : nullptr;
}

void write_object_parts(const Json& schema, SegmentWriter& out) {
  out.control(",properties:{");
  const Json* properties = member(schema, "properties");
  write_properties(properties != nullptr && properties->is_object() ? *properties : schema, out);
  out.control("}");
  if (const Json* required = filled_array(schema, "required")) {
    out.control(",required:");
    write_names(*required, out);
  }
}

/// `properties:..,required:..,type:..` and any other keyword of the items schema, sorted.
void write_items(const Json& items, SegmentWriter& out) {
  out.control(",items:{");
  bool first = true;
  for (const auto& [key, member_value] : sorted_members(items)) {
    const Json& value = *member_value;
    if (value.is_null()) continue;
    if (!std::exchange(first, false)) out.control(",");
    if (key == "properties") {
      out.control("properties:{");
      if (value.is_object()) write_properties(value, out);
      out.control("}");
    } else if (key == "required" && value.is_array()) {
      out.control("required:");
      write_names(value, out);
    } else if (key == "type" && value.is_string()) {
      out.control("type:");
      write_string(type_name(items), out);
    } else if (key == "type" && value.is_array()) {
      Json types = Json::array();
      for (const Json& type : value) types.push_back(upper_ascii(printed(&type)));
      out.control("type:");
      write_value(types, true, out);
    } else {
      out.data(key);
      out.control(":");
      write_value(value, true, out);
    }
  }
  out.control("}");
}

void write_property(std::string_view name, const Json& schema, SegmentWriter& out) {
  out.data(name);
  out.control(":{description:");
  write_string(printed(member(schema, "description")), out);
  const std::string type = type_name(schema);
  if (type == "STRING") {
    const Json* values = filled_array(schema, "enum");
    if (values != nullptr) {
      out.control(",enum:");
      write_value(*values, true, out);
    }
  } else if (type == "OBJECT") {
    write_object_parts(schema, out);
  } else if (type == "ARRAY") {
    const Json* items = member(schema, "items");
    if (items != nullptr && items->is_object() && !items->empty()) write_items(*items, out);
  }
  out.control(",type:");
  write_string(type, out);
  out.control("}");
}

void write_properties(const Json& properties, SegmentWriter& out) {
  bool first = true;
  for (const auto& [name, property] : sorted_members(properties)) {
    if (is_reserved_property(name)) continue;
    if (!std::exchange(first, false)) out.control(",");
    write_property(name, *property, out);
  }
}

}  // namespace

bool is_reserved_property(std::string_view name) {
  constexpr std::array<std::string_view, 5> kReserved{
      "description", "type", "properties", "required", "nullable"};
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

Status write_declaration(const ToolSpec& tool, SegmentWriter& out) {
  FACET_TRY(const Json parameters, parse_parameters(tool));
  out.control("<start_function_declaration>declaration:");
  out.data(tool.name);
  out.control("{description:");
  write_string(tool.description, out);
  if (!parameters.empty()) {
    out.control(",parameters:{");
    const Json* properties = member(parameters, "properties");
    if (properties != nullptr && properties->is_object() && !properties->empty()) {
      out.control("properties:{");
      write_properties(*properties, out);
      out.control("},");
    }
    if (const Json* required = filled_array(parameters, "required")) {
      out.control("required:");
      write_names(*required, out);
      out.control(",");
    }
    const std::string type = type_name(parameters);
    out.control("type:");
    // A schema without a type is an object schema; the template would leave its brace open.
    write_string(type.empty() ? "OBJECT" : type, out);
    out.control("}");
  }
  out.control("}<end_function_declaration>");
  return ok();
}

}  // namespace facet::prompts
