#include "tests/support/cuda_on_cpu/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace cuda_on_cpu {
namespace {

constexpr std::size_t kAlignment = 4096;  // Of a page, so that nothing shares one.

std::size_t rounded(std::size_t bytes) {
  return (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

DeviceMemory::DeviceMemory(std::size_t capacity)
    : capacity_(capacity), reserved_(2 * rounded(capacity) + (std::size_t{1} << 20)) {
  // Twice the room: whatever the order of calls, what fits by its bytes finds a place.
  void* at =
      mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) std::abort();
  begin_ = static_cast<std::byte*>(at);
}

DeviceMemory::~DeviceMemory() {
  munmap(begin_, reserved_);
}

void* DeviceMemory::allocate(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (size > capacity_ || used_ + size > capacity_) return nullptr;
  std::size_t at = 0;
  for (const auto& [begin, length] : allocations_) {
    if (begin - at >= size) break;
    at = begin + length;
  }
  if (at + size > reserved_) return nullptr;
  allocations_[at] = size;
  used_ += size;
  touched_ = std::max(touched_, at + size);
  open();
  std::memset(begin_ + at, 0xFF, size);
  close();
  return begin_ + at;
}

bool DeviceMemory::free(void* at) {
  if (!is_device(at)) return false;
  const auto found =
      allocations_.find(static_cast<std::size_t>(static_cast<std::byte*>(at) - begin_));
  if (found == allocations_.end()) return false;
  madvise(begin_ + found->first, found->second, MADV_DONTNEED);
  used_ -= found->second;
  allocations_.erase(found);
  return true;
}

bool DeviceMemory::holds(const void* at, std::size_t bytes) const {
  if (!is_device(at)) return false;
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(at) - begin_);
  auto after = allocations_.upper_bound(offset);
  if (after == allocations_.begin()) return false;
  const auto& [begin, length] = *std::prev(after);
  return offset + bytes <= begin + length;
}

bool DeviceMemory::is_device(const void* at) const {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  const auto begin = reinterpret_cast<std::uintptr_t>(begin_);
  return address >= begin && address < begin + reserved_;
}

void DeviceMemory::open() {
  if (opened_++ == 0) protect(PROT_READ | PROT_WRITE);
}

void DeviceMemory::close() {
  if (--opened_ == 0) protect(PROT_NONE);
}

void DeviceMemory::protect(int protection) const {
  if (touched_ > 0 && mprotect(begin_, touched_, protection) != 0) std::abort();
}

}  // namespace cuda_on_cpu
