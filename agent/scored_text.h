// The probability of a text that a model did not write.
#pragma once

#include "base/result.h"
#include "engine/engine.h"

#include <optional>
#include <span>
#include <stop_token>

namespace facet::agent {

/// The logarithm of what the exponentials of `logits` sum to. REQUIRES: !logits.empty().
double log_sum(std::span<const float> logits);

/// Stopped, or no room or no memory is left for another sequence: what is asked beside an output
/// may be left out then.
bool is_no_room(const Error& error);

/// The logarithm of the probability of `ids` behind `sequence`, of all that the model could say;
/// nullopt where ids are empty or is_no_room(). invalid_data where the model gives NaN, unavailable
/// when its device failed.
Result<std::optional<double>> log_probability(const engine::Sequence& sequence,
                                              std::span<const engine::TokenId> ids,
                                              const std::stop_token& stop);

}  // namespace facet::agent
