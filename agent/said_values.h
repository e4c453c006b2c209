// Where a request says values that are no single span of it: the items of a list ("milk, eggs and
// bread"), and the words of a value that a schema lists (round_trip in "a round trip").
#pragma once

#include "agent/slot_words.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace facet::agent {

/// Words [first, last] of a request.
struct WordRun {
  std::size_t first = 0;
  std::size_t last = 0;

  bool operator==(const WordRun&) const = default;
};

/// The items of a list, in order.
using WordList = std::vector<WordRun>;

/// An item has no more words.
inline constexpr std::size_t kListItemWordsMax = 3;
inline constexpr std::size_t kListItemsMax = 32;

/// What may be lists in `text`, whose words are `words`: two items or more, with a comma, "and" or
/// "or" between each two. Where the first one begins and the last one ends is not said: there is a
/// list for each way. With `numbers` every item is one word with one number, and such a word alone
/// is a list as well.
std::vector<WordList> lists_in(std::string_view text,
                               const std::vector<SlotWord>& words,
                               bool numbers);

/// Where the words of `value` stand in a row, by their stems.
std::vector<WordRun> said_in(const std::vector<SlotWord>& words, std::string_view value);

}  // namespace facet::agent
