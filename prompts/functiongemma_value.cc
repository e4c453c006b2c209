#include "prompts/functiongemma_value.h"

#include "base/json.h"
#include "prompts/excerpt.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <set>
#include <utility>

namespace facet::prompts {
namespace {

/// JSON's number syntax, finite as a double.
bool is_number(std::string_view word) {
  std::string_view rest = word;
  const auto digits = [&rest] {
    std::size_t count = 0;
    while (count < rest.size() && rest[count] >= '0' && rest[count] <= '9') ++count;
    rest.remove_prefix(count);
    return count;
  };
  if (rest.starts_with('-')) rest.remove_prefix(1);
  const bool leading_zero = rest.starts_with('0');
  const std::size_t whole = digits();
  if (whole == 0 || (leading_zero && whole > 1)) return false;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (rest.starts_with('e') || rest.starts_with('E')) {
    rest.remove_prefix(1);
    if (rest.starts_with('+') || rest.starts_with('-')) rest.remove_prefix(1);
    if (digits() == 0) return false;
  }
  double value = 0.0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  return rest.empty() && parsed.ec == std::errc();
}

/// A recursive-descent reader that writes JSON text; recursion is capped by kNestingDepthMax.
class Reader {
 public:
  explicit Reader(const CallSymbols& symbols) : symbols_(symbols) {}

  Result<ToolCall> call() {
    skip_space();
    for (const char c : std::string_view("call:")) {
      if (!take(static_cast<char16_t>(static_cast<unsigned char>(c)))) {
        return fail("expected \"call:\"");
      }
    }
    ToolCall call;
    FACET_TRY(call.name, bare_word(u"{"));
    if (call.name.empty()) return fail("expected a function name");
    call.arguments.clear();
    FACET_TRY_STATUS(object(call.arguments, 1));
    skip_space();
    if (at_ != symbols_.size()) return fail("unexpected text after the call");
    return call;
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ >= symbols_.size(); }

  bool take(char16_t symbol) {
    if (at_end() || symbols_[at_] != symbol) return false;
    ++at_;
    return true;
  }

  void skip_space() {
    while (!at_end() && (symbols_[at_] == u' ' || symbols_[at_] == u'\n' ||
                         symbols_[at_] == u'\t' || symbols_[at_] == u'\r')) {
      ++at_;
    }
  }

  [[nodiscard]] Error fail(std::string_view what) const {
    return Error{Code::invalid_data,
                 "function call cannot be read: " + excerpt(what, 0) + " at symbol " +
                     std::to_string(at_) + " of \"" +
                     excerpt(symbols_text(symbols_), symbols_text(symbols_.substr(0, at_)).size()) +
                     "\""};
  }

  /// The bytes up to (not including) the first symbol in `ends`, without white space around them.
  Result<std::string> bare_word(std::u16string_view ends) {
    std::string word;
    for (; !at_end() && ends.find(symbols_[at_]) == std::u16string_view::npos; ++at_) {
      if (symbols_[at_] == kEscapeSymbol) return fail("unexpected <escape>");
      word += static_cast<char>(symbols_[at_]);
    }
    if (at_end()) return fail("the call ends too early");
    return std::string(strip(word));
  }

  Result<std::string> string() {
    std::string text;
    while (!at_end() && symbols_[at_] != kEscapeSymbol) {
      text += static_cast<char>(symbols_[at_++]);
    }
    if (!take(kEscapeSymbol)) return fail("a string is not closed");
    return text;
  }

  Status value(std::string& out, int depth) {
    skip_space();
    if (take(kEscapeSymbol)) {
      FACET_TRY(const std::string text, string());
      out += json_quote(text);
      return ok();
    }
    const bool is_object = !at_end() && symbols_[at_] == u'{';
    if (!is_object && (at_end() || symbols_[at_] != u'[')) return scalar(out);
    if (depth > kNestingDepthMax) {
      return fail("nesting is deeper than " + std::to_string(kNestingDepthMax));
    }
    return is_object ? object(out, depth) : array(out, depth);
  }

  Status array(std::string& out, int depth) {
    take(u'[');
    out += '[';
    skip_space();
    for (bool first = true; !take(u']'); first = false) {
      if (!first) {
        if (!take(u',')) return fail("expected \",\" or \"]\"");
        out += ',';
      }
      FACET_TRY_STATUS(value(out, depth + 1));
      skip_space();
    }
    out += ']';
    return ok();
  }

  Status object(std::string& out, int depth) {
    if (!take(u'{')) return fail("expected \"{\"");
    out += '{';
    std::set<std::string> seen;
    skip_space();
    for (bool first = true; !take(u'}'); first = false) {
      if (!first) {
        if (!take(u',')) return fail("expected \",\" or \"}\"");
        out += ',';
        skip_space();
      }
      FACET_TRY(const std::string key, this->key());
      // Deeper down the last one wins, as in JSON.
      if (!seen.insert(key).second && depth == 1) return fail("\"" + key + "\" is given twice");
      out += json_quote(key) + ":";
      FACET_TRY_STATUS(value(out, depth + 1));
      skip_space();
    }
    out += '}';
    return ok();
  }

  Result<std::string> key() {
    std::string key;
    if (take(kEscapeSymbol)) {
      FACET_TRY(key, string());
      skip_space();
    } else {
      FACET_TRY(key, bare_word(u":,{}[]"));
      if (key.empty()) return fail("expected an argument name");
    }
    if (!take(u':')) return fail("expected \":\"");
    return key;
  }

  Status scalar(std::string& out) {
    const std::size_t start = at_;
    FACET_TRY(const std::string word, bare_word(u",]}"));
    const auto json = call_scalar_json(word);
    if (!json) {
      at_ = start;
      return fail("\"" + word + "\" is no value");
    }
    out += *json;
    return ok();
  }

  const CallSymbols& symbols_;
  std::size_t at_ = 0;
};

}  // namespace

void write_string(std::string_view text, SegmentWriter& out) {
  out.control(kEscape);
  out.data(text);
  out.control(kEscape);
}

void write_members(const nlohmann::ordered_json& object, SegmentWriter& out) {
  bool first = true;
  for (const SortedMember& member : sorted_members(object)) {
    if (!std::exchange(first, false)) out.control(",");
    out.data(member.key);
    out.control(":");
    write_value(*member.value, false, out);
  }
}

void write_value(const nlohmann::ordered_json& value, bool quote_keys, SegmentWriter& out) {
  if (value.is_string()) {
    write_string(value.get_ref<const std::string&>(), out);
  } else if (value.is_array()) {
    out.control("[");
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i != 0) out.control(",");
      write_value(value[i], quote_keys, out);
    }
    out.control("]");
  } else if (value.is_object() && !quote_keys) {
    out.control("{");
    write_members(value, out);
    out.control("}");
  } else if (value.is_object()) {
    out.control("{");
    bool first = true;
    for (const SortedMember& member : sorted_members(value)) {
      if (!std::exchange(first, false)) out.control(",");
      write_string(member.key, out);
      out.control(":");
      write_value(*member.value, true, out);
    }
    out.control("}");
  } else {
    out.control(python_scalar(value));
  }
}

std::optional<std::string> call_scalar_json(std::string_view word) {
  if (word == "null" || word == "None") return "null";
  if (word == "true" || word == "false" || is_number(word)) return std::string(word);
  return std::nullopt;
}

Result<ToolCall> read_call(const CallSymbols& symbols) {
  return Reader(symbols).call();
}

std::string symbols_text(const CallSymbols& symbols) {
  std::string text;
  for (const char16_t symbol : symbols) {
    if (symbol == kEscapeSymbol) {
      text += kEscape;
    } else {
      text += static_cast<char>(symbol);
    }
  }
  return text;
}

}  // namespace facet::prompts
