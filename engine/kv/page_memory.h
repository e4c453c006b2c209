// PageMemory: where the pages of KV caches live. The bookkeeping of a cache (which page holds which
// position, who shares it, when it may be written) is the same for every backend; this is the
// difference.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace facet::engine {

/// Thread-safe. Addresses are the backend's: only it may look behind them, the host memory's too.
class PageMemory {
 public:
  PageMemory() = default;
  PageMemory(const PageMemory&) = delete;
  PageMemory& operator=(const PageMemory&) = delete;
  virtual ~PageMemory() = default;

  /// `bytes` bytes, aligned to 64, with any content; given back by the last owner. Null when there
  /// is no more.
  [[nodiscard]] virtual std::shared_ptr<std::byte[]> allocate(std::int64_t bytes) = 0;

  /// Copies between places of pages, in order with the backend's steps. A device that fails says so
  /// at the next step.
  virtual void copy(std::byte* to, const std::byte* from, std::int64_t bytes) = 0;

  /// From a page into host memory, and back: for saved sequences. unavailable when the device
  /// failed.
  virtual Status read(std::span<std::byte> to, const std::byte* from) = 0;
  virtual Status write(std::byte* to, std::span<const std::byte> from) = 0;
};

/// Ordinary memory; what the CPU's forward pass takes. Thread-safe, without state.
PageMemory& host_page_memory();

}  // namespace facet::engine
