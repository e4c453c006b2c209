#include "prompts/json_fields.h"

#include "prompts/functiongemma_value.h"

#include <nlohmann/json.hpp>

#include <algorithm>

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

Result<Json> parse_parameters(const ToolSpec& tool) {
  return parse_object(
      tool.parameters, "parameters of tool \"" + tool.name + "\"", Code::invalid_argument);
}

}  // namespace facet::prompts
