#include "tools/schema.h"

#include "base/json.h"
#include "base/json_pointer.h"
#include "base/utf8.h"
#include "tools/json_compare.h"
#include "tools/schema_evaluated.h"
#include "tools/schema_program.h"

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace facet::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownBytesMax = 80;

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

bool is_integral(const Json& value) {
  if (value.is_number_integer()) return true;
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  return std::isfinite(number) && std::trunc(number) == number;
}

unsigned type_bits(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return type_null;
    case Json::value_t::boolean:
      return type_boolean;
    case Json::value_t::string:
      return type_string;
    case Json::value_t::array:
      return type_array;
    case Json::value_t::object:
      return type_object;
    default:
      return is_integral(value) ? type_integer | type_number : type_number;
  }
}

std::string type_words(unsigned types) {
  static constexpr std::pair<unsigned, std::string_view> kWords[] = {{type_null, "null"},
                                                                     {type_boolean, "a boolean"},
                                                                     {type_integer, "an integer"},
                                                                     {type_number, "a number"},
                                                                     {type_string, "a string"},
                                                                     {type_array, "an array"},
                                                                     {type_object, "an object"}};
  std::string out;
  for (const auto& [bit, word] : kWords) {
    if ((types & bit) == 0) continue;
    if (!out.empty()) out += " or ";
    out += word;
  }
  return out;
}

std::string shown(const Json& value) {
  if (value.is_structured()) return std::string("an ") + value.type_name();
  const std::string text = dump_json(value);
  if (text.size() <= kShownBytesMax) return text;
  return std::string(utf8_prefix(text, kShownBytesMax)) + "...";
}

/// One check of one value. Not reused.
class Checker {
 public:
  explicit Checker(const SchemaProgram& program) : program_(program) {}

  std::optional<SchemaViolation> run(const Json& instance) {
    if (apply(program_.root, instance)) return std::nullopt;
    return std::move(violation_);
  }

 private:
  const SchemaNode& node(NodeIndex index) const { return program_.nodes[index]; }

  bool fail(const SchemaNode& schema, std::string_view keyword, std::string message) {
    if (exhausted_) return false;
    violation_ = {path_,
                  schema.location + (keyword.empty() ? "" : "/" + std::string(keyword)),
                  std::move(message)};
    return false;
  }

  bool exhaust(const SchemaNode& schema, std::string message) {
    fail(schema, "", std::move(message));
    exhausted_ = true;
    return false;
  }

  bool apply(NodeIndex index, const Json& value) {
    const SchemaNode& schema = node(index);
    if (exhausted_) return false;
    if (depth_ >= program_.options.check_depth_max) {
      return exhaust(schema, "is checked more than " + std::to_string(depth_) + " levels deep");
    }
    if (++steps_ > program_.options.check_steps_max) {
      return exhaust(schema,
                     "takes more than " + std::to_string(program_.options.check_steps_max) +
                         " steps to check");
    }
    if (schema.refuses_all) return fail(schema, "", "is not allowed");
    ++depth_;
    const bool enters = scope_.empty() || scope_.back() != schema.resource;
    if (enters) scope_.push_back(schema.resource);
    Evaluated mine;
    Evaluated* const outer = std::exchange(evaluated_, program_.collects ? &mine : nullptr);
    const bool good = general(schema, value) && number(schema, value) && string(schema, value) &&
                      array(schema, value) && object(schema, value) && combined(schema, value) &&
                      unevaluated(schema, value);
    evaluated_ = outer;
    if (good && outer != nullptr) {
      steps_ += mine.size() / 64;  // So that merging cannot take for ever either.
      outer->merge(mine);
    }
    if (enters) scope_.pop_back();
    --depth_;
    return good;
  }

  /// Where a $dynamicRef leads: to the outermost resource on the way here that has the anchor.
  [[nodiscard]] NodeIndex dynamic_target(const DynamicRef& reference) const {
    if (reference.anchor.empty()) return reference.node;
    for (const std::size_t resource : scope_) {
      const auto& anchors = program_.dynamic_anchors[resource];
      const auto found = anchors.find(reference.anchor);
      if (found != anchors.end()) return found->second;
    }
    return reference.node;
  }

  void mark(std::size_t index) {
    if (evaluated_ != nullptr) evaluated_->mark(index);
  }

  bool apply_at(NodeIndex index, const Json& value, std::string_view token) {
    const std::size_t length = path_.size();
    path_ += "/" + pointer_token(token);
    Evaluated* const kept = std::exchange(evaluated_, nullptr);  // Of another value.
    const bool good = apply(index, value);
    evaluated_ = kept;
    path_.resize(length);
    return good;
  }

  /// As apply, but a failure is an answer, not a violation; running out of budget still ends all.
  bool matches(NodeIndex index, const Json& value) {
    SchemaViolation kept = violation_;
    const bool good = apply(index, value);
    if (!exhausted_) violation_ = std::move(kept);
    return good;
  }

  /// As matches, for another value or where what was evaluated does not count.
  bool matches_apart(NodeIndex index, const Json& value) {
    Evaluated* const kept = std::exchange(evaluated_, nullptr);
    const bool good = matches(index, value);
    evaluated_ = kept;
    return good;
  }

  bool general(const SchemaNode& schema, const Json& value) {
    if (schema.types && (*schema.types & type_bits(value)) == 0) {
      return fail(schema, "type", "must be " + type_words(*schema.types) + ", is " + shown(value));
    }
    const auto equals = [&](const Json& wanted) { return json_equal(value, wanted); };
    if (schema.has_enum &&
        std::none_of(schema.enum_values.begin(), schema.enum_values.end(), equals)) {
      std::string list;
      for (const Json& wanted : schema.enum_values) {
        if (list.size() > 4 * kShownBytesMax) break;
        list += (list.empty() ? "" : ", ") + shown(wanted);
      }
      return fail(schema, "enum", "must be one of " + list + ", is " + shown(value));
    }
    if (!schema.const_value.empty() && !equals(schema.const_value[0])) {
      return fail(
          schema, "const", "must be " + shown(schema.const_value[0]) + ", is " + shown(value));
    }
    return true;
  }

  bool number(const SchemaNode& schema, const Json& value) {
    if (!value.is_number()) return true;
    const auto x = value.get<long double>();
    const auto refuse = [&](std::string_view keyword, const char* words, long double bound) {
      const double rounded = static_cast<double>(bound);
      const bool whole = std::trunc(bound) == bound && std::abs(bound) < 9e18L;
      const Json limit = whole ? Json(static_cast<std::int64_t>(bound)) : Json(rounded);
      return fail(schema, keyword, words + dump_json(limit) + ", is " + shown(value));
    };
    if (schema.minimum && x < *schema.minimum) {
      return refuse("minimum", "must be at least ", *schema.minimum);
    }
    if (schema.maximum && x > *schema.maximum) {
      return refuse("maximum", "must be at most ", *schema.maximum);
    }
    if (schema.exclusive_minimum && x <= *schema.exclusive_minimum) {
      return refuse("exclusiveMinimum", "must be more than ", *schema.exclusive_minimum);
    }
    if (schema.exclusive_maximum && x >= *schema.exclusive_maximum) {
      return refuse("exclusiveMaximum", "must be less than ", *schema.exclusive_maximum);
    }
    if (schema.multiple_of && !is_multiple(x, *schema.multiple_of)) {
      return refuse("multipleOf", "must be a multiple of ", *schema.multiple_of);
    }
    return true;
  }

  /// `count` against a least and a most; `unit` is "items", "characters", ...
  bool counted(const SchemaNode& schema,
               std::size_t count,
               const std::optional<std::size_t>& least,
               const std::optional<std::size_t>& most,
               std::pair<std::string_view, std::string_view> keywords,
               const std::string& unit) {
    if (least && count < *least) {
      return fail(
          schema,
          keywords.first,
          "must have at least " + std::to_string(*least) + unit + ", has " + std::to_string(count));
    }
    if (most && count > *most) {
      return fail(
          schema,
          keywords.second,
          "must have at most " + std::to_string(*most) + unit + ", has " + std::to_string(count));
    }
    return true;
  }

  bool string(const SchemaNode& schema, const Json& value) {
    if (!value.is_string()) return true;
    const auto& text = value.get_ref<const std::string&>();
    if ((schema.length_min || schema.length_max) && !counted(schema,
                                                             code_points(text),
                                                             schema.length_min,
                                                             schema.length_max,
                                                             {"minLength", "maxLength"},
                                                             " characters")) {
      return false;
    }
    if (schema.pattern && !re2::RE2::PartialMatch(text, *schema.pattern)) {
      return fail(schema,
                  "pattern",
                  "must match the pattern " + schema.pattern_text + ", is " + shown(value));
    }
    return true;
  }

  bool array(const SchemaNode& schema, const Json& value) {
    if (!value.is_array()) return true;
    if (!counted(schema,
                 value.size(),
                 schema.items_min,
                 schema.items_max,
                 {"minItems", "maxItems"},
                 " items")) {
      return false;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
      const bool in_prefix = i < schema.prefix_items.size();
      if (!in_prefix && !schema.items) break;
      const NodeIndex child = in_prefix ? schema.prefix_items[i] : *schema.items;
      if (!apply_at(child, value[i], std::to_string(i))) return false;
      mark(i);
    }
    if (schema.contains && !contains(schema, value)) return false;
    return !schema.unique_items || unique(schema, value);
  }

  bool contains(const SchemaNode& schema, const Json& value) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (!matches_apart(*schema.contains, value[i])) continue;
      ++count;
      mark(i);
    }
    if (exhausted_) return false;
    const bool least_given = schema.contains_min.has_value();
    return counted(schema,
                   count,
                   schema.contains_min.value_or(1),
                   schema.contains_max,
                   {least_given ? "minContains" : "contains", "maxContains"},
                   " items that match `contains`");
  }

  bool unique(const SchemaNode& schema, const Json& value) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      for (std::size_t j = i + 1; j < value.size(); ++j) {
        if (++steps_ > program_.options.check_steps_max) {
          return exhaust(schema, "has too many items to compare");
        }
        if (json_equal(value[i], value[j])) {
          return fail(schema,
                      "uniqueItems",
                      "must not repeat an item; items " + std::to_string(i) + " and " +
                          std::to_string(j) + " are equal");
        }
      }
    }
    return true;
  }

  bool object(const SchemaNode& schema, const Json& value) {
    if (!value.is_object()) return true;
    if (!counted(schema,
                 value.size(),
                 schema.properties_min,
                 schema.properties_max,
                 {"minProperties", "maxProperties"},
                 " properties")) {
      return false;
    }
    for (const std::string& name : schema.required) {
      if (!value.contains(name)) {
        return fail(schema, "required", "lacks the required property " + json_quote(name));
      }
    }
    for (const auto& [name, wanted] : schema.dependent_required) {
      if (!value.contains(name)) continue;
      for (const std::string& other : wanted) {
        if (value.contains(other)) continue;
        return fail(schema,
                    "dependentRequired",
                    "has " + json_quote(name) + " and so needs " + json_quote(other));
      }
    }
    for (const auto& [name, child] : schema.dependent_schemas) {
      if (value.contains(name) && !apply(child, value)) return false;
    }
    std::size_t index = 0;
    for (const auto& [name, member] : value.items()) {
      if (!property(schema, name, member, index++)) return false;
    }
    return true;
  }

  bool property(const SchemaNode& schema,
                const std::string& name,
                const Json& member,
                std::size_t index) {
    if (schema.property_names && !apply_at(*schema.property_names, Json(name), name)) return false;
    bool known = false;
    for (const auto& [wanted, child] : schema.properties) {
      if (wanted != name) continue;
      known = true;
      if (!apply_at(child, member, name)) return false;
    }
    for (const PatternProperty& wanted : schema.pattern_properties) {
      if (!re2::RE2::PartialMatch(name, *wanted.pattern)) continue;
      known = true;
      if (!apply_at(wanted.node, member, name)) return false;
    }
    if (known || schema.additional_properties) mark(index);
    if (known || !schema.additional_properties) return true;
    if (node(*schema.additional_properties).refuses_all) {
      std::string list;
      for (const auto& [wanted, child] : schema.properties) {
        if (list.size() > 4 * kShownBytesMax) break;
        list += (list.empty() ? "; known are " : ", ") + json_quote(wanted);
      }
      return fail(
          schema, "additionalProperties", "has the unknown property " + shown(Json(name)) + list);
    }
    return apply_at(*schema.additional_properties, member, name);
  }

  bool combined(const SchemaNode& schema, const Json& value) {
    if (schema.ref && !apply(*schema.ref, value)) return false;
    const auto& dynamic = schema.dynamic_ref;
    if (dynamic && !apply(dynamic_target(*dynamic), value)) return false;
    for (const NodeIndex child : schema.all_of) {
      if (!apply(child, value)) return false;
    }
    if (!schema.any_of.empty() && !any_of(schema, value)) return false;
    if (!schema.one_of.empty()) {
      std::size_t count = 0;
      for (const NodeIndex child : schema.one_of) count += matches(child, value) ? 1U : 0U;
      if (exhausted_) return false;
      if (count != 1) {
        return fail(schema,
                    "oneOf",
                    "must match exactly one of " + std::to_string(schema.one_of.size()) +
                        " alternatives, matches " + std::to_string(count));
      }
    }
    if (schema.not_schema && matches_apart(*schema.not_schema, value)) {
      return fail(schema, "not", "matches what it must not match");
    }
    if (schema.if_schema) {
      const bool condition = matches(*schema.if_schema, value);
      const auto& branch = condition ? schema.then_schema : schema.else_schema;
      if (branch && !apply(*branch, value)) return false;
    }
    return !exhausted_;
  }

  bool any_of(const SchemaNode& schema, const Json& value) {
    bool fits = false;
    for (const NodeIndex child : schema.any_of) {
      fits = matches(child, value) || fits;
      if (fits && evaluated_ == nullptr) break;  // Else each one that fits evaluates something.
    }
    return fits || fail(schema,
                        "anyOf",
                        "must match one of " + std::to_string(schema.any_of.size()) +
                            " alternatives, matches none");
  }

  bool unevaluated(const SchemaNode& schema, const Json& value) {
    if (schema.unevaluated_items && value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (evaluated_->has(i)) continue;
        if (!apply_at(*schema.unevaluated_items, value[i], std::to_string(i))) return false;
        mark(i);
      }
    }
    if (!schema.unevaluated_properties || !value.is_object()) return true;
    std::size_t index = 0;
    for (const auto& [name, member] : value.items()) {
      if (!evaluated_->has(index)) {
        if (node(*schema.unevaluated_properties).refuses_all) {
          return fail(schema,
                      "unevaluatedProperties",
                      "has the property " + shown(Json(name)) + ", which no part describes");
        }
        if (!apply_at(*schema.unevaluated_properties, member, name)) return false;
        mark(index);
      }
      ++index;
    }
    return true;
  }

  const SchemaProgram& program_;
  std::string path_;
  Evaluated* evaluated_ = nullptr;  ///< Of the value being checked; null when nobody asks.
  std::vector<std::size_t> scope_;  ///< Schema resources on the way to the current one.
  int depth_ = 0;
  std::size_t steps_ = 0;
  bool exhausted_ = false;
  SchemaViolation violation_;
};

}  // namespace

std::string SchemaViolation::text() const {
  const std::string where = instance_pointer.empty() ? "the value" : instance_pointer;
  return where + " " + message + " (schema: " + (keyword_pointer.empty() ? "/" : keyword_pointer) +
         ")";
}

Result<Schema> Schema::compile(const nlohmann::ordered_json& schema, SchemaOptions options) {
  FACET_TRY(auto program, compile_schema(schema, options));
  return Schema(std::move(program));
}

Result<Schema> Schema::compile_text(std::string_view schema, SchemaOptions options) {
  FACET_TRY(const Json document,
            parse_json(schema, "the schema", {.bytes_max = options.schema_bytes_max}));
  return compile(document, options);
}

std::optional<SchemaViolation> Schema::check(const nlohmann::ordered_json& instance) const {
  return Checker(*program_).run(instance);
}

}  // namespace facet::tools
