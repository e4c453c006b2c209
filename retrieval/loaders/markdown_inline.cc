#include "retrieval/loaders/markdown_inline.h"

#include "retrieval/loaders/entities.h"

#include <algorithm>
#include <array>
#include <vector>

namespace facet::retrieval {
namespace {

// Longer link targets, tags and code spans are left as letters; it keeps the scan linear.
constexpr std::size_t kSpanBytesMax = 4096;

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

bool is_ascii_punctuation(char c) {
  return c > ' ' && c < '\x7f' && !is_word(c);
}

class InlineReader {
 public:
  explicit InlineReader(std::string_view text) : text_(text) {}

  std::string read() {
    while (at_ < text_.size()) step();
    std::string out;
    for (std::size_t i = 0; i < out_.size(); ++i) {
      if (!dropped_[i]) out += out_[i];
    }
    return out;
  }

 private:
  void put(std::string_view letters) {
    out_ += letters;
    dropped_.resize(out_.size(), false);
  }

  [[nodiscard]] std::string_view rest() const { return text_.substr(at_, kSpanBytesMax); }

  void step() {
    const char c = text_[at_];
    if (c == '\\' && at_ + 1 < text_.size() && is_ascii_punctuation(text_[at_ + 1])) {
      put(text_.substr(at_ + 1, 1));
      at_ += 2;
    } else if (c == '`') {
      code_span();
    } else if (c == '*' || c == '_') {
      emphasis_mark(c);
    } else if (c == '!' && at_ + 1 < text_.size() && text_[at_ + 1] == '[') {
      ++at_;  // The words of an image are those of a link.
      if (!link()) put("!");
    } else if (c == '[') {
      if (!link()) {
        put("[");
        ++at_;
      }
    } else if (c == '<') {
      tag();
    } else if (c == '&') {
      std::string letters;
      at_ += decode_entity(text_.substr(at_), letters);
      put(letters);
    } else {
      put(text_.substr(at_, 1));
      ++at_;
    }
  }

  void code_span() {
    const std::size_t ticks = std::min(rest().find_first_not_of('`'), rest().size());
    const std::size_t end = rest().find(std::string(ticks, '`'), ticks);
    if (end == std::string_view::npos) {
      put(rest().substr(0, ticks));
      at_ += ticks;
      return;
    }
    put(rest().substr(ticks, end - ticks));
    at_ += end + ticks;
  }

  /// A run of marks opens before a word and closes behind one; only pairs of equal length vanish.
  void emphasis_mark(char mark) {
    const std::size_t length = std::min(rest().find_first_not_of(mark), rest().size());
    const char before = at_ == 0 ? ' ' : text_[at_ - 1];
    const char after = at_ + length < text_.size() ? text_[at_ + length] : ' ';
    const bool inside_word = is_word(before) && is_word(after);
    const std::size_t out_at = out_.size();
    put(text_.substr(at_, length));
    at_ += length;
    if (length > 3 || (mark == '_' && inside_word)) return;
    std::vector<std::size_t>& open = open_[(mark == '*' ? 0U : 3U) + length - 1];
    if (!is_blank(before) && !open.empty()) {
      drop(open.back(), length);
      drop(out_at, length);
      open.pop_back();
    } else if (!is_blank(after)) {
      open.push_back(out_at);
    }
  }

  void drop(std::size_t out_at, std::size_t length) {
    std::fill_n(dropped_.begin() + static_cast<std::ptrdiff_t>(out_at), length, true);
  }

  /// [words](target) or [words][reference]: the words are read on, the target is skipped.
  bool link() {
    if (text_[at_] != '[') return false;
    const std::size_t close = rest().find(']');
    if (close == std::string_view::npos || close + 1 >= rest().size()) return false;
    const char opener = rest()[close + 1];
    if (opener != '(' && opener != '[') return false;
    const std::size_t end = rest().find(opener == '(' ? ')' : ']', close + 2);
    if (end == std::string_view::npos) return false;
    // The words hold no ']', so no link of their own: this goes one level down and no further.
    put(InlineReader(rest().substr(1, close - 1)).read());
    at_ += end + 1;
    return true;
  }

  void tag() {
    const std::string_view ahead = rest();
    const bool comment = ahead.starts_with("<!--");
    const std::size_t end = comment ? text_.find("-->", at_) : ahead.find('>');
    const bool named =
        ahead.size() > 1 && (is_word(ahead[1]) || ahead[1] == '/' || ahead[1] == '!');
    if (end == std::string_view::npos || !named) {
      put("<");
      ++at_;
    } else if (comment) {
      at_ = end + 3;
    } else {
      const std::string_view inside = ahead.substr(1, end - 1);
      const bool address = inside.find("://") != std::string_view::npos ||
                           inside.find('@') != std::string_view::npos;
      if (address && inside.find_first_of(" \"=") == std::string_view::npos) put(inside);
      if (inside == "br" || inside == "br/" || inside == "br /") put(" ");
      at_ += end + 1;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
  std::vector<bool> dropped_;
  std::array<std::vector<std::size_t>, 6> open_;  // '*' of 1, 2, 3; '_' of 1, 2, 3.
};

}  // namespace

std::string plain_markdown_inline(std::string_view text) {
  return InlineReader(text).read();
}

}  // namespace facet::retrieval
