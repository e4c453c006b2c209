#include "base/utf8.h"
#include "retrieval/loaders/loader.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace facet::retrieval {
namespace {

constexpr std::string_view kPngMagic = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpegMagic = "\xFF\xD8\xFF";
constexpr std::size_t kDescriptionBytesMax = 64U << 10U;
constexpr std::size_t kDescriptionsMax = 64;

struct PictureFacts {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::string> descriptions;
};

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = (value << 8U) | static_cast<unsigned char>(c);
  return value;
}

Error truncated(const char* what, std::size_t at) {
  return {Code::invalid_data, std::string(what) + " at byte " + std::to_string(at) + " is cut off"};
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0U | (byte >> 6U));
      out += static_cast<char>(0x80U | (byte & 0x3FU));
    }
  }
  return out;
}

/// "Description: words" of a PNG text chunk; nullopt for one that says nothing to a reader. The
/// keywords are PNG's predefined ones (PNG specification, 11.3.4.2).
std::optional<std::string> png_text(std::string_view type, std::string_view data) {
  const std::size_t zero = data.find('\0');
  if (zero == std::string_view::npos) return std::nullopt;
  const std::string keyword(data.substr(0, zero));
  if (keyword != "Title" && keyword != "Description" && keyword != "Comment" &&
      keyword != "Author" && keyword != "Alt") {
    return std::nullopt;
  }
  data.remove_prefix(zero + 1);
  if (type == "tEXt") return keyword + ": " + latin1_to_utf8(data);
  // iTXt: compression flag and method, language, translated keyword, text. Compressed text is left
  // out rather than inflated.
  if (data.size() < 2 || data[0] != '\0') return std::nullopt;
  data.remove_prefix(2);
  for (int skipped = 0; skipped < 2; ++skipped) {
    const std::size_t end = data.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    data.remove_prefix(end + 1);
  }
  return keyword + ": " + to_valid_utf8(data);
}

void add_description(PictureFacts& facts, std::string text) {
  if (facts.descriptions.size() < kDescriptionsMax && !trimmed(text).empty()) {
    facts.descriptions.push_back(std::move(text));
  }
}

Result<PictureFacts> read_png(std::string_view bytes) {
  PictureFacts facts;
  std::size_t at = kPngMagic.size();
  while (at < bytes.size()) {
    // Length, type, data, checksum.
    if (bytes.size() - at < 12) return truncated("a PNG chunk", at);
    const std::size_t length = big_endian(bytes.substr(at, 4));
    const std::string_view type = bytes.substr(at + 4, 4);
    if (length > bytes.size() - at - 12) return truncated("a PNG chunk", at);
    const std::string_view data = bytes.substr(at + 8, length);
    if (type == "IHDR" && length >= 8) {
      facts.width = big_endian(data.substr(0, 4));
      facts.height = big_endian(data.substr(4, 4));
    } else if ((type == "tEXt" || type == "iTXt") && length <= kDescriptionBytesMax) {
      if (auto text = png_text(type, data)) add_description(facts, *std::move(text));
    } else if (type == "IEND") {
      break;
    }
    at += length + 12;
  }
  if (facts.width == 0 || facts.height == 0) {
    return Error{Code::invalid_data, "the PNG has no size"};
  }
  return facts;
}

bool is_frame_header(unsigned marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

Result<PictureFacts> read_jpeg(std::string_view bytes) {
  PictureFacts facts;
  std::size_t at = 2;
  while (at + 4 <= bytes.size()) {
    if (bytes[at] != '\xFF') {
      return Error{Code::invalid_data, "the JPEG has no marker at byte " + std::to_string(at)};
    }
    const unsigned marker = static_cast<unsigned char>(bytes[at + 1]);
    if (marker == 0xFF) {  // Fill byte.
      ++at;
      continue;
    }
    if (marker == 0xDA || marker == 0xD9) break;  // The pixels, or the end.
    const std::size_t length = big_endian(bytes.substr(at + 2, 2));
    if (length < 2 || length > bytes.size() - at - 2) return truncated("a JPEG segment", at);
    const std::string_view data = bytes.substr(at + 4, length - 2);
    if (is_frame_header(marker) && data.size() >= 5) {
      facts.height = big_endian(data.substr(1, 2));
      facts.width = big_endian(data.substr(3, 2));
    } else if (marker == 0xFE) {
      const bool utf8 = is_utf8(data);
      add_description(facts, "Comment: " + (utf8 ? std::string(data) : latin1_to_utf8(data)));
    }
    at += length + 2;
  }
  if (facts.width == 0 || facts.height == 0) {
    return Error{Code::invalid_data, "the JPEG has no size"};
  }
  return facts;
}

/// "floor-plan_2nd.png" as "floor plan 2nd".
std::string words_of(const std::filesystem::path& name) {
  std::string words = name.stem().string();
  std::replace_if(
      words.begin(), words.end(), [](char c) { return c == '-' || c == '_' || c == '.'; }, ' ');
  return collapse_white_space(words);
}

}  // namespace

Result<LoadedDocument> load_picture(const std::filesystem::path& name,
                                    std::string_view bytes,
                                    const LoadLimits& limits) {
  PictureFacts facts;
  if (bytes.starts_with(kPngMagic)) {
    FACET_TRY(facts, read_png(bytes));
  } else if (bytes.starts_with(kJpegMagic)) {
    FACET_TRY(facts, read_jpeg(bytes));
  } else {
    return Error{Code::unsupported, "it is neither a PNG nor a JPEG, whatever its name says"};
  }
  const std::string words = words_of(name);
  DocumentBuilder builder(limits);
  builder.set_title(words);
  builder.paragraph("Picture: " + words + " (" + std::to_string(facts.width) + " x " +
                    std::to_string(facts.height) + " pixels).");
  for (const std::string& description : facts.descriptions) builder.paragraph(description);
  return std::move(builder).finish(name.stem().string());
}

}  // namespace facet::retrieval
