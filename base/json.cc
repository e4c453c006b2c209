#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace facet {
namespace {

/// The deepest nesting of brackets outside strings; valid for every text, JSON or not.
int nesting_depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Result<nlohmann::ordered_json> parse_json(std::string_view text,
                                          std::string_view what,
                                          JsonLimits limits) {
  const std::string name(what);
  if (text.size() > limits.bytes_max) {
    return Error{Code::limit_exceeded,
                 name + " has " + std::to_string(text.size()) + " bytes of JSON; the limit is " +
                     std::to_string(limits.bytes_max)};
  }
  if (const int depth = nesting_depth(text); depth > limits.nesting_depth_max) {
    return Error{Code::limit_exceeded,
                 name + " nests JSON " + std::to_string(depth) + " levels deep; the limit is " +
                     std::to_string(limits.nesting_depth_max)};
  }
  try {
    return nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    return Error{Code::invalid_data,
                 name + " is not JSON: syntax error at byte " + std::to_string(error.byte)};
  } catch (const nlohmann::json::exception& error) {
    return Error{Code::invalid_data, name + " is not JSON: " + error.what()};
  }
}

std::string dump_json(const nlohmann::ordered_json& value, int indent) {
  return value.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string json_quote(std::string_view text) {
  return dump_json(nlohmann::ordered_json(std::string(text)));
}

}  // namespace facet
