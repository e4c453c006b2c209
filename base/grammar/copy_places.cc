#include "base/grammar/copy_places.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace facet::grammar {
namespace {

double value_of(const FoundNumber& found) {
  double value = 0.0;
  const char* end = found.number.data() + found.number.size();
  std::from_chars(found.number.data(), end, value);
  return value;
}

}  // namespace

std::vector<CopyPlace> places_of(const CopySource& source, std::string_view words) {
  const std::string spaced = single_spaced(words);
  std::vector<CopyPlace> out;
  if (spaced.empty()) return out;
  for (std::size_t i = 0; i < source.texts().size(); ++i) {
    const CopyText& said = source.texts()[i];
    if (said.is_respaced) continue;
    for (std::size_t at = said.text.find(spaced); at != std::string::npos;
         at = said.text.find(spaced, at + 1)) {
      const std::size_t end = at + spaced.size();
      if (said.begins[at] && said.ends[end]) out.push_back({i, at, end});
    }
  }
  return out;
}

std::vector<CopyPlace> places_of(const CopySource& source, double value) {
  std::vector<CopyPlace> out;
  for (std::size_t i = 0; i < source.texts().size(); ++i) {
    const CopyText& said = source.texts()[i];
    if (said.is_respaced) continue;
    for (const FoundNumber& found : numbers_in(said.text)) {
      if (value_of(found) == value) out.push_back({i, found.begin, found.end});
    }
  }
  return out;
}

CopySource without(const CopySource& source, const std::vector<CopyPlace>& places) {
  CopySource out;
  for (std::size_t i = 0; i < source.texts().size(); ++i) {
    const CopyText& said = source.texts()[i];
    if (said.is_respaced) continue;
    const std::string_view text = said.text;
    std::size_t rest = 0;
    for (const CopyPlace& place : places) {
      if (place.text != i) continue;
      if (place.begin > rest) out.add_text(text.substr(rest, place.begin - rest));
      rest = std::max(rest, place.end);
    }
    out.add_text(text.substr(rest));
  }
  return out;
}

}  // namespace facet::grammar
