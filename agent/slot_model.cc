#include "agent/slot_model.h"

#include "agent/held_tool.h"
#include "agent/said_values.h"
#include "agent/tool_search.h"
#include "agent/word_stems.h"
#include "base/check.h"
#include "base/grammar/copy_source.h"
#include "base/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace facet::agent {
namespace {

using Json = nlohmann::ordered_json;
using Stems = std::set<std::string, std::less<>>;

/// Beyond, only that a span is long is seen of its words' shapes.
constexpr std::size_t kShapesMax = 4;
/// How far from a span the words of a parameter, or of another one, are looked for.
constexpr std::size_t kBesideMax = 3;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// FNV-1a, 32 bits.
std::uint32_t hash(std::string_view text) {
  std::uint32_t out = 2166136261U;
  for (const char c : text) {
    out ^= static_cast<unsigned char>(c);
    out *= 16777619U;
  }
  return out;
}

std::uint32_t feature(char kind, std::string_view text) {
  return hash(std::string(1, kind) + std::string(text));
}

std::string description_of(const Json& schema) {
  const auto found = schema.find("description");
  return found != schema.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string type_of(const Json& schema) {
  const auto found = schema.find("type");
  return found != schema.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The schema of a slot. REQUIRES: `slot` is among slot_names().
const Json& schema_of(const Json& parameters, const SlotName& slot) {
  const Json& schema = properties_of(parameters).at(slot.name);
  return slot.member.empty() ? schema : properties_of(schema).at(slot.member);
}

/// What names and describes a slot, that of a member with what holds it.
std::string text_of(const Json& parameters, const SlotName& slot) {
  std::string out = slot.name + " " + description_of(properties_of(parameters).at(slot.name));
  if (slot.member.empty()) return out;
  return out + " " + slot.member + " " + description_of(schema_of(parameters, slot));
}

/// The distinct stems of all words of `text`.
std::vector<std::string> stems_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::string& word : tool_words(text)) {
    std::string stem = word_stem(std::move(word));
    if (std::find(out.begin(), out.end(), stem) == out.end()) out.push_back(std::move(stem));
  }
  return out;
}

bool is_number_type(const std::string& type) {
  return type == "number" || type == "integer";
}

/// Whether `schema` is of strings or of numbers, any of them.
bool is_scalar(const Json& schema) {
  const std::string type = is_plain(schema) ? type_of(schema) : "";
  return type == "string" || is_number_type(type);
}

/// Whether `schema` is of strings, and lists them all.
bool is_listed(const Json& schema) {
  if (!schema.is_object() || type_of(schema) != "string" || schema.contains("x-facet-free")) {
    return false;
  }
  const auto found = schema.find("enum");
  return found != schema.end() && found->is_array() &&
         std::all_of(found->begin(), found->end(), [](const Json& one) { return one.is_string(); });
}

const Json& items_of(const Json& schema) {
  static const Json none;
  const auto found = schema.find("items");
  return found == schema.end() ? none : *found;
}

/// What tells slots apart by what they may hold; empty of what is no slot.
std::string kind_of(const Json& schema) {
  if (is_listed(schema)) return "listed";
  if (is_scalar(schema)) return type_of(schema);
  if (!is_plain(schema)) return {};
  std::string type = type_of(schema);
  if (type == "boolean") return type;
  if (type == "array" && is_scalar(items_of(schema))) return "list " + type_of(items_of(schema));
  return {};
}

/// Whether all members of an object are slots.
bool has_member_slots(const Json& schema) {
  if (!is_plain(schema) || type_of(schema) != "object") return false;
  const Json& members = properties_of(schema);
  return std::all_of(members.begin(), members.end(), is_scalar);
}

/// What a tool's declaration says beside a parameter.
struct Beside {
  Stems own;
  Stems others;  ///< Of the other parameters, and of neither the tool nor this one.
  Stems tool;
};

Beside beside_of(const ToolSpec& tool, const Json& parameters, const SlotName& slot) {
  Beside out{.own = content_stems(text_of(parameters, slot)),
             .tool = content_stems(tool.name + " " + tool.description)};
  for (const auto& [other, schema] : properties_of(parameters).items()) {
    if (other == slot.name) continue;
    if (schema.is_object()) out.others.merge(content_stems(text_of(parameters, {other, ""})));
  }
  std::erase_if(out.others, [&](const std::string& stem) {
    return out.own.contains(stem) || out.tool.contains(stem);
  });
  return out;
}

/// Writes the features of the spans of one request.
class SpanFeatures {
 public:
  SpanFeatures(const std::string& text, const std::vector<SlotWord>& words)
      : text_(text), words_(words) {}

  /// Those that depend on no parameter, of the words [first, last].
  [[nodiscard]] SlotSpan span(std::size_t first, std::size_t last) const {
    SlotSpan out{.begin = words_[first].begin, .end = words_[last].end};
    out.value = text_.substr(out.begin, out.end - out.begin);
    const std::string before = shown(first, -1);
    out.crossed = {feature('s', shapes_of(first, last)),
                   feature('p', before),
                   feature('q', shown(first, -2) + " " + before),
                   feature('n', shown(last, 1)),
                   feature('f', shown(first, 0)),
                   feature('l', shown(last, 0)),
                   feature('k', std::to_string(last - first)),
                   feature('m', first == last ? words_[first].lower : ""),
                   feature('x', shape_at(first, -1)),
                   feature('y', shape_at(last, 1)),
                   feature('b', marks_around(out))};
    return out;
  }

 private:
  /// The word `by` places from `at`, its shape where it has a digit; "^" in front of the first
  /// and "$" behind the last.
  [[nodiscard]] std::string shown(std::size_t at, int by) const {
    const auto place = static_cast<std::ptrdiff_t>(at) + by;
    if (place < 0) return "^";
    if (place >= std::ssize(words_)) return "$";
    const SlotWord& word = words_[static_cast<std::size_t>(place)];
    const bool has_digit = std::any_of(word.lower.begin(), word.lower.end(), is_digit);
    return has_digit ? "~" + word.shape : word.lower;
  }

  [[nodiscard]] std::string shape_at(std::size_t at, int by) const {
    const auto place = static_cast<std::ptrdiff_t>(at) + by;
    if (place < 0 || place >= std::ssize(words_)) return "";
    return words_[static_cast<std::size_t>(place)].shape.substr(0, 3);
  }

  [[nodiscard]] std::string shapes_of(std::size_t first, std::size_t last) const {
    if (last - first >= kShapesMax) return "long";
    std::string out = words_[first].shape;
    for (std::size_t i = first + 1; i <= last; ++i) out += " " + words_[i].shape;
    return out;
  }

  /// The byte in front of a span and the one behind it.
  [[nodiscard]] std::string marks_around(const SlotSpan& span) const {
    std::string out = span.begin == 0 ? "^" : text_.substr(span.begin - 1, 1);
    return out + (span.end == text_.size() ? "$" : text_.substr(span.end, 1));
  }

  const std::string& text_;
  const std::vector<SlotWord>& words_;
};

/// Whose words stand in the words [first, last], and how far in front of them or behind them.
std::vector<std::uint32_t> features_beside(const std::vector<SlotWord>& words,
                                           const Beside& beside,
                                           std::size_t first,
                                           std::size_t last) {
  std::vector<std::uint32_t> out;
  const auto add = [&](char kind, const Stems& stems) {
    for (std::size_t far = 1; far <= kBesideMax; ++far) {
      const std::string distance = std::to_string(far);
      if (first >= far && stems.contains(words[first - far].stem)) {
        out.push_back(feature(kind, "-" + distance));
      }
      if (last + far < words.size() && stems.contains(words[last + far].stem)) {
        out.push_back(feature(kind, "+" + distance));
      }
    }
    for (std::size_t i = first; i <= last; ++i) {
      if (!stems.contains(words[i].stem)) continue;
      out.push_back(feature(kind, "in"));
      break;
    }
  };
  add('O', beside.own);
  add('X', beside.others);
  add('T', beside.tool);
  return out;
}

SlotSpan nothing(std::size_t words) {
  const std::size_t length = std::min<std::size_t>(words / 3, 8);
  return {.crossed = {feature('0', ""), feature('0', std::to_string(length))}};
}

/// Writes what one slot may hold.
class SlotWriter {
 public:
  SlotWriter(const std::string& text,
             const std::vector<SlotWord>& words,
             const Beside& beside,
             std::vector<SlotSpan>& out)
      : text_(text), words_(words), features_(text, words), beside_(beside), out_(out) {}

  /// The words of `run`, whose own features are those of `span`.
  void add_run(const WordRun& run, SlotSpan span) {
    span.own = features_beside(words_, beside_, run.first, run.last);
    const std::uint32_t shapes = span.crossed.front();
    for (const std::uint32_t one : std::vector(span.own)) {
      span.own.push_back(crossed_feature(one, shapes));
    }
    out_.push_back(std::move(span));
  }

  void add_numbers(bool whole) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (!has_number(i, whole)) continue;
      SlotSpan span = features_.span(i, i);
      span.value = words_[i].number;
      add_run({i, i}, std::move(span));
    }
  }

  void add_lists(const std::string& type) {
    const bool numbers = is_number_type(type);
    for (const WordList& list : lists_in(text_, words_, numbers)) {
      const WordRun run{list.front().first, list.back().last};
      SlotSpan span = features_.span(run.first, run.last);
      Json value = Json::array();
      for (const WordRun& item : list) {
        if (numbers && !has_number(item.first, type == "integer")) break;
        const std::size_t begin = words_[item.first].begin;
        value.push_back(numbers ? Json::parse(words_[item.first].number)
                                : Json(text_.substr(begin, words_[item.last].end - begin)));
      }
      if (value.size() < list.size()) continue;
      const auto words_in = [](const WordRun& item) { return item.last - item.first + 1; };
      for (const auto& [kind, count] : {std::pair{'i', list.size()},
                                        std::pair{'j', words_in(list.front())},
                                        std::pair{'h', words_in(list.back())}}) {
        span.crossed.push_back(feature(kind, std::to_string(count)));
      }
      span.value = dump_json(value);
      add_run(run, std::move(span));
    }
  }

  void add_listed(const Json& values) {
    for (const Json& value : values) {
      const auto places = said_in(words_, value.get_ref<const std::string&>());
      for (const WordRun& run : places) {
        SlotSpan span = features_.span(run.first, run.last);
        span.value = dump_json(value);
        add_run(run, std::move(span));
      }
      if (places.empty()) add_unsaid(value);
    }
  }

  void add_truth() {
    for (const bool value : {true, false}) {
      const std::string name = value ? "true" : "false";
      for (std::size_t i = 0; i < words_.size(); ++i) {
        if (!beside_.own.contains(words_[i].stem)) continue;
        SlotSpan span = features_.span(i, i);
        for (std::uint32_t& one : span.crossed) one = crossed_feature(feature('v', name), one);
        span.value = name;
        add_run({i, i}, std::move(span));
      }
      add_unsaid(Json(value));
    }
  }

 private:
  [[nodiscard]] bool has_number(std::size_t at, bool whole) const {
    const std::string& number = words_[at].number;
    return !number.empty() && (!whole || number.find('.') == std::string::npos);
  }

  /// What may be meant though nothing says it.
  void add_unsaid(const Json& value) {
    const std::string text = dump_json(value);
    out_.push_back({.value = text, .crossed = {feature('u', ""), feature('u', text)}});
  }

  const std::string& text_;
  const std::vector<SlotWord>& words_;
  SpanFeatures features_;
  const Beside& beside_;
  std::vector<SlotSpan>& out_;
};

}  // namespace

std::vector<SlotName> slot_names(const Json& parameters) {
  std::vector<SlotName> out;
  for (const auto& [name, schema] : properties_of(parameters).items()) {
    if (!kind_of(schema).empty()) out.push_back({name, ""});
    if (!has_member_slots(schema)) continue;
    for (const auto& [member, inner] : properties_of(schema).items()) out.push_back({name, member});
  }
  return out;
}

Json slot_argument(const Json& arguments, const SlotName& slot) {
  Json out = argument_of(arguments, slot.name);
  return slot.member.empty() ? out
                             : argument_of(out.is_object() ? out : Json::object(), slot.member);
}

Json with_slot_argument(Json arguments,
                        const Json& parameters,
                        const SlotName& slot,
                        const Json& value) {
  if (slot.member.empty()) {
    return with_argument(std::move(arguments), parameters, slot.name, value);
  }
  Json whole = argument_of(arguments, slot.name);
  if (!whole.is_object()) whole = Json::object();
  whole.erase(slot.member);
  if (!value.is_null()) whole[slot.member] = value;
  if (whole.empty()) whole = Json();
  return with_argument(std::move(arguments), parameters, slot.name, whole);
}

Json span_value(const Slot& slot, std::size_t span) {
  if (span + 1 == slot.spans.size()) return {};
  const std::string& value = slot.spans[span].value;
  return slot.is_text ? Json(value) : Json::parse(value);
}

std::vector<std::size_t> spans_of(const Slot& slot, const Json& value) {
  if (value.is_null()) return {slot.spans.size() - 1};
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i + 1 < slot.spans.size(); ++i) {
    const bool is_same = slot.is_text ? value.is_string() && slot.spans[i].value ==
                                                                 value.get_ref<const std::string&>()
                                      : span_value(slot, i) == value;
    if (is_same) out.push_back(i);
  }
  return out;
}

SlotRequest::SlotRequest(std::string_view request)
    : text_(grammar::single_spaced(request)), words_(slot_words(text_)) {
  if (!is_open()) return;
  const SpanFeatures features(text_, words_);
  spans_.resize(words_.size());
  for (std::size_t first = 0; first < words_.size(); ++first) {
    const std::size_t end = std::min(words_.size(), first + kSlotSpanWordsMax);
    for (std::size_t last = first; last < end; ++last) {
      spans_[first].push_back(features.span(first, last));
    }
  }
}

Slot SlotRequest::slot(const ToolSpec& tool, const Json& parameters, const SlotName& name) const {
  FACET_CHECK(is_open());
  const Json& schema = schema_of(parameters, name);
  const Json& holder = name.member.empty() ? parameters : properties_of(parameters).at(name.name);
  const Beside beside = beside_of(tool, parameters, name);
  const std::string kind = kind_of(schema);
  const bool is_named_as_tool =
      std::any_of(beside.own.begin(), beside.own.end(), [&](const std::string& stem) {
        return beside.tool.contains(stem);
      });
  Slot out{.is_text = kind == "string"};
  out.features = {feature('t', name.member.empty() ? kind : "member " + kind),
                  feature('r', is_required(parameters, name.name) ? "1" : "0"),
                  feature('e', is_named_as_tool ? "1" : "0"),
                  feature('c', std::to_string(properties_of(holder).size()))};
  for (const std::string& stem : stems_of(text_of(parameters, name))) {
    out.features.push_back(feature('w', stem));
  }
  SlotWriter writer(text_, words_, beside, out.spans);
  if (kind == "string") {
    for (std::size_t first = 0; first < words_.size(); ++first) {
      for (std::size_t i = 0; i < spans_[first].size(); ++i) {
        writer.add_run({first, first + i}, spans_[first][i]);
      }
    }
  } else if (is_number_type(kind)) {
    writer.add_numbers(kind == "integer");
  } else if (kind == "listed") {
    writer.add_listed(schema.at("enum"));
  } else if (kind == "boolean") {
    writer.add_truth();
  } else {
    writer.add_lists(type_of(items_of(schema)));
  }
  out.spans.push_back(nothing(words_.size()));
  return out;
}

std::uint32_t crossed_feature(std::uint32_t parameter, std::uint32_t span) {
  std::uint32_t out = (parameter * 0x9E3779B1U) ^ span;
  out *= 0x85EBCA6BU;
  return out ^ (out >> 15U);
}

std::vector<double> slot_log_p(const Slot& slot, const engine::SlotWeights& weights) {
  const std::size_t size = weights.table.size();
  std::vector<double> out;
  out.reserve(slot.spans.size());
  for (const SlotSpan& span : slot.spans) {
    int sum = 0;
    const auto add = [&](std::uint32_t id) { sum += weights.table[id % size]; };
    for (const std::uint32_t one : span.own) add(one);
    for (const std::uint32_t one : span.crossed) {
      add(one);
      for (const std::uint32_t of : slot.features) add(crossed_feature(of, one));
    }
    out.push_back(sum * weights.scale);
  }
  const double most = *std::max_element(out.begin(), out.end());
  double all = 0.0;
  for (const double score : out) all += std::exp(score - most);
  for (double& score : out) score -= most + std::log(all);
  return out;
}

}  // namespace facet::agent
