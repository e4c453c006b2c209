#include "prompts/excerpt.h"

#include "base/utf8.h"

#include <algorithm>

namespace facet::prompts {
namespace {

constexpr std::size_t kShownBytesMax = 240;

}  // namespace

std::string excerpt(std::string_view text, std::size_t at) {
  if (text.size() <= kShownBytesMax) return to_valid_utf8(text);
  const std::size_t middle = std::min(at, text.size());
  const std::size_t half = kShownBytesMax / 2;
  const std::size_t begin =
      std::min(middle > half ? middle - half : 0, text.size() - kShownBytesMax);
  const std::string_view piece = utf8_prefix(text.substr(begin), kShownBytesMax);
  const bool cut_behind = begin + piece.size() < text.size();
  return (begin > 0 ? "..." : "") + to_valid_utf8(piece) + (cut_behind ? "..." : "");
}

}  // namespace facet::prompts
