// TokenTrie: the texts of all tokens of a vocabulary as one trie, so that a grammar is tried on a
// beginning once and not once for each of the thousands of tokens that share it.
#pragma once

#include "engine/tokenizer/tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace facet::engine {

/// Immutable; built once per tokenizer and shared (10 MB for 262,144 pieces).
class TokenTrie {
 public:
  /// Control tokens and tokens without text are left out.
  static std::shared_ptr<const TokenTrie> build(const Tokenizer& tokenizer);

  /// In depth-first order, bytes ascending. A node's subtree is nodes [i, end), its tokens have
  /// ranks [first_rank, nodes()[end].first_rank); those that end in the node itself come first.
  struct Node {
    std::uint32_t end = 0;
    std::uint32_t first_rank = 0;
    std::uint16_t depth = 0;  ///< In bytes; 1 for the first byte of a token.
    std::uint8_t byte = 0;
    /// Every text of the subtree, from this byte on, is this many plain characters at most (see
    /// GrammarStates::plain_characters); 0: some text is not plain.
    std::uint8_t plain_characters = 0;
  };
  /// One node behind the last stands for the end.
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::size_t node_count() const { return nodes_.size() - 1; }

  /// Tokens in the order of their texts: the token of each rank.
  [[nodiscard]] const std::vector<TokenId>& tokens() const { return tokens_; }
  /// Tokens of one byte from 0x80 on, which no trie of whole characters should hold.
  [[nodiscard]] const std::vector<std::pair<std::uint8_t, TokenId>>& lone_bytes() const {
    return lone_bytes_;
  }

  [[nodiscard]] std::size_t vocabulary_size() const { return vocabulary_size_; }
  [[nodiscard]] std::size_t token_bytes_max() const { return token_bytes_max_; }
  /// One bit for each token: those in the trie or among the lone bytes.
  [[nodiscard]] const std::vector<std::uint64_t>& all_text() const { return all_text_; }

 private:
  TokenTrie() = default;
  void add_nodes(const Tokenizer& tokenizer);
  void count_plain(const Tokenizer& tokenizer);

  std::vector<Node> nodes_;
  std::vector<TokenId> tokens_;
  std::vector<std::pair<std::uint8_t, TokenId>> lone_bytes_;
  std::vector<std::uint64_t> all_text_;
  std::size_t vocabulary_size_ = 0;
  std::size_t token_bytes_max_ = 1;
};

}  // namespace facet::engine
