#include "engine/vision/image.h"

#include "base/mapped_file.h"
#include "engine/vision/codecs.h"
#include "engine/vision/exif.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace facet::engine {
namespace {

bool has_at(std::span<const std::byte> bytes, std::size_t at, std::string_view magic) {
  if (bytes.size() < at + magic.size()) return false;
  return std::equal(magic.begin(),
                    magic.end(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, std::byte b) {
                      return static_cast<unsigned char>(a) == static_cast<unsigned char>(b);
                    });
}

constexpr std::string_view kDigits = "0123456789abcdef";

/// The first bytes in hexadecimal, for messages.
std::string head_text(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 8))) {
    if (!out.empty()) out += ' ';
    out += kDigits[std::to_integer<unsigned>(byte) >> 4U];
    out += kDigits[std::to_integer<unsigned>(byte) & 15U];
  }
  return out;
}

Result<StoredImage> decode_stored(std::span<const std::byte> bytes, const ImageLimits& limits) {
  if (has_at(bytes, 0, "\xFF\xD8\xFF")) return decode_jpeg(bytes, limits);
  if (has_at(bytes, 0, "\x89PNG\r\n\x1A\n")) return decode_png(bytes, limits);
  if (has_at(bytes, 0, "RIFF") && has_at(bytes, 8, "WEBP")) return decode_webp(bytes, limits);
  return Error{Code::unsupported,
               "not a JPEG, PNG or WebP image: it begins with " + head_text(bytes)};
}

}  // namespace

Result<Image> make_image(std::uint32_t width, std::uint32_t height, const ImageLimits& limits) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height);
  if (width == 0 || height == 0) return Error{Code::invalid_data, "the image is " + size};
  const auto side_max = static_cast<std::uint64_t>(limits.side_max);
  if (width > side_max || height > side_max) {
    return Error{Code::limit_exceeded,
                 "the image is " + size + ", the limit is " + std::to_string(side_max) + " a side"};
  }
  const std::uint64_t pixels = std::uint64_t{width} * height;
  if (pixels > static_cast<std::uint64_t>(limits.pixels_max)) {
    return Error{
        Code::limit_exceeded,
        "the image is " + size + ", the limit is " + std::to_string(limits.pixels_max) + " pixels"};
  }
  Image out{.width = static_cast<int>(width), .height = static_cast<int>(height)};
  out.rgb.resize(static_cast<std::size_t>(pixels * 3));
  return out;
}

Result<Image> decode_image(std::span<const std::byte> bytes, const ImageLimits& limits) {
  if (bytes.empty()) return Error{Code::invalid_data, "the image has no bytes"};
  if (bytes.size() > static_cast<std::size_t>(limits.bytes_max)) {
    return Error{Code::limit_exceeded,
                 "the image has " + std::to_string(bytes.size()) + " bytes, the limit is " +
                     std::to_string(limits.bytes_max)};
  }
  FACET_TRY(StoredImage stored, decode_stored(bytes, limits));
  return upright(std::move(stored.image), stored.orientation);
}

Result<Image> load_image(const std::filesystem::path& path, const ImageLimits& limits) {
  FACET_TRY(const MappedFile file, MappedFile::open(path));
  Result<Image> out = decode_image(file.bytes(), limits);
  if (!out) return out.error().with_context(path.string());
  return out;
}

}  // namespace facet::engine
