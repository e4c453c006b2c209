// The streaming reader for the styles in which a call is ordinary text. A call begins at the start
// of a line; text that may still become one is held back until that is decided.
#pragma once

#include "prompts/dialect.h"

#include <cstddef>
#include <optional>
#include <string_view>

namespace facet::prompts {

/// How Gemma 3 is asked to write its calls.
enum class CallStyle {
  none,         ///< It is not: all output is text.
  python_list,  ///< [f(a=1), g()]
  json,         ///< {"name": "f", "parameters": {"a": 1}}, or a list of these.
  tool_code,    ///< A fence named tool_code around Python calls, one a line.
};

/// A list or an object may stand in a code fence of any language. What begins like JSON but is no
/// call is text; once the arguments of a call have begun, it must become one. Calls in unusual
/// forms (text_call_stream.h) are told when the whole text of the calls is there. A control token
/// other than the dialect's stop tokens is dropped.
std::unique_ptr<StreamParser> make_text_call_parser(CallStyle style);

/// Where the calls at the start of a line begin, if they do.
struct CallOpening {
  enum class Verdict { no, undecided, yes };
  Verdict verdict = Verdict::no;
  std::size_t body = 0;  ///< yes: where the list, the object or the code begins.
  bool fenced = false;
};
CallOpening find_call_opening(CallStyle style, std::string_view line);

/// Finds the end of calls that come in pieces; never looks at a byte twice.
class CallScanner {
 public:
  CallScanner(CallStyle style, CallOpening opening)
      : style_(style), fenced_(opening.fenced), at_(opening.body) {}

  /// `text` begins where find_call_opening's did and only grows from call to call. The end of the
  /// body and of the whole, closing fence included, once it is there. `is_whole`: no more will
  /// come.
  struct Extent {
    std::size_t body_end = 0;
    std::size_t end = 0;
  };
  std::optional<Extent> find_end(std::string_view text, bool is_whole);
  /// How far find_end has read; the calls do not end before it.
  [[nodiscard]] std::size_t position() const { return body_end_.value_or(at_); }

 private:
  bool skip_string(std::string_view text, bool is_whole);
  std::optional<Extent> find_closing_fence(std::string_view text, bool is_whole);

  CallStyle style_;
  bool fenced_;
  std::size_t at_;
  int depth_ = 0;
  std::size_t quotes_ = 0;  ///< Length of the quote that closes the open string; 0: none is open.
  char quote_ = '\0';
  bool in_comment_ = false;
  std::optional<std::size_t> body_end_;
};

}  // namespace facet::prompts
