// Candidates: the best few logits of a row, found where the logits are, so that some hundred bytes
// come to the sampler in place of a megabyte. Sampler::sample_from goes on from there.
#pragma once

#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <span>

namespace facet::engine {

struct Candidate {
  float logit = 0.0F;  ///< After the repetition penalty.
  TokenId id = 0;
  bool operator==(const Candidate&) const = default;
};

/// How a sampler chooses among the candidates of a row, random number included: what a device needs
/// to make the same choice (Sampler::next_choice). Fields as SamplingOptions.
struct NextChoice {
  float temperature = 0.0F;  ///< 0: the best one, and nothing below counts.
  std::int32_t top_k = 0;    ///< At least 1: so many of the best are looked at.
  float top_p = 1.0F;
  float min_p = 0.0F;
  double uniform = 0.0;  ///< The next random number, in [0, 1).
};

/// What a backend finds (Backend::candidate_limits); found_max 0: nothing.
struct CandidateLimits {
  std::int64_t found_max = 0;   ///< Candidates of one row.
  std::int64_t recent_max = 0;  ///< Tokens that the repetition penalty looks at.
};

/// What is wanted of the logits after one token, and what was found. The spans are borrowed for the
/// step.
struct CandidateRow {
  std::int64_t ids_end = 0;  ///< Tokens from here on are never found; at most the vocabulary.
  /// Bit `id % 64` of word `id / 64`: this token may be found, none behind the last word. Empty:
  /// all may.
  std::span<const std::uint64_t> mask;
  float repetition_penalty = 1.0F;  ///< > 0 and finite; as Sampler applies it,
  std::span<const TokenId> recent;  ///< to these tokens; those below 0 are passed over.
  /// Written: the finite logits that the mask lets through, best first, the lowest id among equals,
  /// as many as there is room for. Empty: nothing is wanted.
  std::span<Candidate> best;
  /// Written: how many of `best`. Below 0: nobody looked, or a logit below ids_end is NaN or
  /// +infinity.
  std::int64_t found = -1;
};

}  // namespace facet::engine
