// WebP, lossy and lossless, through libwebp.
#include "base/byte_reader.h"
#include "engine/vision/codecs.h"
#include "engine/vision/exif.h"

#include <webp/decode.h>

#include <string>
#include <string_view>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::size_t kRiffHeaderBytes = 12;
constexpr std::string_view kExifMagic{"Exif\0\0", 6};

/// The payload of the EXIF chunk, if the file is well-formed up to it; else nothing.
Result<std::span<const std::byte>> find_exif(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  FACET_TRY_STATUS(reader.skip(kRiffHeaderBytes, "RIFF header"));
  while (reader.remaining() > 0) {
    FACET_TRY(const std::string name, reader.read_string(4, "chunk name"));
    FACET_TRY(const auto size, reader.read<std::uint32_t>("chunk size"));
    FACET_TRY(const auto payload, reader.read_bytes(size, "chunk"));
    if (name == "EXIF") return payload;
    if (size % 2 != 0) FACET_TRY_STATUS(reader.skip(1, "padding"));
  }
  return std::span<const std::byte>();
}

int find_orientation(std::span<const std::byte> bytes) {
  const auto exif = find_exif(bytes);
  if (!exif) return 1;  // As for every broken EXIF block; the decoder has checked the image itself.
  std::span<const std::byte> tiff = *exif;
  const std::string_view text(reinterpret_cast<const char*>(tiff.data()), tiff.size());
  if (text.starts_with(kExifMagic)) tiff = tiff.subspan(kExifMagic.size());
  return exif_orientation(tiff);
}

Error webp_error(VP8StatusCode status) {
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) return {Code::invalid_data, "WebP: cut off"};
  if (status == VP8_STATUS_OUT_OF_MEMORY) return {Code::unavailable, "WebP: out of memory"};
  return {Code::invalid_data, "WebP: broken, status " + std::to_string(static_cast<int>(status))};
}

}  // namespace

Result<StoredImage> decode_webp(std::span<const std::byte> bytes, const ImageLimits& limits) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    return Error{Code::internal, "WebP: the library has another version than its header"};
  }
  const VP8StatusCode features = WebPGetFeatures(data, bytes.size(), &config.input);
  if (features != VP8_STATUS_OK) return webp_error(features);
  if (config.input.has_animation != 0) {
    return Error{Code::unsupported, "WebP: animations are not read"};
  }
  auto image = make_image(static_cast<std::uint32_t>(config.input.width),
                          static_cast<std::uint32_t>(config.input.height),
                          limits);
  if (!image) return image.error().with_context("WebP");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image->rgb.data();
  config.output.u.RGBA.stride = image->width * 3;
  config.output.u.RGBA.size = image->rgb.size();
  const VP8StatusCode status = WebPDecode(data, bytes.size(), &config);
  if (status != VP8_STATUS_OK) return webp_error(status);
  return StoredImage{.image = *std::move(image), .orientation = find_orientation(bytes)};
}

}  // namespace facet::engine
