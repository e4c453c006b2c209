// PagePool: the pages of KV caches in a piece of device memory that was planned at load.
#pragma once

#include "engine/cuda/device_work.h"
#include "engine/kv/page_memory.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace facet::engine::cuda {

/// The bookkeeping of a range of addresses: which parts are taken. Thread-safe.
class PageRanges {
 public:
  explicit PageRanges(std::int64_t bytes);

  /// An offset, aligned to kPieceAlignment; -1 when no gap is long enough.
  std::int64_t take(std::int64_t bytes);
  /// Gives back what take(bytes) gave.
  void give_back(std::int64_t offset, std::int64_t bytes);
  [[nodiscard]] std::int64_t free_bytes() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::int64_t> free_;  // Offset to length; neighbours are joined.
  std::int64_t free_bytes_ = 0;
};

/// Thread-safe. Pages may outlive the pool's owner: they keep the bookkeeping, and what `memory`
/// holds alive.
class PagePool final : public PageMemory {
 public:
  /// `memory`: the piece, in device memory that its owner keeps.
  PagePool(std::shared_ptr<std::byte[]> memory,
           std::int64_t bytes,
           std::shared_ptr<DeviceWork> work);

  std::shared_ptr<std::byte[]> allocate(std::int64_t bytes) override;
  void copy(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  Status read(std::span<std::byte> to, const std::byte* from) override;
  Status write(std::byte* to, std::span<const std::byte> from) override;

  [[nodiscard]] std::int64_t free_bytes() const { return ranges_->free_bytes(); }

 private:
  std::shared_ptr<std::byte[]> memory_;
  std::shared_ptr<PageRanges> ranges_;
  std::shared_ptr<DeviceWork> work_;
};

}  // namespace facet::engine::cuda
