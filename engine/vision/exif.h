// The orientation of a photograph: the one field of EXIF that changes its pixels.
#pragma once

#include "engine/vision/image.h"

#include <cstddef>
#include <span>

namespace facet::engine {

/// The orientation (1 to 8) in an EXIF block that begins with its TIFF header; 1 when it has none
/// or is broken (then the picture is shown as it is stored, as every viewer does).
int exif_orientation(std::span<const std::byte> tiff);

/// `image` turned upright. Orientation 2 to 8: mirrored, turned by 180 degrees, flipped,
/// transposed, turned by 90 degrees clockwise, transversed, turned by 90 degrees counter-clockwise.
/// REQUIRES: orientation is 1 to 8.
Image upright(Image image, int orientation);

}  // namespace facet::engine
