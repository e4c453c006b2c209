// What a step's rows want of their logits in place of the logits themselves: on its way to the
// device, and what was found on its way back.
#pragma once

#include "base/result.h"
#include "engine/cuda/device_work.h"
#include "engine/cuda/sampling.h"
#include "engine/cuda/workspace.h"
#include "engine/sampling/candidates.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine::cuda {

/// What CandidateTables takes.
inline constexpr CandidateLimits kCandidateLimits{.found_max = kCandidatesMax,
                                                  .recent_max = kRecentMax};

/// Not thread-safe.
class CandidateTables {
 public:
  /// `base`: the workspace in device memory.
  static Result<CandidateTables> create(const WorkspaceLayout& layout, std::byte* base);

  /// Enqueues what `rows` want (null: nothing), at most batch_rows of them; masks that are there
  /// already are not copied again. REQUIRES: within kCandidateLimits, and the queue has done all
  /// copies of earlier calls.
  Status fill(std::span<CandidateRow* const> rows, DeviceWork& work);
  /// What find_candidates takes for `rows` rows of logits. Always the same, so that it can be
  /// recorded.
  [[nodiscard]] FindArgs args(const float* logits, int rows, std::uint32_t* counters) const;
  /// What find_candidates writes to, in device memory.
  [[nodiscard]] RowFound* found() const {
    return reinterpret_cast<RowFound*>(on_device(layout_->candidates.found));
  }
  /// Enqueues the way back of what was found for the first `rows` rows.
  Status enqueue_read(std::size_t rows, DeviceWork& work);
  /// Writes what came back to `rows`, once the queue has done it.
  void take(std::span<CandidateRow* const> rows) const;
  /// The token that feed_rows chose for `row`, of what came back last.
  [[nodiscard]] TokenId next(std::size_t row) const;

 private:
  CandidateTables(const WorkspaceLayout& layout, std::byte* base) : layout_(&layout), base_(base) {}
  RowWish wish_of(const CandidateRow& row, std::size_t index);
  Status fill_mask(const CandidateRow& row, std::size_t index, DeviceWork& work);
  [[nodiscard]] std::byte* on_device(const Place& place) const { return base_ + place.offset; }

  const WorkspaceLayout* layout_;  // Outlives it.
  std::byte* base_;
  std::int64_t mask_words_ = 0;
  PinnedBuffer wishes_;      ///< As wishes and recent, which follow each other.
  PinnedBuffer masks_;       ///< As masks.
  PinnedBuffer found_;       ///< As found.
  std::vector<bool> known_;  ///< Whether the device has that mask of masks_.
};

}  // namespace facet::engine::cuda
