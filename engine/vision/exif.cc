#include "engine/vision/exif.h"

#include "base/check.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kTypeShort = 3;
constexpr std::size_t kEntryBytes = 12;

/// Unsigned integers of a TIFF structure, whose byte order its first two bytes tell.
class TiffReader {
 public:
  TiffReader(std::span<const std::byte> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  [[nodiscard]] std::optional<std::uint32_t> read(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || bytes_.size() - at < size) return std::nullopt;
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t from = big_endian_ ? i : size - 1 - i;
      out = out << 8U | static_cast<std::uint32_t>(bytes_[at + from]);
    }
    return out;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_;
};

}  // namespace

int exif_orientation(std::span<const std::byte> tiff) {
  if (tiff.size() < 8) return 1;
  const bool big_endian = std::memcmp(tiff.data(), "MM\0*", 4) == 0;
  if (!big_endian && std::memcmp(tiff.data(), "II*\0", 4) != 0) return 1;
  const TiffReader reader(tiff, big_endian);
  const std::size_t directory = reader.read(4, 4).value_or(0);
  const std::uint32_t entries = reader.read(directory, 2).value_or(0);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + kEntryBytes * i;
    const auto tag = reader.read(at, 2);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const bool is_one_short = reader.read(at + 2, 2) == kTypeShort && reader.read(at + 4, 4) == 1U;
    const std::uint32_t value = reader.read(at + 8, 2).value_or(1);
    return is_one_short && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image upright(Image image, int orientation) {
  FACET_CHECK(orientation >= 1 && orientation <= 8);
  if (orientation == 1) return image;
  const bool swaps = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out{.width = swaps ? image.height : image.width,
            .height = swaps ? image.width : image.height};
  out.rgb.resize(image.rgb.size());
  std::uint8_t* to = out.rgb.data();
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x, to += 3) {
      int from_x = swaps ? y : x;
      int from_y = swaps ? x : y;
      if (from_right) from_x = image.width - 1 - from_x;
      if (from_below) from_y = image.height - 1 - from_y;
      const std::int64_t at = (std::int64_t{from_y} * image.width + from_x) * 3;
      std::memcpy(to, image.rgb.data() + at, 3);
    }
  }
  return out;
}

}  // namespace facet::engine
