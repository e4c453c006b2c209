#include "engine/sampling/drafts.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace facet::engine {
namespace {

/// Earlier occurrences that are compared, latest first, and the length that is long enough.
constexpr int kCandidatesMax = 16;
constexpr std::size_t kMatchMax = 32;

constexpr std::size_t kBucketsMin = 1024;

/// Once in so many chances a guess is checked although they did not pay lately.
constexpr int kRetry = 24;

/// Guesses that the estimate of acceptance remembers, and the weight of a new time.
constexpr double kMemory = 8.0;
constexpr double kTimeWeight = 0.25;

/// How many tokens before `a` and before `b` agree.
std::size_t common_suffix(std::span<const TokenId> tokens, std::size_t a, std::size_t b) {
  std::size_t length = 0;
  while (length < kMatchMax && length < a && tokens[a - 1 - length] == tokens[b - 1 - length]) {
    ++length;
  }
  return length;
}

}  // namespace

std::size_t NgramDrafter::bucket(std::size_t end) const {
  std::uint64_t hash = 0;
  for (std::size_t i = end - kDraftMatchMin; i < end; ++i) {
    hash = (hash ^ static_cast<std::uint32_t>(tokens_[i])) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29U;
  }
  return static_cast<std::size_t>(hash) & (latest_.size() - 1);
}

void NgramDrafter::insert(std::size_t end) {
  std::int32_t& latest = latest_[bucket(end)];
  earlier_[end] = latest;
  latest = static_cast<std::int32_t>(end);
}

void NgramDrafter::append(std::span<const TokenId> ids) {
  // The end of the text itself is not an earlier occurrence: it is entered when more follows.
  const std::size_t known = std::max(tokens_.size(), kDraftMatchMin);
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  earlier_.resize(tokens_.size(), -1);
  std::size_t from = known;
  if (latest_.size() < 2 * tokens_.size()) {
    latest_.assign(std::bit_ceil(std::max(kBucketsMin, 4 * tokens_.size())), -1);
    from = kDraftMatchMin;
  }
  for (std::size_t end = from; end < tokens_.size(); ++end) insert(end);
}

std::vector<TokenId> NgramDrafter::draft(std::size_t tokens_max) const {
  if (tokens_.size() < kDraftMatchMin || tokens_max == 0) return {};
  std::size_t best = 0;
  std::size_t best_length = kDraftMatchMin - 1;
  std::int32_t at = latest_[bucket(tokens_.size())];
  for (int i = 0; i < kCandidatesMax && at >= 0; ++i) {
    const auto end = static_cast<std::size_t>(at);
    const std::size_t length = common_suffix(tokens_, end, tokens_.size());
    if (length > best_length) {
      best_length = length;
      best = end;
    }
    at = earlier_[end];
  }
  if (best_length < kDraftMatchMin) return {};
  // A text that repeats itself goes on doing so: what is drafted may itself be copied from.
  std::vector<TokenId> out;
  while (out.size() < tokens_max) {
    const std::size_t from = best + out.size();
    const TokenId id = from < tokens_.size() ? tokens_[from] : out[from - tokens_.size()];
    if (id < 0) break;
    out.push_back(id);
  }
  return out;
}

double DraftBudget::gain(int drafts) const {
  double tokens = 1.0;
  for (int i = 1; i <= drafts; ++i) tokens += std::pow(acceptance_, i);
  return tokens / (1.0 + row_cost_ * drafts);
}

int DraftBudget::next() {
  if (tokens_max_ <= 0 || single_seconds_ == 0.0) return 0;
  int best = 0;
  for (int drafts = 1; drafts <= tokens_max_; ++drafts) {
    if (gain(drafts) > gain(best)) best = drafts;
  }
  if (best == 0 && ++passed_over_ >= kRetry) best = 1;
  if (best > 0) passed_over_ = 0;
  return best;
}

void DraftBudget::took(int drafts, double seconds) {
  if (drafts == 0) {
    const double known = single_seconds_ == 0.0 ? seconds : single_seconds_;
    single_seconds_ = known + kTimeWeight * (seconds - known);
  } else if (single_seconds_ > 0.0) {
    const double more = std::max(0.0, seconds / single_seconds_ - 1.0) / drafts;
    row_cost_ += kTimeWeight * (std::min(more, 1.0) - row_cost_);
  }
}

void DraftBudget::resolved(int drafts, int accepted) {
  const double tried = accepted + (accepted < drafts ? 1 : 0);
  acceptance_ = (acceptance_ * kMemory + accepted) / (kMemory + tried);
}

}  // namespace facet::engine
