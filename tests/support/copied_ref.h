// What may be copied from a text, read out of the definition in base/grammar/copy_source.h: every
// place is tried. For texts of the characters that are named here.
#pragma once

#include "base/grammar/copy_source.h"
#include "base/utf8.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace facet::test {

/// What a user says who says `texts`.
inline grammar::CopySource source_of(const std::vector<std::string>& texts) {
  grammar::CopySource out;
  for (const std::string& text : texts) out.add_text(text);
  return out;
}

class SpanRef {
 public:
  explicit SpanRef(std::string_view text) {
    if (!single_spaced(text).empty()) characters_ = split(text);
  }

  /// Is `value` a span of the text, or of the text with single spaces?
  static bool holds(std::string_view text, std::string_view value) {
    return SpanRef(text).has(value) || SpanRef(single_spaced(text)).has(value);
  }

  /// The same with up to `skipped_max` beginnings of words left out between two words.
  static bool holds_words(std::string_view text, std::string_view value, int skipped_max) {
    return SpanRef(text).has(value, skipped_max) ||
           SpanRef(single_spaced(text)).has(value, skipped_max);
  }

  [[nodiscard]] bool has(std::string_view value, int skipped_max = -1) const {
    for (std::size_t begin = 0; begin < characters_.size(); ++begin) {
      if (begins(begin) && has_at(begin, value, skipped_max)) return true;
    }
    return false;
  }

  /// All spans of the text as it stands.
  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> out;
    for (std::size_t begin = 0; begin < characters_.size(); ++begin) {
      std::string said;
      for (std::size_t end = begin; begins(begin) && end < characters_.size(); ++end) {
        said += characters_[end];
        if (ends(end)) out.push_back(said);
      }
    }
    return out;
  }

  static std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size(); at += out.back().size()) {
      out.emplace_back(text.substr(at, utf8_length_at(text, at)));
    }
    return out;
  }

  static std::string single_spaced(std::string_view text) {
    std::string out;
    bool is_apart = false;
    for (const std::string& one : split(text)) {
      if (is_space(one)) {
        is_apart = true;
        continue;
      }
      if (is_apart && !out.empty()) out += ' ';
      is_apart = false;
      out += one;
    }
    return out;
  }

 private:
  /// `value` from the word that begins at `begin` on.
  [[nodiscard]] bool has_at(std::size_t begin, std::string_view value, int skipped_max) const {
    for (std::size_t i = begin; i < characters_.size(); ++i) {
      if (!value.starts_with(characters_[i])) return false;
      value.remove_prefix(characters_[i].size());
      if (!ends(i)) continue;
      if (value.empty()) return true;
      if (!value.starts_with(' ')) continue;
      int left = skipped_max;
      for (std::size_t next = i + 2; next < characters_.size() && left >= 0; ++next) {
        if (!begins(next)) continue;
        if (!ends(next - 1) && has_at(next, value.substr(1), skipped_max)) return true;
        --left;
      }
    }
    return false;
  }

  static bool is_in(std::string_view list, const std::string& one) {
    const auto all = split(list);
    for (const std::string& known : all) {
      if (known == one) return true;
    }
    return false;
  }
  static bool is_space(const std::string& one) { return is_in(" \n\t\u00A0", one); }
  static bool is_mark(const std::string& one) {
    return is_in("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u2019\u201C\u201D\u2013\u00AB\u00BB", one);
  }
  static bool is_letter(const std::string& one) { return !is_space(one) && !is_mark(one); }
  static bool is_digit(const std::string& one) { return is_in("0123456789", one); }
  static bool is_unspaced(const std::string& one) { return is_in("\u6771\u4EAC", one); }
  static bool is_apostrophe(const std::string& one) { return is_in("'\u2019", one); }

  [[nodiscard]] bool in_text(std::size_t i) const {
    return i < characters_.size() && !is_space(characters_[i]);
  }
  [[nodiscard]] std::size_t word_begin(std::size_t i) const {
    while (i > 0 && in_text(i - 1)) --i;
    return i;
  }
  [[nodiscard]] std::size_t word_end(std::size_t i) const {
    while (in_text(i)) ++i;
    return i;
  }
  [[nodiscard]] bool has_letter(std::size_t begin, std::size_t end) const {
    for (std::size_t i = begin; i < end; ++i) {
      if (is_letter(characters_[i])) return true;
    }
    return false;
  }

  /// Does the mark at `i`, which stands between two characters of a word, part it?
  [[nodiscard]] bool parts(std::size_t i) const {
    if (!is_in("\"'(),/:;<=>[]`{|}\u2019\u201C\u201D\u00AB\u00BB", characters_[i])) return false;
    const std::string& left = characters_[i - 1];
    const std::string& right = characters_[i + 1];
    if (is_digit(left) && is_digit(right)) return false;
    return !(is_apostrophe(characters_[i]) && is_letter(left) && is_letter(right));
  }

  [[nodiscard]] bool begins(std::size_t i) const {
    if (i == 0) return true;
    if (!in_text(i)) return false;
    const std::size_t first = word_begin(i);
    if (i == first) return true;
    if (!has_letter(first, word_end(i))) return false;
    if (!has_letter(first, i)) return true;
    if (!is_letter(characters_[i])) return false;
    return parts(i - 1) || is_unspaced(characters_[i]) || is_unspaced(characters_[i - 1]);
  }

  [[nodiscard]] bool ends(std::size_t i) const {
    if (i + 1 == characters_.size()) return true;
    if (!in_text(i)) return false;
    const std::size_t last = word_end(i);
    if (i + 1 == last) return true;
    if (!has_letter(word_begin(i), last)) return false;
    if (!has_letter(i + 1, last)) return true;
    if (!is_letter(characters_[i])) return false;
    const std::string& next = characters_[i + 1];
    const bool is_owner = is_apostrophe(next) && i + 2 < last && is_in("sS", characters_[i + 2]) &&
                          (!has_letter(i + 3, last) || parts(i + 3));
    return is_owner || parts(i + 1) || is_unspaced(characters_[i]) || is_unspaced(next);
  }

  std::vector<std::string> characters_;
};

}  // namespace facet::test
