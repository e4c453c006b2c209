#include "engine/cuda/page_pool.h"

#include "base/check.h"
#include "engine/cuda/workspace.h"

#include <iterator>

namespace facet::engine::cuda {

PageRanges::PageRanges(std::int64_t bytes) : free_bytes_(bytes) {
  if (bytes > 0) free_[0] = bytes;
}

std::int64_t PageRanges::take(std::int64_t bytes) {
  const std::int64_t wanted = aligned_bytes(bytes);
  const std::lock_guard lock(mutex_);
  for (auto at = free_.begin(); at != free_.end(); ++at) {
    const auto [offset, length] = *at;
    if (length < wanted) continue;
    free_.erase(at);
    if (length > wanted) free_[offset + wanted] = length - wanted;
    free_bytes_ -= wanted;
    return offset;
  }
  return -1;
}

void PageRanges::give_back(std::int64_t offset, std::int64_t bytes) {
  const std::int64_t length = aligned_bytes(bytes);
  const std::lock_guard lock(mutex_);
  auto [at, is_new] = free_.emplace(offset, length);
  FACET_CHECK(is_new);
  free_bytes_ += length;
  const auto after = std::next(at);
  if (after != free_.end() && at->first + at->second == after->first) {
    at->second += after->second;
    free_.erase(after);
  }
  if (at == free_.begin()) return;
  const auto before = std::prev(at);
  if (before->first + before->second == at->first) {
    before->second += at->second;
    free_.erase(at);
  }
}

std::int64_t PageRanges::free_bytes() const {
  const std::lock_guard lock(mutex_);
  return free_bytes_;
}

PagePool::PagePool(std::shared_ptr<std::byte[]> memory,
                   std::int64_t bytes,
                   std::shared_ptr<DeviceWork> work)
    : memory_(std::move(memory)),
      ranges_(std::make_shared<PageRanges>(bytes)),
      work_(std::move(work)) {}

std::shared_ptr<std::byte[]> PagePool::allocate(std::int64_t bytes) {
  const std::int64_t offset = ranges_->take(bytes);
  if (offset < 0) return nullptr;
  const auto give_back = [ranges = ranges_, memory = memory_, offset, bytes](std::byte*) {
    ranges->give_back(offset, bytes);
  };
  return {memory_.get() + offset, give_back};
}

void PagePool::copy(std::byte* to, const std::byte* from, std::int64_t bytes) {
  const std::lock_guard lock(work_->mutex);
  if (!work_->begin()) return;  // Said at the next step.
  const Status copied =
      work_->noted(work_->queue.copy_on_device(to, from, static_cast<std::size_t>(bytes)));
  static_cast<void>(copied);
}

Status PagePool::read(std::span<std::byte> to, const std::byte* from) {
  const std::lock_guard lock(work_->mutex);
  FACET_TRY_STATUS(work_->begin());
  FACET_TRY_STATUS(work_->noted(work_->queue.copy_to_host(to.data(), from, to.size())));
  return work_->noted(work_->queue.wait());
}

Status PagePool::write(std::byte* to, std::span<const std::byte> from) {
  const std::lock_guard lock(work_->mutex);
  FACET_TRY_STATUS(work_->begin());
  FACET_TRY_STATUS(work_->noted(work_->queue.copy_to_device(to, from.data(), from.size())));
  return work_->noted(work_->queue.wait());
}

}  // namespace facet::engine::cuda
