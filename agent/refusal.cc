#include "agent/refusal.h"

#include "agent/scored_text.h"

#include <cmath>
#include <vector>

namespace facet::agent {

Result<bool> is_refused(const engine::Engine& engine,
                        const engine::Sequence& sequence,
                        std::string_view refusal,
                        std::optional<engine::TokenId> call_trigger,
                        const std::stop_token& stop) {
  constexpr double kCalls = 0.5;
  const double least = engine.info().refusal_min;
  if (least <= 0.0) return false;
  if (call_trigger) {
    FACET_TRY(const auto call, log_probability(sequence, {&*call_trigger, 1}, stop));
    if (!call || *call >= std::log(kCalls)) return false;
  }
  const std::vector<engine::TokenId> ids = engine.tokenizer().encode(refusal);
  FACET_TRY(const auto refused, log_probability(sequence, ids, stop));
  return refused && *refused >= std::log(least);
}

}  // namespace facet::agent
