#include "engine/cuda/ahead.h"

#include "engine/cuda/feed.h"

namespace facet::engine::cuda {

std::int64_t StepAhead::row_of(const StepItem& item) const {
  if (item.ids.size() != 1 || item.candidates.size() > 1) return -1;
  const std::uint64_t theirs = item.cache->ahead();
  if (theirs < number || theirs - number >= ids.size()) return -1;
  const auto row = static_cast<std::size_t>(theirs - number);
  return ids[row] == item.ids.front() ? static_cast<std::int64_t>(row) : -1;
}

std::vector<NextChoice> choices_of(std::span<const ItemRow> items, std::int64_t rows) {
  if (std::ssize(items) != rows || rows > kFeedRowsMax) return {};
  std::vector<NextChoice> out(items.size());
  for (const auto& [item, row] : items) {
    const bool goes_on = item->next && item->ids.size() == 1 && item->candidates.size() == 1 &&
                         item->next->top_k <= kCandidatesMax;
    if (!goes_on) return {};
    out[static_cast<std::size_t>(row)] = *item->next;
  }
  return out;
}

std::vector<Slice> slices_of(std::span<const ItemRow> items) {
  std::vector<Slice> out(items.size());
  for (const auto& [item, row] : items) {
    out[static_cast<std::size_t>(row)] = {
        .item = item, .tokens = 1, .row = row, .position = item->cache->size(), .is_last = true};
  }
  return out;
}

}  // namespace facet::engine::cuda
