// Image: what a JPEG, PNG or WebP file shows, as 8-bit RGB.
//
// The format is told from the first bytes, never from a file's name. What the pixels are is what
// Pillow's open, exif_transpose and convert("RGB") give, because the reference processor starts
// from them: alpha is dropped and not blended, 16-bit samples keep their high byte (Pillow clips
// grey ones instead; that is not followed), CMYK is read as Adobe writes it (inverted), colour
// profiles are ignored, and the EXIF orientation of the file is applied.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace facet::engine {

/// A plain value. Width and height are at least 1.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  ///< (height, width, 3), no gaps.
};

/// Checked against the header before memory for pixels is taken.
struct ImageLimits {
  std::int64_t bytes_max = std::int64_t{64} << 20;   ///< Of the file.
  std::int64_t pixels_max = std::int64_t{64} << 20;  ///< Width times height.
  std::int64_t side_max = 65535;  ///< Width and height, each: all that a JPEG can say.
  int scans_max = 100;            ///< Of a progressive JPEG: each scan passes over the whole image.
};

/// The image in the bytes of a file. What follows the end of the image is ignored.
/// unsupported for bytes that do not begin as JPEG, PNG or WebP do, for animations in WebP and for
/// JPEG kinds that the library does not read; limit_exceeded beyond `limits`; invalid_data for
/// everything broken or cut off: half an image is never returned. The message says what is wrong.
Result<Image> decode_image(std::span<const std::byte> bytes, const ImageLimits& limits = {});

/// The same for a file; messages begin with the path. not_found and unavailable as MappedFile::open
/// gives them.
Result<Image> load_image(const std::filesystem::path& path, const ImageLimits& limits = {});

}  // namespace facet::engine
