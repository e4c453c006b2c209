// A PNG of one pixel, made by hand: one stored deflate block, checksums computed here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace facet::test {

inline std::string png_big_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFFU);
  return out;
}

/// Length, type, data, CRC-32 of type and data.
inline std::string png_chunk(std::string_view type, std::string_view data) {
  std::string body(type);
  body += data;
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : body) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return png_big_endian(static_cast<std::uint32_t>(data.size())) + body + png_big_endian(~crc);
}

inline std::string tiny_png(unsigned char red, unsigned char green, unsigned char blue) {
  using namespace std::string_literals;
  const std::string row = {
      '\0', static_cast<char>(red), static_cast<char>(green), static_cast<char>(blue)};
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (const char c : row) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  // zlib header; a last, stored block of 4 bytes; Adler-32.
  const std::string data = "\x78\x01\x01\x04\x00\xFB\xFF"s + row + png_big_endian((b << 16U) | a);
  const std::string head =
      png_big_endian(1) + png_big_endian(1) + std::string{'\x08', '\x02', '\0', '\0', '\0'};
  return "\x89PNG\r\n\x1a\n"s + png_chunk("IHDR", head) + png_chunk("IDAT", data) +
         png_chunk("IEND", "");
}

}  // namespace facet::test
