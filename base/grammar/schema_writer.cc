#include "base/grammar/schema_writer.h"

#include "base/grammar/copy_source.h"
#include "base/grammar/number_automaton.h"
#include "base/json.h"
#include "base/json_pointer.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace facet::grammar {
namespace {

/// Integers beyond this are not offered where bounds are given.
constexpr long double kIntegerMax = 999'999'999'999'999'999.0L;
/// More required items are refused: no answer is that long.
constexpr std::int64_t kItemsMax = 10'000;
constexpr std::int64_t kLengthMax = 1'000'000'000;

std::string shown(const std::string& pointer) {
  return pointer.empty() ? std::string("the schema") : "the schema at " + pointer;
}

long double number_of(const Json& value) {
  if (value.is_number_unsigned()) return static_cast<long double>(value.get<std::uint64_t>());
  if (value.is_number_integer()) return static_cast<long double>(value.get<std::int64_t>());
  return static_cast<long double>(value.get<double>());
}

std::int64_t code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  });
}

unsigned type_of(const Json& value) {
  if (value.is_null()) return type_null;
  if (value.is_boolean()) return type_boolean;
  if (value.is_number_float()) {
    const double number = value.get<double>();
    return number == std::floor(number) ? type_integer | type_number : type_number;
  }
  if (value.is_number()) return type_integer | type_number;
  if (value.is_string()) return type_string;
  return value.is_array() ? type_array : type_object;
}

bool is_within(long double number, const Shape& shape) {
  if (shape.min &&
      (number < shape.min->value || (number == shape.min->value && shape.min->exclusive))) {
    return false;
  }
  if (shape.max &&
      (number > shape.max->value || (number == shape.max->value && shape.max->exclusive))) {
    return false;
  }
  return shape.multiple_of == 1 ||
         std::fmod(number, static_cast<long double>(shape.multiple_of)) == 0.0L;
}

}  // namespace

SchemaWriter::SchemaWriter(ValueNodes& nodes, const Json& document, std::vector<SchemaNote>& notes)
    : nodes_(nodes),
      grammar_(nodes.grammar),
      document_(document),
      notes_(notes),
      reader_(document, notes, nodes.patterns) {}

void SchemaWriter::note(SchemaNote::Kind kind,
                        const std::string& pointer,
                        const std::string& message) {
  SchemaNote fresh{kind, pointer, message};
  if (std::find(notes_.begin(), notes_.end(), fresh) == notes_.end()) {
    notes_.push_back(std::move(fresh));
  }
}

Grammar::Node SchemaWriter::never(const std::string& pointer) {
  if (contradiction_.empty()) contradiction_ = pointer.empty() ? "/" : pointer;
  return grammar_.never();
}

/// A rule for `holdings`; its body waits its turn, so that schemas may refer to themselves and
/// nothing here is recursive.
Grammar::Node SchemaWriter::value_of(Holdings holdings) {
  std::sort(holdings.begin(), holdings.end());
  holdings.erase(std::unique(holdings.begin(), holdings.end()), holdings.end());
  const auto [found, is_new] = known_.try_emplace(holdings, -1);
  if (!is_new) return found->second;
  const std::string name = holdings.empty() ? "any" : reader_.pointer_of(holdings.front().schema);
  found->second = grammar_.declare(name.empty() ? "#" : name);
  pending_.push_back({std::move(holdings), found->second});
  return found->second;
}

Result<Grammar::Node> SchemaWriter::run(const ObjectSyntax* root_object) {
  const Node root = value_of(&document_);
  bool is_root = true;
  while (!pending_.empty()) {
    if (known_.size() > nodes_.options.rules_max) {
      return Error{
          Code::limit_exceeded,
          "the schema needs more than " + std::to_string(nodes_.options.rules_max) + " rules"};
    }
    const Pending next = std::move(pending_.front());
    pending_.pop_front();
    // A schema that refers back to its root means a value like any other, not the outermost one.
    const bool outermost = std::exchange(is_root, false) && root_object != nullptr;
    if (outermost) known_.clear();
    FACET_TRY(const Node body, this->body(next.holdings, outermost ? root_object : nullptr));
    grammar_.define(next.rule, body);
  }
  return root;
}

Result<Grammar::Node> SchemaWriter::body(const Holdings& holdings,
                                         const ObjectSyntax* root_object) {
  FACET_TRY(const Shape shape, reader_.read(holdings));
  if (shape.refuses_all) return never(shape.pointer);
  if (!shape.choices.empty() && root_object == nullptr) return alternatives(shape);
  if (root_object != nullptr) {
    if (!shape.choices.empty() || shape.values) {
      return Error{Code::unsupported,
                   shown(shape.pointer) + " has no grammar: arguments are one object"};
    }
    if ((shape.types & type_object) == 0) return never(shape.pointer + "/type");
    return object(shape, *root_object, true);
  }
  if (shape.values) return enumeration(shape);
  if (shape.types == 0) return never(shape.pointer + "/type");

  const bool says_nothing =
      shape.types == type_any && !shape.has_structured_keywords && shape.texts.empty() &&
      !shape.min && !shape.max && shape.multiple_of == 1 && shape.length_min == 0 &&
      shape.length_max < 0 && shape.items_min == 0 && shape.items_max < 0 && shape.required.empty();
  if (says_nothing) return nodes_.any_value();
  std::vector<Node> out;
  if ((shape.types & type_object) != 0) {
    FACET_TRY(const Node node, object(shape, nodes_.syntax.object, false));
    out.push_back(node);
  }
  if ((shape.types & type_array) != 0) {
    FACET_TRY(const Node node, array(shape));
    out.push_back(node);
  }
  if ((shape.types & type_string) != 0) {
    FACET_TRY(const Node node, string(shape));
    out.push_back(node);
  }
  if ((shape.types & (type_number | type_integer)) != 0) {
    FACET_TRY(const Node node, number(shape, (shape.types & type_number) == 0));
    out.push_back(node);
  }
  const ValueSyntax& syntax = nodes_.syntax;
  if ((shape.types & type_boolean) != 0) {
    out.push_back(grammar_.literal(syntax.true_word));
    out.push_back(grammar_.literal(syntax.false_word));
  }
  if ((shape.types & type_null) != 0) out.push_back(grammar_.literal(syntax.null_word));
  return out.size() == 1 ? out.front() : grammar_.choice(std::move(out));
}

/// Every way to take one alternative of each anyOf.
Result<Grammar::Node> SchemaWriter::alternatives(const Shape& shape) {
  std::vector<Holdings> ways{shape.holdings};
  for (const auto& choice : shape.choices) {
    if (ways.size() * choice.size() > nodes_.options.alternatives_max) {
      return Error{Code::limit_exceeded,
                   shown(shape.pointer) + " has more than " +
                       std::to_string(nodes_.options.alternatives_max) + " alternatives"};
    }
    std::vector<Holdings> next;
    for (const Holdings& way : ways) {
      for (const Json* alternative : choice) {
        next.push_back(way);
        next.back().push_back({alternative, false, shape.is_free});
      }
    }
    ways = std::move(next);
  }
  std::vector<Node> out;
  out.reserve(ways.size());
  for (Holdings& way : ways) out.push_back(value_of(std::move(way)));
  return grammar_.choice(std::move(out));
}

Result<bool> SchemaWriter::fits(const Json& value, const Shape& shape) {
  if ((type_of(value) & shape.types) == 0) return false;
  if (value.is_number()) return is_within(number_of(value), shape);
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const std::int64_t length = code_points(text);
    if (length < shape.length_min) return false;
    if (shape.length_max >= 0 && length > shape.length_max) return false;
    return std::all_of(shape.texts.begin(), shape.texts.end(), [&](const auto& known) {
      return known.automaton->matches(text);
    });
  }
  if (!value.is_structured()) return true;
  const bool is_open = !shape.has_structured_keywords && shape.required.empty() &&
                       shape.items_min == 0 && shape.items_max < 0;
  if (is_open) return true;
  return Error{Code::unsupported,
               shown(shape.pointer) +
                   " lists arrays or objects and describes them too, which has "
                   "no grammar"};
}

Result<Grammar::Node> SchemaWriter::enumeration(const Shape& shape) {
  std::vector<const Json*> simple;
  std::vector<Node> out;
  for (const Json* value : *shape.values) {
    FACET_TRY(const bool fits_shape, fits(*value, shape));
    if (!fits_shape) continue;
    if (value->is_structured()) {
      out.push_back(nodes_.literal(*value));
    } else {
      simple.push_back(value);
    }
  }
  if (!simple.empty()) out.push_back(nodes_.scalars(simple));
  if (out.empty()) return never(shape.pointer);
  return out.size() == 1 ? out.front() : grammar_.choice(std::move(out));
}

bool SchemaWriter::is_copied(const Shape& shape) const {
  return nodes_.options.copies != nullptr && !shape.is_free;
}

Result<Grammar::Node> SchemaWriter::copied_number(const Shape& shape, bool integers) {
  std::vector<std::string> fitting;
  for (const std::string& text : nodes_.options.copies->numbers()) {
    FACET_TRY(const Json value, parse_json(text, "a number"));
    const bool is_kind = !integers || (type_of(value) & type_integer) != 0;
    if (is_kind && is_within(number_of(value), shape)) fitting.push_back(text);
  }
  return nodes_.copied_number(fitting, integers);
}

Result<Grammar::Node> SchemaWriter::number(const Shape& shape, bool integers) {
  if (is_copied(shape)) return copied_number(shape, integers);
  const bool bounded = shape.min || shape.max;
  if (!bounded && shape.multiple_of == 1) return integers ? nodes_.integer() : nodes_.number();
  const auto text_of = [](const std::optional<Bound>& bound) {
    if (!bound) return std::string("-");
    std::array<char, 64> digits{};
    const auto written = std::to_chars(
        digits.data(), digits.data() + digits.size(), bound->value, std::chars_format::hex);
    return std::string(digits.data(), written.ptr) + (bound->exclusive ? "x" : "");
  };
  if (!integers && shape.multiple_of == 1) {
    note(SchemaNote::Kind::narrowed,
         shape.pointer,
         "the number is written without an exponent, in up to 15 digits");
  }
  std::string key = (integers ? "integer " : "number ") + text_of(shape.min) + " " +
                    text_of(shape.max) + " " + std::to_string(shape.multiple_of);
  if (const auto known = nodes_.known.find(key); known != nodes_.known.end()) return known->second;
  FACET_TRY(const Node node, bounded_number(shape, integers));
  nodes_.known.emplace(std::move(key), node);
  return node;
}

Result<Grammar::Node> SchemaWriter::bounded_number(const Shape& shape, bool integers) {
  if (!integers && shape.multiple_of == 1) {
    NumberRange range;
    for (const bool is_min : {true, false}) {
      const auto& bound = is_min ? shape.min : shape.max;
      if (!bound) continue;
      auto decimal = decimal_of(static_cast<double>(bound->value));
      if (!decimal) {
        return Error{Code::unsupported,
                     shown(shape.pointer) + " bounds a number too far out to be written"};
      }
      (is_min ? range.min : range.max) = std::move(decimal);
      (is_min ? range.min_exclusive : range.max_exclusive) = bound->exclusive;
    }
    ByteAutomaton automaton = number_automaton(range);
    if (automaton.states.empty()) return never(shape.pointer);
    return grammar_.automaton(std::move(automaton));
  }
  IntegerRange range{.multiple_of = shape.multiple_of, .digits_max = 18};
  if (shape.min) {
    long double least = std::ceil(shape.min->value);
    if (shape.min->exclusive && least == shape.min->value) least += 1;
    if (least > kIntegerMax) return never(shape.pointer);
    if (least > -kIntegerMax) range.min = static_cast<std::int64_t>(least);
  }
  if (shape.max) {
    long double most = std::floor(shape.max->value);
    if (shape.max->exclusive && most == shape.max->value) most -= 1;
    if (most < -kIntegerMax) return never(shape.pointer);
    if (most < kIntegerMax) range.max = static_cast<std::int64_t>(most);
  }
  if (!shape.min && !shape.max) range.digits_max = nodes_.options.number_digits_max;
  if (range.min && range.max && *range.min > *range.max) return never(shape.pointer);
  auto automaton = integer_automaton(range);
  if (!automaton) return automaton.error().with_context(shown(shape.pointer));
  if (automaton->states.empty()) return never(shape.pointer);
  return grammar_.automaton(*std::move(automaton));
}

Result<Grammar::Node> SchemaWriter::string(const Shape& shape) {
  if (shape.length_max >= 0 && shape.length_min > shape.length_max) return never(shape.pointer);
  if (shape.length_min > kLengthMax) {
    return Error{Code::limit_exceeded,
                 shown(shape.pointer) + " asks for strings of more than " +
                     std::to_string(kLengthMax) + " characters"};
  }
  const bool has_length = shape.length_min > 0 || shape.length_max >= 0;
  if (shape.texts.empty()) {
    if (is_copied(shape)) return nodes_.copied_string(shape.length_min, shape.length_max);
    if (!has_length) return nodes_.any_string();
    const std::int64_t most = shape.length_max > kLengthMax ? -1 : shape.length_max;
    return nodes_.string_of_length(shape.length_min, most);
  }
  std::string key =
      "string " + std::to_string(shape.length_min) + " " + std::to_string(shape.length_max);
  for (const ShapeText& text : shape.texts) key += "\n" + text.key;
  if (const auto known = nodes_.known.find(key); known != nodes_.known.end()) return known->second;
  TextAutomaton all = *shape.texts.front().automaton;
  for (std::size_t i = 1; i < shape.texts.size(); ++i) {
    auto both = intersection(all, *shape.texts[i].automaton);
    if (!both) return both.error().with_context(shown(shape.texts[i].pointer));
    all = *std::move(both);
  }
  if (has_length) {
    auto measured = with_length(all, shape.length_min, shape.length_max);
    if (!measured) return measured.error().with_context(shown(shape.texts.front().pointer));
    all = *std::move(measured);
  }
  if (all.is_empty()) return never(shape.texts.front().pointer);
  const Node node = nodes_.quoted(nodes_.spelled_text(all));
  nodes_.known.emplace(std::move(key), node);
  return node;
}

/// What holds for the item at `at`, -1 being any beyond all prefixes.
Result<Grammar::Node> SchemaWriter::array(const Shape& shape) {
  std::size_t prefix = 0;
  for (const ItemsPart& part : shape.items) prefix = std::max(prefix, part.prefix.size());
  const auto item = [&](std::size_t at) {
    Holdings holdings;
    for (const ItemsPart& part : shape.items) {
      const Json* schema = at < part.prefix.size() ? part.prefix[at] : part.rest;
      if (schema != nullptr) holdings.push_back({schema, false, shape.is_free});
    }
    return holdings.empty() ? nodes_.any_value() : value_of(std::move(holdings));
  };
  std::int64_t most = shape.items_max;
  const auto fixed = static_cast<std::int64_t>(prefix);
  if (most < 0) {
    most = std::max({std::int64_t{nodes_.options.array_items_max}, shape.items_min, fixed});
    note(SchemaNote::Kind::bound,
         shape.pointer,
         "an array has at most " + std::to_string(most) + " items, as no maxItems says otherwise");
  }
  if (shape.items_min > most) return never(shape.pointer);
  if (shape.items_min > kItemsMax) {
    return Error{Code::limit_exceeded,
                 shown(shape.pointer) + " asks for arrays of " + std::to_string(shape.items_min) +
                     " items, more than " + std::to_string(kItemsMax)};
  }
  most = std::min(most, kItemsMax);
  const auto repeated = [&](Node part, std::int64_t min, std::int64_t max) {
    return grammar_.repeat(part,
                           static_cast<std::int32_t>(std::max<std::int64_t>(min, 0)),
                           static_cast<std::int32_t>(std::max<std::int64_t>(max, 0)));
  };
  const Node comma = nodes_.comma();
  // From the last item to the first, each with all that follows it.
  Node after = grammar_.literal("");
  if (most > fixed) {
    const Node next = grammar_.sequence({comma, item(prefix)});
    const std::int64_t first = std::max<std::int64_t>(fixed, 1);
    after = repeated(next, shape.items_min - first, most - first);
    if (fixed == 0) {
      after = grammar_.sequence({item(0), after});
      if (shape.items_min == 0) after = grammar_.optional(after);
    }
  }
  for (std::int64_t i = std::min(fixed, most) - 1; i >= 0; --i) {
    std::vector<Node> parts{item(static_cast<std::size_t>(i)), after};
    if (i > 0) parts.insert(parts.begin(), comma);
    after = grammar_.sequence(std::move(parts));
    if (i >= shape.items_min) after = grammar_.optional(after);
  }
  return grammar_.sequence({grammar_.literal("["), after, grammar_.literal("]")});
}

}  // namespace facet::grammar
