#include "tools/missing_arguments.h"

#include "base/json.h"
#include "base/json_pointer.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::tools {
namespace {

using Json = nlohmann::ordered_json;

/// What `parameters` say of each member by itself.
Result<Schema> member_schemas(const Json& parameters) {
  Json out = Json::object();
  for (const char* key : {"$schema", "$id", "$defs", "definitions", "properties"}) {
    if (parameters.contains(key)) out[key] = parameters.at(key);
  }
  return Schema::compile(out);
}

}  // namespace

std::vector<std::string> missing_arguments(const ToolSpec& spec, std::string_view arguments) {
  const auto given = parse_json(arguments, "arguments");
  const auto parameters = parse_json(spec.parameters, "parameters");
  if (!given || !given->is_object() || !parameters || !parameters->is_object()) return {};
  const auto required = parameters->find("required");
  if (required == parameters->end() || !required->is_array()) return {};
  std::vector<std::string> out;
  for (const auto& [name, value] : given->items()) {
    const bool is_required = std::find(required->begin(), required->end(), name) != required->end();
    if (value.is_null() && is_required) out.push_back(name);
  }
  if (out.empty()) return out;
  const auto schema = member_schemas(*parameters);
  if (!schema) return {};
  std::erase_if(out, [&](const std::string& name) {
    const auto violation = schema->check(Json::object({{name, nullptr}}));
    return !violation || violation->instance_pointer != "/" + pointer_token(name);
  });
  return out;
}

std::string missing_arguments_text(const std::vector<std::string>& names) {
  std::string text = names.size() == 1 ? "missing argument: " : "missing arguments: ";
  for (const std::string& name : names) text += (&name == &names.front() ? "" : ", ") + name;
  return text;
}

}  // namespace facet::tools
