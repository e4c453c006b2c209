// TrimmedText: strips a text that arrives in pieces.
#pragma once

#include <string>
#include <string_view>

namespace facet::prompts {

/// What push() and finish() return, concatenated, is strip() of everything pushed: white space is
/// held back until it is known to be inside. Not thread-safe.
class TrimmedText {
 public:
  [[nodiscard]] std::string push(std::string_view text);
  std::string finish();
  /// Everything that has been returned so far.
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string held_;
  std::string text_;
};

}  // namespace facet::prompts
