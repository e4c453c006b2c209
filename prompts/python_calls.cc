#include "prompts/python_calls.h"

#include "base/json.h"
#include "base/utf8.h"
#include "prompts/excerpt.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

namespace facet::prompts {
namespace {

constexpr int kNestingDepthMax = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Tools are named more freely than Python's functions: dots and dashes belong to a name.
bool is_name_part(char c) {
  return is_name_start(c) || is_digit(c) || c == '.' || c == '-';
}

/// Recursive descent over Python's literal syntax; writes JSON text; depth is capped.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  /// One value and nothing else.
  Result<std::string> only_value() {
    std::string out;
    FACET_TRY_STATUS(value(out, 1));
    if (!at_end()) return fail("unexpected text");
    return out;
  }

  Result<std::vector<ToolCall>> calls() {
    std::vector<ToolCall> calls;
    skip_space();
    const bool is_list = take('[');
    skip_space();
    while (!at_end() && peek() != ']') {
      FACET_TRY(ToolCall next, call(0));
      calls.push_back(std::move(next));
      skip_space();
      if (is_list ? !take(',') : false) break;
      while (!is_list && take(';')) skip_space();
      skip_space();
    }
    if (is_list) take(']');
    skip_space();
    if (!at_end()) return fail("unexpected text");
    if (calls.empty()) return fail("no call");
    return calls;
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }

  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  void skip_space() {
    while (!at_end()) {
      const char c = text_[at_];
      if (c == '#') {
        const std::size_t line_end = text_.find('\n', at_);
        at_ = line_end == std::string_view::npos ? text_.size() : line_end;
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  [[nodiscard]] Error fail(const std::string& what) const {
    return Error{Code::invalid_data,
                 "function call cannot be read: " + excerpt(what, 0) + " at byte " +
                     std::to_string(at_) + " of \"" + excerpt(text_, at_) + "\""};
  }

  Result<std::string> name() {
    const std::size_t start = at_;
    if (at_end() || !is_name_start(peek())) return fail("expected a name");
    while (!at_end() && is_name_part(peek())) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  Result<ToolCall> call(int depth) {
    ToolCall call;
    FACET_TRY(call.name, name());
    skip_space();
    if (!take('(')) return fail("expected \"(\"");
    skip_space();
    if (call.name == "print" && depth == 0 && is_call_ahead()) {
      FACET_TRY(ToolCall inner, this->call(1));
      skip_space();
      if (!take(')')) return fail("expected \")\"");
      return inner;
    }
    call.arguments = "{";
    std::set<std::string> seen;
    while (!take(')')) {
      if (take("**")) {
        if (!take('{')) return fail("expected \"{\"");
        FACET_TRY_STATUS(members(call.arguments, seen, 1));
      } else {
        FACET_TRY(const std::string key, name());
        skip_space();
        if (!take('=')) return fail("expected \"=\" (arguments are given by name)");
        FACET_TRY_STATUS(member(key, call.arguments, seen, 1));
      }
      skip_space();
      if (take(',')) {
        skip_space();
      } else if (peek() != ')') {
        return fail("expected \",\" or \")\"");
      }
    }
    call.arguments += "}";
    return call;
  }

  [[nodiscard]] bool is_call_ahead() const {
    std::size_t at = at_;
    if (at >= text_.size() || !is_name_start(text_[at])) return false;
    while (at < text_.size() && is_name_part(text_[at])) ++at;
    return at < text_.size() && text_[at] == '(';
  }

  Status member(const std::string& key, std::string& out, std::set<std::string>& seen, int depth) {
    // Inside a value the last one wins, as in Python.
    if (!seen.insert(key).second && depth == 1) return fail("\"" + key + "\" is given twice");
    if (out.back() != '{') out += ',';
    out += json_quote(key) + ":";
    return value(out, depth + 1);
  }

  /// `"key": value, ...}` behind the opening brace.
  Status members(std::string& out, std::set<std::string>& seen, int depth) {
    skip_space();
    while (!take('}')) {
      if (peek() != '"' && peek() != '\'') return fail("expected a string as key");
      FACET_TRY(const std::string key, strings());
      skip_space();
      if (!take(':')) return fail("expected \":\"");
      FACET_TRY_STATUS(member(key, out, seen, depth));
      skip_space();
      if (take(',')) {
        skip_space();
      } else if (peek() != '}') {
        return fail("expected \",\" or \"}\"");
      }
    }
    return ok();
  }

  Status value(std::string& out, int depth) {
    skip_space();
    const char c = peek();
    if (depth > kNestingDepthMax && (c == '{' || c == '[' || c == '(')) {
      return fail("nesting is deeper than " + std::to_string(kNestingDepthMax));
    }
    if (c == '"' || c == '\'') {
      FACET_TRY(const std::string text, strings());
      out += json_quote(text);
      return ok();
    }
    if (take('{')) {
      out += '{';
      std::set<std::string> seen;
      FACET_TRY_STATUS(members(out, seen, depth));
      out += '}';
      return ok();
    }
    if (c == '[' || c == '(') return items(out, depth);
    if (is_digit(c) || c == '-' || c == '+' || c == '.') return number(out);
    const std::size_t start = at_;
    FACET_TRY(const std::string word, name());
    if (word == "True" || word == "true") {
      out += "true";
    } else if (word == "False" || word == "false") {
      out += "false";
    } else if (word == "None" || word == "null") {
      out += "null";
    } else {
      at_ = start;
      return fail("\"" + word + "\" is no literal");
    }
    return ok();
  }

  Status items(std::string& out, int depth) {
    const char close = take('[') ? ']' : ')';
    if (close == ')') take('(');
    out += '[';
    skip_space();
    for (bool first = true; !take(close); first = false) {
      if (!first) {
        if (!take(',')) return fail("expected \",\"");
        skip_space();
        if (take(close)) break;
        out += ',';
      }
      FACET_TRY_STATUS(value(out, depth + 1));
      skip_space();
    }
    out += ']';
    return ok();
  }

  std::string digits() {
    std::string out;
    while (!at_end() && (is_digit(peek()) || (peek() == '_' && !out.empty()))) {
      if (peek() != '_') out += peek();
      ++at_;
    }
    return out;
  }

  Status number(std::string& out) {
    const std::size_t start = at_;
    std::string text = take('-') ? "-" : "";
    if (text.empty()) take('+');
    std::string whole = digits();
    if (whole.empty() && peek() != '.') return fail("expected a number");
    if (whole.size() > 1 && whole.front() == '0') return fail("a number begins with 0");
    text += whole.empty() ? "0" : whole;
    if (take('.')) {
      const std::string fraction = digits();
      if (fraction.empty() && whole.empty()) return fail("expected a number");
      text += "." + (fraction.empty() ? "0" : fraction);
    }
    if (take('e') || take('E')) {
      text += take('-') ? "e-" : "e";
      take('+');
      const std::string exponent = digits();
      if (exponent.empty()) return fail("expected an exponent");
      text += exponent;
    }
    double parsed = 0.0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (result.ec != std::errc() || is_name_part(peek())) {
      at_ = start;
      return fail("this is no number that JSON can hold");
    }
    out += text;
    return ok();
  }

  /// One string literal or several in a row, which Python joins.
  Result<std::string> strings() {
    std::string out;
    while (peek() == '"' || peek() == '\'') {
      FACET_TRY_STATUS(string(out));
      const std::size_t end = at_;
      skip_space();
      if (peek() != '"' && peek() != '\'') at_ = end;
    }
    return out;
  }

  Status string(std::string& out) {
    const std::string triple(3, peek());
    const std::string quote = take(triple) ? triple : triple.substr(0, 1);
    if (quote.size() == 1) ++at_;
    while (!take(quote)) {
      if (at_end()) return fail("a string is not closed");
      if (peek() == '\n' && quote.size() == 1) return fail("a string is not closed on its line");
      if (take('\\')) {
        FACET_TRY_STATUS(escape(out));
      } else {
        out += text_[at_++];
      }
    }
    return ok();
  }

  Status escape(std::string& out) {
    if (at_end()) return fail("a string is not closed");
    const char c = text_[at_++];
    static constexpr std::string_view kNames = "\\'\"abfnrtv";
    static constexpr std::string_view kBytes = "\\'\"\a\b\f\n\r\t\v";
    if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
      out += kBytes[i];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      FACET_TRY(std::uint32_t code, hex(c == 'x' ? 2 : c == 'u' ? 4 : 8));
      if (code >= 0xD800 && code <= 0xDBFF && take("\\u")) {
        // JSON's way to write what is beyond U+FFFF.
        FACET_TRY(const std::uint32_t low, hex(4));
        code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
        if (low < 0xDC00 || low > 0xDFFF) code = 0xFFFD;
      }
      append_utf8(code, out);
    } else if (c >= '0' && c <= '7') {
      std::uint32_t code = static_cast<std::uint32_t>(c - '0');
      for (int more = 0; more < 2 && peek() >= '0' && peek() <= '7'; ++more) {
        code = code * 8 + static_cast<std::uint32_t>(text_[at_++] - '0');
      }
      append_utf8(code, out);
    } else if (c != '\n') {  // A backslash in front of a line break joins the lines.
      out += '\\';
      out += c;
    }
    return ok();
  }

  Result<std::uint32_t> hex(std::size_t digits) {
    std::uint32_t code = 0;
    const std::string_view text = text_.substr(at_, digits);
    const auto result = std::from_chars(text.data(), text.data() + text.size(), code, 16);
    if (text.size() != digits || result.ptr != text.data() + digits) {
      return fail("an escape has too few digits");
    }
    at_ += digits;
    return code;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// A call as a JSON object; empty when the object is none.
std::optional<ToolCall> json_call(const nlohmann::ordered_json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto name = object.find("name");
  const char* key = object.contains("parameters") ? "parameters" : "arguments";
  const auto arguments = object.find(key);
  if (name == object.end() || !name->is_string() || arguments == object.end()) return std::nullopt;
  if (!arguments->is_object() && !arguments->is_null()) return std::nullopt;
  return ToolCall{.name = name->get<std::string>(),
                  .arguments = arguments->is_null() ? "{}" : dump_json(*arguments)};
}

}  // namespace

Result<std::vector<ToolCall>> read_python_calls(std::string_view text) {
  return Reader(text).calls();
}

std::optional<std::string> python_scalar_json(std::string_view word) {
  auto json = Reader(word).only_value();
  if (!json) return std::nullopt;
  return *std::move(json);
}

Result<std::optional<std::vector<ToolCall>>> read_json_calls(std::string_view text) {
  using Calls = std::optional<std::vector<ToolCall>>;
  // The list and the object of the call stand around the arguments.
  auto parsed = parse_json(text, "function call", {.nesting_depth_max = kNestingDepthMax + 2});
  if (!parsed) {
    const bool looks_like_call = text.find("\"name\"") != std::string_view::npos &&
                                 (text.find("\"parameters\"") != std::string_view::npos ||
                                  text.find("\"arguments\"") != std::string_view::npos);
    if (!looks_like_call) return Calls();
    return Error{Code::invalid_data,
                 excerpt(parsed.error().message, 0) + " in \"" + excerpt(text, 0) + "\""};
  }
  std::vector<ToolCall> calls;
  const bool is_list = parsed->is_array();
  for (std::size_t i = 0; i < (is_list ? parsed->size() : 1); ++i) {
    auto call = json_call(is_list ? (*parsed)[i] : *parsed);
    if (!call) return Calls();
    calls.push_back(*std::move(call));
  }
  return calls.empty() ? Calls() : Calls(std::move(calls));
}

bool is_python_name(std::string_view name) {
  if (name.empty() || !is_name_start(name.front())) return false;
  for (const char c : name) {
    if (!is_name_part(c)) return false;
  }
  return true;
}

}  // namespace facet::prompts
