// Tokenizer: text to token ids and back, from a SentencePiece model or from GGUF metadata.
#pragma once

#include "base/chat.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace facet::engine {

using TokenId = std::int32_t;

/// One vocabulary entry. `text` is the piece as SentencePiece spells it (U+2581 for a space).
struct Piece {
  enum class Type : std::uint8_t {
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6
  };
  std::string text;
  float score = 0.0F;
  Type type = Type::normal;
};

/// What a tokenizer is made of, whatever file it came from.
struct Vocabulary {
  std::vector<Piece> pieces;  ///< Indexed by TokenId; at most 2^20.
  TokenId bos = 2;
  TokenId eos = 1;
  TokenId pad = 0;
  bool add_bos = true;   ///< A prompt begins with bos.
  bool add_eos = false;  ///< Embedding models: a text ends with eos.
};

/// Immutable after creation; all methods may be called from several threads at once.
class Tokenizer {
 public:
  /// From a bare SentencePiece `.model` file. Folders and GGUF files: load_tokenizer in
  /// engine/model/model.h.
  static Result<std::shared_ptr<const Tokenizer>> load_sentencepiece(
      const std::filesystem::path& path);
  /// From vocabulary entries (GGUF metadata). invalid_data when ids, types or byte pieces do not
  /// add up.
  static Result<std::shared_ptr<const Tokenizer>> create(Vocabulary vocabulary);

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  virtual ~Tokenizer() = default;

  /// Ids of `text` as data: no control token can come out, whatever the text contains; no bos, no
  /// eos. Ill-formed UTF-8 is encoded as U+FFFD; a literal U+2581 is a space, as in the reference.
  [[nodiscard]] virtual std::vector<TokenId> encode(std::string_view text) const = 0;

  /// Ids of `segments` as one text: control tokens are recognised in control segments only; runs of
  /// text between control tokens are encoded as one piece of text across segment borders, exactly
  /// as the reference encodes the whole prompt.
  [[nodiscard]] virtual std::vector<TokenId> encode(std::span<const Segment> segments) const = 0;

  /// Text of `ids`. Control tokens are left out, or spelled when `with_control`. Bytes that are not
  /// UTF-8 become U+FFFD. REQUIRES, here and below: every id is in [0, size()).
  [[nodiscard]] virtual std::string decode(std::span<const TokenId> ids,
                                           bool with_control = false) const = 0;

  /// The raw bytes one token adds to the text: its UTF-8 text, one byte for a byte piece, empty for
  /// a control token. Concatenated over ids they are decode(ids) before UTF-8 repair.
  [[nodiscard]] virtual std::string_view token_bytes(TokenId id) const = 0;

  /// The id of a control or user-defined token by its exact text, e.g. "<start_of_turn>".
  [[nodiscard]] virtual std::optional<TokenId> find_token(std::string_view text) const = 0;
  [[nodiscard]] virtual bool is_control(TokenId id) const = 0;
  /// The vocabulary text of `id`, e.g. "<start_of_turn>" or "\xE2\x96\x81the".
  [[nodiscard]] virtual std::string_view token_text(TokenId id) const = 0;

  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual TokenId bos() const = 0;
  [[nodiscard]] virtual TokenId eos() const = 0;
  [[nodiscard]] virtual bool add_bos() const = 0;
  [[nodiscard]] virtual bool add_eos() const = 0;

 protected:
  Tokenizer() = default;
};

/// Turns a stream of tokens into text that is valid UTF-8 at every step: bytes of a character that
/// is not complete yet are held back. Not thread-safe; the tokenizer must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool with_control = false)
      : tokenizer_(&tokenizer), with_control_(with_control) {}

  /// The text that has become certain through `id`; may be empty.
  [[nodiscard]] std::string push(TokenId id);
  /// What is still held back, repaired to valid UTF-8.
  [[nodiscard]] std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool with_control_;
  std::string pending_;
};

}  // namespace facet::engine
