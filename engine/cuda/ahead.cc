#include "engine/cuda/ahead.h"

#include "engine/cuda/decode.h"
#include "engine/cuda/feed.h"

namespace facet::engine::cuda {
namespace {

/// Of the pages that begin with a position, in all layers.
std::int64_t page_bytes(const KvCache& cache) {
  std::int64_t out = 0;
  for (std::size_t l = 0; l < cache.layers(); ++l) {
    out += aligned_bytes(2 * kPageTokens * cache.row_bytes(l));
  }
  return out;
}

}  // namespace

std::int64_t StepAhead::row_of(const StepItem& item) const {
  if (item.ids.size() != 1 || item.candidates.size() > 1) return -1;
  const std::uint64_t theirs = item.cache->ahead();
  if (theirs < number || theirs - number >= ids.size()) return -1;
  const auto row = static_cast<std::size_t>(theirs - number);
  return ids[row] == item.ids.front() ? static_cast<std::int64_t>(row) : -1;
}

TakenItems take_items(const std::optional<StepAhead>& begun, std::span<const StepItem> items) {
  TakenItems out;
  for (const StepItem& item : items) {
    const std::int64_t row = begun ? begun->row_of(item) : -1;
    if (row < 0) out.rest.push_back(item);
    if (row >= 0) out.there.push_back({.item = &item, .row = row});
  }
  if (!begun || begun->pass.kind == PassKind::decode) return out;
  const std::int64_t rows = std::ssize(out.there);
  const std::int64_t fewer = begun->pass.launch_rows - kBatchRowsStep;
  const bool is_same_size = rows > std::max<std::int64_t>(fewer, kDecodeRowsMax);
  if (out.rest.empty() && is_same_size) return out;
  return {.there = {}, .rest = {items.begin(), items.end()}};
}

bool reserve_ahead(std::span<const ItemRow> items,
                   std::int64_t pointers_max,
                   std::int64_t free_bytes) {
  std::int64_t pointers = 0;
  std::int64_t bytes = 0;
  for (const auto& [item, row] : items) {
    pointers += page_pointers(*item->cache, 2);
    if ((item->cache->size() + 1) % kPageTokens == 0) bytes += page_bytes(*item->cache);
  }
  if (pointers > pointers_max || 2 * bytes > free_bytes) return false;
  return std::all_of(items.begin(), items.end(), [](const ItemRow& one) {
    return one.item->cache->reserve(2).has_value();
  });
}

std::vector<NextChoice> choices_of(std::span<const ItemRow> items, std::int64_t rows) {
  if (std::ssize(items) != rows || rows > kFeedRowsMax) return {};
  std::vector<NextChoice> out(items.size());
  for (const auto& [item, row] : items) {
    const bool goes_on = item->next && item->ids.size() == 1 && item->candidates.size() == 1 &&
                         !item->candidates.front().best.empty() && item->next->top_k >= 1 &&
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
