// JPEG through libjpeg-turbo. The library reports errors by calling error_exit, which must not
// return: it jumps back to decode(), whose frame holds nothing that a jump would leak.
#include "engine/vision/codecs.h"
#include "engine/vision/exif.h"

#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <jerror.h>
#include <jpeglib.h>
#include <string>
#include <utility>

namespace facet::engine {
namespace {

constexpr std::string_view kExifMagic{"Exif\0\0", 6};
constexpr int kApp1 = JPEG_APP0 + 1;
constexpr unsigned kMarkerBytesMax = 0xFFFF;

/// A decoder and all that it fills. The library's structs point at each other: it never moves.
struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf back{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  int error = 0;  // The library's message code; 0: none.
  ImageLimits limits;
  Result<Image> image = Error{Code::internal, "JPEG: nothing was decoded"};
  std::vector<std::uint8_t> cmyk;  // One row.
  int orientation = 1;

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info); }
};

[[noreturn]] void leave(Decoder& decoder, int code) {
  decoder.errors.msg_code = code;
  decoder.errors.format_message(reinterpret_cast<j_common_ptr>(&decoder.info),
                                decoder.message.data());
  decoder.error = code;
  std::longjmp(decoder.back, 1);  // NOLINT(cert-err52-cpp): the library's own way out.
}

[[noreturn]] void on_error(j_common_ptr info) {
  leave(*static_cast<Decoder*>(info->client_data), info->err->msg_code);
}

/// Warnings after which the library makes pixels up end the decoding; the others are harmless
/// (bytes between markers, odd version numbers).
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION:
      leave(*static_cast<Decoder*>(info->client_data), info->err->msg_code);
    default:
      break;
  }
}

void on_progress(j_common_ptr info) {
  auto& decoder = *static_cast<Decoder*>(info->client_data);
  if (decoder.info.input_scan_number <= decoder.limits.scans_max) return;
  decoder.image =
      Error{Code::limit_exceeded,
            "the image has more than " + std::to_string(decoder.limits.scans_max) + " scans"};
  std::longjmp(decoder.back, 1);  // NOLINT(cert-err52-cpp): as in leave().
}

int find_orientation(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* m = info.marker_list; m != nullptr; m = m->next) {
    if (m->marker != kApp1 || m->data_length < kExifMagic.size()) continue;
    if (std::memcmp(m->data, kExifMagic.data(), kExifMagic.size()) != 0) continue;
    const auto bytes = std::as_bytes(std::span(m->data, m->data_length));
    return exif_orientation(bytes.subspan(kExifMagic.size()));
  }
  return 1;
}

/// a * b / 255, rounded.
int scaled(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/// Inverted CMYK, as Adobe stores it, to RGB: each ink takes its share of what black leaves.
void cmyk_to_rgb(const std::uint8_t* cmyk, int width, std::uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    for (int c = 0; c < 3; ++c) {
      rgb[c] = static_cast<std::uint8_t>(cmyk[3] - scaled(255 - cmyk[c], cmyk[3]));
    }
  }
}

void read_rows(Decoder& decoder) {
  jpeg_decompress_struct& info = decoder.info;
  Image& image = *decoder.image;
  const auto row_bytes = static_cast<std::size_t>(image.width) * 3;
  while (info.output_scanline < info.output_height) {
    std::uint8_t* rgb = image.rgb.data() + info.output_scanline * row_bytes;
    std::uint8_t* row = decoder.cmyk.empty() ? rgb : decoder.cmyk.data();
    jpeg_read_scanlines(&info, &row, 1);
    if (!decoder.cmyk.empty()) cmyk_to_rgb(row, image.width, rgb);
  }
}

/// False when the library reported an error, or when the size was refused.
bool decode(Decoder& decoder, std::span<const std::byte> bytes) {
  jpeg_decompress_struct& info = decoder.info;
  info.err = jpeg_std_error(&decoder.errors);
  info.client_data = &decoder;
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_message;
  decoder.progress.progress_monitor = on_progress;
  // NOLINTNEXTLINE(cert-err52-cpp): see above.
  if (setjmp(decoder.back) != 0) return false;
  jpeg_create_decompress(&info);
  info.client_data = &decoder;
  info.progress = &decoder.progress;
  jpeg_save_markers(&info, kApp1, kMarkerBytesMax);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  if (info.arith_code != 0) leave(decoder, JERR_ARITH_NOTIMPL);
  decoder.orientation = find_orientation(info);
  decoder.image = make_image(info.image_width, info.image_height, decoder.limits);
  if (!decoder.image) return false;
  const bool inks = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
  info.out_color_space = inks ? JCS_CMYK : JCS_RGB;
  if (inks) decoder.cmyk.resize(std::size_t{4} * info.image_width);
  jpeg_start_decompress(&info);
  read_rows(decoder);
  jpeg_finish_decompress(&info);
  return true;
}

Code code_of(int error) {
  switch (error) {
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_ARITH_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
      return Code::unsupported;
    case JERR_OUT_OF_MEMORY:
      return Code::unavailable;
    case JERR_IMAGE_TOO_BIG:
      return Code::limit_exceeded;
    default:
      return Code::invalid_data;
  }
}

}  // namespace

Result<StoredImage> decode_jpeg(std::span<const std::byte> bytes, const ImageLimits& limits) {
  Decoder decoder;
  decoder.limits = limits;
  if (decode(decoder, bytes)) {
    return StoredImage{.image = *std::move(decoder.image), .orientation = decoder.orientation};
  }
  if (decoder.error == 0) return decoder.image.error().with_context("JPEG");
  return Error{code_of(decoder.error), "JPEG: " + std::string(decoder.message.data())};
}

}  // namespace facet::engine
