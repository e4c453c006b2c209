// Seeded random activations and weight matrices of every type, for the engine's tests.
#pragma once

#include "engine/model/tensor.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace facet::test {

/// Floats in [-1, 1), from integers only: the same on every platform.
inline std::vector<float> random_floats(std::int64_t count, std::mt19937& random) {
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& value : out) {
    value = static_cast<float>(static_cast<std::int32_t>(random() >> 8U) - (1 << 23)) * 0x1p-23F;
  }
  return out;
}

/// Random weights of any type, with the memory they lie in.
class RandomTensor {
 public:
  RandomTensor(engine::DType type, std::int64_t rows, std::int64_t cols, std::mt19937& random)
      : type_(type), rows_(rows), cols_(cols) {
    const TensorSize size{engine::dtype_block_elements(type), engine::dtype_block_bytes(type)};
    const std::int64_t blocks = rows * cols / size.elements;
    bytes_.resize(static_cast<std::size_t>(blocks * size.bytes));
    std::byte* to = bytes_.data();
    for (std::int64_t block = 0; block < blocks; ++block, to += size.bytes) fill(to, size, random);
  }

  [[nodiscard]] engine::TensorView view() const {
    return {.type = type_, .rows = rows_, .cols = cols_, .data = bytes_.data()};
  }

  /// sum_k |x_k w_k| of one row: the size that matmul's tolerance is stated in.
  [[nodiscard]] double dot_magnitude(std::int64_t row, const float* x) const {
    std::vector<float> w(static_cast<std::size_t>(cols_));
    engine::dequantize(type_, view().row(row), cols_, w.data());
    double sum = 0.0;
    for (std::size_t k = 0; k < w.size(); ++k) {
      sum += std::abs(static_cast<double>(w[k]) * static_cast<double>(x[k]));
    }
    return sum;
  }

 private:
  struct TensorSize {
    std::int64_t elements;
    std::int64_t bytes;
  };

  void fill(std::byte* to, const TensorSize& size, std::mt19937& random) {
    float value = random_floats(1, random)[0];
    // Quantised weights stay within [-1, 1] too: the scale is divided by the largest integer.
    if (type_ == engine::DType::q8_0) value /= 128.0F;
    if (type_ == engine::DType::q4_0) value /= 8.0F;
    std::uint16_t half = engine::float_to_half(value);
    if (type_ == engine::DType::f32) {
      std::memcpy(to, &value, sizeof value);
      return;
    }
    if (type_ == engine::DType::bf16) half = engine::float_to_bf16(value);
    std::memcpy(to, &half, sizeof half);
    for (std::int64_t i = 2; i < size.bytes; ++i) to[i] = static_cast<std::byte>(random() & 255U);
  }

  engine::DType type_;
  std::int64_t rows_;
  std::int64_t cols_;
  std::vector<std::byte> bytes_;
};

}  // namespace facet::test
