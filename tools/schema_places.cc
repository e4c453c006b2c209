#include "tools/schema_places.h"

#include "base/json_pointer.h"
#include "tools/uri.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::tools {
namespace {

using Json = nlohmann::ordered_json;

template <std::size_t N>
bool has_word(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Error bad(const std::string& location, const std::string& message) {
  const std::string where = location.empty() ? "the schema" : "the schema at " + location;
  return {Code::invalid_argument, where + " " + message};
}

}  // namespace

Result<SchemaPlaces> SchemaPlaces::of(const Json& document) {
  SchemaPlaces out;
  const bool named = document.is_object() && document.contains("$id");
  if (!named) {
    out.bases_.emplace("", "");
    out.documents_.emplace("", "");
  }
  FACET_TRY_STATUS(out.walk(document, "", ""));
  return out;
}

Status SchemaPlaces::walk(const Json& schema, const std::string& location, std::string base) {
  schemas_.emplace(location, &schema);
  if (!schema.is_object()) return ok();
  FACET_TRY_STATUS(name(schema, location, base));
  for (const auto& [key, value] : schema.items()) {
    const std::string here = location + "/" + pointer_token(key);
    if (has_word(kSchemaKeywords, key)) {
      FACET_TRY_STATUS(walk(value, here, base));
    } else if (has_word(kSchemaListKeywords, key) && value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        FACET_TRY_STATUS(walk(value[i], here + "/" + std::to_string(i), base));
      }
    } else if (has_word(kSchemaMapKeywords, key) && value.is_object()) {
      for (const auto& [member, child] : value.items()) {
        FACET_TRY_STATUS(walk(child, here + "/" + pointer_token(member), base));
      }
    }
  }
  return ok();
}

/// Takes the $id, which changes `base`, and then the anchors of one schema.
Status SchemaPlaces::name(const Json& schema, const std::string& location, std::string& base) {
  if (const auto id = schema.find("$id"); id != schema.end()) {
    if (!id->is_string()) return bad(location, "has an $id that is not a string");
    base = resolve_uri(base, id->get<std::string>());
    if (base.ends_with('#')) base.pop_back();
    if (base.find('#') != std::string::npos) {
      return bad(location, "has an $id with a fragment: " + id->get<std::string>());
    }
    bases_.emplace(location, base);
    if (!documents_.emplace(base, location).second) {
      return bad(location, "has the $id of another part: " + base);
    }
  }
  FACET_TRY_STATUS(anchor(schema, "$anchor", location, base));
  return anchor(schema, "$dynamicAnchor", location, base);
}

Status SchemaPlaces::anchor(const Json& schema,
                            const char* keyword,
                            const std::string& location,
                            const std::string& base) {
  const auto anchor = schema.find(keyword);
  if (anchor == schema.end()) return ok();
  const std::string what(keyword);
  if (!anchor->is_string()) return bad(location, "has an " + what + " that is not a string");
  const auto name = anchor->get<std::string>();
  const auto [known, is_new] = anchors_.emplace(base + "#" + name, location);
  if (!is_new && known->second != location) {
    return bad(location, "has the " + what + " of another part: " + name);
  }
  if (what == "$dynamicAnchor") dynamic_anchors_.push_back({base, name, location});
  return ok();
}

const std::string& SchemaPlaces::base_of(std::string location) const {
  for (;;) {
    if (const auto found = bases_.find(location); found != bases_.end()) return found->second;
    location.erase(location.rfind('/'));  // The root is always there.
  }
}

Result<std::string> SchemaPlaces::target(const std::string& location,
                                         const std::string& keyword,
                                         const std::string& reference) const {
  const std::string uri = resolve_uri(base_of(location), reference);
  const std::size_t hash = uri.find('#');
  const auto document = documents_.find(uri.substr(0, hash));
  const std::string at = location + "/" + keyword;
  if (document == documents_.end()) {
    return Error{Code::unsupported,
                 "the schema at " + at + " refers to another document: " + reference};
  }
  const std::string fragment =
      hash == std::string::npos ? "" : percent_decoded(std::string_view(uri).substr(hash + 1));
  if (fragment.empty() || fragment[0] == '/') return document->second + fragment;
  const auto anchor = anchors_.find(document->first + "#" + fragment);
  if (anchor == anchors_.end()) return bad(at, "refers to an unknown anchor: " + reference);
  return anchor->second;
}

}  // namespace facet::tools
