// Sampler: from one row of logits to one token.
#pragma once

#include "base/result.h"
#include "engine/sampling/candidates.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace facet::engine {

/// Order of application (as in the reference implementation): repetition penalty, constraint,
/// temperature, top-k, top-p, min-p, in f32. temperature 0 is greedy: the highest allowed logit,
/// the lowest id among equals.
struct SamplingOptions {
  float temperature = 1.0F;         ///< 0..100; 0 is greedy.
  std::int32_t top_k = 64;          ///< 0: off.
  float top_p = 0.95F;              ///< (0, 1]; 1: off.
  float min_p = 0.0F;               ///< [0, 1); 0: off.
  float repetition_penalty = 1.0F;  ///< > 0; 1: off. Over the last repetition_window tokens.
  std::int32_t repetition_window = 64;
  std::uint64_t seed = 0;
};

/// invalid_argument naming the field and the value when one is out of range or not finite.
Status validate(const SamplingOptions& options);

/// True when a token may come next. Called lazily, best logits first.
using TokenFilter = std::function<bool(TokenId)>;

/// All tokens that may come next at once, bit `id % 64` of word `id / 64`; empty: not known. Asked
/// for only when the best token alone is not enough.
using TokenMaskSource = std::function<std::vector<std::uint64_t>()>;

/// One stream of random choices: the same seed and the same logits give the same tokens.
/// Not thread-safe.
class Sampler {
 public:
  /// REQUIRES: validate(options) succeeded.
  explicit Sampler(const SamplingOptions& options);

  /// The next token. `recent` is the sequence so far (for the repetition penalty). `mask` says
  /// early what `allowed` would say late; a token needs both. invalid_data
  /// when logits hold NaN or none is finite and allowed.
  Result<TokenId> sample(std::span<const float> logits,
                         std::span<const TokenId> recent,
                         const TokenFilter& allowed = {},
                         const TokenMaskSource& mask = {});

  /// How many of the best candidates sample_from needs to be sure; 0: it would need all.
  [[nodiscard]] std::int64_t candidates_wanted() const;

  /// How the next token will be chosen by sample_from, as it stands. REQUIRES: candidates_wanted()
  /// is not 0.
  [[nodiscard]] NextChoice next_choice() const;

  /// The token that sample() takes for the same logits, penalty, mask and filter, from the best of
  /// them: bit for bit the same choice, and the same random number is used up. Nothing, and no
  /// number used, where `row` does not tell: nothing was found, or `allowed` lets through too few
  /// while there may be others. REQUIRES: row.best has room for candidates_wanted(), which is not
  /// 0.
  [[nodiscard]] std::optional<TokenId> sample_from(const CandidateRow& row,
                                                   const TokenFilter& allowed = {});

 private:
  /// One of `kept` (at least one), whose logits are probabilities by now.
  TokenId draw(const std::vector<Candidate>& kept);

  SamplingOptions options_;
  std::uint64_t state_;
  std::vector<Candidate> candidates_;
};

}  // namespace facet::engine
