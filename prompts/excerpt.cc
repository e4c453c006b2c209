#include "prompts/excerpt.h"

#include "base/utf8.h"

#include <algorithm>

namespace facet::prompts {
namespace {

constexpr std::size_t kShownBytesMax = 240;

std::string on_one_line(std::string_view text) {
  std::string out = to_valid_utf8(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = ' ';
  }
  return out;
}

}  // namespace

std::string excerpt(std::string_view text, std::size_t at) {
  if (text.size() <= kShownBytesMax) return on_one_line(text);
  const std::size_t middle = std::min(at, text.size());
  const std::size_t half = kShownBytesMax / 2;
  const std::size_t begin =
      std::min(middle > half ? middle - half : 0, text.size() - kShownBytesMax);
  const std::string_view piece = utf8_prefix(text.substr(begin), kShownBytesMax);
  const bool cut_behind = begin + piece.size() < text.size();
  return (begin > 0 ? "..." : "") + on_one_line(piece) + (cut_behind ? "..." : "");
}

}  // namespace facet::prompts
