// A small text model whose weights a formula gives: the one of
// tests/oracle/transformers_logits.py.
#pragma once

#include "engine/model/config.h"
#include "engine/model/model.h"
#include "tests/support/formula_weights.h"

#include <cmath>
#include <cstdint>
#include <vector>

namespace facet::test {

inline constexpr int kFormulaHidden = 128;
inline constexpr int kFormulaVocabulary = 96;
inline constexpr int kFormulaHeads = 4;
inline constexpr int kFormulaKvHeads = 2;
inline constexpr int kFormulaHeadDim = 32;
inline constexpr int kFormulaFfn = 160;

inline engine::LayerWeights make_formula_layer(FormulaWeights& memory, std::uint32_t index) {
  const std::uint32_t n = 2 + 13 * index;
  return {.attn_norm = FormulaWeights::norm(n, kFormulaHidden),
          .q = memory.matrix(n + 1, kFormulaHeads * kFormulaHeadDim, kFormulaHidden),
          .k = memory.matrix(n + 2, kFormulaKvHeads * kFormulaHeadDim, kFormulaHidden),
          .v = memory.matrix(n + 3, kFormulaKvHeads * kFormulaHeadDim, kFormulaHidden),
          .o = memory.matrix(n + 4, kFormulaHidden, kFormulaHeads * kFormulaHeadDim),
          .q_norm = FormulaWeights::norm(n + 5, kFormulaHeadDim),
          .k_norm = FormulaWeights::norm(n + 6, kFormulaHeadDim),
          .post_attn_norm = FormulaWeights::norm(n + 7, kFormulaHidden),
          .ffn_norm = FormulaWeights::norm(n + 8, kFormulaHidden),
          .gate = memory.matrix(n + 9, kFormulaFfn, kFormulaHidden),
          .up = memory.matrix(n + 10, kFormulaFfn, kFormulaHidden),
          .down = memory.matrix(n + 11, kFormulaHidden, kFormulaFfn),
          .post_ffn_norm = FormulaWeights::norm(n + 12, kFormulaHidden)};
}

struct FormulaModel {
  FormulaWeights memory;
  engine::ModelConfig config;
  engine::ModelWeights weights;
};

/// Layers are global where `globals` says so; the others slide over `window`.
inline FormulaModel make_formula_model(const std::vector<bool>& globals,
                                       int window,
                                       bool is_embedder) {
  FormulaModel model;
  model.config = {.hidden = kFormulaHidden,
                  .vocabulary = kFormulaVocabulary,
                  .embedding_scale = std::sqrt(128.0F),
                  .context_tokens_max = 256,
                  .is_embedder = is_embedder};
  model.weights.embedding = model.memory.matrix(0, kFormulaVocabulary, kFormulaHidden);
  model.weights.output_norm = FormulaWeights::norm(1, kFormulaHidden);
  for (std::uint32_t l = 0; l < globals.size(); ++l) {
    const bool global = globals[l];
    model.config.layers.push_back({.heads = kFormulaHeads,
                                   .kv_heads = kFormulaKvHeads,
                                   .head_dim = kFormulaHeadDim,
                                   .ffn = kFormulaFfn,
                                   .window = global ? 0 : window,
                                   .causal = !is_embedder,
                                   .rope_theta = global ? 1e6 : 1e4,
                                   .rope_divisor = global && !is_embedder ? 8.0 : 1.0,
                                   .attention_scale = 1.0F / std::sqrt(24.0F)});
    model.weights.layers.push_back(make_formula_layer(model.memory, l));
  }
  return model;
}

}  // namespace facet::test
