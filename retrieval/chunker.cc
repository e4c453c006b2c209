#include "retrieval/chunker.h"

#include "base/check.h"
#include "base/utf8.h"
#include "retrieval/unicode.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace facet::retrieval {
namespace {

struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// No tokenizer in use packs more than this many bytes of text into one token on average; it bounds
// how far ahead a cut is looked for.
constexpr std::int64_t kBytesPerTokenMax = 32;

class Chunker {
 public:
  Chunker(const LoadedDocument& document,
          const TokenCounter* counter,
          std::int64_t tokens_max,
          const std::stop_token& stop)
      : document_(document),
        text_(document.text),
        counter_(counter),
        tokens_max_(tokens_max),
        stop_(stop) {}

  std::vector<Chunk> run() {
    for (std::size_t i = 0; i < document_.blocks.size() && !stop_.stop_requested(); ++i) {
      const Block& block = document_.blocks[i];
      turn_page(block.begin);
      if (block.kind == BlockKind::heading) {
        close();
        enter_heading(i);
      } else {
        add_block(block);
      }
    }
    close();
    return std::move(chunks_);
  }

 private:
  [[nodiscard]] std::int64_t tokens(Span span) const {
    const auto length = span.end - span.begin;
    if (counter_ == nullptr) return static_cast<std::int64_t>((length + 3) / 4);
    return counter_->count(text_.substr(span.begin, length));
  }

  [[nodiscard]] bool fits(Span span) const {
    const auto length = static_cast<std::int64_t>(span.end - span.begin);
    return length / kBytesPerTokenMax <= tokens_max_ && tokens(span) <= tokens_max_;
  }

  void turn_page(std::uint64_t at) {
    while (page_ < document_.pages.size() && document_.pages[page_].end <= at) {
      close();
      ++page_;
    }
  }

  void enter_heading(std::size_t index) {
    const Block& block = document_.blocks[index];
    while (!path_.empty() && path_.back().first >= block.level) path_.pop_back();
    const std::string words(text_.substr(block.begin, block.end - block.begin));
    const bool last = index + 1 == document_.blocks.size();
    const Block* next = last ? nullptr : &document_.blocks[index + 1];
    const bool barren = last || (next->kind == BlockKind::heading && next->level <= block.level);
    if (barren) {
      add_part({block.begin, block.end});
      close();
    }
    path_.emplace_back(block.level, words);
  }

  void add_block(const Block& block) {
    const Span span = {block.begin, block.end};
    if (has_open_ && fits({open_.begin, span.end})) {
      open_.end = span.end;
      return;
    }
    close();
    if (fits(span)) {
      open_ = span;
      has_open_ = true;
      return;
    }
    for (const Span part : parts(block)) {
      if (stop_.stop_requested()) return;
      add_part(part);
    }
  }

  /// A part of a block that is too large: a sentence or a line.
  void add_part(Span part) {
    if (has_open_ && fits({open_.begin, part.end})) {
      open_.end = part.end;
      return;
    }
    close();
    while (!fits(part) && !stop_.stop_requested()) {
      const std::uint64_t cut = forced_cut(part);
      emit({part.begin, cut});
      part.begin = cut;
      while (part.begin < part.end && text_[part.begin] == ' ') ++part.begin;
      if (part.begin == part.end) return;
    }
    open_ = part;
    has_open_ = true;
  }

  [[nodiscard]] std::vector<Span> parts(const Block& block) const {
    const std::string_view text = text_.substr(block.begin, block.end - block.begin);
    std::vector<Span> out;
    std::uint64_t begin = block.begin;
    const auto add = [&](std::uint64_t end) {
      if (end > begin) out.push_back({begin, end});
      begin = end;
    };
    if (block.kind == BlockKind::code) {
      for (std::size_t at = text.find('\n'); at != std::string_view::npos;
           at = text.find('\n', at + 1)) {
        add(block.begin + at + 1);
      }
      add(block.end);
    } else {
      for (const std::size_t end : sentence_ends(text)) add(block.begin + end);
    }
    return out;
  }

  /// The end of the longest beginning of `part` that fits, behind a space when there is one; always
  /// at least one code point.
  [[nodiscard]] std::uint64_t forced_cut(Span part) const {
    const auto length = part.end - part.begin;
    std::uint64_t low = 0;
    std::uint64_t high = std::min<std::uint64_t>(
        length, static_cast<std::uint64_t>(tokens_max_ * kBytesPerTokenMax));
    while (low < high) {
      const std::uint64_t middle = low + (high - low + 1) / 2;
      if (fits({part.begin, boundary(part.begin, middle)})) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    std::uint64_t cut = boundary(part.begin, low);
    if (cut < part.end) {
      const std::string_view taken = text_.substr(part.begin, cut - part.begin);
      const std::size_t space = taken.find_last_of(" \t\n;,");
      if (space != std::string_view::npos && space > 0) cut = part.begin + space + 1;
    }
    if (cut == part.begin) cut += std::max<std::size_t>(1, utf8_length_at(text_, part.begin));
    return cut;
  }

  /// The code point boundary at or before begin + length.
  [[nodiscard]] std::uint64_t boundary(std::uint64_t begin, std::uint64_t length) const {
    return begin + utf8_prefix(text_.substr(begin), length).size();
  }

  void close() {
    if (!std::exchange(has_open_, false)) return;
    emit(open_);
  }

  void emit(Span span) {
    while (span.end > span.begin && (text_[span.end - 1] == ' ' || text_[span.end - 1] == '\n')) {
      --span.end;
    }
    if (span.end == span.begin) return;
    std::string heading;
    for (const auto& [level, words] : path_) {
      if (!heading.empty()) heading += " > ";
      heading += words;
    }
    const int page = page_ < document_.pages.size() ? document_.pages[page_].page : 0;
    chunks_.push_back({span.begin, span.end, std::move(heading), page});
  }

  const LoadedDocument& document_;
  std::string_view text_;
  const TokenCounter* counter_;
  std::int64_t tokens_max_;
  const std::stop_token& stop_;
  std::vector<Chunk> chunks_;
  std::vector<std::pair<int, std::string>> path_;
  std::size_t page_ = 0;
  Span open_;
  bool has_open_ = false;
};

}  // namespace

std::vector<Chunk> chunk_document(const LoadedDocument& document,
                                  const TokenCounter* counter,
                                  std::int64_t tokens_max,
                                  const std::stop_token& stop) {
  FACET_CHECK(tokens_max > 0);
  return Chunker(document, counter, tokens_max, stop).run();
}

}  // namespace facet::retrieval
