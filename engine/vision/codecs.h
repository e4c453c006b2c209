// The three image formats, one wrapped library each; see image.h for what all of them promise.
#pragma once

#include "engine/vision/image.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace facet::engine {

/// An image as it is stored, and how it wants to be turned.
struct StoredImage {
  Image image;
  int orientation = 1;  ///< EXIF: 1 is upright; see exif.h.
};

// `bytes` begin with the format's magic.
Result<StoredImage> decode_jpeg(std::span<const std::byte> bytes, const ImageLimits& limits);
Result<StoredImage> decode_png(std::span<const std::byte> bytes, const ImageLimits& limits);
Result<StoredImage> decode_webp(std::span<const std::byte> bytes, const ImageLimits& limits);

/// An image of that size, its pixels zero. invalid_data for a side of 0, limit_exceeded beyond
/// side_max or pixels_max: before any memory is taken. REQUIRES: side_max < 2^31.
Result<Image> make_image(std::uint32_t width, std::uint32_t height, const ImageLimits& limits);

}  // namespace facet::engine
