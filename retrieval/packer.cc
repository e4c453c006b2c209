#include "retrieval/packer.h"

#include "retrieval/unicode.h"

#include <algorithm>
#include <utility>

namespace facet::retrieval {
namespace {

class Packer {
 public:
  Packer(const TokenCounter& counter, const PackOptions& options)
      : counter_(counter), options_(options) {}

  PackedContext run(std::span<const Passage> passages) {
    bool closed = false;
    for (const Passage& passage : passages) {
      if (repeats(passage)) {
        drop(passage, DroppedPassage::Reason::overlap);
      } else if (closed) {
        drop(passage, DroppedPassage::Reason::budget);
      } else if (!add(passage, /*cut=*/false)) {
        closed = true;
        if (!options_.cut_last || !add_cut(passage)) drop(passage, DroppedPassage::Reason::budget);
      }
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool repeats(const Passage& passage) const {
    return std::any_of(
        out_.passages.begin(), out_.passages.end(), [&](const PackedPassage& packed) {
          return packed.passage.document == passage.document &&
                 passage.byte_begin < packed.passage.byte_end &&
                 packed.passage.byte_begin < passage.byte_end;
        });
  }

  /// Counts the whole text each time: tokens at the seam of two passages may merge.
  bool add(const Passage& passage, bool cut) {
    const int number = static_cast<int>(out_.passages.size()) + 1;
    std::string text = out_.text + options_.format(number, passage);
    const std::int64_t tokens = counter_.count(text);
    if (tokens > options_.tokens_max) return false;
    out_.text = std::move(text);
    out_.tokens = tokens;
    out_.passages.push_back({number, passage, cut});
    return true;
  }

  bool add_cut(const Passage& passage) {
    std::vector<std::size_t> ends = sentence_ends(passage.text);
    if (!ends.empty()) ends.pop_back();  // The last end is the whole passage.
    while (!ends.empty()) {
      Passage shorter = passage;
      shorter.text.resize(ends.back());
      while (!shorter.text.empty() && (shorter.text.back() == ' ' || shorter.text.back() == '\n')) {
        shorter.text.pop_back();
      }
      shorter.byte_end = shorter.byte_begin + shorter.text.size();
      if (!shorter.text.empty() && add(shorter, /*cut=*/true)) return true;
      ends.pop_back();
    }
    return false;
  }

  void drop(const Passage& passage, DroppedPassage::Reason reason) {
    const int number = static_cast<int>(out_.passages.size()) + 1;
    out_.dropped.push_back({passage.chunk_id,
                            passage.document,
                            counter_.count(options_.format(number, passage)),
                            reason});
  }

  const TokenCounter& counter_;
  const PackOptions& options_;
  PackedContext out_;
};

}  // namespace

std::string default_passage_format(int number, const Passage& passage) {
  std::string out = "[" + std::to_string(number) + "] " + passage.document;
  if (passage.page > 0) out += ", page " + std::to_string(passage.page);
  if (!passage.heading.empty()) out += ", " + passage.heading;
  return out + "\n" + passage.text + "\n\n";
}

PackedContext pack_passages(std::span<const Passage> passages,
                            const TokenCounter& counter,
                            const PackOptions& options) {
  return Packer(counter, options).run(passages);
}

}  // namespace facet::retrieval
