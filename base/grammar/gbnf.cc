#include "base/grammar/gbnf.h"

#include "base/code_points.h"
#include "base/utf8.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace facet::grammar {
namespace {

using Node = Grammar::Node;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

/// Recursive descent; nesting is capped.
class Reader {
 public:
  Reader(std::string_view text, const GbnfLimits& limits) : text_(text), limits_(limits) {}

  Result<Grammar> run() {
    skip(true);
    while (at_ < text_.size()) {
      FACET_TRY_STATUS(rule());
      skip(true);
    }
    for (const auto& [name, rule] : rules_) {
      if (!rule.defined) return fail("there is no rule \"" + name + "\"");
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) return fail("there is no rule \"root\"");
    grammar_.set_root(root->second.node);
    return std::move(grammar_);
  }

 private:
  struct Rule {
    Node node = -1;
    bool defined = false;
  };

  [[nodiscard]] Error fail(const std::string& what, Code code = Code::invalid_argument) const {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    return Error{code, "grammar, line " + std::to_string(line) + ": " + what};
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  /// White space and comments; ends of lines too where `lines`.
  void skip(bool lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || (lines && c == '\n')) {
        ++at_;
      } else {
        return;
      }
    }
  }

  Result<std::string> name() {
    const std::size_t start = at_;
    while (is_name(peek())) ++at_;
    if (at_ == start) return fail("expected the name of a rule");
    return std::string(text_.substr(start, at_ - start));
  }

  Node rule_node(const std::string& name) {
    const auto [found, is_new] = rules_.try_emplace(name);
    if (is_new) found->second.node = grammar_.declare(name);
    return found->second.node;
  }

  Status rule() {
    FACET_TRY(const std::string name, this->name());
    skip(false);
    if (!text_.substr(at_).starts_with("::=")) return fail("expected ::= behind " + name);
    at_ += 3;
    const Node node = rule_node(name);
    if (rules_[name].defined) return fail("the rule \"" + name + "\" is given twice");
    rules_[name].defined = true;
    if (rules_.size() > limits_.rules_max) {
      return fail("more than " + std::to_string(limits_.rules_max) + " rules",
                  Code::limit_exceeded);
    }
    skip(true);
    FACET_TRY(const Node body, alternatives(0));
    skip(false);
    if (at_ < text_.size() && peek() != '\n') return fail("unexpected text");
    grammar_.define(node, body);
    return ok();
  }

  Result<Node> alternatives(int depth) {
    if (depth > limits_.nesting_max) {
      return fail("groups nest deeper than " + std::to_string(limits_.nesting_max),
                  Code::limit_exceeded);
    }
    std::vector<Node> out;
    while (true) {
      FACET_TRY(const Node row, sequence(depth));
      out.push_back(row);
      if (out.size() > limits_.alternatives_max) {
        return fail("more than " + std::to_string(limits_.alternatives_max) + " alternatives",
                    Code::limit_exceeded);
      }
      // An alternative may begin the next line; inside a group lines do not matter.
      const std::size_t before = at_;
      skip(true);
      if (peek() != '|') {
        if (depth == 0) at_ = before;
        break;
      }
      ++at_;
      skip(true);
    }
    return out.size() == 1 ? out.front() : grammar_.choice(std::move(out));
  }

  Result<Node> sequence(int depth) {
    std::vector<Node> parts;
    while (true) {
      skip(depth > 0);
      const char c = peek();
      const bool begins = c == '"' || c == '[' || c == '(' || c == '.' || is_name(c);
      if (!begins) break;
      FACET_TRY(Node part, item(depth));
      FACET_TRY(part, quantified(part));
      parts.push_back(part);
    }
    if (parts.empty()) return grammar_.literal("");
    return parts.size() == 1 ? parts.front() : grammar_.sequence(std::move(parts));
  }

  Result<Node> item(int depth) {
    const char c = peek();
    if (c == '"') return literal();
    if (c == '[') return character_class();
    if (c == '.') {
      ++at_;
      return grammar_.code_point(CodePointSet::all());
    }
    if (c == '(') {
      ++at_;
      skip(true);
      FACET_TRY(const Node inner, alternatives(depth + 1));
      skip(true);
      if (peek() != ')') return fail("a group is not closed");
      ++at_;
      return inner;
    }
    FACET_TRY(const std::string found, name());
    return rule_node(found);
  }

  Result<Node> quantified(Node part) {
    skip(false);
    const char c = peek();
    if (c != '*' && c != '+' && c != '?' && c != '{') return part;
    ++at_;
    if (c == '*') return grammar_.repeat(part, 0);
    if (c == '+') return grammar_.repeat(part, 1);
    if (c == '?') return grammar_.optional(part);
    FACET_TRY(const auto min, number());
    if (!min) return fail("expected a number behind {");
    auto max = min;
    if (peek() == ',') {
      ++at_;
      FACET_TRY(max, number());
    }
    if (peek() != '}') return fail("a repetition is not closed");
    ++at_;
    if (max && *max < *min) return fail("a repetition has its bounds the wrong way round");
    return grammar_.repeat(part, *min, max.value_or(-1));
  }

  Result<std::optional<int>> number() {
    skip(false);
    int value = 0;
    const std::size_t start = at_;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      value = value * 10 + (peek() - '0');
      if (value > limits_.repeat_max) {
        return fail("a repetition of more than " + std::to_string(limits_.repeat_max),
                    Code::limit_exceeded);
      }
    }
    skip(false);
    return at_ == start ? std::optional<int>() : std::optional<int>(value);
  }

  Result<Node> literal() {
    ++at_;
    std::string text;
    while (peek() != '"') {
      if (at_ >= text_.size() || peek() == '\n') return fail("a text is not closed");
      FACET_TRY(const std::uint32_t code, character());
      append_utf8(code, text);
    }
    ++at_;
    return grammar_.literal(text);
  }

  Result<Node> character_class() {
    ++at_;
    const bool negated = peek() == '^';
    if (negated) ++at_;
    std::vector<CodePointRange> ranges;
    while (peek() != ']') {
      if (at_ >= text_.size() || peek() == '\n') return fail("a class is not closed");
      FACET_TRY(const std::uint32_t first, character());
      CodePointRange range{first, first};
      const bool is_range = peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (is_range) {
        ++at_;
        FACET_TRY(range.last, character());
      }
      if (range.last < range.first) return fail("a range has its ends the wrong way round");
      ranges.push_back(range);
    }
    ++at_;
    const CodePointSet set(std::move(ranges));
    return grammar_.code_point(negated ? set.complement() : set);
  }

  /// One character of a text or a class, escapes read.
  Result<std::uint32_t> character() {
    if (peek() != '\\') {
      const std::size_t length = utf8_length_at(text_, at_);
      if (length == 0) return fail("the text is not UTF-8");
      const auto lead = static_cast<std::uint8_t>(text_[at_]);
      std::uint32_t code = length == 1 ? lead : lead & (0xFFU >> (length + 1));
      for (std::size_t i = 1; i < length; ++i) {
        code = (code << 6U) | (static_cast<std::uint8_t>(text_[at_ + i]) & 0x3FU);
      }
      at_ += length;
      return code;
    }
    ++at_;
    if (at_ >= text_.size()) return fail("a backslash ends the grammar");
    const char c = text_[at_];
    ++at_;
    static constexpr std::string_view kNames = "nrt\"\\[]-^/";
    static constexpr std::string_view kCodes = "\n\r\t\"\\[]-^/";
    if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
      return static_cast<std::uint32_t>(static_cast<unsigned char>(kCodes[i]));
    }
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0) return fail("an unknown escape");
    std::uint32_t code = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char d = peek();
      const char lower = static_cast<char>(d | 0x20);
      const bool is_digit = d >= '0' && d <= '9';
      if (!is_digit && (lower < 'a' || lower > 'f')) return fail("an escape has too few digits");
      code = code * 16 + static_cast<std::uint32_t>(is_digit ? d - '0' : lower - 'a' + 10);
    }
    return code;
  }

  std::string_view text_;
  GbnfLimits limits_;
  std::size_t at_ = 0;
  Grammar grammar_;
  std::map<std::string, Rule> rules_;
};

}  // namespace

Result<Grammar> read_gbnf(std::string_view text, const GbnfLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error{Code::limit_exceeded,
                 "a grammar of " + std::to_string(text.size()) + " bytes, at most " +
                     std::to_string(limits.bytes_max) + " are read"};
  }
  return Reader(text, limits).run();
}

}  // namespace facet::grammar
