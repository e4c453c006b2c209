#include "agent/workflow/references.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;

/// Calls `text_part` for plain text ("$$" already one dollar sign) and `reference` for each path.
Status scan(std::string_view text,
            const std::function<void(std::string_view)>& text_part,
            const std::function<Status(std::string_view)>& reference) {
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    text_part(text.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.substr(0, 2) == "$$") {
      text_part("$");
      text.remove_prefix(2);
    } else if (text.substr(0, 2) == "${") {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) {
        return Error{Code::invalid_data, "\"" + std::string(text) + "\" has no closing brace"};
      }
      FACET_TRY_STATUS(reference(text.substr(2, end - 2)));
      text.remove_prefix(end + 1);
    } else {
      text_part("$");
      text.remove_prefix(1);
    }
  }
  return ok();
}

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string_view rest = path;;) {
    const std::size_t dot = rest.find('.');
    parts.emplace_back(rest.substr(0, dot));
    if (parts.back().empty() || parts.back().find_first_of(" \t\n$") != std::string::npos) {
      return Error{Code::invalid_data, "\"${" + std::string(path) + "}\" is not a reference"};
    }
    if (dot == std::string_view::npos) return parts;
    rest.remove_prefix(dot + 1);
  }
}

/// The value at `path`; array elements are addressed by their index.
Result<Json> look_up(std::string_view path, const Json& scope) {
  FACET_TRY(const auto parts, split_path(path));
  const Json* at = &scope;
  for (const std::string& part : parts) {
    if (at->is_object() && at->contains(part)) {
      at = &at->at(part);
      continue;
    }
    const bool is_index = part.size() <= 6 && part.find_first_not_of("0123456789") == part.npos;
    if (at->is_array() && is_index && std::stoul(part) < at->size()) {
      at = &at->at(std::stoul(part));
      continue;
    }
    return Error{Code::not_found,
                 "${" + std::string(path) + "}: there is no \"" + part + "\" to refer to"};
  }
  return *at;
}

}  // namespace

Result<std::vector<std::string>> find_references(std::string_view text) {
  std::vector<std::string> paths;
  FACET_TRY_STATUS(scan(
      text,
      [](std::string_view) {},
      [&](std::string_view path) -> Status {
        FACET_TRY_STATUS(split_path(path));
        paths.emplace_back(path);
        return ok();
      }));
  return paths;
}

Result<std::string> substitute(std::string_view text, const Json& scope) {
  std::string out;
  FACET_TRY_STATUS(scan(
      text,
      [&](std::string_view part) { out += part; },
      [&](std::string_view path) -> Status {
        FACET_TRY(const Json value, look_up(path, scope));
        out += value.is_string() ? value.get<std::string>() : dump_json(value);
        return ok();
      }));
  return out;
}

Result<Json> substitute_json(const Json& value, const Json& scope) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const bool is_one_reference =
        text.starts_with("${") && text.find('}') == text.size() - 1 && text.size() > 3;
    if (is_one_reference) return look_up(std::string_view(text).substr(2, text.size() - 3), scope);
    FACET_TRY(std::string replaced, substitute(text, scope));
    return Json(std::move(replaced));
  }
  if (!value.is_structured()) return value;
  Json out = value.is_array() ? Json::array() : Json::object();
  for (const auto& [key, item] : value.items()) {
    FACET_TRY(Json replaced, substitute_json(item, scope));
    if (value.is_array()) {
      out.push_back(std::move(replaced));
    } else {
      out[key] = std::move(replaced);
    }
  }
  return out;
}

}  // namespace facet::agent
