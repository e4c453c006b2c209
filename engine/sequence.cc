#include "engine/engine.h"
#include "engine/kv/snapshot.h"
#include "engine/sequence_state.h"

#include <algorithm>
#include <string>
#include <utility>

namespace facet::engine {
namespace {

/// Logits of this many tokens are held at once: 16 MiB with Gemma's vocabulary.
constexpr std::size_t kScoredChunkTokens = 16;

}  // namespace

SequenceState::SequenceState(std::shared_ptr<const Runtime> runtime)
    : runtime_(std::move(runtime)), cache_(runtime_->config().layers) {}

void SequenceState::run(std::span<const TokenId> ids, bool last) {
  logits_known_ = false;
  if (last) logits_.resize(static_cast<std::size_t>(runtime_->config().vocabulary));
  runtime_->forward().append(ids, cache_, last ? std::span(logits_) : std::span<float>());
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  computed_tokens_ += static_cast<std::int64_t>(ids.size());
  logits_known_ = last;
}

Status SequenceState::check_ids(std::span<const TokenId> ids) const {
  const auto room = static_cast<std::size_t>(runtime_->options().context_tokens_max);
  if (ids.size() > room - tokens_.size()) {
    return Error{Code::limit_exceeded,
                 std::to_string(tokens_.size()) + " tokens and " + std::to_string(ids.size()) +
                     " more do not fit the context of " + std::to_string(room)};
  }
  for (const TokenId id : ids) {
    if (id < 0 || id >= runtime_->config().vocabulary) {
      return Error{Code::invalid_argument,
                   "token id " + std::to_string(id) + " is outside the vocabulary of " +
                       std::to_string(runtime_->config().vocabulary)};
    }
  }
  return ok();
}

Status SequenceState::append(std::span<const TokenId> ids, const std::stop_token& stop) {
  FACET_TRY_STATUS(check_ids(ids));
  const auto chunk = static_cast<std::size_t>(runtime_->options().prefill_chunk_tokens);
  while (!ids.empty()) {
    if (stop.stop_requested()) {
      return Error{Code::cancelled, "stopped with " + std::to_string(ids.size()) + " tokens to go"};
    }
    const std::size_t count = std::min(chunk, ids.size());
    run(ids.first(count), count == ids.size());
    ids = ids.subspan(count);
  }
  return ok();
}

Status SequenceState::append_scored(std::span<const TokenId> ids,
                                    const LogitsSink& sink,
                                    const std::stop_token& stop) {
  FACET_TRY_STATUS(check_ids(ids));
  const auto vocabulary = static_cast<std::size_t>(runtime_->config().vocabulary);
  std::vector<float> rows;
  while (!ids.empty()) {
    if (stop.stop_requested()) {
      return Error{Code::cancelled, "stopped with " + std::to_string(ids.size()) + " tokens to go"};
    }
    const auto chunk = ids.first(std::min(kScoredChunkTokens, ids.size()));
    rows.resize(chunk.size() * vocabulary);
    logits_known_ = false;
    runtime_->forward().append(chunk, cache_, rows);
    tokens_.insert(tokens_.end(), chunk.begin(), chunk.end());
    computed_tokens_ += static_cast<std::int64_t>(chunk.size());
    logits_.assign(rows.end() - static_cast<std::ptrdiff_t>(vocabulary), rows.end());
    logits_known_ = true;
    for (std::size_t t = 0; t < chunk.size(); ++t) {
      FACET_TRY_STATUS(sink(std::span(rows).subspan(t * vocabulary, vocabulary)));
    }
    ids = ids.subspan(chunk.size());
  }
  return ok();
}

std::span<const float> SequenceState::logits() {
  FACET_CHECK(!tokens_.empty());
  if (!logits_known_) {
    const TokenId last = tokens_.back();
    tokens_.pop_back();
    // rewind() keeps one position more than it needs, and appends leave kRewindFreeTokens.
    cache_.truncate(static_cast<std::int64_t>(tokens_.size()));
    run(std::span(&last, 1), true);
  }
  return logits_;
}

std::unique_ptr<SequenceState> SequenceState::fork() const {
  auto copy = std::make_unique<SequenceState>(runtime_);
  copy->cache_ = cache_.fork();
  copy->tokens_ = tokens_;
  copy->logits_ = logits_;
  copy->logits_known_ = logits_known_;
  return copy;
}

Status SequenceState::rewind(std::size_t tokens) {
  if (tokens > tokens_.size()) {
    return Error{Code::invalid_argument,
                 "cannot rewind to token " + std::to_string(tokens) + " of " +
                     std::to_string(tokens_.size())};
  }
  if (tokens == tokens_.size()) return ok();
  logits_known_ = false;
  const auto size = static_cast<std::int64_t>(tokens);
  if (cache_.can_truncate(std::max<std::int64_t>(0, size - 1))) {
    cache_.truncate(size);
    tokens_.resize(tokens);
    return ok();
  }
  // The hidden states that would refill the windows depend, through the layers below, on ever
  // earlier tokens: only starting over gives the same bits.
  const std::vector<TokenId> prefix(tokens_.begin(),
                                    tokens_.begin() + static_cast<std::ptrdiff_t>(tokens));
  cache_.clear();
  tokens_.clear();
  return append(prefix, {});
}

Status SequenceState::save(const std::filesystem::path& path) {
  const std::span<const float> known = tokens_.empty() ? std::span<const float>() : logits();
  return save_snapshot(path, runtime_->identity(), tokens_, known, computed_tokens_, cache_);
}

Result<std::unique_ptr<SequenceState>> SequenceState::restore(
    std::shared_ptr<const Runtime> runtime, const std::filesystem::path& path) {
  const SnapshotModel model{.identity = runtime->identity(),
                            .layers = runtime->config().layers,
                            .vocabulary = runtime->config().vocabulary,
                            .context_tokens_max = runtime->options().context_tokens_max};
  FACET_TRY(Snapshot snapshot, load_snapshot(path, model));
  auto state = std::make_unique<SequenceState>(std::move(runtime));
  state->cache_ = std::move(snapshot.cache);
  state->tokens_ = std::move(snapshot.tokens);
  state->logits_ = std::move(snapshot.logits);
  state->logits_known_ = !state->tokens_.empty();
  state->computed_tokens_ = snapshot.computed_tokens;
  return state;
}

Sequence::Sequence(std::unique_ptr<SequenceState> state) : state_(std::move(state)) {}
Sequence::Sequence(Sequence&&) noexcept = default;
Sequence& Sequence::operator=(Sequence&&) noexcept = default;
Sequence::~Sequence() = default;

Status Sequence::append(std::span<const TokenId> ids, std::stop_token stop) {
  return state_->append(ids, stop);
}

Status Sequence::append_scored(std::span<const TokenId> ids,
                               const LogitsSink& sink,
                               std::stop_token stop) {
  return state_->append_scored(ids, sink, stop);
}

std::span<const float> Sequence::logits() const {
  return state_->logits();
}

Sequence Sequence::fork() const {
  return Sequence(state_->fork());
}

Status Sequence::rewind(std::size_t tokens) {
  return state_->rewind(tokens);
}

Status Sequence::save(const std::filesystem::path& path) const {
  return state_->save(path);
}

std::span<const TokenId> Sequence::tokens() const {
  return state_->tokens();
}

std::int64_t Sequence::computed_tokens() const {
  return state_->computed_tokens();
}

}  // namespace facet::engine
