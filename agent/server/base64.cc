#include "agent/server/base64.h"

#include <array>
#include <cstdint>

namespace facet::agent {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each byte in the alphabet; -1: none.
constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> out{};
  out.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    out[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return out;
}

constexpr std::array<std::int8_t, 256> kValues = make_values();

Error bad_at(std::size_t position) {
  return Error{Code::invalid_argument,
               "the base64 text is wrong at character " + std::to_string(position)};
}

}  // namespace

Result<std::string> decode_base64(std::string_view text, std::size_t bytes_max) {
  if (text.size() % 4 != 0) return bad_at(text.size());
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::size_t bytes = text.size() / 4 * 3 - padding;
  if (bytes > bytes_max) {
    return Error{Code::limit_exceeded,
                 "the base64 text holds " + std::to_string(bytes) + " bytes; the limit is " +
                     std::to_string(bytes_max)};
  }
  std::string out;
  out.reserve(bytes);
  std::uint32_t bits = 0;
  int held = 0;
  for (std::size_t i = 0; i + padding < text.size(); ++i) {
    const int value = kValues[static_cast<unsigned char>(text[i])];
    if (value < 0) return bad_at(i);
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>((bits >> static_cast<unsigned>(held)) & 0xFFU);
  }
  // What is left of the last character says nothing and must say nothing.
  if ((bits & ((1U << static_cast<unsigned>(held)) - 1U)) != 0) {
    return bad_at(text.size() - padding - 1);
  }
  return out;
}

}  // namespace facet::agent
