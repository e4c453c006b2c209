// Which tokens of a vocabulary a grammar lets through in one state: the trie of all tokens walked
// along the grammar, whole subtrees at a time where the grammar takes any plain text.
#pragma once

#include "engine/sampling/grammar_states.h"
#include "engine/tokenizer/token_trie.h"

#include <cstdint>
#include <vector>

namespace facet::engine {

/// Bit `id % 64` of word `id / 64` is token `id`.
using TokenMask = std::vector<std::uint64_t>;

inline bool is_in(const TokenMask& mask, TokenId token) {
  const auto id = static_cast<std::size_t>(token);
  return (mask[id / 64] >> (id % 64) & 1U) != 0;
}
void set_in(TokenMask& mask, TokenId token, bool allowed);

/// The text tokens that may come next in `state`; control tokens are the caller's. Cost: the nodes
/// of the trie up to where the grammar refuses or takes everything.
TokenMask text_mask(GrammarStates& states, GrammarStates::Id state, const TokenTrie& trie);

}  // namespace facet::engine
