#include "base/grammar/regex.h"

#include "base/grammar/regex_nfa.h"
#include "base/utf8.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace facet::grammar {
namespace {

using Part = RegexNfa::Part;

constexpr int kNestingMax = 100;
constexpr std::int32_t kRepeatMax = 1000;

const CodePointSet& digits() {
  static const CodePointSet set({{'0', '9'}});
  return set;
}
const CodePointSet& word_characters() {
  static const CodePointSet set({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}});
  return set;
}
const CodePointSet& spaces() {
  static const CodePointSet set({{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}});
  return set;
}
const CodePointSet& all_but_line_feed() {
  static const CodePointSet set({{0, '\n' - 1}, {'\n' + 1, 0x10FFFF}});
  return set;
}

/// Recursive descent; nesting is capped.
class Parser {
 public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {}

  Result<TextAutomaton> run(bool anchored) {
    Part any_before = nfa_.nothing();
    if (!anchored) any_before = nfa_.star(nfa_.text(CodePointSet::all()));
    FACET_TRY(Part whole, alternatives(0));
    if (!at_end()) return fail(Code::invalid_argument, "\")\" closes nothing");
    whole = nfa_.then(any_before, whole);
    if (!anchored) whole = nfa_.then(whole, nfa_.star(nfa_.text(CodePointSet::all())));
    return nfa_.automaton(whole);
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= pattern_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : pattern_[at_]; }
  bool take(std::string_view text) {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }

  [[nodiscard]] Error fail(Code code, const std::string& what) const {
    return Error{code, "pattern: " + what + " at byte " + std::to_string(at_)};
  }

  Result<Part> alternatives(int depth) {
    if (depth > kNestingMax) {
      return fail(Code::limit_exceeded, "groups nest deeper than " + std::to_string(kNestingMax));
    }
    std::vector<Part> parts;
    do {
      FACET_TRY(const Part part, sequence(depth));
      parts.push_back(part);
    } while (take("|"));
    return parts.size() == 1 ? parts.front() : nfa_.either(parts);
  }

  Result<Part> sequence(int depth) {
    Part whole = nfa_.nothing();
    while (!at_end() && peek() != '|' && peek() != ')') {
      const auto first = static_cast<std::int32_t>(nfa_.size());
      FACET_TRY(Part part, atom(depth));
      FACET_TRY(part, quantified(part, first));
      whole = nfa_.then(whole, part);
      if (nfa_.is_full()) return fail(Code::limit_exceeded, "the pattern is too large");
    }
    return whole;
  }

  Result<Part> atom(int depth) {
    if (take("(")) {
      FACET_TRY_STATUS(group_kind());
      FACET_TRY(const Part inner, alternatives(depth + 1));
      if (!take(")")) return fail(Code::invalid_argument, "a group is not closed");
      return inner;
    }
    if (take("^")) return nfa_.condition(RegexNfa::Kind::at_start);
    if (take("$")) return nfa_.condition(RegexNfa::Kind::at_end);
    if (take(".")) return nfa_.text(all_but_line_feed());
    if (take("[")) {
      FACET_TRY(const CodePointSet set, character_class());
      return nfa_.text(set);
    }
    if (take("\\")) {
      FACET_TRY(const CodePointSet set, escape(false));
      return nfa_.text(set);
    }
    if (peek() == '*' || peek() == '+' || peek() == '?') {
      return fail(Code::invalid_argument, "there is nothing to repeat");
    }
    FACET_TRY(const std::uint32_t code, character());
    return nfa_.text(CodePointSet({{code, code}}));
  }

  Status group_kind() {
    if (!take("?")) return ok();
    if (take(":")) return ok();
    const bool named = take("P<") || (peek() == '<' && pattern_.substr(at_, 2) != "<=" &&
                                      pattern_.substr(at_, 2) != "<!" && take("<"));
    if (!named) return fail(Code::unsupported, "this kind of group has no grammar");
    while (!at_end() && peek() != '>') ++at_;
    if (!take(">")) return fail(Code::invalid_argument, "the name of a group is not closed");
    return ok();
  }

  /// `{n,m}` as numbers, when it is one.
  std::optional<std::pair<std::int32_t, std::int32_t>> bounds() {
    const std::size_t start = at_;
    const auto number = [&]() -> std::optional<std::int32_t> {
      std::int32_t value = 0;
      const std::size_t first = at_;
      for (; peek() >= '0' && peek() <= '9'; ++at_) {
        value = std::min(value * 10 + (peek() - '0'), 100'000);
      }
      return at_ == first ? std::nullopt : std::optional(value);
    };
    if (take("{")) {
      if (const auto min = number()) {
        auto max = min;
        if (take(",")) max = number();
        if (take("}")) return std::pair(*min, max.value_or(-1));
      }
    }
    at_ = start;
    return std::nullopt;
  }

  Result<Part> quantified(Part part, std::int32_t first) {
    std::int32_t min = 1;
    std::int32_t max = 1;
    if (take("*")) {
      min = 0;
      max = -1;
    } else if (take("+")) {
      max = -1;
    } else if (take("?")) {
      min = 0;
    } else if (const auto found = bounds()) {
      std::tie(min, max) = *found;
      if (max != -1 && max < min) return fail(Code::invalid_argument, "a range is empty");
      if (min > kRepeatMax || max > kRepeatMax) {
        return fail(Code::limit_exceeded, "a repetition of more than 1000");
      }
    } else {
      return part;
    }
    take("?");
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') {
      return fail(Code::unsupported, "a repetition of a repetition");
    }
    return repeated(part, first, min, max);
  }

  Result<Part> repeated(Part part, std::int32_t first, std::int32_t min, std::int32_t max) {
    const auto last = static_cast<std::int32_t>(nfa_.size());
    const std::int32_t copies = std::max(min + (max == -1 ? 1 : 0), max);
    const std::size_t needed =
        static_cast<std::size_t>(copies) * static_cast<std::size_t>(last - first);
    if (needed > RegexNfa::kStatesMax) {
      return fail(Code::limit_exceeded, "the pattern is too large");
    }
    // Copies are made before the original gets edges to the outside.
    std::vector<Part> parts{part};
    while (std::ssize(parts) < copies) parts.push_back(nfa_.copy(part, first, last));
    Part whole = nfa_.nothing();
    for (std::int32_t i = 0; i < copies; ++i) {
      const bool endless = max == -1 && i + 1 == copies;
      Part next = parts[static_cast<std::size_t>(i)];
      if (endless) {
        next = nfa_.star(next);
      } else if (i >= min) {
        next = nfa_.optional(next);
      }
      whole = nfa_.then(whole, next);
    }
    return whole;
  }

  /// Behind the opening bracket.
  Result<CodePointSet> character_class() {
    const bool negated = take("^");
    std::vector<CodePointRange> ranges;
    CodePointSet named;
    if (peek() == ']') return fail(Code::unsupported, "an empty class");
    while (!take("]")) {
      if (at_end()) return fail(Code::invalid_argument, "a class is not closed");
      if (pattern_.substr(at_).starts_with("[:")) {
        return fail(Code::unsupported, "a POSIX class");
      }
      FACET_TRY(const CodePointSet first, class_member());
      const bool is_range = peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']';
      if (!is_range || !is_single(first)) {
        named = named.with(first);
        continue;
      }
      ++at_;
      FACET_TRY(const CodePointSet last, class_member());
      if (!is_single(last)) return fail(Code::invalid_argument, "a class is no end of a range");
      const CodePointRange range{first.ranges()[0].first, last.ranges()[0].first};
      if (range.last < range.first) return fail(Code::invalid_argument, "a range is empty");
      ranges.push_back(range);
    }
    const CodePointSet set = named.with(CodePointSet(std::move(ranges)));
    return negated ? set.complement() : set;
  }

  static bool is_single(const CodePointSet& set) {
    return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
  }

  Result<CodePointSet> class_member() {
    if (take("\\")) return escape(true);
    FACET_TRY(const std::uint32_t code, character());
    return CodePointSet({{code, code}});
  }

  /// Behind the backslash.
  Result<CodePointSet> escape(bool in_class) {
    if (at_end()) return fail(Code::invalid_argument, "a backslash ends the pattern");
    const char c = pattern_[at_++];
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return digits().complement();
      case 'w':
        return word_characters();
      case 'W':
        return word_characters().complement();
      case 's':
        return spaces();
      case 'S':
        return spaces().complement();
      default:
        break;
    }
    static constexpr std::string_view kNames = "abfnrtv";
    static constexpr std::string_view kCodes = "\a\b\f\n\r\t\v";
    const bool is_boundary = c == 'b' && !in_class;
    std::uint32_t code = static_cast<unsigned char>(c);
    if (const std::size_t i = kNames.find(c); i != std::string_view::npos && !is_boundary) {
      code = static_cast<unsigned char>(kCodes[i]);
    } else if (c == 'x' || c == 'u') {
      FACET_TRY(code, hex(c == 'x' ? 2 : 4));
    } else if (code >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               (c >= 'a' && c <= 'z')) {
      --at_;
      return fail(Code::unsupported,
                  c > ' ' && c < 0x7F ? std::string("\"\\") + c + "\" has no grammar"
                                      : "an escape that means nothing");
    }
    return CodePointSet({{code, code}});
  }

  Result<std::uint32_t> hex(int digits_count) {
    std::uint32_t code = 0;
    for (int i = 0; i < digits_count; ++i, ++at_) {
      const char c = peek();
      const bool is_digit = c >= '0' && c <= '9';
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit && (lower < 'a' || lower > 'f')) {
        return fail(Code::invalid_argument, "an escape has too few digits");
      }
      code = code * 16 + static_cast<std::uint32_t>(is_digit ? c - '0' : lower - 'a' + 10);
    }
    return code;
  }

  Result<std::uint32_t> character() {
    const std::size_t length = utf8_length_at(pattern_, at_);
    if (length == 0) return fail(Code::invalid_argument, "the pattern is not UTF-8");
    const auto lead = static_cast<std::uint8_t>(pattern_[at_]);
    std::uint32_t code = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      code = (code << 6U) | (static_cast<std::uint8_t>(pattern_[at_ + i]) & 0x3FU);
    }
    at_ += length;
    return code;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  RegexNfa nfa_;
};

}  // namespace

Result<TextAutomaton> regex_automaton(std::string_view pattern, const RegexOptions& options) {
  if (pattern.size() > options.pattern_bytes_max) {
    return Error{Code::limit_exceeded,
                 "a pattern of " + std::to_string(pattern.size()) + " bytes, at most " +
                     std::to_string(options.pattern_bytes_max) + " are read"};
  }
  return Parser(pattern).run(options.anchored);
}

}  // namespace facet::grammar
