#include "base/grammar/schema_shape.h"

#include "base/grammar/regex.h"
#include "base/json.h"
#include "base/json_pointer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

namespace facet::grammar {
namespace {

constexpr std::array<std::string_view, 20> kAnnotations{
    "$anchor",         "$comment",         "$defs",         "$id",         "$schema",
    "contentEncoding", "contentMediaType", "contentSchema", "default",     "definitions",
    "deprecated",      "description",      "example",       "examples",    "readOnly",
    "title",           "writeOnly",        "minContains",   "maxContains", "$vocabulary"};
constexpr std::size_t kEnumValuesMax = 20'000;
/// Where two of them meet, each value is compared with each.
constexpr std::size_t kEnumPairsMax = 1'000'000;
/// Schemas that describe one value together.
constexpr std::size_t kPartsMax = 1000;
/// Handled for a schema as a whole, not one by one.
constexpr std::array<std::string_view, 6> kStructural{
    "additionalProperties", "items", "patternProperties", "prefixItems", "properties", "required"};

template <std::size_t N>
bool has_word(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string shown(const std::string& pointer) {
  return pointer.empty() ? std::string("the schema") : "the schema at " + pointer;
}

Error bad(const std::string& pointer, const std::string& what) {
  return Error{Code::invalid_argument, shown(pointer) + " " + what};
}

bool has_flag(const Json& schema, const char* name) {
  if (!schema.is_object()) return false;
  const auto found = schema.find(name);
  return found != schema.end() && found->is_boolean() && found->get<bool>();
}

long double number_of(const Json& value) {
  if (value.is_number_unsigned()) return static_cast<long double>(value.get<std::uint64_t>());
  if (value.is_number_integer()) return static_cast<long double>(value.get<std::int64_t>());
  return static_cast<long double>(value.get<double>());
}

}  // namespace

Result<std::shared_ptr<const TextAutomaton>> cached_pattern(const std::string& text,
                                                            PatternCache& cache) {
  if (const auto known = cache.find(text); known != cache.end()) return known->second;
  FACET_TRY(TextAutomaton automaton, regex_automaton(text));
  auto shared = std::make_shared<const TextAutomaton>(std::move(automaton));
  cache.emplace(text, shared);
  return shared;
}

ShapeReader::ShapeReader(const Json& document,
                         std::vector<SchemaNote>& notes,
                         PatternCache& patterns)
    : document_(document), notes_(notes), patterns_(patterns) {
  place(&document, "");
}

std::string ShapeReader::pointer_of(const Json* schema) const {
  const auto found = pointers_.find(schema);
  return found == pointers_.end() ? std::string() : found->second;
}

void ShapeReader::place(const Json* child, const std::string& pointer) {
  pointers_.try_emplace(child, pointer);
}

void ShapeReader::note(SchemaNote::Kind kind, const std::string& at, const std::string& message) {
  if (noted_.emplace(at, message).second) notes_.push_back({kind, at, message});
}

bool ShapeReader::is_relaxed(const Json& schema) const {
  return has_flag(schema, "x-facet-relaxed") || has_flag(document_, "x-facet-relaxed");
}

Error ShapeReader::endless(const Json* schema) const {
  return bad(pointer_of(schema), "refers to itself without describing a value in between");
}

/// Follows $ref and allOf to everything that holds. A schema that is reached again from itself
/// says nothing new, but an endless way to say so: that is refused.
Result<Shape> ShapeReader::read(const Holdings& holdings) {
  Shape shape;
  shape.pointer = holdings.empty() ? std::string() : pointer_of(holdings.front().schema);
  shape.is_free = std::any_of(
      holdings.begin(), holdings.end(), [](const Holding& known) { return known.is_free; });
  std::set<const Json*> seen;
  std::set<const Json*> open;
  struct Step {
    Holding holding;
    bool leaves = false;
  };
  std::vector<Step> steps;
  for (auto at = holdings.rbegin(); at != holdings.rend(); ++at) steps.push_back({*at});
  while (!steps.empty()) {
    const Step step = steps.back();
    steps.pop_back();
    const Json* const now = step.holding.schema;
    if (step.leaves) {
      open.erase(now);
      continue;
    }
    if (open.contains(now)) {
      return endless(now);
    }
    if (!seen.insert(now).second) continue;
    if (seen.size() > kPartsMax) {
      return Error{Code::limit_exceeded,
                   shown(shape.pointer) + " is made of more than " + std::to_string(kPartsMax) +
                       " parts by $ref and allOf"};
    }
    open.insert(now);
    steps.push_back({step.holding, true});
    std::vector<const Json*> more;
    FACET_TRY_STATUS(schema(*now, step.holding.settled, shape, more));
    for (auto at = more.rbegin(); at != more.rend(); ++at) {
      const bool settled = std::any_of(holdings.begin(), holdings.end(), [&](const Holding& known) {
        return known.schema == *at && known.settled;
      });
      // An alternative of its own anyOf: it would hold because it holds.
      const bool chooses =
          (*at)->is_object() && ((*at)->contains("anyOf") || (*at)->contains("oneOf"));
      if (settled && chooses && !step.holding.settled) return endless(*at);
      steps.push_back({{*at, settled}});
    }
  }
  for (const Json* member : seen) shape.holdings.push_back({member, true, shape.is_free});
  return shape;
}

Status ShapeReader::schema(const Json& schema,
                           bool settled,
                           Shape& shape,
                           std::vector<const Json*>& more) {
  const std::string at = pointer_of(&schema);
  if (schema.is_boolean()) {
    shape.refuses_all = shape.refuses_all || !schema.get<bool>();
    return ok();
  }
  if (!schema.is_object()) return bad(at, "must be an object or a boolean");
  shape.is_free = shape.is_free || has_flag(schema, "x-facet-free");
  for (const auto& [key, value] : schema.items()) {
    if (key.starts_with("x-") || has_word(kAnnotations, key) || has_word(kStructural, key))
      continue;
    FACET_TRY_STATUS(
        keyword(schema, key, value, at + "/" + pointer_token(key), settled, shape, more));
  }
  FACET_TRY_STATUS(object_keywords(schema, shape));
  return items_keywords(schema, shape);
}

Status ShapeReader::values(const std::string& key,
                           const Json& value,
                           const std::string& at,
                           Shape& shape) {
  if (key == "enum" && !value.is_array()) return bad(at, "must be an array");
  std::vector<const Json*> listed;
  if (key == "const") listed.push_back(&value);
  if (key == "enum") {
    for (const Json& one : value) listed.push_back(&one);
  }
  const std::size_t others = shape.values ? shape.values->size() : 1;
  if (listed.size() > kEnumValuesMax || listed.size() * others > kEnumPairsMax) {
    return Error{Code::limit_exceeded,
                 shown(at) + " lists " + std::to_string(listed.size()) +
                     " values, more than can be looked through"};
  }
  if (shape.values) {
    std::erase_if(listed, [&](const Json* one) {
      return std::none_of(shape.values->begin(), shape.values->end(), [&](const Json* known) {
        return *known == *one;
      });
    });
  }
  shape.values = std::move(listed);
  return ok();
}

Status ShapeReader::keyword(const Json& schema,
                            const std::string& key,
                            const Json& value,
                            const std::string& at,
                            bool settled,
                            Shape& shape,
                            std::vector<const Json*>& more) {
  if (key == "$ref") {
    if (!value.is_string()) return bad(at, "must be a string");
    FACET_TRY(const Json* found, target(value.get<std::string>(), at));
    more.push_back(found);
    return ok();
  }
  if (key == "allOf") return list(value, at, more);
  if (key == "anyOf" || key == "oneOf") {
    if (settled) return ok();
    std::vector<const Json*> alternatives;
    FACET_TRY_STATUS(list(value, at, alternatives));
    if (key == "oneOf" && alternatives.size() > 1) {
      note(SchemaNote::Kind::narrowed,
           at,
           "oneOf is offered as anyOf: the validator refuses a value of two alternatives");
    }
    shape.choices.push_back(std::move(alternatives));
    return ok();
  }
  if (key == "type") return type(value, at, shape);
  if (key == "enum" || key == "const") return values(key, value, at, shape);
  if (key == "minimum" || key == "maximum" || key == "exclusiveMinimum" ||
      key == "exclusiveMaximum") {
    return number_keyword(key, value, at, shape);
  }
  if (key == "multipleOf") {
    if (!value.is_number() || !(number_of(value) > 0)) return bad(at, "must be a number above 0");
    const long double divisor = number_of(value);
    if (divisor == std::floor(divisor) && divisor <= 1e15L) {
      shape.multiple_of = std::lcm(shape.multiple_of, static_cast<std::uint64_t>(divisor));
      return ok();
    }
  }
  if (key == "minLength" || key == "maxLength" || key == "pattern" || key == "format") {
    auto status = text_keyword(key, value, at, shape);
    if (status || status.error().code != Code::unsupported || !is_relaxed(schema)) return status;
    note(SchemaNote::Kind::relaxed, at, status.error().message + "; it is not enforced");
    return ok();
  }
  if (key == "minItems" || key == "maxItems") {
    FACET_TRY(const std::int64_t number, count(value, at));
    if (key == "minItems") {
      shape.items_min = std::max(shape.items_min, number);
    } else {
      shape.items_max = shape.items_max < 0 ? number : std::min(shape.items_max, number);
    }
    return ok();
  }
  const bool says_nothing =
      (key == "uniqueItems" && value == false) || (key == "minProperties" && value == 0);
  if (says_nothing) return ok();
  if (is_relaxed(schema)) {
    note(SchemaNote::Kind::relaxed, at, "this keyword is not enforced");
    return ok();
  }
  return Error{
      Code::unsupported,
      shown(at) + " has no grammar (\"x-facet-relaxed\": true leaves it to the validator)"};
}

Status ShapeReader::type(const Json& value, const std::string& at, Shape& shape) {
  static constexpr std::array<std::pair<std::string_view, unsigned>, 7> kTypes{
      {{"null", type_null},
       {"boolean", type_boolean},
       {"integer", type_integer},
       {"number", type_number | type_integer},
       {"string", type_string},
       {"array", type_array},
       {"object", type_object}}};
  const auto bits_of = [&](const Json& name) -> Result<unsigned> {
    if (!name.is_string()) return bad(at, "must be a string or an array of strings");
    for (const auto& [known, bits] : kTypes) {
      if (name == known) return bits;
    }
    return bad(at, "names the unknown type " + dump_json(name));
  };
  unsigned types = 0;
  if (value.is_array()) {
    for (const Json& name : value) {
      FACET_TRY(const unsigned bits, bits_of(name));
      types |= bits;
    }
  } else {
    FACET_TRY(types, bits_of(value));
  }
  shape.types &= types;
  return ok();
}

Status ShapeReader::number_keyword(const std::string& key,
                                   const Json& value,
                                   const std::string& at,
                                   Shape& shape) {
  if (!value.is_number()) return bad(at, "must be a number");
  const bool exclusive = key.starts_with("exclusive");
  const bool is_min = key == "minimum" || key == "exclusiveMinimum";
  const long double number = number_of(value);
  std::optional<Bound>& bound = is_min ? shape.min : shape.max;
  const bool tighter = !bound || (is_min ? number > bound->value : number < bound->value) ||
                       (number == bound->value && exclusive);
  if (tighter) bound = Bound{number, exclusive};
  return ok();
}

Result<std::int64_t> ShapeReader::count(const Json& value, const std::string& at) {
  constexpr std::int64_t kCountMax = 1'000'000'000'000;
  const bool is_count = value.is_number() && number_of(value) >= 0 &&
                        number_of(value) == std::floor(number_of(value));
  if (!is_count) return bad(at, "must be a whole number of 0 or more");
  return static_cast<std::int64_t>(std::min(number_of(value), static_cast<long double>(kCountMax)));
}

Status ShapeReader::text_keyword(const std::string& key,
                                 const Json& value,
                                 const std::string& at,
                                 Shape& shape) {
  if (key == "minLength" || key == "maxLength") {
    FACET_TRY(const std::int64_t length, count(value, at));
    if (key == "minLength") {
      shape.length_min = std::max(shape.length_min, length);
    } else {
      shape.length_max = shape.length_max < 0 ? length : std::min(shape.length_max, length);
    }
    return ok();
  }
  if (!value.is_string()) return bad(at, "must be a string");
  const std::string& text = value.get_ref<const std::string&>();
  if (key == "pattern") {
    auto automaton = cached_pattern(text, patterns_);
    if (!automaton) return automaton.error().with_context(shown(at));
    shape.texts.push_back({at, "pattern " + text, *std::move(automaton)});
    return ok();
  }
  const TextAutomaton* const known = format_automaton(text);
  if (known == nullptr) {
    return Error{Code::unsupported,
                 shown(at) + ": the format " + json_quote(text) + " has no grammar"};
  }
  // Lives as long as the program.
  shape.texts.push_back({at, "format " + text, {std::shared_ptr<void>(), known}});
  return ok();
}

Status ShapeReader::object_keywords(const Json& schema, Shape& shape) {
  const std::string at = pointer_of(&schema);
  ObjectPart part;
  bool is_there = false;
  for (const char* key : {"properties", "patternProperties"}) {
    const auto found = schema.find(key);
    if (found == schema.end()) continue;
    is_there = true;
    if (!found->is_object()) return bad(at + "/" + key, "is not an object");
    auto& members = std::string_view(key) == "properties" ? part.properties : part.patterns;
    for (const auto& [name, member] : found->items()) {
      place(&member, at + "/" + key + "/" + pointer_token(name));
      members.emplace_back(name, &member);
    }
  }
  if (const auto found = schema.find("additionalProperties"); found != schema.end()) {
    is_there = true;
    part.additional = &*found;
    place(&*found, at + "/additionalProperties");
  }
  if (const auto found = schema.find("required"); found != schema.end()) {
    if (!found->is_array()) return bad(at + "/required", "is not an array");
    for (const Json& name : *found) {
      if (!name.is_string()) return bad(at + "/required", "holds a name that is no string");
      const auto& text = name.get_ref<const std::string&>();
      const bool known =
          std::find(shape.required.begin(), shape.required.end(), text) != shape.required.end();
      if (!known) shape.required.push_back(text);
    }
  }
  if (!is_there) return ok();
  shape.has_structured_keywords = true;
  shape.objects.push_back(std::move(part));
  return ok();
}

Status ShapeReader::items_keywords(const Json& schema, Shape& shape) {
  const std::string at = pointer_of(&schema);
  ItemsPart part;
  bool is_there = false;
  if (const auto found = schema.find("prefixItems"); found != schema.end()) {
    is_there = true;
    FACET_TRY_STATUS(list(*found, at + "/prefixItems", part.prefix));
  }
  if (const auto found = schema.find("items"); found != schema.end()) {
    is_there = true;
    part.rest = &*found;
    place(&*found, at + "/items");
  }
  if (!is_there) return ok();
  shape.has_structured_keywords = true;
  shape.items.push_back(std::move(part));
  return ok();
}

Status ShapeReader::list(const Json& value, const std::string& at, std::vector<const Json*>& out) {
  if (!value.is_array() || value.empty()) return bad(at, "must be an array that is not empty");
  for (std::size_t i = 0; i < value.size(); ++i) {
    place(&value[i], at + "/" + std::to_string(i));
    out.push_back(&value[i]);
  }
  return ok();
}

Result<const Json*> ShapeReader::target(const std::string& reference, const std::string& at) {
  if (!reference.starts_with('#')) {
    return Error{Code::unsupported, shown(at) + " refers to another document"};
  }
  std::string pointer;
  for (std::size_t i = 1; i < reference.size(); ++i) {
    // A fragment of a URI: %25 and the like.
    unsigned code = 0;
    const bool is_escape = reference[i] == '%' && i + 2 < reference.size() &&
                           std::isxdigit(static_cast<unsigned char>(reference[i + 1])) != 0 &&
                           std::isxdigit(static_cast<unsigned char>(reference[i + 2])) != 0;
    if (is_escape) {
      code = static_cast<unsigned>(std::stoi(reference.substr(i + 1, 2), nullptr, 16));
      i += 2;
    }
    pointer += is_escape ? static_cast<char>(code) : reference[i];
  }
  if (pointer.empty() || pointer.starts_with('/')) {
    const Json* const found = resolve_pointer(document_, pointer);
    if (found == nullptr)
      return bad(at, "refers to " + json_quote(reference) + ", which is nowhere");
    place(found, pointer);
    return found;
  }
  if (!anchors_read_) {
    anchors_read_ = true;
    // Every object is looked at: that a name in an enum could be taken for an anchor is no harm.
    std::vector<std::pair<const Json*, std::string>> open{{&document_, ""}};
    while (!open.empty()) {
      const auto [now, place_now] = open.back();
      open.pop_back();
      if (now->is_object() && now->contains("$anchor") && (*now)["$anchor"].is_string()) {
        anchors_.try_emplace((*now)["$anchor"].get<std::string>(), now);
        place(now, place_now);
      }
      if (!now->is_structured()) continue;
      for (const auto& [key, child] : now->items()) {
        open.emplace_back(&child, place_now + "/" + pointer_token(key));
      }
    }
  }
  const auto found = anchors_.find(pointer);
  if (found == anchors_.end())
    return bad(at, "refers to the unknown anchor " + json_quote(pointer));
  return found->second;
}

}  // namespace facet::grammar
