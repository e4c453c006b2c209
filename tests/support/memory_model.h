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
  // 0: the sizes below.
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int hidden = 0;
  int ffn = 0;
};

/// Heads 4, KV heads 2, head_dim 16, hidden 64, ffn 96, vocabulary 70; for types in blocks of 256
/// head_dim 64, hidden 256, ffn 512; unless the options say others. The returned model owns its
/// weights through RuntimeModel::owner.
inline engine::RuntimeModel make_memory_model(const MemoryModelOptions& options = {}) {
  constexpr int kVocabulary = 70;
  const bool is_wide = engine::dtype_block_elements(options.type) > 64;
  const auto size = [](int given, int otherwise) { return given > 0 ? given : otherwise; };
  const int hidden = size(options.hidden, is_wide ? 256 : 64);
  const int head_dim = size(options.head_dim, is_wide ? 64 : 16);
  const int ffn = size(options.ffn, is_wide ? 512 : 96);
  const int heads = size(options.heads, 4);
  const int kv_heads = size(options.kv_heads, 2);
  const int dense = is_wide ? 256 : 128;
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
                  .hidden = hidden,
                  .vocabulary = kVocabulary,
                  .embedding_scale = std::sqrt(static_cast<float>(hidden)),
                  .context_tokens_max = 4096,
                  .stop_ids = {1},
                  .is_embedder = options.is_embedder};
  model.weights.embedding = matrix(kVocabulary, hidden);
  model.weights.output_norm = norm(hidden);
  for (int l = 0; l < options.layers; ++l) {
    const bool global = l % 3 == 2;
    const engine::LayerSpec spec{.heads = heads,
                                 .kv_heads = kv_heads,
                                 .head_dim = head_dim,
                                 .ffn = ffn,
                                 .window = global ? 0 : options.window,
                                 .causal = !options.is_embedder,
                                 .rope_theta = global ? 1e6 : 1e4,
                                 .rope_divisor = global ? 8.0 : 1.0,
                                 .attention_scale = 1.0F / std::sqrt(static_cast<float>(head_dim))};
    model.config.layers.push_back(spec);
    model.weights.layers.push_back({.attn_norm = norm(hidden),
                                    .q = matrix(heads * head_dim, hidden),
                                    .k = matrix(kv_heads * head_dim, hidden),
                                    .v = matrix(kv_heads * head_dim, hidden),
                                    .o = matrix(hidden, heads * head_dim),
                                    .q_norm = norm(head_dim),
                                    .k_norm = norm(head_dim),
                                    .post_attn_norm = norm(hidden),
                                    .ffn_norm = norm(hidden),
                                    .gate = matrix(ffn, hidden),
                                    .up = matrix(ffn, hidden),
                                    .down = matrix(hidden, ffn),
                                    .post_ffn_norm = norm(hidden)});
  }
  if (options.is_embedder) {
    model.config.dense_hidden = dense;
    model.config.embedding_dim = hidden;
    model.weights.dense2 = matrix(dense, hidden);
    model.weights.dense3 = matrix(hidden, dense);
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
