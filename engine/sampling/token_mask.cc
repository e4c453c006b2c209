#include "engine/sampling/token_mask.h"

#include <cstddef>
#include <utility>

namespace facet::engine {
namespace {

using Id = GrammarStates::Id;

/// Ranks [first, last) that the grammar takes, in ascending order, neighbours joined.
class Ranges {
 public:
  void add(std::uint32_t first, std::uint32_t last) {
    if (first == last) return;
    count_ += last - first;
    if (!ranges_.empty() && ranges_.back().second == first) {
      ranges_.back().second = last;
    } else {
      ranges_.emplace_back(first, last);
    }
  }

  /// Writes what there is less of: the tokens that may come, or those that may not.
  [[nodiscard]] TokenMask mask(const TokenTrie& trie) const {
    const auto& tokens = trie.tokens();
    const auto flip = [&](TokenMask& mask, std::uint32_t first, std::uint32_t last) {
      for (std::uint32_t rank = first; rank < last; ++rank) {
        const auto id = static_cast<std::size_t>(tokens[rank]);
        mask[id / 64] ^= std::uint64_t{1} << (id % 64);
      }
    };
    if (count_ * 2 < tokens.size()) {
      TokenMask mask(trie.all_text().size(), 0);
      for (const auto& [first, last] : ranges_) flip(mask, first, last);
      return mask;
    }
    TokenMask mask = trie.all_text();
    std::uint32_t next = 0;
    for (const auto& [first, last] : ranges_) {
      flip(mask, next, first);
      next = last;
    }
    flip(mask, next, static_cast<std::uint32_t>(tokens.size()));
    return mask;
  }

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges_;
  std::size_t count_ = 0;
};

}  // namespace

void set_in(TokenMask& mask, TokenId token, bool allowed) {
  const auto id = static_cast<std::size_t>(token);
  const std::uint64_t bit = std::uint64_t{1} << (id % 64);
  mask[id / 64] = allowed ? mask[id / 64] | bit : mask[id / 64] & ~bit;
}

TokenMask text_mask(GrammarStates& states, Id state, const TokenTrie& trie) {
  const auto& nodes = trie.nodes();
  Ranges taken;
  std::vector<Id> path(trie.token_bytes_max() + 1, GrammarStates::kDead);
  path[0] = state;
  const auto count = static_cast<std::uint32_t>(trie.node_count());
  for (std::uint32_t i = 0; i < count;) {
    const TokenTrie::Node& node = nodes[i];
    const Id from = path[node.depth - 1U];
    if (node.plain_characters > 0 && node.plain_characters <= states.plain_characters(from)) {
      taken.add(node.first_rank, nodes[node.end].first_rank);
      i = node.end;
      continue;
    }
    const Id to = states.after_byte(from, node.byte);
    if (to == GrammarStates::kDead || to == GrammarStates::kOverflow) {
      i = node.end;
      continue;
    }
    taken.add(node.first_rank, nodes[i + 1].first_rank);  // The tokens that end here.
    path[node.depth] = to;
    ++i;
  }
  TokenMask mask = taken.mask(trie);
  for (const auto& [byte, token] : trie.lone_bytes()) {
    const Id to = states.after_byte(state, byte);
    set_in(mask, token, to != GrammarStates::kDead && to != GrammarStates::kOverflow);
  }
  return mask;
}

}  // namespace facet::engine
