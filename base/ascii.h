// Letters of ASCII: what names in protocols, file suffixes and rough comparisons of words need.
#pragma once

#include <string>
#include <string_view>

namespace facet {

/// `c` lowered if it is one of A-Z; any other byte stays.
constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// `text` with A-Z lowered; other bytes stay.
inline std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

}  // namespace facet
