#include "engine/vision/preprocess.h"

#include "base/check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace facet::engine {
namespace {

/// Binary digits behind the point of a weight: 32 less 8 of the pixel and 2 to spare.
constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr int kHalf = 1 << (kPrecisionBits - 1);

/// The inputs that one output pixel averages, along one axis.
struct Window {
  int first = 0;
  int count = 0;
  std::size_t weights = 0;  // Where its weights begin.
};

/// The windows of all outputs of one axis.
struct Axis {
  std::vector<Window> windows;
  std::vector<std::int32_t> weights;
};

/// Halves go up, as in Pillow.
int rounded(double value) {
  return static_cast<int>(std::floor(value + 0.5));
}

/// A triangle over [-1, 1], stretched over `scale` inputs when the image shrinks.
Axis make_axis(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double support = std::max(1.0, scale);
  const double inverse = 1.0 / support;
  Axis out;
  std::vector<double> weights;
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, rounded(center - support));
    const int end = std::min(from, rounded(center + support));
    weights.clear();
    double total = 0.0;
    for (int x = first; x < end; ++x) {
      const double distance = std::abs((x - center + 0.5) * inverse);
      weights.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      total += weights.back();
    }
    out.windows.push_back({.first = first, .count = end - first, .weights = out.weights.size()});
    for (const double weight : weights) {
      const double share = total == 0.0 ? weight : weight / total;
      out.weights.push_back(rounded(share * (1 << kPrecisionBits)));
    }
  }
  return out;
}

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

Image resize_across(const Image& image, int width) {
  if (image.width == width) return image;
  const Axis axis = make_axis(image.width, width);
  Image out{.width = width, .height = image.height};
  out.rgb.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(image.height) * 3);
  std::uint8_t* to = out.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.rgb.data() + std::int64_t{y} * image.width * 3;
    for (const Window& window : axis.windows) {
      std::array<std::int32_t, 3> sums{kHalf, kHalf, kHalf};
      const std::uint8_t* from = row + std::int64_t{window.first} * 3;
      const std::int32_t* weights = axis.weights.data() + window.weights;
      for (int i = 0; i < window.count; ++i, from += 3) {
        for (std::size_t c = 0; c < 3; ++c) sums[c] += from[c] * weights[i];
      }
      for (const std::int32_t sum : sums) *to++ = to_byte(sum);
    }
  }
  return out;
}

Image resize_down(const Image& image, int height) {
  if (image.height == height) return image;
  const Axis axis = make_axis(image.height, height);
  const std::size_t row_bytes = static_cast<std::size_t>(image.width) * 3;
  Image out{.width = image.width, .height = height};
  out.rgb.resize(row_bytes * static_cast<std::size_t>(height));
  std::vector<std::int32_t> sums(row_bytes);
  std::uint8_t* to = out.rgb.data();
  for (const Window& window : axis.windows) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::uint8_t* from =
        image.rgb.data() + static_cast<std::size_t>(window.first) * row_bytes;
    for (int i = 0; i < window.count; ++i, from += row_bytes) {
      const std::int32_t weight = axis.weights[window.weights + static_cast<std::size_t>(i)];
      for (std::size_t x = 0; x < row_bytes; ++x) sums[x] += from[x] * weight;
    }
    for (const std::int32_t sum : sums) *to++ = to_byte(sum);
  }
  return out;
}

/// How many crops of a side `longer` an image gets.
int crop_count(int longer, int shorter, const PanAndScanOptions& options) {
  const auto wanted = static_cast<int>(std::floor(static_cast<double>(longer) / shorter + 0.5));
  const int fitting = std::min(longer / options.crop_side_min, wanted);
  return std::min(options.crops_max, std::max(2, fitting));
}

}  // namespace

Image resize_bilinear(const Image& image, int width, int height) {
  FACET_CHECK(image.width > 0 && image.height > 0 && width > 0 && height > 0);
  // The order shows in the last bit. Pillow goes down first where that leaves it less to do.
  const int shorter_by = image.height - height;
  const int narrower_by = image.width - width;
  if (shorter_by > 0 && shorter_by > 2 * narrower_by) {
    return resize_across(resize_down(image, height), width);
  }
  return resize_down(resize_across(image, width), height);
}

std::vector<float> preprocess_image(const Image& image, int size) {
  // The reference multiplies in double, rounds to float, and normalises in float.
  std::array<float, 256> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (static_cast<float>(static_cast<double>(i) * (1.0 / 255.0)) - 0.5F) / 0.5F;
  }
  const Image square = resize_bilinear(image, size, size);
  const std::size_t pixels = square.rgb.size() / 3;
  std::vector<float> out(square.rgb.size());
  for (std::size_t i = 0; i < pixels; ++i) {
    for (std::size_t c = 0; c < 3; ++c) out[c * pixels + i] = values[square.rgb[3 * i + c]];
  }
  return out;
}

std::vector<ImageRegion> pan_and_scan(int width, int height, const PanAndScanOptions& options) {
  FACET_CHECK(width > 0 && height > 0 && options.crop_side_min > 0);
  const bool is_wide = width >= height;
  const int longer = is_wide ? width : height;
  const int shorter = is_wide ? height : width;
  if (static_cast<double>(longer) / shorter < options.ratio_min) return {};
  const int count = crop_count(longer, shorter, options);
  if (count < 1) return {};
  const int side = (longer + count - 1) / count;
  if (std::min(side, shorter) < options.crop_side_min) return {};
  std::vector<ImageRegion> out;
  for (int i = 0; i < count && i * side < longer; ++i) {
    const int length = std::min(side, longer - i * side);  // The last one may be shorter.
    out.push_back(is_wide ? ImageRegion{.x = i * side, .width = length, .height = shorter}
                          : ImageRegion{.y = i * side, .width = shorter, .height = length});
  }
  return out;
}

Image crop_image(const Image& image, const ImageRegion& region) {
  FACET_CHECK(region.x >= 0 && region.y >= 0 && region.width > 0 && region.height > 0 &&
              region.width <= image.width - region.x && region.height <= image.height - region.y);
  Image out{.width = region.width, .height = region.height};
  const std::size_t row_bytes = static_cast<std::size_t>(region.width) * 3;
  out.rgb.resize(row_bytes * static_cast<std::size_t>(region.height));
  for (int y = 0; y < region.height; ++y) {
    const std::int64_t at = (std::int64_t{region.y + y} * image.width + region.x) * 3;
    std::memcpy(
        out.rgb.data() + row_bytes * static_cast<std::size_t>(y), image.rgb.data() + at, row_bytes);
  }
  return out;
}

}  // namespace facet::engine
