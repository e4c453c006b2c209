// What stands in a conversation and was not computed yet: token ids, and the soft tokens of images
// among them.
#pragma once

#include "agent/pictures.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/vision/soft_tokens.h"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace facet::agent {

/// Not thread-safe. Counts are of tokens from the first pending one, at most size().
class PendingTokens {
 public:
  void add(const PromptTokens& prompt);
  /// Ids of text.
  void add(std::span<const engine::TokenId> ids);

  [[nodiscard]] const std::vector<engine::TokenId>& ids() const { return ids_; }
  [[nodiscard]] bool empty() const { return ids_.empty(); }
  [[nodiscard]] std::size_t size() const { return ids_.size(); }

  /// How many make one piece: text of `tokens_max` at most up to the next image, or one image
  /// whole. REQUIRES: not empty().
  [[nodiscard]] std::size_t piece(std::size_t tokens_max) const;
  /// The images whose ids the first `count` hold whole.
  [[nodiscard]] std::span<const std::shared_ptr<const engine::SoftTokens>> images(
      std::size_t count) const;
  /// The ends of messages among the first `count`, which `stop_ids` are, and the end of all: what
  /// another conversation may have in common with this one.
  [[nodiscard]] std::vector<std::size_t> boundaries(
      std::size_t count, std::span<const engine::TokenId> stop_ids) const;

  /// Forgets the first `count` and their images.
  void drop(std::size_t count);

 private:
  std::vector<engine::TokenId> ids_;
  std::vector<std::shared_ptr<const engine::SoftTokens>> images_;
};

}  // namespace facet::agent
