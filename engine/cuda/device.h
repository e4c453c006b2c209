// Device memory and device facts, as values; no CUDA header needed to use them.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <span>
#include <string>

namespace facet::engine::cuda {

struct DeviceInfo {
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  std::size_t memory_bytes = 0;
};

/// Facts about device `index`. unavailable, with CUDA's message, where there is no driver or
/// device.
Result<DeviceInfo> device_info(int index);

/// Waits for everything that was launched. unavailable after a device error, which is sticky.
Status synchronize();

/// Owns device memory; move-only. Not thread-safe.
class DeviceBuffer {
 public:
  /// unavailable when the device has no room; the message names the bytes.
  static Result<DeviceBuffer> allocate(std::size_t bytes);

  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer();

  /// Copies and waits. REQUIRES: bytes fit the buffer.
  Status upload(std::span<const std::byte> from);
  Status download(std::span<std::byte> to) const;

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  DeviceBuffer(void* data, std::size_t size) : data_(data), size_(size) {}

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace facet::engine::cuda
