// Weights that a formula gives, so that a script of another language can make the same ones:
// tests/oracle/transformers_logits.py.
#pragma once

#include "engine/model/tensor.h"

#include <cstdint>
#include <deque>
#include <vector>

namespace facet::test {

/// Numbered streams of weights; owns the memory behind the views it makes.
class FormulaWeights {
 public:
  engine::TensorView matrix(std::uint32_t number, std::int64_t rows, std::int64_t cols) {
    memory_.push_back(stream(number, rows * cols));
    return {.type = engine::DType::f32,
            .rows = rows,
            .cols = cols,
            .data = reinterpret_cast<const std::byte*>(memory_.back().data())};
  }

  static std::vector<float> norm(std::uint32_t number, std::int64_t dim) {
    std::vector<float> out = stream(number, dim);
    for (float& value : out) value += 1.0F;
    return out;
  }

  /// Values in [-1/4, 1/4), exact in f32.
  static std::vector<float> stream(std::uint32_t number, std::int64_t count) {
    std::uint32_t state = 2654435761U * number + 12345U;
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& value : out) {
      state = 1664525U * state + 1013904223U;
      value = (static_cast<float>(state >> 8U) * 0x1p-23F - 1.0F) * 0.25F;
    }
    return out;
  }

 private:
  std::deque<std::vector<float>> memory_;
};

}  // namespace facet::test
