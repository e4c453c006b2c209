#include "engine/tokenizer/sentencepiece_tokenizer.h"

#include "base/check.h"
#include "base/utf8.h"
#include "engine/tokenizer/model_proto.h"
#include "engine/tokenizer/vocabulary.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <sentencepiece_processor.h>
#include <utility>

namespace facet::engine {
namespace {

/// Long texts are encoded in parts of about this size where that cannot change the result: the
/// library's merge queue then stays in the cache, and its memory (200 bytes a token) stays small.
constexpr std::size_t kChunkBytes = 16U << 10U;

/// True when newlines are user-defined pieces, which are cut out before any merge, and no piece
/// mixes them with other text.
bool newline_ends_words(const Vocabulary& vocabulary) {
  bool is_user_defined = false;
  for (const Piece& piece : vocabulary.pieces) {
    if (piece.text.find('\n') == std::string::npos) continue;
    if (piece.text.find_first_not_of('\n') != std::string::npos) return false;
    if (piece.type != Piece::Type::user_defined) return false;
    if (piece.text.size() == 1) is_user_defined = true;
  }
  return is_user_defined;
}

/// The vocabulary as the library shall see it: control is CONTROL whatever the file called it.
Vocabulary for_library(const Vocabulary& vocabulary) {
  Vocabulary out = vocabulary;
  for (Piece& piece : out.pieces) {
    if (piece.type != Piece::Type::unknown && is_control_piece(piece)) {
      piece.type = Piece::Type::control;
    }
  }
  return out;
}

std::uint8_t first_byte(std::string_view text) {
  return static_cast<std::uint8_t>(text.front());
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> SentencepieceTokenizer::create(Vocabulary vocabulary) {
  try {
    auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
    const std::string proto = write_model_proto(for_library(vocabulary));
    if (const auto status = processor->LoadFromSerializedProto(proto); !status.ok()) {
      return Error{Code::internal, "SentencePiece: " + status.ToString()};
    }
    return std::shared_ptr<const Tokenizer>(
        std::make_shared<SentencepieceTokenizer>(std::move(vocabulary), std::move(processor)));
  } catch (const std::exception& error) {
    return Error{Code::internal, std::string("SentencePiece: ") + error.what()};
  }
}

SentencepieceTokenizer::SentencepieceTokenizer(
    Vocabulary vocabulary, std::unique_ptr<sentencepiece::SentencePieceProcessor> processor)
    : vocabulary_(std::move(vocabulary)), processor_(std::move(processor)) {
  index_pieces();
  newline_ends_words_ = newline_ends_words(vocabulary_);
}

SentencepieceTokenizer::~SentencepieceTokenizer() = default;

void SentencepieceTokenizer::index_pieces() {
  bytes_.reserve(size());
  is_control_.reserve(size());
  for (std::size_t id = 0; id < size(); ++id) {
    const Piece& piece = vocabulary_.pieces[id];
    const bool control = is_control_piece(piece);
    bytes_.push_back(piece_bytes(piece));
    is_control_.push_back(control);
    if (!control && piece.type != Piece::Type::user_defined) continue;
    named_.emplace(piece.text, static_cast<TokenId>(id));
    if (!control) continue;
    control_lengths_.push_back(piece.text.size());
    control_starts_[first_byte(piece.text)] = true;
  }
  std::sort(control_lengths_.begin(), control_lengths_.end(), std::greater<>());
  control_lengths_.erase(std::unique(control_lengths_.begin(), control_lengths_.end()),
                         control_lengths_.end());
}

void SentencepieceTokenizer::append_text(std::string_view text, std::vector<TokenId>& out) const {
  if (text.empty()) return;
  std::string repaired;
  if (!is_utf8(text)) {
    repaired = to_valid_utf8(text);
    text = repaired;
  }
  std::vector<int> ids;
  while (!text.empty()) {
    const std::size_t end = chunk_end(text);
    // With a loaded model and well-formed UTF-8 the library has no way to fail.
    const auto status = processor_->Encode(text.substr(0, end), &ids);
    FACET_CHECK(status.ok());
    out.insert(out.end(), ids.begin(), ids.end());
    text.remove_prefix(end);
  }
}

std::size_t SentencepieceTokenizer::chunk_end(std::string_view text) const {
  if (!newline_ends_words_ || text.size() <= kChunkBytes) return text.size();
  const std::size_t newline = text.find('\n', kChunkBytes);
  return std::min(text.find_first_not_of('\n', newline), text.size());
}

std::vector<TokenId> SentencepieceTokenizer::encode(std::string_view text) const {
  std::vector<TokenId> out;
  append_text(text, out);
  return out;
}

TokenId SentencepieceTokenizer::control_at(std::string_view text) const {
  if (!control_starts_[first_byte(text)]) return -1;
  for (const std::size_t length : control_lengths_) {
    if (length > text.size()) continue;
    const auto at = named_.find(text.substr(0, length));
    if (at != named_.end() && is_control(at->second)) return at->second;
  }
  return -1;
}

void SentencepieceTokenizer::append_control(std::string_view text,
                                            std::string& pending,
                                            std::vector<TokenId>& out) const {
  for (std::size_t at = 0; at < text.size();) {
    const TokenId id = control_at(text.substr(at));
    if (id < 0) {
      pending.push_back(text[at++]);
      continue;
    }
    append_text(pending, out);
    pending.clear();
    out.push_back(id);
    at += token_text(id).size();
  }
}

std::vector<TokenId> SentencepieceTokenizer::encode(std::span<const Segment> segments) const {
  std::vector<TokenId> out;
  std::string pending;  // Text since the last control token.
  std::string control;  // Neighbouring control segments are one text.
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].kind == Segment::Kind::data) {
      pending += segments[i].text;
      continue;
    }
    control += segments[i].text;
    if (i + 1 < segments.size() && segments[i + 1].kind == Segment::Kind::control) continue;
    append_control(control, pending, out);
    control.clear();
  }
  append_text(pending, out);
  return out;
}

std::string SentencepieceTokenizer::decode(std::span<const TokenId> ids, bool with_control) const {
  std::string out;
  for (const TokenId id : ids) {
    out += with_control && is_control(id) ? token_text(id) : token_bytes(id);
  }
  return to_valid_utf8(out);
}

std::string_view SentencepieceTokenizer::token_bytes(TokenId id) const {
  FACET_CHECK(id >= 0 && static_cast<std::size_t>(id) < size());
  return bytes_[static_cast<std::size_t>(id)];
}

std::optional<TokenId> SentencepieceTokenizer::find_token(std::string_view text) const {
  const auto at = named_.find(text);
  return at == named_.end() ? std::nullopt : std::optional<TokenId>(at->second);
}

bool SentencepieceTokenizer::is_control(TokenId id) const {
  FACET_CHECK(id >= 0 && static_cast<std::size_t>(id) < size());
  return is_control_[static_cast<std::size_t>(id)];
}

std::string_view SentencepieceTokenizer::token_text(TokenId id) const {
  FACET_CHECK(id >= 0 && static_cast<std::size_t>(id) < size());
  return vocabulary_.pieces[static_cast<std::size_t>(id)].text;
}

}  // namespace facet::engine
