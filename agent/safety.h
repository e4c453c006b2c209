// Judging pictures with ShieldGemma 2: the probability that a picture violates a policy.
#pragma once

#include "agent/pictures.h"
#include "base/result.h"
#include "engine/engine.h"

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::agent {

/// What the model says of one policy. A plain value.
struct SafetyScore {
  float yes_logit = 0.0F;
  float no_logit = 0.0F;
  double probability = 0.0;  ///< Of "Yes, it violates the policy": softmax over the two logits.
};

struct SafetyScores {
  std::vector<SafetyScore> scores;  ///< One per policy, in order.
  std::int64_t prompt_tokens = 0;   ///< Of all prompts.
  std::int64_t cached_tokens = 0;   ///< Of these, tokens that another policy's prompt began with.
};

/// Asks about each of `policies` (texts) whether `picture` violates it. What the prompts have in
/// common, the picture among it, is computed once. invalid_argument for a picture with crops (the
/// model was not trained on them) or no policy; unsupported when the vocabulary lacks "Yes" or
/// "No"; cancelled, and the errors of tokenize_prompt and Sequence::append.
Result<SafetyScores> judge_picture(const engine::Engine& engine,
                                   const Picture& picture,
                                   std::span<const std::string> policies,
                                   const std::stop_token& stop);

}  // namespace facet::agent
