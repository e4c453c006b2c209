// Sampler: from one row of logits to one token.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <functional>
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

 private:
  SamplingOptions options_;
  std::uint64_t state_;
  std::vector<std::pair<float, TokenId>> candidates_;
};

}  // namespace facet::engine
