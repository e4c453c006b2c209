#include "engine/model/in_quotes.h"

#include "base/utf8.h"

#include <cstddef>

namespace facet::engine {
namespace {

constexpr std::size_t kShown = 80;

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = to_valid_utf8(text.substr(0, kShown));
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = '?';
  }
  return "'" + out + (text.size() > kShown ? "...'" : "'");
}

}  // namespace facet::engine
