#include "retrieval/unicode.h"

#include "base/utf8.h"

#include <unicode/ubrk.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>
#include <unicode/utext.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>

namespace facet::retrieval {
namespace {

// ICU counts in int32_t; documents are capped far below this anyway.
constexpr std::size_t kIcuBytesMax = 1U << 30U;
// The detector needs no more, and its cost grows with the input.
constexpr std::size_t kDetectBytesMax = 64U << 10U;
// Below this share of replaced characters a conversion still counts as text.
constexpr std::size_t kReplacedShareMax = 20;  // one in twenty

struct CloseDetector {
  void operator()(UCharsetDetector* detector) const { ucsdet_close(detector); }
};
struct CloseBreakIterator {
  void operator()(UBreakIterator* iterator) const { ubrk_close(iterator); }
};

struct ByteOrderMark {
  std::string_view bytes;
  const char* charset;
};

constexpr std::array<ByteOrderMark, 5> kByteOrderMarks = {{
    {std::string_view("\xFF\xFE\0\0", 4), "UTF-32LE"},
    {std::string_view("\0\0\xFE\xFF", 4), "UTF-32BE"},
    {std::string_view("\xEF\xBB\xBF", 3), "UTF-8"},
    {std::string_view("\xFF\xFE", 2), "UTF-16LE"},
    {std::string_view("\xFE\xFF", 2), "UTF-16BE"},
}};

Result<std::string> convert(std::string_view bytes,
                            const std::string& charset,
                            std::string_view what) {
  if (charset == "UTF-8") return to_valid_utf8(bytes);
  if (bytes.size() > kIcuBytesMax) {
    return Error{Code::limit_exceeded,
                 std::string(what) + ": " + std::to_string(bytes.size()) +
                     " bytes are too many to convert from " + charset};
  }
  UErrorCode code = U_ZERO_ERROR;
  const auto size = static_cast<std::int32_t>(bytes.size());
  const std::int32_t needed =
      ucnv_convert("UTF-8", charset.c_str(), nullptr, 0, bytes.data(), size, &code);
  if (code != U_BUFFER_OVERFLOW_ERROR && U_FAILURE(code)) {
    return Error{Code::invalid_data,
                 std::string(what) + ": cannot convert from " + charset + ": " + u_errorName(code)};
  }
  std::string out(static_cast<std::size_t>(needed) + 1, '\0');
  code = U_ZERO_ERROR;
  ucnv_convert("UTF-8",
               charset.c_str(),
               out.data(),
               static_cast<std::int32_t>(out.size()),
               bytes.data(),
               size,
               &code);
  if (U_FAILURE(code)) {
    return Error{Code::invalid_data,
                 std::string(what) + ": cannot convert from " + charset + ": " + u_errorName(code)};
  }
  out.resize(static_cast<std::size_t>(needed));
  return out;
}

/// "UTF-32LE" and the like when the zero bytes lie as in that encoding of mostly Latin text, else
/// empty.
std::string wide_encoding(std::string_view bytes) {
  const std::string_view sample = bytes.substr(0, std::min<std::size_t>(bytes.size(), 4096) & ~3U);
  std::array<std::size_t, 4> zeros{};
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (sample[i] == '\0') ++zeros[i % 4];
  }
  const std::size_t quads = sample.size() / 4;
  if (quads == 0) return {};
  const auto most = [&](std::size_t i) { return zeros[i] * 10 >= quads * 9; };
  const auto many = [&](std::size_t i) { return zeros[i] * 10 >= quads * 4; };
  const auto few = [&](std::size_t i) { return zeros[i] * 10 <= quads; };
  if (few(0) && most(2) && most(3)) return "UTF-32LE";
  if (few(3) && most(0) && most(1)) return "UTF-32BE";
  if (few(0) && few(2) && many(1) && many(3)) return "UTF-16LE";
  if (few(1) && few(3) && many(0) && many(2)) return "UTF-16BE";
  return {};
}

bool looks_binary(std::string_view bytes) {
  const std::string_view sample = bytes.substr(0, kDetectBytesMax);
  std::size_t controls = 0;
  for (const char c : sample) {
    if (c == '\0') return true;
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\x1b') ++controls;
  }
  // A stray control character or two is damage, not another format.
  return controls > 2 && controls * 50 > sample.size();
}

std::string detected_charset(std::string_view bytes) {
  UErrorCode code = U_ZERO_ERROR;
  const std::unique_ptr<UCharsetDetector, CloseDetector> detector(ucsdet_open(&code));
  if (U_FAILURE(code)) return {};
  const std::string_view sample = bytes.substr(0, kDetectBytesMax);
  ucsdet_setText(detector.get(), sample.data(), static_cast<std::int32_t>(sample.size()), &code);
  const UCharsetMatch* match = ucsdet_detect(detector.get(), &code);
  if (U_FAILURE(code) || match == nullptr) return {};
  const char* name = ucsdet_getName(match, &code);
  if (U_FAILURE(code) || name == nullptr) return {};
  // ISO-8859-1 never has printable characters at 0x80-0x9F, Windows-1252 does: it is the superset
  // that browsers use for both.
  return std::string_view(name) == "ISO-8859-1" ? "windows-1252" : name;
}

bool is_known_charset(const std::string& charset) {
  UErrorCode code = U_ZERO_ERROR;
  UConverter* converter = ucnv_open(charset.c_str(), &code);
  ucnv_close(converter);
  return U_SUCCESS(code) != 0;
}

std::string with_unix_line_ends(std::string text) {
  std::size_t to = 0;
  for (std::size_t from = 0; from < text.size(); ++from) {
    char c = text[from];
    if (c == '\r') {
      if (from + 1 < text.size() && text[from + 1] == '\n') continue;
      c = '\n';
    }
    text[to++] = c;
  }
  text.resize(to);
  return text;
}

std::size_t replaced_characters(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::size_t count = 0;
  for (std::size_t at = text.find(kReplacement); at != std::string_view::npos;
       at = text.find(kReplacement, at + kReplacement.size())) {
    ++count;
  }
  return count;
}

Result<std::string> charset_of(std::string_view bytes,
                               std::string_view what,
                               std::string_view declared) {
  if (std::string wide = wide_encoding(bytes); !wide.empty()) return wide;
  if (looks_binary(bytes)) {
    return Error{Code::invalid_data, std::string(what) + ": is not text (it has binary bytes)"};
  }
  if (is_utf8(bytes)) return std::string("UTF-8");
  std::string named(declared);
  const bool claims_utf8 =
      named.find("tf") != std::string::npos || named.find("TF") != std::string::npos;
  if (!named.empty() && !claims_utf8 && is_known_charset(named)) return named;
  std::string guess = detected_charset(bytes);
  return guess.empty() ? std::string("windows-1252") : guess;
}

}  // namespace

Result<std::string> decode_text(std::string_view bytes,
                                std::string_view what,
                                std::string_view declared_charset) {
  std::string charset;
  for (const ByteOrderMark& mark : kByteOrderMarks) {
    if (bytes.starts_with(mark.bytes)) {
      charset = mark.charset;
      bytes.remove_prefix(mark.bytes.size());
      break;
    }
  }
  if (charset.empty()) {
    FACET_TRY(charset, charset_of(bytes, what, declared_charset));
  }
  FACET_TRY(std::string text, convert(bytes, charset, what));
  const std::size_t replaced = replaced_characters(text);
  if (replaced > 1 && replaced * kReplacedShareMax > text.size()) {
    return Error{Code::invalid_data,
                 std::string(what) + ": is not text (" + std::to_string(replaced) +
                     " characters are not valid " + charset + ")"};
  }
  return with_unix_line_ends(std::move(text));
}

std::vector<std::size_t> sentence_ends(std::string_view text) {
  std::vector<std::size_t> ends;
  if (text.empty()) return ends;
  UErrorCode code = U_ZERO_ERROR;
  const std::unique_ptr<UBreakIterator, CloseBreakIterator> iterator(
      ubrk_open(UBRK_SENTENCE, "en", nullptr, 0, &code));
  UText source = UTEXT_INITIALIZER;
  utext_openUTF8(&source, text.data(), static_cast<std::int64_t>(text.size()), &code);
  if (U_SUCCESS(code)) ubrk_setUText(iterator.get(), &source, &code);
  if (U_SUCCESS(code) && text.size() <= kIcuBytesMax) {
    for (std::int32_t end = ubrk_next(iterator.get()); end != UBRK_DONE;
         end = ubrk_next(iterator.get())) {
      ends.push_back(static_cast<std::size_t>(end));
    }
  }
  utext_close(&source);
  // Without ICU's rules (missing data) the text is one sentence; the chunker then cuts at words.
  if (ends.empty() || ends.back() != text.size()) ends.push_back(text.size());
  return ends;
}

}  // namespace facet::retrieval
