#include "agent/scored_text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace facet::agent {

double log_sum(std::span<const float> logits) {
  const float most = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - most));
  return most + std::log(sum);
}

bool is_no_room(const Error& error) {
  return error.code == Code::cancelled || error.code == Code::limit_exceeded;
}

Result<std::optional<double>> log_probability(const engine::Sequence& sequence,
                                              std::span<const engine::TokenId> ids,
                                              const std::stop_token& stop) {
  std::optional<double> out;
  if (ids.empty()) return out;
  double sum = 0.0;
  std::size_t next = 0;
  const auto add = [&](std::span<const float> logits) -> Status {
    sum += logits[static_cast<std::size_t>(ids[next++])] - log_sum(logits);
    if (std::isnan(sum)) return Error{Code::invalid_data, "the model gives NaN"};
    return ok();
  };
  engine::Sequence scored = sequence.fork();
  FACET_TRY(const auto first, scored.logits());
  FACET_TRY_STATUS(add(first));
  if (const Status status = scored.append_scored(ids.first(ids.size() - 1), add, stop)) {
    out = sum;
  } else if (!is_no_room(status.error())) {
    return status.error();
  }
  return out;
}

}  // namespace facet::agent
