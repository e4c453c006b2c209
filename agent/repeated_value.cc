#include "agent/repeated_value.h"

#include "agent/held_tool.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;

/// The member `name` of `object`, an object itself; null where there is none.
const Json* object_in(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? &*found : nullptr;
}

/// The strings and numbers of `value` that must be copied.
void add_copied(const Json& schema, const Json& value, std::vector<const Json*>& out) {
  if (!is_plain(schema)) return;
  if (value.is_string() || value.is_number()) out.push_back(&value);
  if (value.is_array()) {
    const Json* items = object_in(schema, "items");
    for (const Json& item : value) {
      if (items != nullptr) add_copied(*items, item, out);
    }
  }
  if (value.is_object()) {
    const Json* properties = object_in(schema, "properties");
    for (const auto& [name, member] : value.items()) {
      const Json* described = properties != nullptr ? object_in(*properties, name) : nullptr;
      if (described != nullptr) add_copied(*described, member, out);
    }
  }
}

std::vector<grammar::CopyPlace> places_of(const grammar::CopySource& source, const Json& value) {
  if (value.is_string()) return grammar::places_of(source, value.get_ref<const std::string&>());
  return grammar::places_of(source, value.get<double>());
}

/// `tool` whose arguments are those of `call` and nothing else, but for `open`, which may be
/// anything that its schema allows; without `open` where it is to be `left_out`.
ToolSpec held_to(const ToolSpec& tool,
                 const Json& parameters,
                 const Json& arguments,
                 const std::string& open,
                 bool left_out) {
  Json properties = Json::object();
  for (const auto& [name, value] : arguments.items()) {
    if (name == open && left_out) continue;
    // What is free may not lack either.
    properties[name] = name == open ? parameters.at("properties").at(name) : held_value(value);
  }
  return held_tool(tool, parameters, properties);
}

}  // namespace

std::vector<SaidOnce> said_once(const ToolSpec& tool,
                                const ToolCall& call,
                                const grammar::CopySource& source) {
  std::vector<SaidOnce> out;
  const auto arguments = parse_json(call.arguments, "arguments");
  const auto parameters = parse_json(tool.parameters, "parameters");
  if (!arguments || !arguments->is_object() || !parameters || !is_plain(*parameters)) return out;
  const Json* properties = object_in(*parameters, "properties");
  if (properties == nullptr) return out;
  for (const auto& [name, value] : arguments->items()) {
    std::vector<const Json*> copied;
    if (const Json* schema = object_in(*properties, name)) add_copied(*schema, value, copied);
    for (const Json* one : copied) {
      const auto places = places_of(source, *one);
      if (places.size() != 1 || source.texts()[places.front().text].times > 1) continue;
      out.push_back({name, places.front(), one->is_number()});
    }
  }
  return out;
}

std::optional<RepeatedValue> repeated_value(const std::vector<SaidOnce>& said) {
  for (auto second = said.begin(); second != said.end(); ++second) {
    const auto first = std::find_if(said.begin(), second, [&](const SaidOnce& one) {
      if (one.argument == second->argument) return false;
      return one.place == second->place ||
             ((one.is_number || second->is_number) && one.place.overlaps(second->place));
    });
    if (first != second) return RepeatedValue{first->argument, second->argument};
  }
  return std::nullopt;
}

std::vector<Revision> revisions(const ToolSpec& tool,
                                const ToolCall& call,
                                const RepeatedValue& repeated,
                                const std::vector<SaidOnce>& said,
                                const grammar::CopySource& source) {
  const auto arguments = parse_json(call.arguments, "arguments");
  const auto parameters = parse_json(tool.parameters, "parameters");
  if (!arguments || !parameters) return {};
  std::vector<Revision> out;
  for (const std::string& name : {repeated.first, repeated.second}) {
    std::vector<grammar::CopyPlace> taken;
    for (const SaidOnce& one : said) {
      if (one.argument != name) taken.push_back(one.place);
    }
    std::sort(taken.begin(), taken.end());
    const bool required = is_required(*parameters, name);
    out.push_back(
        {held_to(tool, *parameters, *arguments, name, false), without(source, taken), required});
    if (!required) out.push_back({held_to(tool, *parameters, *arguments, name, true), {}});
  }
  return out;
}

}  // namespace facet::agent
