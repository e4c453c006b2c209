// Device arrays and comparisons for the checks of kernels.
#pragma once

#include "base/result.h"
#include "engine/cuda/matrix.h"
#include "tests/engine/cuda/checks.h"
#include "tests/support/random_tensors.h"

#include <cmath>
#include <cstring>
#include <cuda_runtime_api.h>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace facet::test {

inline constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();

/// Collects what a check compares.
class Comparison {
 public:
  /// Starts a part of the check; its words stand in front of its failures.
  void part(const std::string& name) { part_ = name; }

  void fail(const std::string& what) {
    if (outcome_.failure.empty()) outcome_.failure = part_ + ": " + what;
  }
  void ok(const Status& status) {
    if (!status) fail(status.error().message);
  }
  void cuda(cudaError_t code) {
    if (code != cudaSuccess) fail(cudaGetErrorString(code));
  }
  void that(bool condition, const std::string& what) {
    if (!condition) fail(what);
  }

  /// |got - want| <= allowed; NaN is not near anything.
  void near(double got, double want, double allowed, std::size_t index) {
    const double share = std::abs(got - want) / allowed;
    if (share > outcome_.worst) outcome_.worst = share;
    if (share <= 1.0) return;
    std::ostringstream text;
    text.precision(9);
    text << "element " << index << " is " << got << ", expected " << want << " within " << allowed;
    fail(text.str());
  }
  template <class T>
  void same_bits(const std::vector<T>& got, const std::vector<T>& want, const std::string& what) {
    if (got.size() != want.size()) return fail(what + ": sizes differ");
    for (std::size_t i = 0; i < got.size(); ++i) {
      if (std::memcmp(&got[i], &want[i], sizeof(T)) == 0) continue;
      std::ostringstream text;
      text << what << ": element " << i << " is " << got[i] << ", expected the bits of " << want[i];
      return fail(text.str());
    }
  }

  [[nodiscard]] bool has_failed() const { return !outcome_.failure.empty(); }
  [[nodiscard]] CheckOutcome outcome() const { return outcome_; }

 private:
  std::string part_;
  CheckOutcome outcome_;
};

/// `count` values in device memory; freed at the end.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Comparison& log, std::size_t count) : log_(&log), count_(count) {
    void* data = nullptr;
    log.cuda(cudaMalloc(&data, (count + 1) * sizeof(T)));
    data_ = static_cast<T*>(data);
  }
  DeviceArray(Comparison& log, const std::vector<T>& from) : DeviceArray(log, from.size()) {
    write(from);
  }
  DeviceArray(DeviceArray&& other) noexcept
      : log_(other.log_), data_(std::exchange(other.data_, nullptr)), count_(other.count_) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  DeviceArray& operator=(DeviceArray&&) = delete;
  ~DeviceArray() { cudaFree(data_); }

  /// Waits too: a copy of ordinary memory may return before it is there, and the streams of a
  /// backend do not wait for it.
  void write(const std::vector<T>& from) {
    log_->cuda(cudaMemcpy(data_, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice));
    log_->cuda(cudaDeviceSynchronize());
  }
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> out(count_);
    log_->cuda(cudaDeviceSynchronize());
    log_->cuda(cudaMemcpy(out.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return out;
  }
  [[nodiscard]] T* get() const { return data_; }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  Comparison* log_;
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

/// Floats that nobody wrote yet.
inline DeviceArray<float> poisoned(Comparison& log, std::int64_t count) {
  return {log, std::vector<float>(static_cast<std::size_t>(count), kPoison)};
}

inline std::vector<float> normal_floats(std::int64_t count, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& value : out) value = normal(random);
  return out;
}

/// Random weights, packed for the device; `floats` is what they are.
struct DeviceWeights {
  DeviceWeights(Comparison& log,
                engine::DType type,
                engine::cuda::Layout layout,
                std::int64_t rows,
                std::int64_t cols,
                std::mt19937& random)
      : floats(static_cast<std::size_t>(rows * cols)),
        bytes(log, pack(type, layout, rows, cols, random)) {
    matrix = {.layout = layout, .rows = rows, .cols = cols, .data = bytes.get()};
  }
  DeviceWeights(Comparison& log,
                engine::DType type,
                std::int64_t rows,
                std::int64_t cols,
                std::mt19937& random)
      : DeviceWeights(log, type, engine::cuda::layout_of(type), rows, cols, random) {}

  [[nodiscard]] const float* row(std::int64_t index) const {
    return floats.data() + index * matrix.cols;
  }

  std::vector<float> floats;  ///< (rows, cols)
  DeviceArray<std::byte> bytes;
  engine::cuda::PackedMatrix matrix;

 private:
  std::vector<std::byte> pack(engine::DType type,
                              engine::cuda::Layout layout,
                              std::int64_t rows,
                              std::int64_t cols,
                              std::mt19937& random) {
    const RandomTensor from(type, rows, cols, random);
    const auto size = static_cast<std::size_t>(engine::cuda::matrix_bytes(layout, rows, cols));
    std::vector<std::byte> out(size, std::byte{0xFF});
    engine::cuda::repack(from.view(), layout, 0, rows, out.data());
    const engine::cuda::PackedMatrix packed{
        .layout = layout, .rows = rows, .cols = cols, .data = out.data()};
    for (std::int64_t r = 0; r < rows; ++r) unpack_row(packed, r, floats.data() + r * cols);
    return out;
  }
};

}  // namespace facet::test
