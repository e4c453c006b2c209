#include "prompts/json_fields.h"

#include "prompts/functiongemma_value.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace facet::prompts {

using Json = nlohmann::ordered_json;

Error bad_field(const std::string& pointer, const std::string& what) {
  return Error{Code::invalid_argument, "conversation, \"" + pointer + "\": " + what};
}

Status check_fields(const Json& object,
                    std::initializer_list<std::string_view> known,
                    const std::string& pointer) {
  if (!object.is_object()) return bad_field(pointer, "is not an object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return bad_field(pointer, "unknown field \"" + key + "\"");
    }
  }
  return ok();
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

Result<Json> parse_object(const std::string& text, const std::string& what, Code code) {
  auto parsed = parse_json(text, what, {.nesting_depth_max = kNestingDepthMax});
  if (!parsed) return Error{code, parsed.error().message};
  if (!parsed->is_object()) return Error{code, what + " are not a JSON object"};
  return parsed;
}

namespace {

/// Takes x-facet-free out of `root`, a schema, and the schemas inside it. A property of that name
/// stays, as do the values of enums, defaults and the like.
void drop_free_flags(Json& root) {
  constexpr std::array<std::string_view, 6> kValues{
      "const", "default", "enum", "example", "examples", "required"};
  constexpr std::array<std::string_view, 4> kNamed{
      "$defs", "definitions", "patternProperties", "properties"};
  const auto has = [](const auto& words, const std::string& key) {
    return std::find(words.begin(), words.end(), key) != words.end();
  };
  std::vector<Json*> open{&root};
  while (!open.empty()) {
    Json& now = *open.back();
    open.pop_back();
    if (now.is_object()) now.erase("x-facet-free");
    for (auto& [key, child] : now.items()) {
      if (now.is_object() && has(kValues, key)) continue;
      if (now.is_object() && has(kNamed, key) && child.is_object()) {
        for (Json& schema : child) open.push_back(&schema);
      } else if (child.is_structured()) {
        open.push_back(&child);
      }
    }
  }
}

}  // namespace

Result<Json> parse_parameters(const ToolSpec& tool) {
  FACET_TRY(
      Json parameters,
      parse_object(
          tool.parameters, "parameters of tool \"" + tool.name + "\"", Code::invalid_argument));
  drop_free_flags(parameters);
  return parameters;
}

}  // namespace facet::prompts
