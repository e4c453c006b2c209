// The words of a request as slots see them (agent/slot_model.h).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// A word of a request: bytes [begin, end) of it.
struct SlotWord {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string lower;  ///< Small letters of ASCII.
  std::string shape;  ///< "A" for Rome, "A-9" for XB-12, "M" for May, "9:9" for 10:30, "a" for red.
  std::string stem;   ///< word_stem() of `lower`.
  std::string number;  ///< The one number in it as JSON writes it; empty where there are more.
};

/// The words of `text`, without the punctuation around them.
std::vector<SlotWord> slot_words(std::string_view text);

}  // namespace facet::agent
