// How a syntax writes strings, numbers, keys and whole values: what all schemas of a grammar share.
#include "base/check.h"
#include "base/grammar/schema_writer.h"
#include "base/grammar/span_automaton.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace facet::grammar {
namespace {

/// "1+2"
constexpr std::int64_t kExpressionBytesMin = 3;

/// Visible characters: no controls, and none of the spaces that Python's strip takes away.
CodePointSet visible() {
  return CodePointSet({{0x21, 0x7E},
                       {0xA1, 0x167F},
                       {0x1681, 0x1FFF},
                       {0x2030, 0x205E},
                       {0x2060, 0x2FFF},
                       {0x3001, 0x10FFFF}});
}

}  // namespace

CodePointSet default_bare_key(bool with_space) {
  const CodePointSet used({{',', ','}, {':', ':'}, {'[', '['}, {']', ']'}, {'{', '{'}, {'}', '}'}});
  const CodePointSet key = visible().intersection(used.complement());
  return with_space ? key.with(CodePointSet({{' ', ' '}})) : key;
}

ValueNodes::ValueNodes(Grammar& target, const ValueSyntax& how, const SchemaGrammarOptions& limits)
    : grammar(target), syntax(how), options(limits) {
  comma_ = spaced(syntax.comma);
  character_ = grammar.automaton(spelled_code_point(spelling()));
  string_ = quoted(grammar.repeat(character_, 0));
  write_numbers();
}

Spelling ValueNodes::spelling() const {
  switch (syntax.strings) {
    case ValueSyntax::Strings::json:
      return Spelling::json;
    case ValueSyntax::Strings::python:
      return Spelling::python;
    case ValueSyntax::Strings::control:
      break;
  }
  return Spelling::raw;
}

/// `text` and, where the syntax says so, a space that may be left out.
Grammar::Node ValueNodes::spaced(const std::string& text) {
  if (!syntax.optional_space) return grammar.literal(text);
  return grammar.sequence({grammar.literal(text), grammar.optional(grammar.literal(" "))});
}

Grammar::Node ValueNodes::colon(const ObjectSyntax& object) {
  const auto [found, is_new] = colons_.try_emplace(object.colon, -1);
  // "a=1" has no space in any dialect.
  if (is_new) {
    found->second = object.colon == "=" ? grammar.literal("=") : spaced(object.colon);
  }
  return found->second;
}

Grammar::Node ValueNodes::quoted(Node content) {
  const bool is_control = syntax.strings == ValueSyntax::Strings::control;
  const Node quote = is_control ? grammar.control(syntax.string_control) : grammar.literal("\"");
  return grammar.sequence({quote, content, quote});
}

std::string ValueNodes::quoted_text(std::string_view text) const {
  if (syntax.strings == ValueSyntax::Strings::control) return std::string(text);
  const std::string quoted = json_quote(text);
  return quoted.substr(1, quoted.size() - 2);
}

void ValueNodes::write_numbers() {
  const Node digit = grammar.bytes("0123456789");
  const int most = options.number_digits_max;
  integer_ = grammar.sequence(
      {grammar.optional(grammar.literal("-")),
       grammar.choice(
           {grammar.literal("0"),
            grammar.sequence({grammar.bytes("123456789"), grammar.repeat(digit, 0, most - 1)})})});
  const Node fraction = grammar.sequence({grammar.literal("."), grammar.repeat(digit, 1, most)});
  const Node exponent = grammar.sequence(
      {grammar.bytes("eE"), grammar.optional(grammar.bytes("+-")), grammar.repeat(digit, 1, 2)});
  number_ = grammar.sequence({integer_, grammar.optional(fraction), grammar.optional(exponent)});
}

Grammar::Node ValueNodes::any_value() {
  if (any_ >= 0) return any_;
  any_ = grammar.declare("any value");
  const Node items = grammar.sequence(
      {any_,
       grammar.repeat(
           grammar.sequence({comma_, any_}), 0, std::max(options.array_items_max - 1, 0))});
  const Node list =
      grammar.sequence({grammar.literal("["), grammar.optional(items), grammar.literal("]")});
  const ObjectSyntax& syntax_of_objects = syntax.object;
  const Node member = grammar.sequence(
      {key(any_text(CodePointSet::all()), syntax_of_objects), colon(syntax_of_objects), any_});
  const Node members = grammar.sequence(
      {member,
       grammar.repeat(
           grammar.sequence({comma_, member}), 0, std::max(options.extra_members_max - 1, 0))});
  const Node object = grammar.sequence({grammar.literal(syntax_of_objects.open),
                                        grammar.optional(members),
                                        grammar.literal(syntax_of_objects.close)});
  grammar.define(any_,
                 grammar.choice({string_,
                                 number_,
                                 grammar.literal(syntax.true_word),
                                 grammar.literal(syntax.false_word),
                                 grammar.literal(syntax.null_word),
                                 list,
                                 object}));
  return any_;
}

Grammar::Node ValueNodes::spelled_text(const TextAutomaton& texts) {
  return grammar.automaton(spelled(texts, spelling()));
}

Grammar::Node ValueNodes::string_of_length(std::int64_t min, std::int64_t max) {
  const auto [found, is_new] = lengths_.try_emplace({min, max}, -1);
  if (is_new) {
    found->second = quoted(
        grammar.repeat(character_, static_cast<std::int32_t>(min), static_cast<std::int32_t>(max)));
  }
  return found->second;
}

Grammar::Node ValueNodes::copied_string(std::int64_t min, std::int64_t max) {
  const std::string name = "copied " + std::to_string(min) + " " + std::to_string(max);
  const auto [found, is_new] = known.try_emplace(name, -1);
  if (!is_new) return found->second;
  ByteAutomaton spans = span_automaton(
      *options.copies, spelling(), {.min = min, .max = max, .skipped_max = kSkippedWordsMax});
  std::vector<Node> forms;
  if (!spans.states.empty()) forms.push_back(grammar.automaton(std::move(spans)));
  if (min <= kExpressionBytesMin && max < 0) forms.push_back(copied_expression());
  found->second = quoted(grammar.choice(std::move(forms)));
  return found->second;
}

/// Two to sixteen operands; 100 is one too, as percentages need it.
Grammar::Node ValueNodes::copied_expression() {
  constexpr int kOperatorsMax = 15;
  std::vector<std::string> numbers = options.copies->numbers();
  if (numbers.empty()) return grammar.never();
  numbers.emplace_back("100");
  const Node expression = grammar.declare("expression");
  const Node operand =
      grammar.choice({grammar.automaton(words_automaton(std::move(numbers))),
                      grammar.sequence({grammar.literal("("), expression, grammar.literal(")")})});
  const Node space = grammar.optional(grammar.literal(" "));
  const Node more = grammar.sequence({space, grammar.bytes("+-*/%^"), space, operand});
  grammar.define(expression, grammar.sequence({operand, grammar.repeat(more, 1, kOperatorsMax)}));
  return expression;
}

Grammar::Node ValueNodes::copied_number(const std::vector<std::string>& numbers, bool integers) {
  constexpr double kExactMax = 9e15;
  std::vector<std::string> words;
  for (const std::string& text : numbers) {
    const auto value = parse_json(text, "a number");
    FACET_CHECK(value.has_value());
    const double number = value->get<double>();
    const bool is_whole = std::trunc(number) == number && std::abs(number) < kExactMax;
    // "20.0" is 20, which some who read an integer insist on.
    if (value->is_number_float() && is_whole) {
      words.push_back(scalar_text(static_cast<std::int64_t>(number)));
    }
    if (integers && value->is_number_float()) continue;
    words.push_back(scalar_text(*value));
    words.push_back(text);
  }
  if (words.empty()) return grammar.never();
  return grammar.automaton(words_automaton(std::move(words)));
}

std::string ValueNodes::scalar_text(const Json& value) const {
  if (value.is_null()) return syntax.null_word;
  if (value.is_boolean()) return value.get<bool>() ? syntax.true_word : syntax.false_word;
  return syntax.number_text != nullptr ? syntax.number_text(value) : dump_json(value);
}

Grammar::Node ValueNodes::scalars(const std::vector<const Json*>& values) {
  std::vector<std::string> texts;
  std::vector<std::string> words;
  for (const Json* value : values) {
    if (value->is_string()) {
      texts.push_back(quoted_text(value->get_ref<const std::string&>()));
    } else {
      words.push_back(scalar_text(*value));
    }
  }
  std::vector<Node> out;
  if (!texts.empty()) out.push_back(quoted(grammar.automaton(words_automaton(std::move(texts)))));
  if (!words.empty()) out.push_back(grammar.automaton(words_automaton(std::move(words))));
  return out.size() == 1 ? out.front() : grammar.choice(std::move(out));
}

/// The nesting of `value` is that of the schema's text, which was capped when it was parsed.
Grammar::Node ValueNodes::literal(const Json& value) {
  if (!value.is_structured()) return scalars({&value});
  std::vector<Node> parts{grammar.literal(value.is_array() ? "[" : syntax.object.open)};
  std::vector<std::pair<std::string, const Json*>> members;
  for (const auto& [name, member] : value.items()) members.emplace_back(name, &member);
  if (value.is_object() && syntax.key_before != nullptr) {
    std::stable_sort(members.begin(), members.end(), [&](const auto& a, const auto& b) {
      return syntax.key_before(a.first, b.first);
    });
  }
  bool first = true;
  for (const auto& [name, member] : members) {
    if (!std::exchange(first, false)) parts.push_back(comma_);
    if (value.is_object()) {
      if (!can_spell_key(name, syntax.object)) return grammar.never();
      parts.push_back(key(name, syntax.object));
      parts.push_back(colon(syntax.object));
    }
    parts.push_back(literal(*member));
  }
  parts.push_back(grammar.literal(value.is_array() ? "]" : syntax.object.close));
  return grammar.sequence(std::move(parts));
}

/// Names that begin as a key may begin and do not end with a space.
TextAutomaton ValueNodes::bare_keys() const {
  const CodePointSet inner = syntax.bare_key_part.intersection(syntax.bare_key_start.complement());
  TextAutomaton out{.states = std::vector<TextAutomaton::State>(3)};
  const auto add = [&](std::size_t from, const CodePointSet& set, std::int32_t to) {
    for (const CodePointRange& range : set.ranges()) {
      out.states[from].edges.push_back({range.first, range.last, to});
    }
  };
  const CodePointSet space({{' ', ' '}});
  const CodePointSet part = syntax.bare_key_part.intersection(space.complement());
  add(0, syntax.bare_key_start, 1);
  add(1, part, 1);
  add(1, inner.intersection(space), 2);
  add(2, part, 1);
  add(2, inner.intersection(space), 2);
  for (auto& state : out.states) {
    std::sort(state.edges.begin(), state.edges.end(), [](const auto& a, const auto& b) {
      return a.first < b.first;
    });
  }
  out.states[1].accepts = true;
  return out;
}

bool ValueNodes::can_spell_key(const std::string& name, const ObjectSyntax& object) const {
  return object.keys == ObjectSyntax::Keys::quoted || bare_keys().matches(name);
}

Grammar::Node ValueNodes::key(const std::string& name, const ObjectSyntax& object) {
  if (object.keys == ObjectSyntax::Keys::bare) return grammar.literal(name);
  return quoted(grammar.literal(quoted_text(name)));
}

Grammar::Node ValueNodes::key(const TextAutomaton& names, const ObjectSyntax& object) {
  if (object.keys == ObjectSyntax::Keys::quoted) return quoted(spelled_text(names));
  const auto both = intersection(names, bare_keys());
  if (!both || both->is_empty()) return grammar.never();
  return grammar.automaton(spelled(*both, Spelling::raw));
}

}  // namespace facet::grammar
