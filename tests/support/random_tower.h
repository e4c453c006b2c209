// A small vision tower of random weights, in memory.
#pragma once

#include "engine/vision/config.h"
#include "engine/vision/weights.h"
#include "tests/support/random_tensors.h"

#include <random>
#include <vector>

namespace facet::test {

/// A tower of random weights, its matrices of any type.
struct RandomTower {
  engine::VisionConfig config;
  engine::VisionWeights weights;
  std::vector<RandomTensor> memory;
  std::vector<float> pixels;

  RandomTower(const engine::VisionConfig& shape, engine::DType type, unsigned seed)
      : config(shape) {
    std::mt19937 random(seed);
    memory.reserve(2 + 6 * static_cast<std::size_t>(config.layers));  // Views must stay valid.
    const auto matrix = [&](engine::DType of, std::int64_t rows, std::int64_t cols) {
      memory.emplace_back(of, rows, cols, random);
      return memory.back().view();
    };
    const auto linear = [&](std::int64_t rows, std::int64_t cols) {
      return engine::VisionLinear{.w = matrix(type, rows, cols),
                                  .bias = random_floats(rows, random)};
    };
    const auto norm = [&] {
      return engine::VisionNorm{.w = random_floats(config.hidden, random),
                                .bias = random_floats(config.hidden, random)};
    };
    const std::int64_t hidden = config.hidden;
    weights.patch = {.w = matrix(engine::DType::f32, hidden, config.patch_floats()),
                     .bias = random_floats(hidden, random)};
    weights.position = matrix(engine::DType::f32, config.patches(), hidden);
    for (int i = 0; i < config.layers; ++i) {
      weights.layers.push_back({.norm1 = norm(),
                                .q = linear(hidden, hidden),
                                .k = linear(hidden, hidden),
                                .v = linear(hidden, hidden),
                                .o = linear(hidden, hidden),
                                .norm2 = norm(),
                                .fc1 = linear(config.ffn, hidden),
                                .fc2 = linear(hidden, config.ffn)});
    }
    weights.post_norm = norm();
    weights.soft_norm = random_floats(hidden, random);
    weights.projection = random_floats(hidden * config.text_hidden, random);
    const std::int64_t size = config.image_size;
    pixels = random_floats(3 * size * size, random);
  }
};

}  // namespace facet::test
