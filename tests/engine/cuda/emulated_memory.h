// Memory of the emulated device, for the tests of the emulation itself.
#pragma once

#include "engine/cuda/portable.cuh"
#include "tests/support/catch.h"

#include <cstddef>
#include <vector>

namespace facet::test {

/// Device memory for `count` values; freed at the end.
template <class T>
class Device {
 public:
  explicit Device(std::size_t count) : count_(count) {
    REQUIRE(cudaMalloc(&data_, count * sizeof(T)) == cudaSuccess);
  }
  explicit Device(const std::vector<T>& from) : Device(from.size()) {
    REQUIRE(cudaMemcpy(data_, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice) ==
            cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { cudaFree(data_); }

  [[nodiscard]] T* get() const { return data_; }
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> out(count_);
    REQUIRE(cudaMemcpy(out.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost) ==
            cudaSuccess);
    return out;
  }

 private:
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace facet::test
