#include "agent/held_tool.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace facet::agent {

using Json = nlohmann::ordered_json;

bool is_required(const Json& parameters, std::string_view name) {
  const auto required = parameters.find("required");
  return required != parameters.end() && required->is_array() &&
         std::find(required->begin(), required->end(), name) != required->end();
}

const Json& properties_of(const Json& parameters) {
  static const Json none = Json::object();
  const auto found = parameters.find("properties");
  return found != parameters.end() && found->is_object() ? *found : none;
}

bool is_plain(const Json& schema) {
  static constexpr std::string_view kKeys[] = {"enum",
                                               "const",
                                               "pattern",
                                               "format",
                                               "x-facet-free",
                                               "$ref",
                                               "$dynamicRef",
                                               "anyOf",
                                               "oneOf",
                                               "allOf",
                                               "if",
                                               "not",
                                               "prefixItems"};
  return schema.is_object() && std::none_of(std::begin(kKeys), std::end(kKeys), [&](auto key) {
           return schema.contains(key);
         });
}

Json argument_of(const Json& arguments, std::string_view name) {
  const auto found = arguments.find(name);
  return found == arguments.end() ? Json() : *found;
}

Json with_argument(Json arguments,
                   const Json& parameters,
                   const std::string& name,
                   const Json& value) {
  if (value.is_null() && !is_required(parameters, name)) {
    arguments.erase(name);
  } else {
    arguments[name] = value;
  }
  return arguments;
}

Json held_value(const Json& value) {
  return {{"const", value}, {"x-facet-free", true}};
}

ToolSpec held_tool(const ToolSpec& tool, const Json& parameters, const Json& properties) {
  Json required = Json::array();
  for (const auto& [name, schema] : properties.items()) required.push_back(name);
  Json held = {{"type", "object"}, {"properties", properties}, {"required", required}};
  if (parameters.contains("x-facet-relaxed"))
    held["x-facet-relaxed"] = parameters["x-facet-relaxed"];
  return {.name = tool.name, .description = tool.description, .parameters = dump_json(held)};
}

}  // namespace facet::agent
