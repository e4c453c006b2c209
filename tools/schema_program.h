// What a compiled JSON Schema is made of. Private to schema.cc and schema_compile.cc.
#pragma once

#include "tools/schema.h"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace re2 {
class RE2;
}

namespace facet::tools {

/// Index of a node in its program. Schemas may refer to themselves, so nodes are not nested.
using NodeIndex = std::size_t;

/// Bits of SchemaNode::types.
enum TypeBit : unsigned {
  type_null = 1U,
  type_boolean = 2U,
  type_integer = 4U,
  type_number = 8U,
  type_string = 16U,
  type_array = 32U,
  type_object = 64U,
};

struct PatternProperty {
  std::shared_ptr<const re2::RE2> pattern;
  std::string text;
  NodeIndex node = 0;
};

/// A $dynamicRef: what it means by itself, and the anchor to look for; empty: as a $ref.
struct DynamicRef {
  NodeIndex node = 0;
  std::string anchor;
};

/// One schema. Numbers are long double: 64 bits of mantissa hold every int64, uint64 and double
/// exactly, so that comparisons are exact.
struct SchemaNode {
  std::string location;      ///< JSON pointer in the document.
  std::size_t resource = 0;  ///< Whose part it is: an $id, or the document.
  bool refuses_all = false;
  std::optional<unsigned> types;
  std::vector<nlohmann::ordered_json> enum_values;
  bool has_enum = false;
  std::vector<nlohmann::ordered_json> const_value;  ///< None or one.

  std::optional<long double> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
  std::optional<std::size_t> length_min, length_max, items_min, items_max, properties_min,
      properties_max, contains_min, contains_max;
  bool unique_items = false;
  std::shared_ptr<const re2::RE2> pattern;
  std::string pattern_text;

  std::vector<std::string> required;
  std::vector<std::pair<std::string, std::vector<std::string>>> dependent_required;
  std::vector<std::pair<std::string, NodeIndex>> dependent_schemas;
  std::vector<std::pair<std::string, NodeIndex>> properties;
  std::vector<PatternProperty> pattern_properties;
  std::optional<NodeIndex> additional_properties, property_names, items, contains,
      unevaluated_items, unevaluated_properties;
  std::vector<NodeIndex> prefix_items;

  std::vector<NodeIndex> all_of, any_of, one_of;
  std::optional<NodeIndex> not_schema, if_schema, then_schema, else_schema, ref;
  std::optional<DynamicRef> dynamic_ref;
};

struct SchemaProgram {
  SchemaOptions options;
  std::vector<SchemaNode> nodes;
  NodeIndex root = 0;
  /// By resource: the $dynamicAnchor names that some $dynamicRef looks for.
  std::vector<std::map<std::string, NodeIndex>> dynamic_anchors;
  bool collects = false;  ///< A keyword asks which members or items others have evaluated.
};

/// Reads `document` into a program. Errors as Schema::compile.
Result<std::shared_ptr<const SchemaProgram>> compile_schema(const nlohmann::ordered_json& document,
                                                            const SchemaOptions& options);

}  // namespace facet::tools
