// Preprocessing against transformers' Gemma 3 image processor; see oracle/image_preprocessing.py.

#include "engine/vision/preprocess.h"

#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <string>

namespace facet::engine {
namespace {

constexpr int kSize = 896;

nlohmann::json golden() {
  const std::string root = FACET_SOURCE_DIR;
  std::ifstream file(root + "/tests/oracle/image_preprocessing_golden.json");
  REQUIRE(file.good());
  return nlohmann::json::parse(file);
}

Image formula_image(int width, int height) {
  Image out{.width = width, .height = height};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        out.rgb.push_back(static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50 + x * y / 8) % 256));
      }
    }
  }
  return out;
}

/// FNV-1a over the 8-bit values that `pixels` were before they were rescaled.
std::string hash_of(const std::vector<float>& pixels) {
  std::uint64_t state = 0xCBF29CE484222325U;
  for (const float value : pixels) {
    state =
        (state ^ static_cast<std::uint64_t>(std::lround((value + 1.0) * 127.5))) * 0x100000001B3U;
  }
  std::string out;
  for (unsigned shift = 64; shift > 0; shift -= 4) {
    out += "0123456789abcdef"[(state >> (shift - 4)) & 15U];
  }
  return out;
}

void check_pixels(const std::vector<float>& pixels, const nlohmann::json& expected) {
  REQUIRE(pixels.size() == std::size_t{3} * kSize * kSize);
  const auto samples = expected.at("samples").get<std::vector<double>>();
  REQUIRE(samples.size() == (pixels.size() + 24988) / 24989);
  double worst = 0.0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    worst = std::max(worst, std::abs(pixels[i * 24989] - samples[i]));
  }
  CHECK(worst < 1e-7);
  CHECK(hash_of(pixels) == expected.at("hash").get<std::string>());
}

}  // namespace

TEST_CASE("images of all shapes become the pixels of transformers", "[engine][vision][unit]") {
  const nlohmann::json all = golden();
  REQUIRE(all.at("resized").size() == 11);
  for (const nlohmann::json& expected : all.at("resized")) {
    const int width = expected.at("width");
    const int height = expected.at("height");
    INFO(width << " x " << height);
    check_pixels(preprocess_image(formula_image(width, height), kSize), expected);
  }
}

TEST_CASE("pan-and-scan cuts where transformers cuts", "[engine][vision][unit]") {
  const nlohmann::json all = golden();
  REQUIRE(all.at("crops").size() == 17);
  for (const nlohmann::json& expected : all.at("crops")) {
    const int width = expected.at("width");
    const int height = expected.at("height");
    INFO(width << " x " << height);
    nlohmann::json boxes = nlohmann::json::array();
    for (const ImageRegion& region : pan_and_scan(width, height)) {
      boxes.push_back({region.x, region.y, region.width, region.height});
    }
    CHECK(boxes == expected.at("boxes"));
  }
}

TEST_CASE("the crops of pan-and-scan have the pixels of transformers", "[engine][vision][unit]") {
  const nlohmann::json expected = golden().at("pan and scan");
  const Image image = formula_image(expected.at("width"), expected.at("height"));
  std::vector<Image> images{image};
  for (const ImageRegion& region : pan_and_scan(image.width, image.height)) {
    images.push_back(crop_image(image, region));
  }
  REQUIRE(images.size() == expected.at("images").size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    check_pixels(preprocess_image(images[i], kSize), expected.at("images").at(i));
  }
}

TEST_CASE("crops cover a long image once, whatever its size", "[engine][vision][unit]") {
  std::mt19937 random(7);
  int with_crops = 0;
  for (int round = 0; round < 2000; ++round) {
    const auto width = static_cast<int>(1 + random() % 4000);
    const auto height = static_cast<int>(1 + random() % 4000);
    const auto regions = pan_and_scan(width, height);
    if (regions.empty()) continue;
    ++with_crops;
    INFO(width << " x " << height);
    std::int64_t pixels = 0;
    for (const ImageRegion& region : regions) {
      CHECK(region.x + region.width <= width);
      CHECK(region.y + region.height <= height);
      pixels += std::int64_t{region.width} * region.height;
    }
    CHECK(pixels == std::int64_t{width} * height);
    CHECK(regions.size() >= 2);
    CHECK(regions.size() <= 4);
  }
  CHECK(with_crops > 500);
}

TEST_CASE("an even image stays even at every size", "[engine][vision][unit]") {
  for (const int value : {0, 1, 127, 254, 255}) {
    for (const auto& [width, height] : {std::pair(1, 1), std::pair(3, 50), std::pair(700, 33)}) {
      Image image{.width = width, .height = height};
      image.rgb.assign(static_cast<std::size_t>(width * height * 3),
                       static_cast<std::uint8_t>(value));
      const Image resized = resize_bilinear(image, 64, 31);
      CHECK(resized.rgb == std::vector<std::uint8_t>(std::size_t{64} * 31 * 3, image.rgb[0]));
    }
  }
}

}  // namespace facet::engine
