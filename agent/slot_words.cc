#include "agent/slot_words.h"

#include "agent/word_stems.h"
#include "base/ascii.h"
#include "base/grammar/copy_source.h"

#include <algorithm>
#include <array>
#include <utility>

namespace facet::agent {
namespace {

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

}  // namespace

std::vector<SlotWord> slot_words(std::string_view text) {
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

}  // namespace facet::agent
