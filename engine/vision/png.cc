// PNG through libspng.
#include "engine/vision/codecs.h"
#include "engine/vision/exif.h"

#include <memory>
#include <spng.h>
#include <string>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::uint32_t kSideMax = (1U << 31U) - 1;
constexpr std::size_t kChunkBytesMax = 8U << 20U;    // Of text, profile and EXIF chunks.
constexpr std::size_t kChunksBytesMax = 32U << 20U;  // Of all of them together.

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

Error png_error(int error) {
  Code code = Code::invalid_data;
  if (error == SPNG_EMEM) code = Code::unavailable;
  if (error == SPNG_EOVERFLOW) code = Code::limit_exceeded;  // A size that no memory can hold.
  return Error{code, std::string("PNG: ") + spng_strerror(error)};
}

int find_orientation(spng_ctx* context) {
  spng_exif exif{};
  if (spng_get_exif(context, &exif) != 0) return 1;
  return exif_orientation(std::as_bytes(std::span(exif.data, exif.length)));
}

}  // namespace

Result<StoredImage> decode_png(std::span<const std::byte> bytes, const ImageLimits& limits) {
  const std::unique_ptr<spng_ctx, FreeContext> context(spng_ctx_new(0));
  if (!context) return Error{Code::unavailable, "PNG: no memory for a decoder"};
  spng_set_image_limits(context.get(), kSideMax, kSideMax);
  spng_set_chunk_limits(context.get(), kChunkBytesMax, kChunksBytesMax);
  if (const int error = spng_set_png_buffer(context.get(), bytes.data(), bytes.size())) {
    return png_error(error);
  }
  spng_ihdr header{};
  if (const int error = spng_get_ihdr(context.get(), &header)) return png_error(error);
  Result<Image> image = make_image(header.width, header.height, limits);
  if (!image) return image.error().with_context("PNG");
  if (const int error = spng_decode_image(
          context.get(), image->rgb.data(), image->rgb.size(), SPNG_FMT_RGB8, 0)) {
    return png_error(error);
  }
  // Reads on to the end of the file: an image that is cut off behind its last pixel is cut off too.
  if (const int error = spng_decode_chunks(context.get())) return png_error(error);
  const int orientation = find_orientation(context.get());
  return StoredImage{.image = *std::move(image), .orientation = orientation};
}

}  // namespace facet::engine
