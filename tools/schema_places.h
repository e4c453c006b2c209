// Where the parts of a schema document stand: what $id, $anchor and $ref name. Private to
// schema_compile.cc and schema_places.cc.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace facet::tools {

/// Keywords whose value is a schema, an array of schemas, or an object of schemas.
inline constexpr std::array<std::string_view, 11> kSchemaKeywords{"additionalProperties",
                                                                  "contains",
                                                                  "contentSchema",
                                                                  "else",
                                                                  "if",
                                                                  "items",
                                                                  "not",
                                                                  "propertyNames",
                                                                  "then",
                                                                  "unevaluatedItems",
                                                                  "unevaluatedProperties"};
inline constexpr std::array<std::string_view, 4> kSchemaListKeywords{
    "allOf", "anyOf", "oneOf", "prefixItems"};
inline constexpr std::array<std::string_view, 5> kSchemaMapKeywords{
    "$defs", "definitions", "dependentSchemas", "patternProperties", "properties"};

/// An index of one document; immutable. A location is a JSON pointer into the document.
class SchemaPlaces {
 public:
  /// invalid_argument for an $id or $anchor that is no string, an $id with a fragment, and a name
  /// that stands at two places.
  static Result<SchemaPlaces> of(const nlohmann::ordered_json& document);

  /// The location that `reference`, the value of `keyword` in the schema at `location`, means; it
  /// may lead to nothing. unsupported when it is in another document, invalid_argument for an
  /// unknown anchor.
  [[nodiscard]] Result<std::string> target(const std::string& location,
                                           const std::string& keyword,
                                           const std::string& reference) const;
  /// A $dynamicAnchor: the resource it is in, its name, and where it stands.
  struct DynamicAnchor {
    std::string base;
    std::string name;
    std::string location;
  };
  [[nodiscard]] const std::vector<DynamicAnchor>& dynamic_anchors() const {
    return dynamic_anchors_;
  }
  /// The URI of the schema resource that `location` is a part of; empty for a nameless document.
  [[nodiscard]] const std::string& base_of(std::string location) const;
  /// The schema at `location` where a keyword of the draft has one; else null. Of the document that
  /// was indexed, which must still be there.
  [[nodiscard]] const nlohmann::ordered_json* schema_at(const std::string& location) const {
    const auto found = schemas_.find(location);
    return found == schemas_.end() ? nullptr : found->second;
  }
  /// Whether the $id of the schema at `location` was found.
  [[nodiscard]] bool has_id_at(const std::string& location) const {
    return bases_.contains(location);
  }

 private:
  SchemaPlaces() = default;
  Status walk(const nlohmann::ordered_json& schema, const std::string& location, std::string base);
  Status name(const nlohmann::ordered_json& schema, const std::string& location, std::string& base);
  Status anchor(const nlohmann::ordered_json& schema,
                const char* keyword,
                const std::string& location,
                const std::string& base);

  std::map<std::string, std::string> bases_;      ///< Location of an $id (and the root) to its URI.
  std::map<std::string, std::string> documents_;  ///< URI without fragment to location.
  std::map<std::string, std::string> anchors_;    ///< URI with fragment to location.
  std::vector<DynamicAnchor> dynamic_anchors_;
  std::unordered_map<std::string, const nlohmann::ordered_json*> schemas_;  ///< By location.
};

}  // namespace facet::tools
