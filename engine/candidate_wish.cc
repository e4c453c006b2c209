#include "engine/candidate_wish.h"

#include "base/check.h"

#include <algorithm>
#include <memory>

namespace facet::engine {
namespace {

/// A constraint that must come to its end may turn down a few of the best tokens.
constexpr std::int64_t kSpare = 8;

}  // namespace

CandidateWish::CandidateWish(const SamplingOptions& options,
                             std::int64_t wanted,
                             const CandidateLimits& limits,
                             std::int64_t ids_end)
    : ids_end_(ids_end), penalty_(options.repetition_penalty) {
  const bool penalizes = options.repetition_penalty != 1.0F;
  window_ = penalizes ? static_cast<std::size_t>(options.repetition_window) : 0;
  if (options.repetition_window > limits.recent_max && penalizes) return;
  if (wanted < 1 || wanted > limits.found_max) return;
  room_ = wanted;
  // The best one alone costs a backend less than a few.
  if (wanted > 1) spare_ = std::min(kSpare, limits.found_max - wanted);
}

void CandidateWish::add_mask(const Constraint& constraint,
                             std::span<const TokenId> stop_ids,
                             std::size_t row) {
  std::vector<std::uint64_t>& mask = masks_[row];
  mask = constraint.mask();
  if (constraint.is_open()) {
    for (const TokenId id : stop_ids) {
      const auto bit = static_cast<std::size_t>(id);
      if (id >= 0 && bit / 64 < mask.size()) mask[bit / 64] &= ~(std::uint64_t{1} << (bit % 64));
    }
  }
  rows_[row].mask = mask;
}

std::span<CandidateRow> CandidateWish::rows(const StepTokens& tokens,
                                            const Constraint* constraint,
                                            std::span<const TokenId> stop_ids) {
  FACET_CHECK(is_possible());
  const std::size_t count = 1 + tokens.drafts.size();
  const auto room = static_cast<std::size_t>(room_ + (constraint != nullptr ? spare_ : 0));
  const std::size_t from_before = std::min(window_, tokens.before.size());
  recent_.assign(tokens.before.end() - static_cast<std::ptrdiff_t>(from_before),
                 tokens.before.end());
  recent_.insert(recent_.end(), tokens.ids.begin(), tokens.ids.end());
  recent_.insert(recent_.end(), tokens.drafts.begin(), tokens.drafts.end());
  rows_.assign(count, {.ids_end = ids_end_, .repetition_penalty = penalty_});
  found_.resize(count * room);
  masks_.resize(std::max(masks_.size(), count));
  for (std::size_t i = 0; i < count; ++i) {
    const auto seen = std::span<const TokenId>(recent_).first(recent_.size() - count + 1 + i);
    rows_[i].recent = seen.last(std::min(window_, seen.size()));
    rows_[i].best = std::span(found_).subspan(i * room, room);
  }
  if (constraint == nullptr) return rows_;
  add_mask(*constraint, stop_ids, 0);
  std::unique_ptr<Constraint> ahead = count > 1 ? constraint->clone() : nullptr;
  for (std::size_t i = 1; i < count; ++i) {
    if (ahead == nullptr || !ahead->accept(tokens.drafts[i - 1])) {
      ahead = nullptr;
      rows_[i].best = {};
      continue;
    }
    add_mask(*ahead, stop_ids, i);
  }
  return rows_;
}

}  // namespace facet::engine
