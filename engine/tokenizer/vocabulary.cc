#include "engine/tokenizer/vocabulary.h"

#include "base/utf8.h"
#include "engine/model/in_quotes.h"
#include "engine/tokenizer/model_proto.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <unordered_set>

namespace facet::engine {
namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

// The markup names in Gemma 3's vocabulary (ids 168 to 237).
constexpr std::string_view kMarkup[] = {
    "a",      "b",   "bbox",  "blockquote", "body",  "caption", "code", "div",  "em",
    "footer", "h1",  "h2",    "h3",         "h4",    "h5",      "h6",   "html", "i",
    "iframe", "img", "li",    "s",          "span",  "strong",  "sub",  "sup",  "table",
    "tbody",  "td",  "tfoot", "th",         "thead", "tr",      "u",    "ul"};

// Markers that some converters have written as plain pieces (early Gemma 3 QAT files did).
constexpr std::string_view kMarkers[] = {"<pad>",
                                         "<eos>",
                                         "<bos>",
                                         "<start_of_turn>",
                                         "<end_of_turn>",
                                         "<start_of_image>",
                                         "<end_of_image>"};

bool is_markup(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  return std::find(std::begin(kMarkup), std::end(kMarkup), name) != std::end(kMarkup);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Status check_id(const Vocabulary& vocabulary, std::string_view name, TokenId id, bool needed) {
  if (id == -1 && !needed) return ok();
  if (id >= 0 && static_cast<std::size_t>(id) < vocabulary.pieces.size()) return ok();
  return Error{Code::invalid_data,
               std::string(name) + " token is " + std::to_string(id) + ", the vocabulary has " +
                   std::to_string(vocabulary.pieces.size()) + " pieces"};
}

/// What has been seen so far while walking over the pieces.
struct Tally {
  std::unordered_set<std::string_view> texts;
  std::array<bool, 256> bytes{};
  int unknown = 0;
};

std::string_view fault_of(const Piece& piece, Tally& tally) {
  if (piece.text.empty()) return "is empty";
  if (piece.text.size() > kPieceBytesMax) return "is longer than 1024 bytes";
  if (!is_utf8(piece.text)) return "is not UTF-8";
  if (!std::isfinite(piece.score)) return "has a score that is not finite";
  if (!tally.texts.insert(piece.text).second) return "occurs twice";
  if (piece.type == Piece::Type::unknown) ++tally.unknown;
  if (piece.type == Piece::Type::byte) {
    const int value = byte_piece_value(piece.text);
    if (value < 0) return "is of type byte but not of the form <0x41>";
    tally.bytes[static_cast<std::size_t>(value)] = true;
  }
  return {};
}

}  // namespace

bool is_control_piece(const Piece& piece) {
  if (piece.type == Piece::Type::control || piece.type == Piece::Type::unknown) return true;
  if (piece.type == Piece::Type::normal) {
    return std::find(std::begin(kMarkers), std::end(kMarkers), piece.text) != std::end(kMarkers);
  }
  if (piece.type != Piece::Type::user_defined || piece.text.size() < 3) return false;
  const std::string_view text = piece.text;
  const bool angle = text.front() == '<' && text.back() == '>';
  const bool square = text.front() == '[' && text.back() == ']';
  return (angle || square) && !(angle && is_markup(text.substr(1, text.size() - 2)));
}

std::string piece_bytes(const Piece& piece) {
  if (is_control_piece(piece)) return {};
  if (piece.type == Piece::Type::byte) {
    return std::string(1, static_cast<char>(byte_piece_value(piece.text)));
  }
  std::string out;
  const std::string_view text = piece.text;
  for (std::size_t at = 0; at < text.size();) {
    const bool space = text.substr(at).starts_with(kSpaceMark);
    out.push_back(space ? ' ' : text[at]);
    at += space ? kSpaceMark.size() : 1;
  }
  return out;
}

int byte_piece_value(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const int high = hex_digit(text[3]);
  const int low = hex_digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Status check_vocabulary(const Vocabulary& vocabulary) {
  if (vocabulary.pieces.empty() || vocabulary.pieces.size() > kPiecesMax) {
    return Error{Code::limit_exceeded,
                 "a vocabulary of " + std::to_string(vocabulary.pieces.size()) +
                     " pieces, expected 1 to " + std::to_string(kPiecesMax)};
  }
  Tally tally;
  tally.texts.reserve(vocabulary.pieces.size());
  for (std::size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    const std::string_view fault = fault_of(vocabulary.pieces[id], tally);
    if (fault.empty()) continue;
    return Error{Code::invalid_data,
                 "vocabulary piece " + std::to_string(id) + " " +
                     in_quotes(vocabulary.pieces[id].text) + " " + std::string(fault)};
  }
  if (tally.unknown != 1) {
    return Error{
        Code::invalid_data,
        "the vocabulary has " + std::to_string(tally.unknown) + " unknown pieces, expected 1"};
  }
  const auto absent = std::find(tally.bytes.begin(), tally.bytes.end(), false);
  if (absent != tally.bytes.end()) {
    return Error{
        Code::invalid_data,
        "the vocabulary has no piece for byte " + std::to_string(absent - tally.bytes.begin())};
  }
  FACET_TRY_STATUS(check_id(vocabulary, "bos", vocabulary.bos, vocabulary.add_bos));
  FACET_TRY_STATUS(check_id(vocabulary, "eos", vocabulary.eos, true));
  return check_id(vocabulary, "pad", vocabulary.pad, false);
}

}  // namespace facet::engine
