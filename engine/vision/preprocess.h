// From an image to the numbers a vision tower reads, as transformers' Gemma3ImageProcessor does it:
// resize to a square (the aspect ratio is not kept), rescale by 1/255, normalise with mean 0.5 and
// standard deviation 0.5. Optionally pan-and-scan: crops of a long image beside the whole one.
#pragma once

#include "engine/vision/image.h"

#include <vector>

namespace facet::engine {

/// `image` at another size: Pillow's bilinear filter, which widens to average all that falls into a
/// pixel when it shrinks, in Pillow's own fixed point: one direction, then the other, rounded to
/// 8 bits after each. The same bytes as Pillow 13. REQUIRES: width and height of at least 1.
Image resize_bilinear(const Image& image, int width, int height);

/// Resized to (size, size), as floats in [-1, 1]. (3, size, size): planes of red, green, blue.
std::vector<float> preprocess_image(const Image& image, int size);

/// A rectangle of an image, in pixels.
struct ImageRegion {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

struct PanAndScanOptions {
  int crop_side_min = 256;
  int crops_max = 4;
  double ratio_min = 1.2;  ///< Of the longer to the shorter side; squarer images get no crops.
};

/// The crops of an image of that size: none, or crops_max at most, side by side along its longer
/// side. REQUIRES: width, height and crop_side_min of at least 1.
std::vector<ImageRegion> pan_and_scan(int width, int height, const PanAndScanOptions& options = {});

/// A copy of a part of `image`. REQUIRES: the region is not empty and inside the image.
Image crop_image(const Image& image, const ImageRegion& region);

}  // namespace facet::engine
