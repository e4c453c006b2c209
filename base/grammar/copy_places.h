// Where in a conversation stands what an argument says, and the conversation without it.
//
// Places are in the texts with single spaces, each once: of a text that was said with other white
// space (CopyText::is_respaced) only the other form has places.
#pragma once

#include "base/grammar/copy_source.h"

#include <cstddef>
#include <string_view>
#include <tuple>
#include <vector>

namespace facet::grammar {

/// Bytes [begin, end) of CopySource::texts()[text].
struct CopyPlace {
  std::size_t text = 0;
  std::size_t begin = 0;
  std::size_t end = 0;

  bool operator==(const CopyPlace&) const = default;
  bool operator<(const CopyPlace& other) const {
    return std::tie(text, begin, end) < std::tie(other.text, other.begin, other.end);
  }
  /// Whether the two share a byte.
  [[nodiscard]] bool overlaps(const CopyPlace& other) const {
    return text == other.text && begin < other.end && other.begin < end;
  }
};

/// Where `words`, with single spaces for the white space in them, are a span, in order. Words with
/// others left out between them stand nowhere.
std::vector<CopyPlace> places_of(const CopySource& source, std::string_view words);

/// Where the digits of a number stand that is `value`, without its sign, in order.
std::vector<CopyPlace> places_of(const CopySource& source, double value);

/// What is left without what stands at `places`, which come in order: the texts in front of and
/// behind each of them, with single spaces, as if that had been said. So a span or a number may
/// begin where one was cut that did not before: 7 in "Rome-7" without Rome.
CopySource without(const CopySource& source, const std::vector<CopyPlace>& places);

}  // namespace facet::grammar
