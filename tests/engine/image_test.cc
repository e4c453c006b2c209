// Files of every kind against Pillow (see oracle/image_files.py), and files that are broken.

#include "engine/vision/image.h"

#include "engine/vision/exif.h"
#include "tests/support/catch.h"
#include "tests/support/model_files.h"
#include "tests/support/reference.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

namespace facet::engine {
namespace {

std::string from_hex(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return out;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

nlohmann::json golden() {
  const std::string root = FACET_SOURCE_DIR;
  std::ifstream file(root + "/tests/oracle/image_files_golden.json");
  REQUIRE(file.good());
  return nlohmann::json::parse(file);
}

std::string golden_file(const std::string& name) {
  return from_hex(golden().at("images").at(name).at("file"));
}

/// Decodes, and expects an error of `code` whose message contains `part`.
void check_refused(const std::string& file,
                   Code code,
                   const std::string& part,
                   const ImageLimits& limits = {}) {
  const Result<Image> image = decode_image(bytes_of(file), limits);
  REQUIRE(!image);
  INFO(image.error().message);
  CHECK(image.error().code == code);
  CHECK(image.error().message.find(part) != std::string::npos);
}

/// `file` with the bytes at `at` replaced.
std::string patched(std::string file, std::size_t at, std::string_view with) {
  REQUIRE(at + with.size() <= file.size());
  return file.replace(at, with.size(), with);
}

/// Puts another width and height into the frame header of a baseline JPEG.
std::string jpeg_of_size(const std::string& file, std::string_view height_and_width) {
  const std::size_t frame = file.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  return patched(file, frame + 5, height_and_width);
}

std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

/// Puts another width and height into a PNG's header, with a checksum that fits.
std::string png_of_size(const std::string& file, std::string_view width_and_height) {
  std::string out = patched(file, 16, width_and_height);
  const std::uint32_t crc = crc32_of(std::string_view(out).substr(12, 17));
  for (unsigned i = 0; i < 4; ++i) out[29 + i] = static_cast<char>(crc >> (24U - 8U * i));
  return out;
}

}  // namespace

TEST_CASE("every kind of image has the pixels that Pillow reads", "[engine][vision][unit]") {
  const nlohmann::json images = golden().at("images");
  REQUIRE(images.size() == 30);
  for (const auto& [name, expected] : images.items()) {
    INFO(name);
    const std::string file = from_hex(expected.at("file"));
    const Result<Image> image = decode_image(bytes_of(file));
    if (!image) FAIL(image.error().message);
    CHECK(image->width == expected.at("width").get<int>());
    CHECK(image->height == expected.at("height").get<int>());
    const std::string wanted = from_hex(expected.at("rgb"));
    const std::string pixels(image->rgb.begin(), image->rgb.end());
    CHECK(pixels == wanted);
  }
}

TEST_CASE("an image is read by its content, whatever its name says", "[engine][vision][unit]") {
  const test::TempDir folder;
  const auto path = folder.path() / "picture.jpg";
  test::write_bytes(path, golden_file("png"));
  const Result<Image> image = load_image(path);
  REQUIRE(image.has_value());
  CHECK(image->width == 13);

  test::write_bytes(path, "plain text");
  const Result<Image> text = load_image(path);
  REQUIRE(!text);
  CHECK(text.error().code == Code::unsupported);
  CHECK(text.error().message ==
        path.string() + ": not a JPEG, PNG or WebP image: it begins with 70 6c 61 69 6e 20 74 65");
  const Result<Image> missing = load_image(folder.path() / "none.png");
  REQUIRE(!missing);
  CHECK(missing.error().code == Code::not_found);
}

TEST_CASE("an image that also is something else is the image, if it begins as one",
          "[engine][vision][unit]") {
  for (const std::string name : {"jpeg", "png", "webp"}) {
    INFO(name);
    const std::string file = golden_file(name);
    const Result<Image> alone = decode_image(bytes_of(file));
    const std::string both = file + "PK\x03\x04<script>alert(1)</script>%PDF-1.7";
    const Result<Image> image = decode_image(bytes_of(both));
    REQUIRE(image.has_value());
    CHECK(image->rgb == alone->rgb);
    check_refused("%PDF-1.7\n" + file, Code::unsupported, "25 50 44 46");
  }
}

TEST_CASE("an image that is cut off anywhere is refused", "[engine][vision][unit]") {
  const nlohmann::json images = golden().at("images");
  for (const auto& [name, expected] : images.items()) {
    const std::string file = from_hex(expected.at("file"));
    for (std::size_t size = 0; size < file.size(); ++size) {
      const Result<Image> image = decode_image(bytes_of(file.substr(0, size)));
      INFO(name << " cut to " << size << " of " << file.size());
      if (image) {
        // Only what says nothing about the picture may be missing: checksum bytes behind the end.
        CHECK(size + 4 >= file.size());
        CHECK(std::string(image->rgb.begin(), image->rgb.end()) == from_hex(expected.at("rgb")));
        continue;
      }
      CHECK((image.error().code == Code::invalid_data || image.error().code == Code::unsupported));
    }
  }
}

TEST_CASE("sizes of nothing and sizes beyond the limit are refused before memory is taken",
          "[engine][vision][unit]") {
  using std::string_literals::operator""s;
  const std::string jpeg = golden_file("jpeg");
  const std::string png = golden_file("png");
  check_refused(jpeg_of_size(jpeg, "\0\0\0\0"s), Code::invalid_data, "JPEG: ");
  check_refused(jpeg_of_size(jpeg, "\0\x09\0\0"s), Code::invalid_data, "JPEG: ");
  check_refused(jpeg_of_size(jpeg, "\xFF\xFF\xFF\xFF"),
                Code::limit_exceeded,
                "JPEG: Maximum supported image dimension is 65500 pixels");
  check_refused(jpeg_of_size(jpeg, "\xFF\xDC\xFF\xDC"),
                Code::limit_exceeded,
                "JPEG: the image is 65500 x 65500, the limit is 67108864 pixels");
  check_refused(png_of_size(png, "\0\0\0\0\0\0\0\0"s), Code::invalid_data, "PNG: ");
  check_refused(png_of_size(png, "\0\0\xFF\xFF\0\0\xFF\xFF"s),
                Code::limit_exceeded,
                "PNG: the image is 65535 x 65535, the limit is 67108864 pixels");
  check_refused(
      png_of_size(png, "\x7F\xFF\xFF\xFF\x7F\xFF\xFF\xFF"), Code::limit_exceeded, "PNG: ");
  check_refused(png_of_size(png, "\0\1\0\0\0\0\0\1"s),
                Code::limit_exceeded,
                "PNG: the image is 65536 x 1, the limit is 65535 a side");
  const std::string lossy = golden_file("webp");
  const std::string lossless = golden_file("webp lossless");
  check_refused(
      patched(lossy, lossy.find("\x9D\x01\x2A") + 3, "\0\0\0\0"s), Code::invalid_data, "WebP: ");
  check_refused(patched(lossless, lossless.find("VP8L") + 9, "\xFF\xFF\xFF\x0F"),
                Code::limit_exceeded,
                "WebP: the image is 16384 x 16384, the limit is 67108864 pixels");
  check_refused(lossy,
                Code::limit_exceeded,
                "WebP: the image is 13 x 9, the limit is 116 pixels",
                {.pixels_max = 116});
  CHECK(decode_image(bytes_of(golden_file("webp")), {.pixels_max = 117}).has_value());
  check_refused(png, Code::limit_exceeded, "the limit is 100", {.bytes_max = 100});
  check_refused("", Code::invalid_data, "no bytes");
}

TEST_CASE("a progressive JPEG may pass over its image only so often", "[engine][vision][unit]") {
  const std::string file = golden_file("jpeg progressive");
  check_refused(file, Code::limit_exceeded, "JPEG: ", {.scans_max = 3});
}

TEST_CASE("animations and other formats are named and refused", "[engine][vision][unit]") {
  const nlohmann::json all = golden();
  check_refused(from_hex(all.at("animated webp")), Code::unsupported, "animation");
  check_refused(from_hex(all.at("gif")), Code::unsupported, "47 49 46 38");
}

TEST_CASE("damaged bytes give an error or an image of a sane size", "[engine][vision][unit]") {
  std::mt19937 random(20261121);
  const nlohmann::json images = golden().at("images");
  int decoded = 0;
  for (const auto& [name, expected] : images.items()) {
    const std::string file = from_hex(expected.at("file"));
    for (int round = 0; round < 60; ++round) {
      std::string broken = file;
      for (unsigned i = 0; i < 1 + random() % 3; ++i) {
        broken[random() % broken.size()] = static_cast<char>(random());
      }
      const Result<Image> image = decode_image(bytes_of(broken), {.pixels_max = 1 << 20});
      if (!image) continue;
      ++decoded;
      CHECK(image->rgb.size() == std::size_t{3} * static_cast<std::size_t>(image->width) *
                                     static_cast<std::size_t>(image->height));
    }
  }
  CHECK(decoded > 0);
}

TEST_CASE("a broken orientation leaves the picture as it is stored", "[engine][vision][unit]") {
  using std::string_literals::operator""s;
  const std::string entry = "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s;
  const std::string good = "II*\0\x08\0\0\0\x01\0"s + entry;
  CHECK(exif_orientation(bytes_of(good)) == 6);
  CHECK(exif_orientation(bytes_of("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"s)) ==
        8);
  for (std::size_t size = 0; size < good.size() - 2; ++size) {
    CHECK(exif_orientation(bytes_of(good.substr(0, size))) == 1);
  }
  CHECK(exif_orientation(bytes_of(patched(good, 18, "\x09"))) == 1);  // No such orientation.
  CHECK(exif_orientation(bytes_of(patched(good, 12, "\x04"))) == 1);  // Not a short.
  CHECK(exif_orientation(bytes_of(patched(good, 4, "\xFF\xFF\xFF\xFF"))) == 1);  // Far outside.
}

TEST_CASE("photographs of other people's collection can be read", "[engine][vision]") {
  const auto folder = test::data_folder("FACET_CONFORMANCE", "../shared/conformance") / "images";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: " << folder << " is not there");
    return;
  }
  struct Row {
    const char* name;
    int width;
    int height;
  };
  for (const Row& row : {Row{"cow_in_beach.jpg", 612, 425},
                         Row{"lilly.jpg", 640, 853},
                         Row{"sunflower.JPG", 640, 640},
                         Row{"test_image.jpg", 922, 843}}) {
    const Result<Image> image = load_image(folder / row.name);
    if (!image) FAIL(image.error().message);
    CHECK(image->width == row.width);
    CHECK(image->height == row.height);
  }
}

}  // namespace facet::engine
