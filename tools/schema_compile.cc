// Reads a JSON Schema document into nodes. Subschemas are compiled when they are first reached, by
// their JSON pointer, so that a $ref back to a place in progress finds its index; what references
// lead to is compiled behind it.
#include "base/check.h"
#include "base/json.h"
#include "base/json_pointer.h"
#include "tools/schema_places.h"
#include "tools/schema_program.h"

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <cfloat>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace facet::tools {
namespace {

using Json = nlohmann::ordered_json;

static_assert(LDBL_MANT_DIG >= 64, "long double must hold every 64-bit integer");

constexpr std::array<std::string_view, 16> kAnnotations{"$comment",
                                                        "$schema",
                                                        "contentEncoding",
                                                        "contentMediaType",
                                                        "contentSchema",
                                                        "default",
                                                        "deprecated",
                                                        "description",
                                                        "examples",
                                                        "format",
                                                        "readOnly",
                                                        "title",
                                                        "writeOnly",
                                                        "$anchor",
                                                        "$dynamicAnchor",
                                                        "$id"};
constexpr std::array<std::string_view, 3> kUnsupported{
    "$recursiveRef", "$recursiveAnchor", "$vocabulary"};

template <std::size_t N>
bool has_word(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string shown(std::string_view location) {
  return location.empty() ? "the schema" : "the schema at " + std::string(location);
}

Error bad(std::string_view location, const std::string& message) {
  return {Code::invalid_argument, shown(location) + " " + message};
}

/// ECMA-262 allows long names of general categories, RE2 only the short ones.
std::string to_re2_dialect(std::string_view pattern) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kNames{{
      {"{Letter}", "{L}"},
      {"{Lowercase_Letter}", "{Ll}"},
      {"{Uppercase_Letter}", "{Lu}"},
      {"{Number}", "{N}"},
      {"{Decimal_Number}", "{Nd}"},
      {"{digit}", "{Nd}"},
      {"{Punctuation}", "{P}"},
      {"{Symbol}", "{S}"},
      {"{Separator}", "{Z}"},
  }};
  std::string out(pattern);
  for (const auto& [from, to] : kNames) {
    for (std::size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + 1)) {
      const bool is_class = at >= 2 && out[at - 2] == '\\' && (out[at - 1] | 0x20) == 'p';
      if (is_class) out.replace(at, from.size(), to);
    }
  }
  return out;
}

class Compiler {
 public:
  Compiler(const Json& document, SchemaPlaces places, const SchemaOptions& options)
      : document_(document),
        places_(std::move(places)),
        program_(std::make_shared<SchemaProgram>()) {
    program_->options = options;
  }

  Result<std::shared_ptr<const SchemaProgram>> run() {
    FACET_TRY(program_->root, node_at(document_, ""));
    FACET_TRY_STATUS(compile_referenced());
    FACET_TRY_STATUS(dynamic_anchors());
    return std::shared_ptr<const SchemaProgram>(program_);
  }

 private:
  /// The index of the schema at `location`, its node not filled yet where `is_new`.
  Result<NodeIndex> reserve(const std::string& location, bool& is_new) {
    is_new = false;
    if (const auto known = by_location_.find(location); known != by_location_.end()) {
      return known->second;
    }
    if (program_->nodes.size() >= program_->options.subschemas_max) {
      return Error{Code::limit_exceeded,
                   "the schema has more than " + std::to_string(program_->options.subschemas_max) +
                       " subschemas"};
    }
    is_new = true;
    by_location_.emplace(location, program_->nodes.size());
    program_->nodes.emplace_back();
    return program_->nodes.size() - 1;
  }

  /// What a reference leads to waits its turn: a chain of them must not nest.
  Status compile_referenced() {
    while (!referenced_.empty()) {
      const Referenced next = std::move(referenced_.back());
      referenced_.pop_back();
      FACET_TRY_STATUS(fill(next.node, *next.schema, next.location));
    }
    return ok();
  }

  Result<NodeIndex> node_at(const Json& schema, const std::string& location) {
    bool is_new = false;
    FACET_TRY(const NodeIndex index, reserve(location, is_new));
    if (is_new) FACET_TRY_STATUS(fill(index, schema, location));
    return index;
  }

  Status fill(NodeIndex index, const Json& schema, const std::string& location) {
    // Filled aside: compiling children may move the vector.
    SchemaNode node;
    node.location = location;
    node.resource = resource(places_.base_of(location));
    if (schema.is_boolean()) {
      node.refuses_all = !schema.get<bool>();
    } else if (schema.is_object()) {
      for (const auto& [key, value] : schema.items()) {
        FACET_TRY_STATUS(keyword(node, key, value, location + "/" + pointer_token(key)));
      }
      if (!node.contains) node.contains_min = node.contains_max = std::nullopt;
    } else {
      return bad(location, "must be an object or a boolean, is " + std::string(schema.type_name()));
    }
    program_->nodes[index] = std::move(node);
    return ok();
  }

  Status keyword(SchemaNode& node,
                 const std::string& key,
                 const Json& value,
                 const std::string& at) {
    if (key == "$id" && !places_.has_id_at(node.location)) {
      return Error{Code::unsupported,
                   "the schema at " + at + " gives an $id where no schema can be named"};
    }
    if (has_word(kAnnotations, key)) return ok();
    if (has_word(kUnsupported, key)) {
      return Error{Code::unsupported, "the schema keyword at " + at + " is not supported"};
    }
    if (key == "$ref") {
      FACET_TRY(node.ref, reference(node, key, value, at));
      return ok();
    }
    if (key == "$dynamicRef") return dynamic_reference(node, key, value, at);
    if (key == "type") return type(node, value, at);
    if (key == "enum" || key == "const") return values(node, key, value, at);
    if (key == "pattern") return pattern(node.pattern, node.pattern_text, value, at);
    if (key == "required") return names(node.required, value, at);
    if (key == "dependentRequired") return dependent_required(node, value, at);
    if (key == "uniqueItems") {
      if (!value.is_boolean()) return bad(at, "must be a boolean");
      node.unique_items = value.get<bool>();
      return ok();
    }
    if (auto* number = number_slot(node, key)) return number_keyword(*number, key, value, at);
    if (auto* count = count_slot(node, key)) return count_keyword(*count, value, at);
    if (auto* child = schema_slot(node, key)) {
      FACET_TRY(*child, node_at(value, at));
      program_->collects = program_->collects || key.starts_with("unevaluated");
      return ok();
    }
    if (auto* list = list_slot(node, key)) return schema_list(*list, value, at);
    if (has_word(kSchemaMapKeywords, key)) return schema_map(node, key, value, at);
    const bool ignored =
        program_->options.unknown_keywords == SchemaOptions::UnknownKeywords::ignore;
    if (ignored || key.rfind("x-", 0) == 0) return ok();
    return bad(at, "is a keyword that JSON Schema 2020-12 does not know");
  }

  Result<NodeIndex> reference(const SchemaNode& node,
                              const std::string& keyword,
                              const Json& value,
                              const std::string& at) {
    if (!value.is_string()) return bad(at, "must be a string");
    const std::string target = value.get<std::string>();
    FACET_TRY(const std::string location, places_.target(node.location, keyword, target));
    // Objects are looked through from their beginning: 10,000 references among 10,000 members.
    const Json* schema = places_.schema_at(location);
    if (schema == nullptr) schema = resolve_pointer(document_, location);
    if (schema == nullptr) return bad(at, "refers to nothing: " + target);
    bool is_new = false;
    FACET_TRY(const NodeIndex index, reserve(location, is_new));
    if (is_new) referenced_.push_back({index, schema, location});
    return index;
  }

  Status dynamic_reference(SchemaNode& node,
                           const std::string& keyword,
                           const Json& value,
                           const std::string& at) {
    FACET_TRY(const NodeIndex target, reference(node, keyword, value, at));
    // Dynamic only where what it means by itself is a $dynamicAnchor of that name.
    const std::string text = value.get<std::string>();
    const std::string fragment = text.substr(std::min(text.find('#'), text.size() - 1) + 1);
    std::string anchor;
    for (const auto& known : places_.dynamic_anchors()) {
      const bool is_it = by_location_.contains(known.location) &&
                         by_location_.at(known.location) == target && known.name == fragment;
      if (is_it) anchor = fragment;
    }
    if (!anchor.empty()) dynamic_names_.insert(anchor);
    node.dynamic_ref = DynamicRef{.node = target, .anchor = std::move(anchor)};
    return ok();
  }

  std::size_t resource(const std::string& base) {
    const auto [known, is_new] = resources_.emplace(base, resources_.size());
    if (is_new) program_->dynamic_anchors.emplace_back();
    return known->second;
  }

  /// Compiles every place that some $dynamicRef may lead to; in there may be more of them.
  Status dynamic_anchors() {
    for (std::size_t known = 0; known != dynamic_names_.size();) {
      known = dynamic_names_.size();
      for (const auto& anchor : places_.dynamic_anchors()) {
        if (!dynamic_names_.contains(anchor.name)) continue;
        const Json* schema = resolve_pointer(document_, anchor.location);
        FACET_CHECK(schema != nullptr);
        FACET_TRY(const NodeIndex node, node_at(*schema, anchor.location));
        FACET_TRY_STATUS(compile_referenced());
        program_->dynamic_anchors[resource(anchor.base)].emplace(anchor.name, node);
      }
    }
    return ok();
  }

  static Status type(SchemaNode& node, const Json& value, const std::string& at) {
    static const std::map<std::string, unsigned> kTypes{{"null", type_null},
                                                        {"boolean", type_boolean},
                                                        {"integer", type_integer},
                                                        {"number", type_number},
                                                        {"string", type_string},
                                                        {"array", type_array},
                                                        {"object", type_object}};
    unsigned types = 0;
    const Json list = value.is_array() ? value : Json::array({value});
    for (const Json& name : list) {
      const auto known = name.is_string() ? kTypes.find(name.get<std::string>()) : kTypes.end();
      if (known == kTypes.end()) return bad(at, "is not a type: " + dump_json(name));
      types |= known->second;
    }
    if (types == 0) return bad(at, "names no type");
    node.types = types;
    return ok();
  }

  static Status values(SchemaNode& node,
                       const std::string& key,
                       const Json& value,
                       const std::string& at) {
    if (key == "const") {
      node.const_value = {value};
      return ok();
    }
    if (!value.is_array()) return bad(at, "must be an array");
    node.has_enum = true;
    node.enum_values.assign(value.begin(), value.end());
    return ok();
  }

  Status pattern(std::shared_ptr<const re2::RE2>& out,
                 std::string& text,
                 const Json& value,
                 const std::string& at) const {
    if (!value.is_string()) return bad(at, "must be a string");
    text = value.get<std::string>();
    if (text.size() > program_->options.pattern_bytes_max) {
      return Error{Code::limit_exceeded,
                   "the pattern at " + at + " has " + std::to_string(text.size()) +
                       " bytes; the limit is " +
                       std::to_string(program_->options.pattern_bytes_max)};
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(static_cast<std::int64_t>(program_->options.pattern_memory_bytes_max));
    auto compiled = std::make_shared<re2::RE2>(to_re2_dialect(text), options);
    if (!compiled->ok()) return bad(at, "is not a pattern that RE2 runs: " + compiled->error());
    out = std::move(compiled);
    return ok();
  }

  static Status names(std::vector<std::string>& out, const Json& value, const std::string& at) {
    if (!value.is_array()) return bad(at, "must be an array");
    for (const Json& name : value) {
      if (!name.is_string()) return bad(at, "must hold strings only");
      out.push_back(name.get<std::string>());
    }
    return ok();
  }

  static Status dependent_required(SchemaNode& node, const Json& value, const std::string& at) {
    if (!value.is_object()) return bad(at, "must be an object");
    for (const auto& [name, list] : value.items()) {
      node.dependent_required.emplace_back(name, std::vector<std::string>{});
      FACET_TRY_STATUS(names(node.dependent_required.back().second, list, at));
    }
    return ok();
  }

  static std::optional<long double>* number_slot(SchemaNode& node, std::string_view key) {
    if (key == "minimum") return &node.minimum;
    if (key == "maximum") return &node.maximum;
    if (key == "exclusiveMinimum") return &node.exclusive_minimum;
    if (key == "exclusiveMaximum") return &node.exclusive_maximum;
    if (key == "multipleOf") return &node.multiple_of;
    return nullptr;
  }

  static std::optional<std::size_t>* count_slot(SchemaNode& node, std::string_view key) {
    if (key == "minLength") return &node.length_min;
    if (key == "maxLength") return &node.length_max;
    if (key == "minItems") return &node.items_min;
    if (key == "maxItems") return &node.items_max;
    if (key == "minProperties") return &node.properties_min;
    if (key == "maxProperties") return &node.properties_max;
    if (key == "minContains") return &node.contains_min;
    if (key == "maxContains") return &node.contains_max;
    return nullptr;
  }

  static std::optional<NodeIndex>* schema_slot(SchemaNode& node, std::string_view key) {
    if (key == "additionalProperties") return &node.additional_properties;
    if (key == "propertyNames") return &node.property_names;
    if (key == "items") return &node.items;
    if (key == "contains") return &node.contains;
    if (key == "not") return &node.not_schema;
    if (key == "if") return &node.if_schema;
    if (key == "then") return &node.then_schema;
    if (key == "else") return &node.else_schema;
    if (key == "unevaluatedItems") return &node.unevaluated_items;
    if (key == "unevaluatedProperties") return &node.unevaluated_properties;
    return nullptr;
  }

  static std::vector<NodeIndex>* list_slot(SchemaNode& node, std::string_view key) {
    if (key == "allOf") return &node.all_of;
    if (key == "anyOf") return &node.any_of;
    if (key == "oneOf") return &node.one_of;
    if (key == "prefixItems") return &node.prefix_items;
    return nullptr;
  }

  static Status number_keyword(std::optional<long double>& out,
                               const std::string& key,
                               const Json& value,
                               const std::string& at) {
    if (!value.is_number()) return bad(at, "must be a number");
    out = value.get<long double>();
    if (key == "multipleOf" && *out <= 0) return bad(at, "must be more than 0");
    return ok();
  }

  static Status count_keyword(std::optional<std::size_t>& out,
                              const Json& value,
                              const std::string& at) {
    const long double number = value.is_number() ? value.get<long double>() : -1.0L;
    if (number < 0 || number > 9.0e15L ||
        number != static_cast<long double>(static_cast<std::size_t>(number))) {
      return bad(at, "must be a whole number of at least 0");
    }
    out = static_cast<std::size_t>(number);
    return ok();
  }

  Status schema_list(std::vector<NodeIndex>& out, const Json& value, const std::string& at) {
    if (!value.is_array() || value.empty()) return bad(at, "must be an array of schemas");
    for (std::size_t i = 0; i < value.size(); ++i) {
      FACET_TRY(const NodeIndex child, node_at(value[i], at + "/" + std::to_string(i)));
      out.push_back(child);
    }
    return ok();
  }

  Status schema_map(SchemaNode& node,
                    const std::string& key,
                    const Json& value,
                    const std::string& at) {
    if (!value.is_object()) return bad(at, "must be an object of schemas");
    for (const auto& [name, schema] : value.items()) {
      const std::string here = at + "/" + pointer_token(name);
      FACET_TRY(const NodeIndex child, node_at(schema, here));
      if (key == "properties") node.properties.emplace_back(name, child);
      if (key == "dependentSchemas") node.dependent_schemas.emplace_back(name, child);
      if (key != "patternProperties") continue;
      PatternProperty property;
      property.node = child;
      FACET_TRY_STATUS(pattern(property.pattern, property.text, Json(name), here));
      node.pattern_properties.push_back(std::move(property));
    }
    return ok();
  }

  const Json& document_;
  SchemaPlaces places_;
  std::shared_ptr<SchemaProgram> program_;
  std::map<std::string, NodeIndex> by_location_;
  struct Referenced {
    NodeIndex node = 0;
    const Json* schema = nullptr;
    std::string location;
  };
  std::vector<Referenced> referenced_;            ///< Reserved, to be filled.
  std::map<std::string, std::size_t> resources_;  ///< By URI: SchemaNode::resource.
  std::set<std::string> dynamic_names_;           ///< What the $dynamicRefs look for.
};

}  // namespace

Result<std::shared_ptr<const SchemaProgram>> compile_schema(const nlohmann::ordered_json& document,
                                                            const SchemaOptions& options) {
  FACET_TRY(SchemaPlaces places, SchemaPlaces::of(document));
  return Compiler(document, std::move(places), options).run();
}

}  // namespace facet::tools
