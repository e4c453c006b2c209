#include "prompts/argument_stream.h"

#include "base/json.h"
#include "base/utf8.h"
#include "prompts/functiongemma_value.h"
#include "prompts/python_calls.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <optional>
#include <utility>

namespace facet::prompts {
namespace {

constexpr std::size_t kLevelsMax = 64;

bool is_space(char16_t symbol) {
  return symbol == u' ' || symbol == u'\n' || symbol == u'\t' || symbol == u'\r';
}

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::optional<std::string> json_scalar(std::string_view word) {
  auto value = parse_json(word, "value");
  if (!value || !value->is_primitive()) return std::nullopt;
  return dump_json(*value);
}

}  // namespace

void ArgumentStream::push(char16_t symbol) {
  if (is_lost_ || is_closed_) return;
  switch (expect_) {
    case Expect::opening:
      return open(true, syntax_ == Syntax::python ? u')' : u'}', syntax_ == Syntax::python);
    case Expect::key:
    case Expect::key_or_close:
      return key(symbol);
    case Expect::bare_key:
      return bare_key(symbol);
    case Expect::string:
      return string(symbol);
    case Expect::after_string:
      if (is_space(symbol)) return;
      if (symbol == u'"' || symbol == u'\'') return lose();
      certain_ += '"';
      expect_ = Expect::next;
      return next(symbol);
    case Expect::colon:
      if (is_space(symbol)) return;
      return symbol == colon() ? finish_key() : lose();
    case Expect::value:
    case Expect::value_or_close:
      return value(symbol);
    case Expect::scalar:
      return scalar(symbol);
    case Expect::next:
      return next(symbol);
  }
}

std::string ArgumentStream::take() {
  if (!is_lost_ && expect_ == Expect::string && !is_key_) flush(false);
  return std::exchange(certain_, {});
}

char16_t ArgumentStream::colon() const {
  return levels_.back().is_call ? u'=' : u':';
}

void ArgumentStream::open(bool is_object, char16_t close, bool is_call) {
  if (levels_.size() >= kLevelsMax) return lose();
  levels_.push_back({.is_object = is_object, .close = close, .is_call = is_call});
  certain_ += is_object ? '{' : '[';
  expect_ = is_object ? Expect::key_or_close : Expect::value_or_close;
}

void ArgumentStream::close() {
  certain_ += levels_.back().is_object ? '}' : ']';
  levels_.pop_back();
  is_closed_ = levels_.empty();
  expect_ = Expect::next;
}

/// In front of a member or an item that is certain.
void ArgumentStream::separate() {
  if (!std::exchange(levels_.back().is_first, false)) certain_ += ',';
}

void ArgumentStream::key(char16_t symbol) {
  if (is_space(symbol)) return;
  const Level& level = levels_.back();
  if (symbol == level.close) return expect_ == Expect::key_or_close ? close() : lose();
  const bool is_string = syntax_ == Syntax::control
                             ? symbol == kEscapeSymbol
                             : symbol == u'"' || (syntax_ == Syntax::python && symbol == u'\'');
  if (is_string && !level.is_call) return begin_string(symbol, true);
  if (syntax_ != Syntax::control && !level.is_call) return lose();
  text_.clear();
  expect_ = Expect::bare_key;
  bare_key(symbol);
}

void ArgumentStream::bare_key(char16_t symbol) {
  if (symbol == kEscapeSymbol) return lose();
  if (levels_.back().is_call && is_space(symbol)) {
    expect_ = Expect::colon;
    return;
  }
  if (symbol == colon()) return finish_key();
  constexpr std::u16string_view kNoKey = u",{}[]()#";
  // Gemma's own keys may hold round brackets and '#'.
  const std::u16string_view refused = levels_.back().is_call ? kNoKey : kNoKey.substr(0, 5);
  if (refused.find(symbol) != std::u16string_view::npos) return lose();
  text_ += static_cast<char>(symbol);
}

void ArgumentStream::finish_key() {
  const bool is_bare = levels_.back().is_call || (syntax_ == Syntax::control && !is_key_);
  const std::string name = is_bare ? std::string(strip(text_)) : text_;
  is_key_ = false;
  text_.clear();
  if (is_bare && name.empty()) return lose();
  if (levels_.back().is_call && !is_python_name(name)) return lose();
  separate();
  certain_ += json_quote(name) + ":";
  expect_ = Expect::value;
}

void ArgumentStream::value(char16_t symbol) {
  if (is_space(symbol)) return;
  if (symbol == levels_.back().close && !levels_.back().is_object) {
    return expect_ == Expect::value_or_close ? close() : lose();
  }
  const bool is_item = !levels_.back().is_object;
  const bool is_python = syntax_ == Syntax::python;
  const bool is_string = syntax_ == Syntax::control
                             ? symbol == kEscapeSymbol
                             : symbol == u'"' || (is_python && symbol == u'\'');
  if (is_string) {
    if (is_item) separate();
    return begin_string(symbol, false);
  }
  if (symbol == u'{' || symbol == u'[' || (is_python && symbol == u'(')) {
    if (is_item) separate();
    return open(symbol == u'{', symbol == u'{' ? u'}' : symbol == u'[' ? u']' : u')');
  }
  word_.clear();
  expect_ = Expect::scalar;
  scalar(symbol);
}

void ArgumentStream::begin_string(char16_t quote, bool is_key) {
  quote_ = quote;
  is_key_ = is_key;
  text_.clear();
  expect_ = Expect::string;
  if (!is_key) certain_ += '"';
}

void ArgumentStream::string(char16_t symbol) {
  if (!escape_.empty()) return escape(symbol);
  if (high_surrogate_ != 0 && symbol != u'\\') return lose();
  if (symbol == quote_) return end_string();
  if (symbol == kEscapeSymbol) return lose();
  if (symbol == u'\\' && syntax_ != Syntax::control) {
    escape_ = "\\";
    return;
  }
  text_ += static_cast<char>(symbol);
}

void ArgumentStream::end_string() {
  if (is_key_) {
    expect_ = Expect::colon;
    return;
  }
  flush(true);
  if (syntax_ == Syntax::python) {
    expect_ = Expect::after_string;
    return;
  }
  certain_ += '"';
  expect_ = Expect::next;
}

void ArgumentStream::escape(char16_t symbol) {
  const char c = static_cast<char>(symbol);
  escape_ += c;
  const bool is_python = syntax_ == Syntax::python;
  const char kind = escape_[1];
  const std::size_t digits = kind == 'u'   ? 4
                             : !is_python  ? 0
                             : kind == 'x' ? 2
                             : kind == 'U' ? 8
                                           : 0;
  if (digits == 0) {
    const std::string_view names = is_python ? "\\'\"abfnrtv" : "\\/\"bfnrt";
    const std::string_view bytes = is_python ? "\\'\"\a\b\f\n\r\t\v" : "\\/\"\b\f\n\r\t";
    const std::size_t at = names.find(kind);
    if (at == std::string_view::npos || high_surrogate_ != 0) return lose();
    text_ += bytes[at];
    escape_.clear();
    return;
  }
  if (escape_.size() > 2 && !is_hex_digit(c)) return lose();
  if (escape_.size() < digits + 2) return;
  std::uint32_t code = 0;
  std::from_chars(escape_.data() + 2, escape_.data() + escape_.size(), code, 16);
  escape_.clear();
  code_point(code, kind);
}

/// `\uD83D\uDE00` is one character; half of one is left to the reader of the whole.
void ArgumentStream::code_point(std::uint32_t code, char kind) {
  const bool is_low = code >= 0xDC00 && code <= 0xDFFF;
  if (high_surrogate_ != 0) {
    if (!is_low || kind != 'u') return lose();
    const std::uint32_t high = std::exchange(high_surrogate_, 0);
    append_utf8(0x10000 + ((high - 0xD800) << 10U) + (code - 0xDC00), text_);
  } else if (code >= 0xD800 && code <= 0xDBFF && kind == 'u') {
    high_surrogate_ = code;
  } else if (code >= 0xD800 && code <= 0xDFFF) {
    lose();
  } else {
    append_utf8(code, text_);
  }
}

/// Quotes what is known of the open string; a character that is not complete yet waits.
void ArgumentStream::flush(bool is_whole) {
  const std::size_t held = is_whole ? 0 : incomplete_utf8_suffix(text_);
  const std::string quoted = json_quote(std::string_view(text_).substr(0, text_.size() - held));
  certain_.append(quoted, 1, quoted.size() - 2);
  text_.erase(0, text_.size() - held);
}

void ArgumentStream::scalar(char16_t symbol) {
  if (symbol == kEscapeSymbol) return lose();
  const bool is_control = syntax_ == Syntax::control;
  const std::u16string_view ends = is_control ? u",]}" : u",]})";
  const bool ends_here = ends.find(symbol) != std::u16string_view::npos;
  if (!ends_here && (is_control || !is_space(symbol))) {
    word_ += static_cast<char>(symbol);
    return;
  }
  const auto json = is_control                ? call_scalar_json(strip(word_))
                    : syntax_ == Syntax::json ? json_scalar(word_)
                                              : python_scalar_json(word_);
  if (!json) return lose();
  if (!levels_.back().is_object) separate();
  certain_ += *json;
  expect_ = Expect::next;
  next(symbol);
}

void ArgumentStream::next(char16_t symbol) {
  if (is_space(symbol)) return;
  if (symbol == levels_.back().close) return close();
  if (symbol != u',') return lose();
  // Only Python has commas in front of a closing bracket.
  const bool may_close = syntax_ == Syntax::python;
  if (levels_.back().is_object) {
    expect_ = may_close ? Expect::key_or_close : Expect::key;
  } else {
    expect_ = may_close ? Expect::value_or_close : Expect::value;
  }
}

}  // namespace facet::prompts
