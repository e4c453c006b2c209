#include "engine/vision/image.h"

#include "base/check.h"
#include "engine/vision/exif.h"
#include "tests/fuzz/targets.h"

namespace facet::fuzz {

bool image(std::span<const std::byte> bytes) {
  const int orientation = engine::exif_orientation(bytes);
  FACET_CHECK(orientation >= 1 && orientation <= 8);
  // Small limits: the fuzzer shall try many files, not fill the memory with one.
  const engine::ImageLimits limits{.bytes_max = 1 << 20, .pixels_max = 1 << 16, .scans_max = 10};
  const auto image = engine::decode_image(bytes, limits);
  if (!image) {
    check_message(image.error());
    return false;
  }
  FACET_CHECK(image->width >= 1 && image->height >= 1);
  const std::int64_t pixels = std::int64_t{image->width} * image->height;
  FACET_CHECK(pixels <= limits.pixels_max);
  FACET_CHECK(static_cast<std::int64_t>(image->rgb.size()) == 3 * pixels);
  return true;
}

}  // namespace facet::fuzz
