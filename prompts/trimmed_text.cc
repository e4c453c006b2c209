#include "prompts/trimmed_text.h"

#include "base/utf8.h"
#include "prompts/python_text.h"

namespace facet::prompts {

std::string TrimmedText::push(std::string_view text) {
  held_ += text;
  if (text_.empty()) held_.erase(0, held_.size() - strip_start(held_).size());
  // A character cut at the end may still turn out to be white space.
  std::string_view certain = held_;
  certain.remove_suffix(incomplete_utf8_suffix(held_));
  const std::string out(strip_end(certain));
  held_.erase(0, out.size());
  text_ += out;
  return out;
}

std::string TrimmedText::finish() {
  const std::string_view rest = strip_end(text_.empty() ? strip_start(held_) : held_);
  const std::string out(rest);
  held_.clear();
  text_ += out;
  return out;
}

}  // namespace facet::prompts
