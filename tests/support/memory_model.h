// A small random Gemma 3 or EmbeddingGemma model that lives in memory: no files, no tokenizer.
#pragma once

#include "engine/runtime.h"
#include "tests/support/random_tensors.h"

#include <cmath>
#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace facet::test {

struct MemoryModelOptions {
  engine::DType type = engine::DType::f32;
  int layers = 4;  ///< Every third layer is global, the others slide.
  int window = 5;
  bool is_embedder = false;
  unsigned seed = 1;
};

/// Heads 4, KV heads 2, head_dim 16, hidden 64, ffn 96, vocabulary 70. The returned model owns its
/// weights through RuntimeModel::owner.
inline engine::RuntimeModel make_memory_model(const MemoryModelOptions& options = {}) {
  constexpr int kHidden = 64;
  constexpr int kVocabulary = 70;
  auto tensors = std::make_shared<std::deque<RandomTensor>>();
  std::mt19937 random(options.seed);
  const auto matrix = [&](std::int64_t rows, std::int64_t cols) {
    tensors->emplace_back(options.type, rows, cols, random);
    return tensors->back().view();
  };
  const auto norm = [&](std::int64_t dim) {
    std::vector<float> out = random_floats(dim, random);
    for (float& value : out) value = 1.0F + 0.3F * value;
    return out;
  };
  engine::RuntimeModel model{.identity = "memory-" + std::to_string(options.seed)};
  model.config = {.name = "memory",
                  .architecture = options.is_embedder ? "gemma-embedding" : "gemma3",
                  .hidden = kHidden,
                  .vocabulary = kVocabulary,
                  .embedding_scale = 8.0F,
                  .context_tokens_max = 4096,
                  .stop_ids = {1},
                  .is_embedder = options.is_embedder};
  model.weights.embedding = matrix(kVocabulary, kHidden);
  model.weights.output_norm = norm(kHidden);
  for (int l = 0; l < options.layers; ++l) {
    const bool global = l % 3 == 2;
    const engine::LayerSpec spec{.heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 16,
                                 .ffn = 96,
                                 .window = global ? 0 : options.window,
                                 .causal = !options.is_embedder,
                                 .rope_theta = global ? 1e6 : 1e4,
                                 .rope_divisor = global ? 8.0 : 1.0,
                                 .attention_scale = 0.25F};
    model.config.layers.push_back(spec);
    model.weights.layers.push_back({.attn_norm = norm(kHidden),
                                    .q = matrix(64, kHidden),
                                    .k = matrix(32, kHidden),
                                    .v = matrix(32, kHidden),
                                    .o = matrix(kHidden, 64),
                                    .q_norm = norm(16),
                                    .k_norm = norm(16),
                                    .post_attn_norm = norm(kHidden),
                                    .ffn_norm = norm(kHidden),
                                    .gate = matrix(96, kHidden),
                                    .up = matrix(96, kHidden),
                                    .down = matrix(kHidden, 96),
                                    .post_ffn_norm = norm(kHidden)});
  }
  if (options.is_embedder) {
    model.config.dense_hidden = 128;
    model.config.embedding_dim = kHidden;
    model.weights.dense2 = matrix(128, kHidden);
    model.weights.dense3 = matrix(kHidden, 128);
  }
  model.owner = tensors;
  return model;
}

inline std::vector<engine::TokenId> random_ids(std::size_t count, std::mt19937& random) {
  std::vector<engine::TokenId> out(count);
  for (engine::TokenId& id : out) id = static_cast<engine::TokenId>(random() % 70U);
  return out;
}

}  // namespace facet::test
