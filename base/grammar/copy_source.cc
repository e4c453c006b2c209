#include "base/grammar/copy_source.h"

#include "base/code_points.h"
#include "base/json.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace facet::grammar {
namespace {

using Json = nlohmann::ordered_json;

const CodePointSet& spaces() {
  static const CodePointSet set({{0x09, 0x0D},
                                 {0x20, 0x20},
                                 {0x85, 0x85},
                                 {0xA0, 0xA0},
                                 {0x1680, 0x1680},
                                 {0x2000, 0x200A},
                                 {0x2028, 0x2029},
                                 {0x202F, 0x202F},
                                 {0x205F, 0x205F},
                                 {0x3000, 0x3000}});
  return set;
}

const CodePointSet& marks() {
  static const CodePointSet set(
      {{0x21, 0x2F},     {0x3A, 0x40},     {0x5B, 0x60},     {0x7B, 0x7E},     {0xA1, 0xA1},
       {0xA7, 0xA7},     {0xAB, 0xAB},     {0xB6, 0xB7},     {0xBB, 0xBB},     {0xBF, 0xBF},
       {0x2010, 0x2027}, {0x2030, 0x205E}, {0x2212, 0x2212}, {0x3001, 0x3003}, {0x3008, 0x3011},
       {0x3014, 0x301F}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}});
  return set;
}

/// Marks that part what stands on both sides of them, though there is no space.
const CodePointSet& parting_marks() {
  static const CodePointSet set(
      {{'"', '"'},       {'\'', ')'},      {',', ','},       {'/', '/'},       {':', '>'},
       {'[', '['},       {']', ']'},       {'`', '`'},       {'{', '}'},       {0xAB, 0xAB},
       {0xBB, 0xBB},     {0x2014, 0x2014}, {0x2018, 0x201F}, {0x2039, 0x203A}, {0x3001, 0x3003},
       {0x3008, 0x3011}, {0x3014, 0x301F}, {0xFF08, 0xFF09}, {0xFF0C, 0xFF0C}, {0xFF1A, 0xFF1B}});
  return set;
}

/// Thai, Lao, Burmese, Khmer, Chinese, Japanese and Korean.
const CodePointSet& unspaced() {
  static const CodePointSet set({{0x0E00, 0x0EFF},
                                 {0x1000, 0x109F},
                                 {0x1780, 0x17FF},
                                 {0x2E80, 0x2FFF},
                                 {0x3004, 0x3007},
                                 {0x3020, 0xA4CF},
                                 {0xAC00, 0xD7AF},
                                 {0xF900, 0xFAFF},
                                 {0xFF66, 0xFF9F},
                                 {0x20000, 0x3FFFF}});
  return set;
}

bool is_digit(std::uint32_t code) {
  return code >= '0' && code <= '9';
}

/// A character of a text and what it is.
struct Character {
  enum class Kind : std::uint8_t { space, mark, letter };
  std::size_t at = 0;
  std::uint32_t code = 0;
  Kind kind = Kind::letter;
  bool is_unspaced = false;

  [[nodiscard]] bool is_letter() const { return kind == Kind::letter; }
};

std::vector<Character> characters_of(std::string_view text) {
  std::vector<Character> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = std::max<std::size_t>(utf8_length_at(text, at), 1);
    const auto lead = static_cast<std::uint8_t>(text[at]);
    std::uint32_t code = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      code = (code << 6U) | (static_cast<std::uint8_t>(text[at + i]) & 0x3FU);
    }
    Character next{.at = at, .code = code};
    if (spaces().contains(code)) next.kind = Character::Kind::space;
    if (marks().contains(code)) next.kind = Character::Kind::mark;
    next.is_unspaced = unspaced().contains(code);
    out.push_back(next);
    at += length;
  }
  return out;
}

/// One word of a text: characters [first, last).
class Word {
 public:
  Word(const std::vector<Character>& text, std::size_t first, std::size_t last)
      : text_(text), first_(first), last_(last) {
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(last);
    const auto letter = [](const Character& one) { return one.is_letter(); };
    first_letter_ = first + static_cast<std::size_t>(std::find_if(begin, end, letter) - begin);
    const auto behind =
        std::find_if(std::make_reverse_iterator(end), std::make_reverse_iterator(begin), letter);
    letters_end_ = first + static_cast<std::size_t>(behind.base() - begin);
  }

  /// May a span begin with character `i`?
  [[nodiscard]] bool begins(std::size_t i) const {
    if (i == first_) return true;
    if (first_letter_ == last_) return false;
    if (i <= first_letter_) return true;
    if (!text_[i].is_letter()) return false;
    return parts(i - 1) || text_[i].is_unspaced || text_[i - 1].is_unspaced;
  }

  /// May a span end with character `i`?
  [[nodiscard]] bool ends(std::size_t i) const {
    if (i + 1 == last_) return true;
    if (first_letter_ == last_) return false;
    if (i + 1 >= letters_end_) return true;
    if (!text_[i].is_letter()) return false;
    return parts(i + 1) || is_owner(i + 1) || text_[i].is_unspaced || text_[i + 1].is_unspaced;
  }

 private:
  [[nodiscard]] static bool is_apostrophe(std::uint32_t code) {
    return code == '\'' || code == 0x2019;
  }

  /// Is character `i` a mark between two words?
  [[nodiscard]] bool parts(std::size_t i) const {
    if (!parting_marks().contains(text_[i].code)) return false;
    if (i == first_ || i + 1 == last_) return true;
    const Character& left = text_[i - 1];
    const Character& right = text_[i + 1];
    if (is_digit(left.code) && is_digit(right.code)) return false;
    return !(is_apostrophe(text_[i].code) && left.is_letter() && right.is_letter());
  }

  /// Is it 's, and then the end, marks or another word?
  [[nodiscard]] bool is_owner(std::size_t i) const {
    if (i + 1 >= last_ || !is_apostrophe(text_[i].code)) return false;
    if (text_[i + 1].code != 's' && text_[i + 1].code != 'S') return false;
    return i + 2 >= letters_end_ || parts(i + 2);
  }

  const std::vector<Character>& text_;
  std::size_t first_;
  std::size_t last_;
  std::size_t first_letter_ = 0;  ///< last_ where there is none.
  std::size_t letters_end_ = 0;   ///< Behind it only marks are left.
};

CopyText spans_of(std::string text) {
  const std::vector<Character> characters = characters_of(text);
  CopyText out{.text = std::move(text)};
  const std::size_t size = out.text.size();
  out.begins.assign(size + 1, false);
  out.ends.assign(size + 1, false);
  const auto end_of = [&](std::size_t i) {
    return i + 1 < characters.size() ? characters[i + 1].at : size;
  };
  for (std::size_t first = 0; first < characters.size();) {
    if (characters[first].kind == Character::Kind::space) {
      ++first;
      continue;
    }
    std::size_t last = first;
    while (last < characters.size() && characters[last].kind != Character::Kind::space) ++last;
    const Word word(characters, first, last);
    for (std::size_t i = first; i < last; ++i) {
      if (word.begins(i)) out.begins[characters[i].at] = true;
      if (word.ends(i)) out.ends[end_of(i)] = true;
    }
    first = last;
  }
  out.begins.front() = true;
  out.ends.back() = true;
  return out;
}

/// More digits than a double and a 64-bit integer keep.
constexpr std::size_t kDigitsMax = 18;

std::string without_zeros(std::string_view digits) {
  const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  return std::string(digits.substr(first));
}

/// "1,200" and "1,200,000".
bool has_thousands(std::string_view whole) {
  const std::size_t head = whole.find(',');
  if (head == std::string_view::npos || head > 3 || (whole.size() - head) % 4 != 0) return false;
  for (std::size_t at = head; at < whole.size(); at += 4) {
    const std::string_view group = whole.substr(at + 1, 3);
    if (whole[at] != ',' || group.find(',') != std::string_view::npos) return false;
  }
  return true;
}

/// The numbers of `digits`, digits with points and commas between them, that stand at `begin` in
/// their text.
void add_parts(std::string_view digits, std::size_t begin, std::vector<FoundNumber>& out) {
  for (std::size_t at = 0; at < digits.size();) {
    const std::size_t end = std::min(digits.find_first_of(".,", at), digits.size());
    if (end - at <= kDigitsMax) {
      out.push_back({without_zeros(digits.substr(at, end - at)), begin + at, begin + end});
    }
    at = end + 1;
  }
}

/// The same where they may be one number. `has_point`: a point stands in front of them.
void add_number_of(std::string_view digits,
                   std::size_t begin,
                   bool has_point,
                   bool is_negative,
                   std::vector<FoundNumber>& out) {
  const std::size_t point = has_point ? 0 : std::min(digits.find('.'), digits.size());
  std::string whole(digits.substr(0, point));
  if (has_thousands(whole)) whole.erase(std::remove(whole.begin(), whole.end(), ','), whole.end());
  if (has_point) whole = "0";
  const std::string_view fraction =
      has_point ? digits : digits.substr(std::min(point + 1, digits.size()));
  const bool is_number = whole.find(',') == std::string::npos &&
                         fraction.find_first_of(".,") == std::string_view::npos;
  if (!is_number) return add_parts(digits, begin, out);
  if (whole.size() + fraction.size() > kDigitsMax) return;
  std::string text = without_zeros(whole);
  if (!fraction.empty()) text.append(".").append(fraction);
  const bool is_zero = text.find_first_of("123456789") == std::string::npos;
  out.push_back({is_negative && !is_zero ? "-" + text : text, begin, begin + digits.size()});
}

bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Whether the digits that begin at text[at] are part of a name in capitals: 099 of EZ-099.
bool is_in_code(std::string_view text, std::size_t at) {
  if (at == 0 || text[at - 1] != '-') return false;
  bool has_capital = false;
  while (at > 0) {
    const char c = text[at - 1];
    const bool is_capital = c >= 'A' && c <= 'Z';
    if (!is_capital && c != '-' && !is_digit(static_cast<unsigned char>(c))) break;
    has_capital = has_capital || is_capital;
    --at;
  }
  return has_capital && (at == 0 || !is_ascii_letter(text[at - 1]));
}

/// Whether what stands in front of text[at] lets a sign or a point be the beginning of a number.
bool is_opening(std::string_view text, std::size_t at) {
  return at == 0 ||
         std::string_view(" \t\r\n([{<=:,;|\"'`/").find(text[at - 1]) != std::string_view::npos;
}

}  // namespace

std::string single_spaced(std::string_view text) {
  std::string out;
  bool is_apart = false;
  const std::vector<Character> characters = characters_of(text);
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (characters[i].kind == Character::Kind::space) {
      is_apart = !out.empty();
      continue;
    }
    if (std::exchange(is_apart, false)) out += ' ';
    const std::size_t end = i + 1 < characters.size() ? characters[i + 1].at : text.size();
    out += text.substr(characters[i].at, end - characters[i].at);
  }
  return out;
}

std::vector<FoundNumber> numbers_in(std::string_view text) {
  constexpr std::string_view kMinus = "\xE2\x88\x92";  // U+2212
  std::vector<FoundNumber> out;
  const auto digit_at = [&](std::size_t at) {
    return at < text.size() && is_digit(static_cast<unsigned char>(text[at]));
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!digit_at(at)) continue;
    std::size_t end = at + 1;
    const auto goes_on = [&] {
      const bool joins = end < text.size() && (text[end] == '.' || text[end] == ',');
      return digit_at(end) || (joins && digit_at(end + 1));
    };
    while (goes_on()) ++end;
    const std::size_t begin = std::exchange(at, end);
    if (begin > 0 && is_ascii_letter(text[begin - 1])) continue;
    if (is_in_code(text, begin)) continue;
    const std::string_view digits = text.substr(begin, end - begin);
    const bool has_point = begin > 0 && text[begin - 1] == '.' && is_opening(text, begin - 1);
    const std::size_t front = has_point ? begin - 1 : begin;
    const std::string_view before = text.substr(0, front);
    const bool is_negative = (before.ends_with('-') && is_opening(text, front - 1)) ||
                             (before.ends_with(kMinus) && is_opening(text, front - kMinus.size()));
    add_number_of(digits, begin, has_point, is_negative, out);
  }
  return out;
}

void CopySource::add_spans(std::string_view text) {
  std::string valid = to_valid_utf8(text);
  std::string spaced = single_spaced(valid);
  if (spaced.empty()) return;
  for (std::string* one : {&spaced, &valid}) {
    const auto [known, is_new] = known_texts_.try_emplace(*one, texts_.size());
    if (is_new) {
      texts_.push_back(spans_of(std::move(*one)));
      texts_.back().is_respaced = one == &valid;
    } else if (one == &spaced) {
      ++texts_[known->second].times;
    }
  }
}

void CopySource::add_number(std::string number) {
  if (known_numbers_.insert(number).second) numbers_.push_back(std::move(number));
}

void CopySource::add_text(std::string_view text) {
  add_spans(text);
  for (FoundNumber& found : numbers_in(text)) add_number(std::move(found.number));
}

void CopySource::add_result(std::string_view content) {
  const auto json = parse_json(content, "result");
  if (!json) return add_text(content);
  std::vector<const Json*> open{&*json};
  while (!open.empty()) {
    const Json& now = *open.back();
    open.pop_back();
    if (now.is_structured()) {
      for (auto child = now.rbegin(); child != now.rend(); ++child) open.push_back(&*child);
    } else if (now.is_string()) {
      add_text(now.get_ref<const std::string&>());
    } else if (now.is_number()) {
      add_spans(dump_json(now));
      add_number(dump_json(now));
    }
  }
}

}  // namespace facet::grammar
