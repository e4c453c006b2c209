// TextCallStream: tells of calls that are ordinary text what is certain while they come in. Its
// twins are the readers of whole texts in python_calls.h.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "prompts/argument_stream.h"
#include "prompts/dialect.h"
#include "prompts/text_call_parser.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// Follows calls in their usual form: `f(a=1)` one after the other, or objects that begin with
/// "name" and go on with "parameters" or "arguments". Anything else (print(f()), comments, other
/// members) is left to settle(). A call is finished when its last bracket has come, whatever comes
/// behind it. Not thread-safe.
class TextCallStream {
 public:
  /// REQUIRES: style is not none.
  explicit TextCallStream(CallStyle style) : style_(style) {}

  /// The next part of what stands between the beginning of the calls and their end.
  void push(std::string_view text, std::vector<ParseEvent>& events);
  /// A call has been told of.
  [[nodiscard]] bool has_begun() const { return is_open_ || !finished_.empty(); }
  /// All calls, as they were read at the end: tells what has not been told. invalid_data where they
  /// contradict what was, as when a member of an object is given twice.
  Status settle(const std::vector<ToolCall>& calls, std::vector<ParseEvent>& events);

 private:
  /// json: the parts of an object in order.
  enum class Expect { open, name_key, name_colon, name, comma, key, colon, arguments, close, next };

  void python(char c, std::vector<ParseEvent>& events);
  void json(char c, std::vector<ParseEvent>& events);
  void json_word(char c);
  void begin_call(char bracket, std::vector<ParseEvent>& events);
  void tell_arguments(std::string piece, std::vector<ParseEvent>& events);
  void finish_call(std::vector<ParseEvent>& events);
  void lose() { is_lost_ = true; }

  CallStyle style_;
  Expect expect_ = Expect::open;
  bool is_lost_ = false;
  bool is_open_ = false;        ///< call_ has been told of and is not finished.
  bool is_in_word_ = false;     ///< json: between the quotes of name or key.
  bool is_after_word_ = false;  ///< python: white space has ended the name.
  std::string word_;            ///< The name or key at hand.
  ToolCall call_;               ///< Of its arguments what has been told.
  std::optional<ArgumentStream> arguments_;
  std::vector<ToolCall> finished_;
};

}  // namespace facet::prompts
