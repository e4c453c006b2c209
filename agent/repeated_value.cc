#include "agent/repeated_value.h"

#include "base/grammar/copy_places.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;

/// Whether `schema`, or what is inside it, lets values be what was never said.
bool is_composed(const Json& schema) {
  if (schema.is_array()) return std::any_of(schema.begin(), schema.end(), is_composed);
  if (!schema.is_object()) return false;
  for (const char* key : {"enum", "const", "pattern", "format", "x-facet-free", "$ref"}) {
    if (schema.contains(key)) return true;
  }
  return std::any_of(schema.begin(), schema.end(), is_composed);
}

/// The members of `parameters` that are declared; null where there are none.
const Json* properties_of(const Json& parameters) {
  if (!parameters.is_object()) return nullptr;
  const auto found = parameters.find("properties");
  return found != parameters.end() && found->is_object() ? &*found : nullptr;
}

/// An argument, and the one place of a string or a number in it.
struct SaidOnce {
  std::string argument;
  grammar::CopyPlace place;
};

/// Of the arguments that must be copied.
std::vector<SaidOnce> said_once(const Json& parameters,
                                const Json& arguments,
                                const grammar::CopySource& source) {
  std::vector<SaidOnce> out;
  const Json* properties = properties_of(parameters);
  if (properties == nullptr || !arguments.is_object()) return out;
  for (const auto& [name, value] : arguments.items()) {
    const auto schema = properties->find(name);
    if (schema == properties->end() || is_composed(*schema)) continue;
    std::vector<const Json*> open{&value};
    while (!open.empty()) {
      const Json& now = *open.back();
      open.pop_back();
      std::vector<grammar::CopyPlace> places;
      if (now.is_string()) places = places_of(source, now.get_ref<const std::string&>());
      if (now.is_number()) places = places_of(source, now.get<double>());
      if (places.size() == 1) out.push_back({name, places.front()});
      if (!now.is_structured()) continue;
      for (const Json& child : now) open.push_back(&child);
    }
  }
  return out;
}

bool is_required(const Json& parameters, std::string_view name) {
  const auto required = parameters.find("required");
  return required != parameters.end() && required->is_array() &&
         std::find(required->begin(), required->end(), name) != required->end();
}

/// `tool` whose arguments are those of `call` and nothing else, but for `open`, which may be
/// anything that its schema allows; without `open` where it is to be `left_out`.
ToolSpec held_to(const ToolSpec& tool,
                 const Json& parameters,
                 const Json& arguments,
                 const std::string& open,
                 bool left_out) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const auto& [name, value] : arguments.items()) {
    if (name == open && left_out) continue;
    // What is free may not lack either.
    const Json held = {{"const", value}, {"x-facet-free", true}};
    properties[name] = name == open ? parameters.at("properties").at(name) : held;
    required.push_back(name);
  }
  Json held = {{"type", "object"}, {"properties", properties}, {"required", required}};
  for (const char* key : {"$defs", "definitions"}) {
    if (parameters.contains(key)) held[key] = parameters.at(key);
  }
  return {.name = tool.name, .description = tool.description, .parameters = dump_json(held)};
}

}  // namespace

std::optional<RepeatedValue> repeated_value(const ToolSpec& tool,
                                            const ToolCall& call,
                                            const grammar::CopySource& source) {
  const auto arguments = parse_json(call.arguments, "arguments");
  const auto parameters = parse_json(tool.parameters, "parameters");
  if (!arguments || !parameters) return std::nullopt;
  const auto said = said_once(*parameters, *arguments, source);
  for (auto second = said.begin(); second != said.end(); ++second) {
    const auto first = std::find_if(said.begin(), second, [&](const SaidOnce& one) {
      return one.argument != second->argument && one.place == second->place;
    });
    if (first != second) return RepeatedValue{first->argument, second->argument};
  }
  return std::nullopt;
}

std::vector<Revision> revisions(const ToolSpec& tool,
                                const ToolCall& call,
                                const RepeatedValue& repeated,
                                const grammar::CopySource& source) {
  const auto arguments = parse_json(call.arguments, "arguments");
  const auto parameters = parse_json(tool.parameters, "parameters");
  if (!arguments || !parameters) return {};
  const auto said = said_once(*parameters, *arguments, source);
  std::vector<Revision> out;
  for (const std::string& name : {repeated.first, repeated.second}) {
    std::vector<grammar::CopyPlace> taken;
    for (const SaidOnce& one : said) {
      if (one.argument != name) taken.push_back(one.place);
    }
    std::sort(taken.begin(), taken.end());
    const grammar::CopySource rest = without(source, taken);
    const bool required = is_required(*parameters, name);
    out.push_back({held_to(tool, *parameters, *arguments, name, false), rest, required});
    if (!required) out.push_back({held_to(tool, *parameters, *arguments, name, true), rest});
  }
  return out;
}

}  // namespace facet::agent
