// CandidateWish: what a step of a generation asks its backend for in place of logits.
#pragma once

#include "engine/sampling/candidates.h"
#include "engine/sampling/constraint.h"
#include "engine/sampling/sampler.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine {

/// The tokens of a step, in their order. Each part is borrowed for the call.
struct StepTokens {
  std::span<const TokenId> before;  ///< Of the sequence, all.
  std::span<const TokenId> ids;     ///< What is appended,
  std::span<const TokenId> drafts;  ///< and guesses of what follows.
};

/// Owns what its rows point to. Not thread-safe.
class CandidateWish {
 public:
  /// `ids_end`: tokens from here on are never sampled. `wanted`: Sampler::candidates_wanted().
  CandidateWish(const SamplingOptions& options,
                std::int64_t wanted,
                const CandidateLimits& limits,
                std::int64_t ids_end);

  /// False: the sampler needs all logits, or the backend finds too little. Never changes.
  [[nodiscard]] bool is_possible() const { return room_ > 0; }

  /// A row for what comes after the last of `ids` and after each of the drafts, valid until the
  /// next call. `constraint`: its state behind `ids`, may be null; where it is open, `stop_ids` may
  /// not come. Behind a draft that it does not allow nothing is wanted. REQUIRES: is_possible().
  std::span<CandidateRow> rows(const StepTokens& tokens,
                               const Constraint* constraint,
                               std::span<const TokenId> stop_ids);

 private:
  void add_mask(const Constraint& constraint, std::span<const TokenId> stop_ids, std::size_t row);

  std::int64_t ids_end_;
  float penalty_;
  std::size_t window_;  ///< Of the penalty; 0: it does nothing.
  std::int64_t room_ = 0;
  std::int64_t spare_ = 0;  ///< Beyond what is wanted, for what a filter may not let through.
  std::vector<CandidateRow> rows_;
  std::vector<Candidate> found_;
  std::vector<TokenId> recent_;
  std::vector<std::vector<std::uint64_t>> masks_;
};

}  // namespace facet::engine
