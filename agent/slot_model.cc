#include "agent/slot_model.h"

#include "agent/held_tool.h"
#include "agent/tool_search.h"
#include "agent/word_stems.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/grammar/copy_source.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
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

bool is_punctuation(char c) {
  return std::string_view(".,!?;:\"'()[]{}").find(c) != std::string_view::npos;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_month(std::string_view word) {
  constexpr std::array<std::string_view, 12> kMonths = {"january",
                                                        "february",
                                                        "march",
                                                        "april",
                                                        "may",
                                                        "june",
                                                        "july",
                                                        "august",
                                                        "september",
                                                        "october",
                                                        "november",
                                                        "december"};
  return std::any_of(kMonths.begin(), kMonths.end(), [&](std::string_view month) {
    return word == month || word == month.substr(0, 3);
  });
}

bool is_day(std::string_view word) {
  constexpr std::array<std::string_view, 10> kDays = {"monday",
                                                      "tuesday",
                                                      "wednesday",
                                                      "thursday",
                                                      "friday",
                                                      "saturday",
                                                      "sunday",
                                                      "today",
                                                      "tomorrow",
                                                      "tonight"};
  return std::find(kDays.begin(), kDays.end(), word) != kDays.end();
}

/// Runs of digits are 9, of capitals and what follows them A, of other letters a; bytes that are
/// not ASCII are small letters, but for the first.
std::string shape_of(std::string_view word, std::string_view lowered) {
  if (is_month(lowered)) return "M";
  if (is_day(lowered)) return "D";
  std::string out;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    char kind = c;
    if (is_digit(c)) kind = '9';
    if (c >= 'A' && c <= 'Z') kind = 'A';
    if ((c >= 'a' && c <= 'z') || byte >= 0x80) kind = out.empty() && byte >= 0x80 ? 'A' : 'a';
    if (kind == 'a' && out.ends_with('A')) continue;
    if (!out.ends_with(kind)) out += kind;
  }
  return out;
}

/// The one number of [begin, end) as JSON writes it; empty where it has none or several.
std::string number_in(std::size_t begin,
                      std::size_t end,
                      const std::vector<grammar::FoundNumber>& numbers) {
  std::string out;
  for (const grammar::FoundNumber& one : numbers) {
    if (one.begin < begin || one.end > end) continue;
    if (!out.empty()) return {};
    out = one.number;
  }
  return out;
}

std::vector<SlotWord> words_of(std::string_view text) {
  const auto numbers = grammar::numbers_in(text);
  std::vector<SlotWord> out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t begin = at;
    const std::size_t end_of_run = std::min(text.find(' ', at), text.size());
    std::size_t end = end_of_run;
    while (begin < end && is_punctuation(text[begin])) ++begin;
    while (begin < end && is_punctuation(text[end - 1])) --end;
    if (begin < end) {
      const std::string_view word = text.substr(begin, end - begin);
      SlotWord one{.begin = begin, .end = end, .lower = ascii_lower(word)};
      one.shape = shape_of(word, one.lower);
      one.stem = word_stem(one.lower);
      one.number = number_in(begin, end, numbers);
      out.push_back(std::move(one));
    }
    at = end_of_run + 1;
  }
  return out;
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

/// The stems of all words that name or describe a parameter.
std::vector<std::string> stems_of(const std::string& name, const Json& schema) {
  std::vector<std::string> out;
  for (std::string& word : tool_words(name + " " + description_of(schema))) {
    std::string stem = word_stem(std::move(word));
    if (std::find(out.begin(), out.end(), stem) == out.end()) out.push_back(std::move(stem));
  }
  return out;
}

Stems content_stems_of(const std::string& name, const Json& schema) {
  return content_stems(name + " " + description_of(schema));
}

/// What a tool's declaration says beside a parameter.
struct Beside {
  Stems own;
  Stems others;  ///< Of the other parameters, and of neither the tool nor this one.
  Stems tool;
};

Beside beside_of(const ToolSpec& tool, const Json& parameters, const std::string& name) {
  Beside out{.tool = content_stems(tool.name + " " + tool.description)};
  for (const auto& [other, schema] : parameters.at("properties").items()) {
    if (!schema.is_object()) continue;
    Stems stems = content_stems_of(other, schema);
    (other == name ? out.own : out.others).merge(stems);
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

}  // namespace

std::vector<std::string> slot_names(const Json& parameters) {
  std::vector<std::string> out;
  for (const auto& [name, schema] : properties_of(parameters).items()) {
    if (!is_plain(schema)) continue;
    const std::string type = type_of(schema);
    if (type == "string" || type == "number" || type == "integer") out.push_back(name);
  }
  return out;
}

Json span_value(const Slot& slot, std::size_t span) {
  if (span + 1 == slot.spans.size()) return {};
  const std::string& value = slot.spans[span].value;
  return slot.is_number ? Json::parse(value) : Json(value);
}

std::vector<std::size_t> spans_of(const Slot& slot, const Json& value) {
  if (value.is_null()) return {slot.spans.size() - 1};
  std::vector<std::size_t> out;
  if (slot.is_number ? !value.is_number() : !value.is_string()) return out;
  for (std::size_t i = 0; i + 1 < slot.spans.size(); ++i) {
    const bool is_same = slot.is_number
                             ? span_value(slot, i) == value
                             : slot.spans[i].value == value.get_ref<const std::string&>();
    if (is_same) out.push_back(i);
  }
  return out;
}

SlotRequest::SlotRequest(std::string_view request)
    : text_(grammar::single_spaced(request)), words_(words_of(text_)) {
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

Slot SlotRequest::slot(const ToolSpec& tool,
                       const Json& parameters,
                       const std::string& name) const {
  FACET_CHECK(is_open());
  const Json& schema = parameters.at("properties").at(name);
  const Beside beside = beside_of(tool, parameters, name);
  const std::string type = type_of(schema);
  const bool is_named_as_tool =
      std::any_of(beside.own.begin(), beside.own.end(), [&](const std::string& stem) {
        return beside.tool.contains(stem);
      });
  Slot out{.is_number = type != "string"};
  out.features = {feature('t', type),
                  feature('r', is_required(parameters, name) ? "1" : "0"),
                  feature('e', is_named_as_tool ? "1" : "0"),
                  feature('c', std::to_string(parameters.at("properties").size()))};
  for (const std::string& stem : stems_of(name, schema)) {
    out.features.push_back(feature('w', stem));
  }
  const auto add = [&](std::size_t first, std::size_t last) {
    SlotSpan& span = out.spans.emplace_back(spans_[first][last - first]);
    span.own = features_beside(words_, beside, first, last);
    const std::uint32_t shapes = span.crossed.front();
    for (const std::uint32_t one : std::vector(span.own)) {
      span.own.push_back(crossed_feature(one, shapes));
    }
  };
  for (std::size_t first = 0; first < words_.size(); ++first) {
    if (!out.is_number) {
      for (std::size_t i = 0; i < spans_[first].size(); ++i) add(first, first + i);
      continue;
    }
    const std::string& number = words_[first].number;
    if (number.empty() || (type == "integer" && number.find('.') != std::string::npos)) continue;
    add(first, first);
    out.spans.back().value = number;
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
