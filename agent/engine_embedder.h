// What retrieval asks of a model, answered by our own engine.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "engine/tokenizer/tokenizer.h"
#include "retrieval/embedder.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::agent {

/// EmbeddingGemma's prompts in front of texts. A text longer than the model's context is embedded
/// by as much of its beginning as fits: chunks are shorter, so that only long queries are affected.
/// Thread-safe.
class EngineEmbedder final : public retrieval::Embedder {
 public:
  /// invalid_argument when `engine` holds no embedder.
  static Result<std::unique_ptr<EngineEmbedder>> create(
      std::shared_ptr<const engine::Engine> engine);

  [[nodiscard]] std::size_t dimension() const override;
  [[nodiscard]] std::string identity() const override;
  /// What the model's file states, ModelInfo::search_weight.
  [[nodiscard]] double search_weight() const override;
  [[nodiscard]] Result<std::vector<float>> embed_query(std::string_view text) const override;
  [[nodiscard]] Result<std::vector<float>> embed_document(std::string_view title,
                                                          std::string_view text) const override;
  /// The vector of a text as it is, between <bos> and <eos>.
  [[nodiscard]] Result<std::vector<float>> embed(std::string_view prompt) const;
  /// How many tokens at the end of `prompt` embed() leaves out; 0 where all of it fits.
  [[nodiscard]] std::size_t tokens_left_out(std::string_view prompt) const;

 private:
  explicit EngineEmbedder(std::shared_ptr<const engine::Engine> engine);
  [[nodiscard]] std::size_t tokens_max() const;  ///< Of a text, beside <bos> and <eos>.

  std::shared_ptr<const engine::Engine> engine_;
};

/// Counts tokens of data text. Thread-safe.
class TokenizerCounter final : public retrieval::TokenCounter {
 public:
  explicit TokenizerCounter(std::shared_ptr<const engine::Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}
  [[nodiscard]] std::int64_t count(std::string_view text) const override {
    return static_cast<std::int64_t>(tokenizer_->encode(text).size());
  }

 private:
  std::shared_ptr<const engine::Tokenizer> tokenizer_;
};

}  // namespace facet::agent
