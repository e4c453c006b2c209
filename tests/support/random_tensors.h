// Seeded random activations and weight matrices of every type, for the engine's tests.
#pragma once

#include "engine/model/tensor.h"

#include <cmath>
#include <cstring>
#include <random>
#include <string>
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

  /// The bytes as a file holds them.
  [[nodiscard]] std::string bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
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

  /// Where the halves of a quantised block lie, and the largest factor that they are multiplied by.
  struct Scales {
    std::int64_t first = 0;
    std::int64_t second = -1;
    float factor = 1.0F;
  };
  [[nodiscard]] Scales scales() const {
    switch (type_) {
      case engine::DType::q8_0:
        return {.factor = 128.0F};
      case engine::DType::q4_0:
        return {.factor = 8.0F};
      case engine::DType::q4_1:
        return {.second = 2, .factor = 16.0F};
      case engine::DType::q5_0:
        return {.factor = 16.0F};
      case engine::DType::q5_1:
        return {.second = 2, .factor = 32.0F};
      case engine::DType::iq4_nl:
        return {.factor = 127.0F};
      case engine::DType::q2_k:
        return {.first = 80, .second = 82, .factor = 15.0F * 3.0F};
      case engine::DType::q3_k:
        return {.first = 108, .factor = 32.0F * 4.0F};
      case engine::DType::q4_k:
        return {.second = 2, .factor = 63.0F * 15.0F};
      case engine::DType::q5_k:
        return {.second = 2, .factor = 63.0F * 31.0F};
      case engine::DType::q6_k:
        return {.first = 208, .factor = 128.0F * 32.0F};
      default:
        return {};
    }
  }

  /// Quantised weights stay within [-2, 2]: scales are divided by the largest factor.
  void fill(std::byte* to, const TensorSize& size, std::mt19937& random) {
    const Scales at = scales();
    const float value = random_floats(1, random)[0] / at.factor;
    if (type_ == engine::DType::f32) {
      std::memcpy(to, &value, sizeof value);
      return;
    }
    for (std::int64_t i = 0; i < size.bytes; ++i) to[i] = static_cast<std::byte>(random() & 255U);
    const auto put = [&](std::int64_t offset, float scale) {
      const std::uint16_t bits = type_ == engine::DType::bf16 ? engine::float_to_bf16(scale)
                                                              : engine::float_to_half(scale);
      std::memcpy(to + offset, &bits, sizeof bits);
    };
    put(at.first, value);
    if (at.second >= 0) put(at.second, random_floats(1, random)[0] / at.factor);
  }

  engine::DType type_;
  std::int64_t rows_;
  std::int64_t cols_;
  std::vector<std::byte> bytes_;
};

}  // namespace facet::test
