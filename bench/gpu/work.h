// What a step has to do at least: the bytes it reads, the operations of its products. Floors to
// compare times with.
#pragma once

#include "engine/kv/kv_type.h"
#include "engine/model/config.h"

#include <cstdint>

namespace facet::bench {

/// Keys and values that the token at `position` (from 0) reads, its own among them. Bytes.
double kv_bytes_read(const engine::ModelConfig& config, engine::KvType type, std::int64_t position);

/// Floating-point operations, a product and a sum counted as two.
struct PromptWork {
  double products = 0;   ///< With the weights of all layers, and with the output matrix once.
  double attention = 0;  ///< Of every token with those that its layer's window shows it.
};
PromptWork prompt_work(const engine::ModelConfig& config, std::int64_t tokens);

}  // namespace facet::bench
