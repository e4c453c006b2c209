#include "base/json_pointer.h"

#include <nlohmann/json.hpp>

#include <optional>

namespace facet {
namespace {

constexpr std::size_t kIndexDigitsMax = 9;

/// The reference token that `raw` spells; nothing when a "~" begins no escape.
std::optional<std::string> unescaped(std::string_view raw) {
  std::string token;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '~') {
      token += raw[i];
      continue;
    }
    ++i;
    if (i == raw.size() || (raw[i] != '0' && raw[i] != '1')) return std::nullopt;
    token += raw[i] == '0' ? '~' : '/';
  }
  return token;
}

/// An index has no leading zero (RFC 6901, 4).
std::optional<std::size_t> array_index(const std::string& token) {
  const bool digits = !token.empty() && token.size() <= kIndexDigitsMax &&
                      token.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || (token.size() > 1 && token[0] == '0')) return std::nullopt;
  return std::stoul(token);
}

}  // namespace

std::string pointer_token(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

const nlohmann::ordered_json* resolve_pointer(const nlohmann::ordered_json& document,
                                              std::string_view pointer) {
  const nlohmann::ordered_json* at = &document;
  while (!pointer.empty()) {
    if (pointer[0] != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::string_view raw = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(raw.size());
    const auto token = unescaped(raw);
    if (!token) return nullptr;
    if (at->is_object()) {
      const auto found = at->find(*token);
      if (found == at->end()) return nullptr;
      at = &*found;
    } else if (at->is_array()) {
      const auto index = array_index(*token);
      if (!index || *index >= at->size()) return nullptr;
      at = &(*at)[*index];
    } else {
      return nullptr;
    }
  }
  return at;
}

}  // namespace facet
