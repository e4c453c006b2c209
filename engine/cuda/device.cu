#include "base/check.h"
#include "engine/cuda/device.h"
#include "engine/cuda/status.cuh"

#include <utility>

namespace facet::engine::cuda {

Result<DeviceInfo> device_info(int index) {
  cudaDeviceProp properties{};
  FACET_TRY_STATUS(to_status(cudaGetDeviceProperties(&properties, index), "device query"));
  return DeviceInfo{properties.name, properties.major, properties.minor, properties.totalGlobalMem};
}

Status synchronize() {
  return to_status(cudaDeviceSynchronize(), "synchronize");
}

Result<DeviceBuffer> DeviceBuffer::allocate(std::size_t bytes) {
  void* data = nullptr;
  const std::string what = "allocation of " + std::to_string(bytes) + " bytes";
  FACET_TRY_STATUS(to_status(cudaMalloc(&data, bytes), what.c_str()));
  return DeviceBuffer(data, bytes);
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  if (this != &other) {
    cudaFree(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  cudaFree(data_);
}

Status DeviceBuffer::upload(std::span<const std::byte> from) {
  FACET_CHECK(from.size() <= size_);
  return to_status(cudaMemcpy(data_, from.data(), from.size(), cudaMemcpyHostToDevice), "upload");
}

Status DeviceBuffer::download(std::span<std::byte> to) const {
  FACET_CHECK(to.size() <= size_);
  return to_status(cudaMemcpy(to.data(), data_, to.size(), cudaMemcpyDeviceToHost), "download");
}

}  // namespace facet::engine::cuda
