#include "agent/said_values.h"

#include "agent/tool_search.h"
#include "agent/word_stems.h"

#include <algorithm>
#include <string>

namespace facet::agent {
namespace {

bool is_joint(const SlotWord& word) {
  return word.lower == "and" || word.lower == "or";
}

/// For each word the one that the next item begins with, if an item may end with it; else 0.
std::vector<std::size_t> next_items(std::string_view text, const std::vector<SlotWord>& words) {
  std::vector<std::size_t> out(words.size());
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (is_joint(words[i])) continue;
    const bool joined = is_joint(words[i + 1]);
    const bool has_comma = text.substr(words[i].end).starts_with(',');
    const std::size_t next = joined ? i + 2 : i + 1;
    if ((joined || has_comma) && next < words.size()) out[i] = next;
  }
  return out;
}

class ListFinder {
 public:
  ListFinder(const std::vector<SlotWord>& words,
             std::vector<std::size_t> next,
             std::size_t item_words_max)
      : words_(words), next_(std::move(next)), item_words_max_(item_words_max) {}

  [[nodiscard]] std::vector<WordList> all() const {
    std::vector<WordList> out;
    for (std::size_t last = 0; last < words_.size(); ++last) {
      if (next_[last] == 0) continue;
      for (std::size_t first = last + 1; first-- > 0 && last - first < item_words_max_;) {
        if (is_joint(words_[first]) || (first < last && next_[first] != 0)) break;
        add({{first, last}}, out);
      }
    }
    return out;
  }

 private:
  /// The lists that go on behind `front`.
  void add(const WordList& front, std::vector<WordList>& out) const {
    if (front.size() == kListItemsMax) return;
    const std::size_t first = next_[front.back().last];
    const std::size_t end = std::min(words_.size(), first + item_words_max_);
    for (std::size_t last = first; last < end && !is_joint(words_[last]); ++last) {
      WordList list = front;
      list.push_back({first, last});
      out.push_back(list);
      if (next_[last] == 0) continue;
      add(list, out);
      break;
    }
  }

  const std::vector<SlotWord>& words_;
  std::vector<std::size_t> next_;
  std::size_t item_words_max_;
};

}  // namespace

std::vector<WordList> lists_in(std::string_view text,
                               const std::vector<SlotWord>& words,
                               bool numbers) {
  const ListFinder finder(words, next_items(text, words), numbers ? 1 : kListItemWordsMax);
  std::vector<WordList> out = finder.all();
  if (!numbers) return out;
  for (std::size_t i = 0; i < words.size(); ++i) out.push_back({{i, i}});
  std::erase_if(out, [&](const WordList& list) {
    return std::any_of(list.begin(), list.end(), [&](const WordRun& item) {
      return words[item.first].number.empty();
    });
  });
  return out;
}

std::vector<WordRun> said_in(const std::vector<SlotWord>& words, std::string_view value) {
  std::vector<std::string> stems;
  for (std::string& word : tool_words(value)) stems.push_back(word_stem(std::move(word)));
  std::vector<WordRun> out;
  if (stems.empty()) return out;
  for (std::size_t first = 0; first + stems.size() <= words.size(); ++first) {
    const bool is_said =
        std::equal(stems.begin(),
                   stems.end(),
                   words.begin() + static_cast<std::ptrdiff_t>(first),
                   [](const std::string& stem, const SlotWord& word) { return stem == word.stem; });
    if (is_said) out.push_back({first, first + stems.size() - 1});
  }
  return out;
}

}  // namespace facet::agent
