// The shapes of Gemma 3 with random weights: a model that takes the time of a real one.
#pragma once

#include "engine/model/config.h"
#include "engine/model/model.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace facet::bench {

/// Rows of a matrix that are there; the device repeats them (BackendOptions::made_rows).
inline constexpr std::int64_t kMadeRows = 64;

/// Tensors of a type share one buffer of random blocks, kMadeRows of the widest: on the device each
/// has memory of its own.
struct RandomModel {
  engine::ModelConfig config;
  engine::ModelWeights weights;
  std::vector<std::byte> bytes;
  std::vector<std::byte> head_bytes;  ///< Empty where the output matrix is of the others' type.
};

/// "270m", "1b", "4b", "12b", "27b", or "tiny" for trying the program; nullopt for other names.
std::optional<engine::ModelConfig> shape_of(std::string_view name);

/// `head`: the type of the output matrix, which is the embedding too.
RandomModel random_model(const engine::ModelConfig& config, engine::DType type, engine::DType head);

}  // namespace facet::bench
