// The Tokenizer on libsentencepiece: the library does the BPE, this class decides what is control.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace facet::engine {

/// Immutable after create(); thread-safe. The library is given a model in which every control piece
/// has the type CONTROL, which text can never produce; user-defined pieces that are text (runs of
/// spaces, HTML tags) keep their type and are matched first, as in the reference.
///
/// A literal U+2581 in the text is the same as a space, as it is in the reference.
class SentencepieceTokenizer final : public Tokenizer {
 public:
  /// REQUIRES: check_vocabulary(vocabulary). internal when the library refuses the model.
  static Result<std::shared_ptr<const Tokenizer>> create(Vocabulary vocabulary);

  SentencepieceTokenizer(Vocabulary vocabulary,
                         std::unique_ptr<sentencepiece::SentencePieceProcessor> processor);
  ~SentencepieceTokenizer() override;

  [[nodiscard]] std::vector<TokenId> encode(std::string_view text) const override;
  [[nodiscard]] std::vector<TokenId> encode(std::span<const Segment> segments) const override;
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool with_control) const override;
  [[nodiscard]] std::string_view token_bytes(TokenId id) const override;
  [[nodiscard]] std::optional<TokenId> find_token(std::string_view text) const override;
  [[nodiscard]] bool is_control(TokenId id) const override;
  [[nodiscard]] std::string_view token_text(TokenId id) const override;
  [[nodiscard]] std::size_t size() const override { return vocabulary_.pieces.size(); }
  [[nodiscard]] TokenId bos() const override { return vocabulary_.bos; }
  [[nodiscard]] TokenId eos() const override { return vocabulary_.eos; }
  [[nodiscard]] bool add_bos() const override { return vocabulary_.add_bos; }
  [[nodiscard]] bool add_eos() const override { return vocabulary_.add_eos; }

 private:
  void index_pieces();
  void append_text(std::string_view text, std::vector<TokenId>& out) const;
  /// Where the first piece of `text` that can be encoded on its own ends.
  [[nodiscard]] std::size_t chunk_end(std::string_view text) const;
  /// Appends `text` to `pending` up to each control token, and the tokens to `out`.
  void append_control(std::string_view text, std::string& pending, std::vector<TokenId>& out) const;
  /// The longest control token that `text` begins with, -1 when there is none.
  [[nodiscard]] TokenId control_at(std::string_view text) const;

  Vocabulary vocabulary_;
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::vector<std::string> bytes_;                       ///< token_bytes by id.
  std::vector<bool> is_control_;                         ///< By id.
  std::unordered_map<std::string_view, TokenId> named_;  ///< Control and user-defined pieces.
  std::vector<std::size_t> control_lengths_;             ///< Distinct, longest first.
  std::array<bool, 256> control_starts_{};               ///< First bytes of control pieces.
  /// No piece reaches across the end of a run of newlines, so text can be cut there.
  bool newline_ends_words_ = false;
};

}  // namespace facet::engine
