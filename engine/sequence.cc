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
    : runtime_(std::move(runtime)),
      cache_(runtime_->config().layers,
             runtime_->options().kv_type,
             runtime_->backend().page_memory()) {}

Status SequenceState::run(std::span<const TokenId> ids, bool last) {
  logits_known_ = false;
  if (last) logits_.resize(static_cast<std::size_t>(runtime_->config().vocabulary));
  FACET_TRY_STATUS(runtime_->scheduler().run(
      {.cache = &cache_, .ids = ids, .logits = last ? std::span(logits_) : std::span<float>()}));
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  computed_tokens_ += static_cast<std::int64_t>(ids.size());
  logits_known_ = last;
  return ok();
}

Status SequenceState::run_image(const std::shared_ptr<const SoftTokens>& image) {
  logits_known_ = false;
  logits_.resize(static_cast<std::size_t>(runtime_->config().vocabulary));
  FACET_TRY_STATUS(runtime_->scheduler().run(
      {.cache = &cache_, .image_rows = image->values, .logits = logits_}));
  images_.push_back({.first = static_cast<std::int64_t>(tokens_.size()), .image = image});
  tokens_.insert(tokens_.end(), image->ids.begin(), image->ids.end());
  computed_tokens_ += image->count;
  logits_known_ = true;
  return ok();
}

Status SequenceState::check_ids(std::span<const TokenId> ids) const {
  const auto room = static_cast<std::size_t>(runtime_->options().context_tokens_max);
  if (ids.size() > room - tokens_.size()) {
    return Error{Code::limit_exceeded,
                 std::to_string(tokens_.size()) + " tokens and " + std::to_string(ids.size()) +
                     " more do not fit the context of " + std::to_string(room)};
  }
  for (const TokenId id : ids) {
    if (id >= runtime_->config().vocabulary) {
      return Error{Code::invalid_argument,
                   "token id " + std::to_string(id) + " is outside the vocabulary of " +
                       std::to_string(runtime_->config().vocabulary)};
    }
  }
  return ok();
}

Status SequenceState::append(std::span<const TokenId> ids, const AppendOptions& options) {
  drop_drafts();
  FACET_TRY_STATUS(check_ids(ids));
  FACET_TRY(const auto spans, find_images(ids, options.images, runtime_->config().hidden));
  std::vector<std::size_t> kept(options.boundaries.begin(), options.boundaries.end());
  const auto before = static_cast<std::int64_t>(tokens_.size());
  if (branch_ > before) kept.push_back(static_cast<std::size_t>(branch_ - before));
  std::sort(kept.begin(), kept.end());

  const auto chunk = static_cast<std::size_t>(runtime_->options().prefill_chunk_tokens);
  auto image = spans.begin();
  auto keep = kept.begin();
  for (std::size_t at = 0; at < ids.size();) {
    if (options.stop.stop_requested()) {
      return Error{Code::cancelled,
                   "stopped with " + std::to_string(ids.size() - at) + " tokens to go"};
    }
    keep = std::upper_bound(keep, kept.end(), at);
    const std::size_t text_end =
        image == spans.end() ? ids.size() : static_cast<std::size_t>(image->first);
    if (at == text_end) {
      FACET_TRY_STATUS(run_image(image->image));
      at += image->image->ids.size();
      ++image;
    } else {
      std::size_t end = std::min(at + chunk, text_end);
      if (keep != kept.end()) end = std::min(end, *keep);
      FACET_TRY_STATUS(run(ids.subspan(at, end - at), end == ids.size()));
      at = end;
    }
    if (std::binary_search(keep, kept.end(), at)) remember();
  }
  return ok();
}

Status SequenceState::append_scored(std::span<const TokenId> ids,
                                    const AppendOptions& options,
                                    const LogitsSink& sink) {
  FACET_TRY_STATUS(check_ids(ids));
  FACET_TRY(const auto spans, find_images(ids, options.images, runtime_->config().hidden));
  const auto vocabulary = static_cast<std::size_t>(runtime_->config().vocabulary);
  auto next = spans.begin();
  std::vector<float> rows;
  for (std::size_t at = 0; at < ids.size();) {
    if (options.stop.stop_requested()) {
      return Error{Code::cancelled,
                   "stopped with " + std::to_string(ids.size() - at) + " tokens to go"};
    }
    const std::size_t image =
        next == spans.end() ? ids.size() : static_cast<std::size_t>(next->first);
    const bool is_image = at == image;
    const std::size_t count =
        is_image ? next->image->ids.size() : std::min(kScoredChunkTokens, image - at);
    rows.resize(count * vocabulary);
    logits_known_ = false;
    const auto chunk = ids.subspan(at, count);
    StepItem item{.cache = &cache_, .logits = rows};
    if (is_image) {
      item.image_rows = next->image->values;
    } else {
      item.ids = chunk;
    }
    FACET_TRY_STATUS(runtime_->scheduler().run(item));
    if (is_image) {
      images_.push_back({.first = static_cast<std::int64_t>(tokens_.size()), .image = next->image});
      ++next;
    }
    tokens_.insert(tokens_.end(), chunk.begin(), chunk.end());
    computed_tokens_ += static_cast<std::int64_t>(count);
    logits_.assign(rows.end() - static_cast<std::ptrdiff_t>(vocabulary), rows.end());
    logits_known_ = true;
    for (std::size_t t = 0; t < count; ++t) {
      FACET_TRY_STATUS(sink(std::span(rows).subspan(t * vocabulary, vocabulary)));
    }
    at += count;
  }
  return ok();
}

std::size_t SequenceState::confirm(std::span<const TokenId> ids) {
  std::size_t count = 0;
  while (count < ids.size() && !drafts_.empty() && drafts_.front() == ids[count]) {
    tokens_.push_back(ids[count++]);
    drafts_.pop_front();
    ++row_;
  }
  return count;
}

Status SequenceState::extend(std::span<const TokenId> ids,
                             std::span<const TokenId> drafts,
                             std::span<CandidateRow> candidates,
                             const std::optional<NextChoice>& next) {
  FACET_CHECK(!ids.empty() && std::ssize(drafts) < kRewindFreeTokens);
  FACET_CHECK(candidates.empty() || candidates.size() == 1 + drafts.size());
  forget_drafts();
  if (std::ssize(ids) > runtime_->options().prefill_chunk_tokens) return append(ids, {});
  FACET_TRY_STATUS(check_ids(ids));
  // Logits come for the last row or for all: not worth it behind many certain ids.
  if (ids.size() > 1) drafts = {};
  const auto room = static_cast<std::size_t>(runtime_->options().context_tokens_max);
  drafts = drafts.first(std::min(drafts.size(), room - tokens_.size() - ids.size()));
  std::vector<TokenId> all(ids.begin(), ids.end());
  all.insert(all.end(), drafts.begin(), drafts.end());
  logits_known_ = false;
  StepItem item{.cache = &cache_, .ids = all};
  if (candidates.empty()) {
    const std::size_t floats =
        (1 + drafts.size()) * static_cast<std::size_t>(runtime_->config().vocabulary);
    if (rows_.size() < floats) rows_.resize(floats);
    item.logits = std::span(rows_).first(floats);
  } else {
    item.candidates = candidates.first(1 + drafts.size());
    if (all.size() == 1) item.next = next;
  }
  FACET_TRY_STATUS(runtime_->scheduler().run(item));
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  drafts_.assign(drafts.begin(), drafts.end());
  row_ = 0;
  rows_known_ = candidates.empty();
  logits_known_ = candidates.empty();
  computed_tokens_ += std::ssize(all);
  return ok();
}

Result<TokenId> SequenceState::append_greedily(TokenId id, const std::stop_token& stop) {
  const std::span ids(&id, 1);
  Sampler sampler({.temperature = 0.0F});
  if (runtime_->backend().candidate_limits().found_max > 0) {
    if (stop.stop_requested()) return Error{Code::cancelled, "stopped with 1 tokens to go"};
    Candidate best;
    CandidateRow row{.ids_end = runtime_->config().vocabulary, .best = std::span(&best, 1)};
    FACET_TRY_STATUS(extend(ids, {}, std::span(&row, 1), sampler.next_choice()));
    if (const auto token = sampler.sample_from(row)) return *token;
  } else {
    FACET_TRY_STATUS(append(ids, {.stop = stop}));
  }
  FACET_TRY(const std::span<const float> found, logits());
  return sampler.sample(found, tokens());
}

std::span<const float> SequenceState::known_logits() const {
  if (!rows_known_) return logits_;
  const auto vocabulary = static_cast<std::size_t>(runtime_->config().vocabulary);
  return std::span(rows_).subspan(row_ * vocabulary, vocabulary);
}

void SequenceState::forget_drafts() {
  if (!drafts_.empty()) cache_.truncate(std::ssize(tokens_));
  drafts_.clear();
  rows_known_ = false;
}

void SequenceState::drop_drafts() {
  if (rows_known_) {
    const std::span<const float> row = known_logits();
    logits_.assign(row.begin(), row.end());
  }
  forget_drafts();
  rows_ = {};
}

const ImageSpan* SequenceState::image_at(std::int64_t at) const {
  for (const ImageSpan& span : images_) {
    if (at >= span.first && at < span.end()) return &span;
  }
  return nullptr;
}

std::int64_t SequenceState::unit_begin(std::int64_t size) const {
  const ImageSpan* image = image_at(size - 1);
  return image == nullptr ? std::max<std::int64_t>(0, size - 1) : image->first;
}

void SequenceState::drop_from(std::int64_t size) {
  tokens_.resize(static_cast<std::size_t>(size));
  std::erase_if(images_, [size](const ImageSpan& span) { return span.first >= size; });
}

Result<std::span<const float>> SequenceState::logits() {
  FACET_CHECK(!tokens_.empty());
  if (!logits_known_) {
    forget_drafts();
    const auto size = static_cast<std::int64_t>(tokens_.size());
    const TokenId last = tokens_.back();
    const ImageSpan* span = image_at(size - 1);
    const auto image = span == nullptr ? nullptr : span->image;
    // rewind() keeps the last unit's window, and appends leave kRewindFreeTokens: an append that
    // ends in an image knows its logits.
    const std::int64_t begin = unit_begin(size);
    drop_from(begin);
    cache_.truncate(begin);
    Status done = image == nullptr ? run(std::span(&last, 1), true) : run_image(image);
    if (!done) return done.error();
  }
  return known_logits();
}

std::unique_ptr<SequenceState> SequenceState::fork() const {
  auto copy = std::make_unique<SequenceState>(runtime_);
  copy->cache_ = cache_.fork();
  copy->tokens_ = tokens_;
  copy->images_ = images_;
  copy->logits_ = logits_;
  copy->logits_known_ = logits_known_;
  copy->branch_ = branch_;
  return copy;
}

Status SequenceState::rewind(std::size_t tokens) {
  if (tokens > tokens_.size()) {
    return Error{Code::invalid_argument,
                 "cannot rewind to token " + std::to_string(tokens) + " of " +
                     std::to_string(tokens_.size())};
  }
  if (tokens == tokens_.size()) return ok();
  const auto size = static_cast<std::int64_t>(tokens);
  const ImageSpan* cut = image_at(size);
  if (cut != nullptr && cut->first != size) {
    return Error{Code::invalid_argument,
                 "cannot rewind to token " + std::to_string(tokens) + ", inside the image at " +
                     std::to_string(cut->first) + " to " + std::to_string(cut->end())};
  }
  logits_known_ = false;
  if (cache_.can_truncate(unit_begin(size))) {
    cache_.truncate(size);
    drop_from(size);
    return ok();
  }
  // The hidden states that would refill the windows depend, through the layers below, on ever
  // earlier tokens: only going on from a place whose windows are remembered gives the same bits.
  drop_from(size);
  const std::vector<TokenId> prefix = std::exchange(tokens_, {});
  std::vector<std::shared_ptr<const SoftTokens>> images;
  for (ImageSpan& span : std::exchange(images_, {})) images.push_back(std::move(span.image));
  cache_.clear();
  const std::size_t known = recall(prefix);
  branch_ = 0;
  const std::span rest = std::span(prefix).subspan(known);
  return append(rest, {.images = std::span(images).subspan(images_.size())});
}

std::size_t SequenceState::recall(std::span<const TokenId> ids) {
  FACET_CHECK(tokens_.empty());
  PrefixTree::Found found = runtime_->prefixes().find(ids);
  branch_ = found.shared;
  if (!found.point) return 0;
  cache_ = std::move(found.point->cache);
  tokens_.assign(ids.begin(), ids.begin() + found.point->tokens);
  images_ = std::move(found.point->images);
  logits_ = std::move(found.point->logits);
  logits_known_ = !logits_.empty();
  return tokens_.size();
}

void SequenceState::remember() {
  PrefixTree& prefixes = runtime_->prefixes();
  if (runtime_->options().prefix_bytes_max == 0 || tokens_.empty()) return;
  if (prefixes.touch(tokens_)) return;
  prefixes.insert(tokens_,
                  {.tokens = static_cast<std::int64_t>(tokens_.size()),
                   .cache = cache_.fork(),
                   .images = images_,
                   .logits = logits_known_ ? logits_ : std::vector<float>()});
}

Status SequenceState::save(const std::filesystem::path& path, std::string_view format) {
  std::span<const float> known;
  if (!tokens_.empty()) {
    FACET_TRY(known, logits());
  }
  std::vector<std::shared_ptr<const SoftTokens>> images;
  for (const ImageSpan& span : images_) images.push_back(span.image);
  const std::string identity = runtime_->cache_identity();
  return save_snapshot(path,
                       {.identity = identity,
                        .format = format,
                        .tokens = tokens_,
                        .images = images,
                        .logits = known,
                        .computed_tokens = computed_tokens_,
                        .cache = cache_});
}

Result<std::unique_ptr<SequenceState>> SequenceState::restore(
    std::shared_ptr<const Runtime> runtime,
    const std::filesystem::path& path,
    std::string_view format) {
  const std::string identity = runtime->cache_identity();
  const SnapshotModel model{.identity = identity,
                            .format = format,
                            .layers = runtime->config().layers,
                            .hidden = runtime->config().hidden,
                            .vocabulary = runtime->config().vocabulary,
                            .context_tokens_max = runtime->options().context_tokens_max,
                            .kv_type = runtime->options().kv_type,
                            .memory = runtime->backend().page_memory()};
  FACET_TRY(Snapshot snapshot, load_snapshot(path, model));
  auto state = std::make_unique<SequenceState>(std::move(runtime));
  state->cache_ = std::move(snapshot.cache);
  state->tokens_ = std::move(snapshot.tokens);
  state->images_ = std::move(snapshot.images);
  state->logits_ = std::move(snapshot.logits);
  state->logits_known_ = !state->tokens_.empty();
  state->computed_tokens_ = snapshot.computed_tokens;
  return state;
}

Sequence::Sequence(std::unique_ptr<SequenceState> state) : state_(std::move(state)) {}
Sequence::Sequence(Sequence&&) noexcept = default;
Sequence& Sequence::operator=(Sequence&&) noexcept = default;
Sequence::~Sequence() = default;

Status Sequence::append(std::span<const TokenId> ids, const std::stop_token& stop) {
  return state_->append(ids, {.stop = stop});
}

Result<TokenId> Sequence::append_greedily(TokenId id, const std::stop_token& stop) {
  return state_->append_greedily(id, stop);
}

Status Sequence::append(std::span<const TokenId> ids, const AppendOptions& options) {
  return state_->append(ids, options);
}

std::size_t Sequence::recall(std::span<const TokenId> ids) {
  return state_->recall(ids);
}

void Sequence::remember() {
  state_->remember();
}

Status Sequence::append_scored(std::span<const TokenId> ids,
                               const LogitsSink& sink,
                               const std::stop_token& stop) {
  return state_->append_scored(ids, {.stop = stop}, sink);
}

Status Sequence::append_scored(std::span<const TokenId> ids,
                               const AppendOptions& options,
                               const LogitsSink& sink) {
  return state_->append_scored(ids, options, sink);
}

Result<std::span<const float>> Sequence::logits() const {
  return state_->logits();
}

Sequence Sequence::fork() const {
  return Sequence(state_->fork());
}

Status Sequence::rewind(std::size_t tokens) {
  return state_->rewind(tokens);
}

Status Sequence::save(const std::filesystem::path& path, std::string_view format) const {
  return state_->save(path, format);
}

std::span<const TokenId> Sequence::tokens() const {
  return state_->tokens();
}

std::int64_t Sequence::computed_tokens() const {
  return state_->computed_tokens();
}

}  // namespace facet::engine
