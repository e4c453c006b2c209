// The emulated device's memory: one range of addresses that faults unless it is open, which it is
// while kernels and copies run.
#pragma once

#include <cstddef>
#include <map>

namespace cuda_on_cpu {

/// Not thread-safe.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t capacity);
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  /// Null when there is no room. All 0xFF, aligned to 512 bytes.
  void* allocate(std::size_t bytes);
  /// False when nothing begins there.
  bool free(void* at);
  /// True when [at, at + bytes) lies in one allocation.
  [[nodiscard]] bool holds(const void* at, std::size_t bytes) const;
  /// True for any address of the range.
  [[nodiscard]] bool is_device(const void* at) const;
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  /// Makes the memory readable and writable; calls nest.
  void open();
  void close();

 private:
  void protect(int protection) const;

  std::byte* begin_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t reserved_ = 0;
  std::size_t used_ = 0;
  std::size_t touched_ = 0;                         // No allocation has ended behind this.
  std::map<std::size_t, std::size_t> allocations_;  // Where each begins, and its rounded bytes.
  int opened_ = 0;
};

}  // namespace cuda_on_cpu
