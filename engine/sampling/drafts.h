// Drafts: guesses of what a sequence says next, without a second model.
//
// Answers from documents copy: names, figures, whole sentences. NgramDrafter looks for the place
// where the last few tokens stood before and guesses that they are followed by the same again
// (prompt lookup; Saxena 2023). One pass checks a token and the guesses behind it; what the model
// does not say itself is thrown away, so the output is that without drafts, bit for bit.
#pragma once

#include "engine/tokenizer/tokenizer.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine {

/// Tokens that must stand before as they stand now.
inline constexpr std::size_t kDraftMatchMin = 3;

/// A text that grows, with an index of where its n-grams ended (hash chains, as in a Lempel-Ziv
/// coder): some nanoseconds per token. Not thread-safe.
class NgramDrafter {
 public:
  void append(std::span<const TokenId> ids);

  /// What may follow, at most `tokens_max` of them, none below 0 (images): the continuation of the
  /// longest earlier occurrence of the text's end, the latest among equals; at least kDraftMatchMin
  /// tokens agree. Compares with the latest 16 candidates.
  [[nodiscard]] std::vector<TokenId> draft(std::size_t tokens_max) const;

 private:
  [[nodiscard]] std::size_t bucket(std::size_t end) const;
  void insert(std::size_t end);

  std::vector<TokenId> tokens_;
  std::vector<std::int32_t> latest_;   ///< By bucket: where such an n-gram ended last; -1: nowhere.
  std::vector<std::int32_t> earlier_;  ///< By end: the one before it in its bucket.
};

/// How many guesses are worth checking: more rows make a pass longer, and only those up to the
/// first wrong one count. Learns both from what happens; the choice changes time, never results.
class DraftBudget {
 public:
  explicit DraftBudget(int tokens_max) : tokens_max_(tokens_max) {}

  /// Of the next pass; 0: none. Where guesses do not pay it is 1 once in a while, to find out
  /// whether they do now.
  [[nodiscard]] int next();

  /// A pass with one token and `drafts` guesses took `seconds`.
  void took(int drafts, double seconds);
  /// The first `accepted` of `drafts` guesses were right.
  void resolved(int drafts, int accepted);

 private:
  /// Tokens that a pass with `drafts` guesses gives, for the time of one without.
  [[nodiscard]] double gain(int drafts) const;

  int tokens_max_;
  double single_seconds_ = 0.0;  ///< 0: not known yet.
  double row_cost_ = 0.2;        ///< Of one more row, in passes of one row.
  double acceptance_ = 0.6;      ///< Of a guess whose forerunners were right.
  int passed_over_ = 0;
};

}  // namespace facet::engine
