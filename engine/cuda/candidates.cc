#include "engine/cuda/candidates.h"

#include "base/check.h"

#include <algorithm>
#include <cstring>

namespace facet::engine::cuda {
namespace {

Result<PinnedBuffer> pinned(std::int64_t bytes) {
  // An embedder has no vocabulary to choose from; nobody allocates nothing.
  return PinnedBuffer::allocate(static_cast<std::size_t>(std::max<std::int64_t>(bytes, 8)));
}

}  // namespace

Result<CandidateTables> CandidateTables::create(const WorkspaceLayout& layout, std::byte* base) {
  const CandidatePlaces& places = layout.candidates;
  CandidateTables out(layout, base);
  out.mask_words_ = mask_words(layout.shape.vocabulary);
  out.known_.assign(static_cast<std::size_t>(layout.shape.batch_rows), false);
  FACET_TRY(out.wishes_, pinned(places.recent.offset + places.recent.bytes - places.wishes.offset));
  FACET_TRY(out.masks_, pinned(places.masks.bytes));
  FACET_TRY(out.found_, pinned(places.found.bytes));
  return out;
}

RowWish CandidateTables::wish_of(const CandidateRow& row, std::size_t index) {
  const CandidatePlaces& places = layout_->candidates;
  const bool penalizes = row.repetition_penalty != 1.0F && !row.recent.empty();
  FACET_CHECK(std::ssize(row.best) <= kCandidatesMax);
  FACET_CHECK(row.ids_end >= 0 && row.ids_end <= layout_->shape.vocabulary);
  FACET_CHECK(!penalizes || std::ssize(row.recent) <= kRecentMax);
  const std::size_t recent_at = index * kRecentMax * sizeof(std::int32_t);
  if (penalizes) {
    const auto from = static_cast<std::size_t>(places.recent.offset - places.wishes.offset);
    std::memcpy(wishes_.data() + from + recent_at, row.recent.data(), row.recent.size_bytes());
  }
  const std::byte* const mask =
      on_device(places.masks) + static_cast<std::int64_t>(index) * mask_words_ * 8;
  const std::byte* const recent = on_device(places.recent) + recent_at;
  return {.wanted = static_cast<std::int32_t>(row.best.size()),
          .ids_end = static_cast<std::int32_t>(row.ids_end),
          .repetition_penalty = row.repetition_penalty,
          .recent_count = penalizes ? static_cast<std::int32_t>(row.recent.size()) : 0,
          .recent = reinterpret_cast<const std::int32_t*>(recent),
          .mask = row.mask.empty() ? nullptr : reinterpret_cast<const std::uint64_t*>(mask)};
}

Status CandidateTables::fill_mask(const CandidateRow& row, std::size_t index, DeviceWork& work) {
  const auto words = static_cast<std::size_t>(mask_words_);
  auto* const mirror = reinterpret_cast<std::uint64_t*>(masks_.data()) + index * words;
  const auto given = row.mask.first(std::min(row.mask.size(), words));
  const auto rest = std::span(mirror, words).subspan(given.size());
  const bool is_there =
      known_[index] && std::equal(given.begin(), given.end(), mirror) &&
      std::all_of(rest.begin(), rest.end(), [](std::uint64_t word) { return word == 0; });
  if (is_there) return ok();
  std::copy(given.begin(), given.end(), mirror);
  std::fill(rest.begin(), rest.end(), 0);
  known_[index] = true;
  return work.queue.copy_to_device(
      on_device(layout_->candidates.masks) + index * words * 8, mirror, words * 8);
}

Status CandidateTables::fill(std::span<CandidateRow* const> rows, DeviceWork& work) {
  FACET_CHECK(std::ssize(rows) <= layout_->shape.batch_rows);
  const CandidatePlaces& places = layout_->candidates;
  auto* const wishes = reinterpret_cast<RowWish*>(wishes_.data());
  bool penalizes = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool wants = rows[i] != nullptr && !rows[i]->best.empty();
    wishes[i] = wants ? wish_of(*rows[i], i) : RowWish{};
    penalizes = penalizes || wishes[i].recent_count > 0;
    if (wants && !rows[i]->mask.empty()) FACET_TRY_STATUS(fill_mask(*rows[i], i, work));
  }
  const auto to_recent = static_cast<std::size_t>(places.recent.offset - places.wishes.offset);
  const std::size_t bytes = penalizes ? to_recent + rows.size() * kRecentMax * sizeof(std::int32_t)
                                      : rows.size() * sizeof(RowWish);
  return work.queue.copy_to_device(on_device(places.wishes), wishes_.data(), bytes);
}

FindArgs CandidateTables::args(const float* logits, int rows, std::uint32_t* counters) const {
  const CandidatePlaces& places = layout_->candidates;
  return {.logits = logits,
          .vocabulary = layout_->shape.vocabulary,
          .rows = rows,
          .wishes = reinterpret_cast<const RowWish*>(on_device(places.wishes)),
          .found = found(),
          .scratch = reinterpret_cast<std::uint64_t*>(on_device(places.scratch)),
          .counters = counters};
}

Status CandidateTables::enqueue_read(std::size_t rows, DeviceWork& work) {
  return work.queue.copy_to_host(
      found_.data(), on_device(layout_->candidates.found), rows * sizeof(RowFound));
}

void CandidateTables::take(std::span<CandidateRow* const> rows) const {
  const auto* const found = reinterpret_cast<const RowFound*>(found_.data());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == nullptr || rows[i]->best.empty()) continue;
    rows[i]->found = found[i].count;
    for (std::int32_t c = 0; c < found[i].count; ++c) {
      rows[i]->best[static_cast<std::size_t>(c)] = found[i].best[c];
    }
  }
}

TokenId CandidateTables::next(std::size_t row) const {
  return reinterpret_cast<const RowFound*>(found_.data())[row].next;
}

}  // namespace facet::engine::cuda
