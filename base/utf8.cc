#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace facet {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

bool is_continuation(std::uint8_t byte) {
  return (byte & 0xC0U) == 0x80U;
}

/// Bytes that a lead byte announces, 0 when it cannot lead (RFC 3629, table 3-7 of Unicode).
std::size_t announced_length(std::uint8_t lead) {
  if (lead < 0x80U) return 1;
  if (lead >= 0xC2U && lead <= 0xDFU) return 2;
  if (lead >= 0xE0U && lead <= 0xEFU) return 3;
  if (lead >= 0xF0U && lead <= 0xF4U) return 4;
  return 0;
}

/// The second byte of a sequence has a tighter range for some leads.
bool second_byte_fits(std::uint8_t lead, std::uint8_t second) {
  if (!is_continuation(second)) return false;
  if (lead == 0xE0U) return second >= 0xA0U;
  if (lead == 0xEDU) return second <= 0x9FU;
  if (lead == 0xF0U) return second >= 0x90U;
  if (lead == 0xF4U) return second <= 0x8FU;
  return true;
}

}  // namespace

std::size_t utf8_length_at(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  const std::size_t length = announced_length(lead);
  if (length == 0 || at + length > text.size()) return 0;
  if (length > 1 && !second_byte_fits(lead, byte_at(text, at + 1))) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!is_continuation(byte_at(text, at + i))) return 0;
  }
  return length;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length_at(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length_at(text, at);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++at;
    } else {
      out += text.substr(at, length);
      at += length;
    }
  }
  return out;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes_max); ++back) {
    if (utf8_length_at(text, bytes_max - back) > back) return text.substr(0, bytes_max - back);
  }
  return text.substr(0, bytes_max);
}

void append_utf8(std::uint32_t code_point, std::string& out) {
  if (code_point > 0x10FFFFU || (code_point >= 0xD800U && code_point <= 0xDFFFU)) {
    code_point = 0xFFFDU;
  }
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80U) {
    put(code_point);
  } else if (code_point < 0x800U) {
    put(0xC0U | (code_point >> 6U));
    put(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000U) {
    put(0xE0U | (code_point >> 12U));
    put(0x80U | ((code_point >> 6U) & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  } else {
    put(0xF0U | (code_point >> 18U));
    put(0x80U | ((code_point >> 12U) & 0x3FU));
    put(0x80U | ((code_point >> 6U) & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  }
}

std::size_t incomplete_utf8_suffix(std::string_view text) {
  const std::size_t longest = std::min<std::size_t>(3, text.size());
  for (std::size_t back = 1; back <= longest; ++back) {
    const std::size_t at = text.size() - back;
    const std::uint8_t lead = byte_at(text, at);
    if (is_continuation(lead)) continue;
    if (announced_length(lead) <= back) return 0;
    if (back > 1 && !second_byte_fits(lead, byte_at(text, at + 1))) return 0;
    return back;
  }
  return 0;
}

}  // namespace facet
