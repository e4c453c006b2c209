// ArgumentStream: the JSON text of a call's arguments as far as it is certain, while the call still
// comes in. Its twins are the readers of whole calls: functiongemma_value.h, python_calls.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// Not thread-safe. Where a whole call can be read, the pieces that take() gives, concatenated, are
/// the beginning of its arguments, and all of them unless is_lost(): what is rare (triple quotes,
/// comments, joined strings, nesting beyond a bound) is left to the reader of the whole. Of a call
/// that cannot be read the pieces mean nothing.
class ArgumentStream {
 public:
  enum class Syntax {
    control,  ///< `{key:value}`, strings between two control tokens.
    json,     ///< `{"key": value}`
    python    ///< `(key=value)`
  };
  explicit ArgumentStream(Syntax syntax) : syntax_(syntax) {}

  /// The next symbol: a byte, or kEscapeSymbol. The first is the bracket that opens the arguments.
  /// Nothing is taken in once is_closed() or is_lost().
  void push(char16_t symbol);
  /// What has become certain since the last call.
  [[nodiscard]] std::string take();

  /// The bracket that closes the arguments has come.
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  /// Nothing more can be told before the call is there as a whole.
  [[nodiscard]] bool is_lost() const { return is_lost_; }

 private:
  enum class Expect {
    opening,
    key,
    key_or_close,
    bare_key,
    string,
    after_string,  ///< Python: another string may follow, which would be joined.
    colon,
    value,
    value_or_close,
    scalar,
    next
  };
  struct Level {
    bool is_object = false;
    char16_t close = u'}';
    bool is_call = false;  ///< Python's outermost: `key=value`.
    bool is_first = true;
  };

  void lose() { is_lost_ = true; }
  void open(bool is_object, char16_t close, bool is_call = false);
  void close();
  void separate();
  void key(char16_t symbol);
  void bare_key(char16_t symbol);
  void finish_key();
  void value(char16_t symbol);
  void begin_string(char16_t quote, bool is_key);
  void string(char16_t symbol);
  void end_string();
  void escape(char16_t symbol);
  void code_point(std::uint32_t code, char kind);
  void scalar(char16_t symbol);
  void next(char16_t symbol);
  void flush(bool is_whole);
  [[nodiscard]] char16_t colon() const;

  Syntax syntax_;
  Expect expect_ = Expect::opening;
  std::vector<Level> levels_;
  std::string certain_;  ///< Not taken yet.
  std::string text_;     ///< Of the open string, decoded, not quoted yet; of the key at hand.
  std::string word_;     ///< Of the open scalar.
  std::string escape_;   ///< Of the open escape sequence, backslash included.
  std::uint32_t high_surrogate_ = 0;
  char16_t quote_ = 0;
  bool is_key_ = false;  ///< The open string is one.
  bool is_closed_ = false;
  bool is_lost_ = false;
};

}  // namespace facet::prompts
