#include "engine/sampling/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>

namespace facet::engine {
namespace {

/// True when `a` comes after `b` in the order best logit first, lowest id among equals: the heap
/// functions then keep the best candidate in front.
bool is_worse(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit < b.logit : a.id > b.id;
}

Error out_of_range(const char* field, double value, const char* range) {
  return {
      Code::invalid_argument,
      std::string("sampling: ") + field + " is " + std::to_string(value) + ", expected " + range};
}

/// SplitMix64 (Steele, Lea and Flood 2014): 64 random bits per step from any seed.
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

/// Uniform in [0, 1), 53 bits.
double uniform(std::uint64_t& state) {
  return static_cast<double>(next_random(state) >> 11U) * 0x1p-53;
}

void penalize(std::vector<Candidate>& candidates,
              std::span<const TokenId> recent,
              const SamplingOptions& options) {
  const auto window = static_cast<std::size_t>(options.repetition_window);
  const auto tail = recent.subspan(recent.size() - std::min(recent.size(), window));
  const std::unordered_set<TokenId> seen(tail.begin(), tail.end());
  for (auto& [logit, id] : candidates) {
    if (!seen.contains(id)) continue;
    logit = logit > 0.0F ? logit / options.repetition_penalty : logit * options.repetition_penalty;
    // An extreme penalty must not overflow: infinities would turn the probabilities into NaN.
    constexpr float kLargest = std::numeric_limits<float>::max();
    logit = std::clamp(logit, -kLargest, kLargest);
  }
}

/// Whether no logit is NaN or plus infinity. One comparison each, so that it is done in vectors.
bool are_usable(std::span<const float> logits) {
  bool usable = true;
  for (const float logit : logits) usable &= logit < HUGE_VALF;
  return usable;
}

Error unusable(std::span<const float> logits) {
  std::size_t i = 0;
  while (logits[i] < HUGE_VALF) ++i;
  return {Code::invalid_data,
          "logit of token " + std::to_string(i) + " is " + std::to_string(logits[i])};
}

/// The best logit that is finite, the lowest id among equals; nothing when none is.
std::optional<TokenId> best_of(std::span<const float> logits) {
  const auto best = std::max_element(logits.begin(), logits.end());
  if (best == logits.end() || !std::isfinite(*best)) return std::nullopt;
  return static_cast<TokenId>(best - logits.begin());
}

/// The finite logits of the tokens in `mask`; of all where it is empty.
void collect(std::span<const float> logits,
             const std::vector<std::uint64_t>& mask,
             std::vector<Candidate>& out) {
  out.clear();
  const auto add = [&](std::size_t id) {
    if (std::isfinite(logits[id])) out.push_back({logits[id], static_cast<TokenId>(id)});
  };
  if (mask.empty()) {
    for (std::size_t id = 0; id < logits.size(); ++id) add(id);
    return;
  }
  for (std::size_t word = 0; word < mask.size(); ++word) {
    for (std::uint64_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      const std::size_t id = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      if (id < logits.size()) add(id);
    }
  }
}

/// The best `count` candidates that `allowed` lets through, best first, tested lazily.
std::vector<Candidate> best_allowed(std::vector<Candidate>& candidates,
                                    std::size_t count,
                                    const TokenFilter& allowed) {
  std::vector<Candidate> out;
  // Without a filter, or when its answer is yes, this one pass is all that greedy needs.
  const auto best = std::max_element(candidates.begin(), candidates.end(), is_worse);
  if (count == 1 && best != candidates.end() && (!allowed || allowed(best->id))) return {*best};
  std::make_heap(candidates.begin(), candidates.end(), is_worse);
  auto end = candidates.end();
  while (out.size() < count && end != candidates.begin()) {
    std::pop_heap(candidates.begin(), end, is_worse);
    --end;
    if (!allowed || allowed(end->id)) out.push_back(*end);
  }
  return out;
}

/// Without top-k, what to_probabilities would keep of the sorted candidates, as probabilities: best
/// first, or in the order of `candidates` where top-p is off. Nothing is sorted that is not kept:
/// of 262,144 tokens that costs most of a step.
std::vector<Candidate> probabilities_of_all(std::vector<Candidate>& candidates,
                                            const TokenFilter& allowed,
                                            const SamplingOptions& options) {
  if (allowed) std::erase_if(candidates, [&](const Candidate& c) { return !allowed(c.id); });
  if (candidates.empty()) return {};
  const float top = std::max_element(candidates.begin(), candidates.end(), is_worse)->logit;
  const auto weight = [&](const Candidate& c) {
    return std::exp((c.logit - top) / options.temperature);  // Of the best one: 1.
  };
  double total = 0.0;
  for (const Candidate& c : candidates) total += static_cast<double>(weight(c));
  const auto probability = [&](const Candidate& c) {
    return static_cast<float>(static_cast<double>(weight(c)) / total);
  };
  std::vector<Candidate> kept;
  if (options.top_p >= 1.0F) {
    for (const Candidate& c : candidates) {
      if (weight(c) >= options.min_p) kept.push_back({probability(c), c.id});
    }
    return kept;
  }
  std::make_heap(candidates.begin(), candidates.end(), is_worse);
  float before = 0.0F;
  for (auto end = candidates.end(); end != candidates.begin() && before < options.top_p;) {
    std::pop_heap(candidates.begin(), end, is_worse);
    --end;
    if (weight(*end) < options.min_p) break;
    kept.push_back({probability(*end), end->id});
    before += kept.back().logit;
  }
  return kept;
}

/// Replaces logits (best first) by probabilities, and drops what top-p and min-p drop.
void to_probabilities(std::vector<Candidate>& kept, const SamplingOptions& options) {
  const float top = kept.front().logit;
  float total = 0.0F;
  for (auto& [value, id] : kept) {
    value = std::exp((value - top) / options.temperature);
    total += value;
  }
  for (auto& [value, id] : kept) value /= total;
  // A token stays while the probability before it is below top_p: the best one always does.
  float before = 0.0F;
  std::size_t count = 0;
  while (count < kept.size() && (options.top_p >= 1.0F || before < options.top_p)) {
    before += kept[count++].logit;
  }
  kept.resize(count);
  const float floor = options.min_p * kept.front().logit;
  while (kept.back().logit < floor) kept.pop_back();
}

}  // namespace

Status validate(const SamplingOptions& options) {
  // Written so that NaN fails every check.
  if (!(options.temperature >= 0.0F && options.temperature <= 100.0F)) {
    return out_of_range("temperature", static_cast<double>(options.temperature), "0 to 100");
  }
  if (options.top_k < 0) return out_of_range("top_k", options.top_k, "0 or more");
  if (!(options.top_p > 0.0F && options.top_p <= 1.0F)) {
    return out_of_range("top_p", static_cast<double>(options.top_p), "above 0, at most 1");
  }
  if (!(options.min_p >= 0.0F && options.min_p < 1.0F)) {
    return out_of_range("min_p", static_cast<double>(options.min_p), "0 or more, below 1");
  }
  if (!(options.repetition_penalty > 0.0F && std::isfinite(options.repetition_penalty))) {
    return out_of_range("repetition_penalty",
                        static_cast<double>(options.repetition_penalty),
                        "above 0 and finite");
  }
  if (options.repetition_window < 0) {
    return out_of_range("repetition_window", options.repetition_window, "0 or more");
  }
  return ok();
}

Sampler::Sampler(const SamplingOptions& options) : options_(options), state_(options.seed) {}

Result<TokenId> Sampler::sample(std::span<const float> logits,
                                std::span<const TokenId> recent,
                                const TokenFilter& allowed,
                                const TokenMaskSource& mask) {
  if (!are_usable(logits)) return unusable(logits);
  const bool greedy = options_.temperature == 0.0F;
  const bool penalizes = options_.repetition_penalty != 1.0F;
  if (greedy && allowed) {
    // Most often the best token is allowed, and nothing else needs to be looked at.
    std::optional<TokenId> best = best_of(logits);
    if (best && penalizes) {
      collect(logits, {}, candidates_);
      penalize(candidates_, recent, options_);
      best = std::max_element(candidates_.begin(), candidates_.end(), is_worse)->id;
    }
    if (best && allowed(*best)) return *best;
  }
  collect(logits, mask ? mask() : std::vector<std::uint64_t>(), candidates_);
  if (penalizes) penalize(candidates_, recent, options_);
  std::vector<Candidate> kept;
  if (greedy || options_.top_k > 0) {
    const std::size_t count = greedy ? 1 : static_cast<std::size_t>(options_.top_k);
    kept = best_allowed(candidates_, count, allowed);
    if (!greedy && !kept.empty()) to_probabilities(kept, options_);
  } else {
    kept = probabilities_of_all(candidates_, allowed, options_);
  }
  if (kept.empty()) {
    return Error{Code::invalid_data,
                 "none of " + std::to_string(logits.size()) + " tokens is finite and allowed"};
  }
  return greedy ? kept.front().id : draw(kept);
}

std::int64_t Sampler::candidates_wanted() const {
  return options_.temperature == 0.0F ? 1 : options_.top_k;
}

NextChoice Sampler::next_choice() const {
  std::uint64_t state = state_;
  return {.temperature = options_.temperature,
          .top_k = static_cast<std::int32_t>(candidates_wanted()),
          .top_p = options_.top_p,
          .min_p = options_.min_p,
          .uniform = uniform(state)};
}

std::optional<TokenId> Sampler::sample_from(const CandidateRow& row, const TokenFilter& allowed) {
  const auto wanted = static_cast<std::size_t>(candidates_wanted());
  if (row.found < 0) return std::nullopt;
  std::vector<Candidate> kept;
  for (const Candidate& candidate : row.best.first(static_cast<std::size_t>(row.found))) {
    if (kept.size() == wanted) break;
    if (!allowed || allowed(candidate.id)) kept.push_back(candidate);
  }
  const bool may_be_more = row.found == std::ssize(row.best);
  if (kept.empty() || (kept.size() < wanted && may_be_more)) return std::nullopt;
  if (options_.temperature == 0.0F) return kept.front().id;
  to_probabilities(kept, options_);
  return draw(kept);
}

TokenId Sampler::draw(const std::vector<Candidate>& kept) {
  double total = 0.0;
  for (const Candidate& candidate : kept) total += static_cast<double>(candidate.logit);
  double left = uniform(state_) * total;
  for (const Candidate& candidate : kept) {
    left -= static_cast<double>(candidate.logit);
    if (left < 0.0) return candidate.id;
  }
  return kept.back().id;  // Rounding may leave a trace of `left` behind the last one.
}

}  // namespace facet::engine
