// ModelConfig: one description of a model, whatever file it came from. Layers differ by data.
#pragma once

#include "base/result.h"
#include "engine/model/plan_weights.h"
#include "engine/model/slot_weights.h"
#include "engine/model/thesaurus.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace facet::engine {

/// One transformer layer. Shapes: q (heads * head_dim, hidden), k and v (kv_heads * head_dim,
/// hidden), o (hidden, heads * head_dim), gate and up (ffn, hidden), down (hidden, ffn).
struct LayerSpec {
  int heads = 0;
  int kv_heads = 0;  ///< Divides heads; query head h reads kv head h / (heads / kv_heads).
  int head_dim = 0;  ///< Even; all dimensions are rotated, element i with i + head_dim / 2.
  int ffn = 0;
  /// 0: every key. Else causal layers admit key j for query i when i - window < j <= i, and
  /// bidirectional ones when |i - j| < window (EmbeddingGemma's stated 512 is 257 here).
  int window = 0;
  bool causal = true;
  double rope_theta = 1e6;
  double rope_divisor = 1.0;     ///< Positions are divided by it (8 on global layers of 4B and up).
  float attention_scale = 1.0F;  ///< Multiplies q k^T.
};

struct ModelConfig {
  bool quotes_answers = false;    ///< GGUF key "facet.quotes_answers"; false where it is missing.
  bool copies_arguments = false;  ///< GGUF key "facet.copies_arguments"; false where it is missing.
  bool plans_first = false;       ///< GGUF key "facet.plan_first"; false where it is missing.
  int tools_declared_max = 0;     ///< GGUF key "facet.tools_declared_max"; 0 where it is missing.
  std::int64_t trained_tokens_max = 0;  ///< GGUF key "facet.trained_tokens_max"; 0: missing.
  double refusal_min = 0.0;             ///< GGUF key "facet.refusal_min"; 0 where it is missing.
  std::optional<PlanWeights> plan_weights;          ///< Nullopt where its keys are missing,
  std::shared_ptr<const SlotWeights> slot_weights;  ///< and null,
  std::shared_ptr<const Thesaurus> thesaurus;       ///< and null.
  std::string name;
  std::string architecture;  ///< "gemma3" or "gemma-embedding".
  int hidden = 0;
  int vocabulary = 0;  ///< Rows of the embedding that are tokens.
  std::vector<LayerSpec> layers;
  float norm_eps = 1e-6F;
  float embedding_scale = 1.0F;  ///< sqrt(hidden) in fp32; multiplies every embedding row.
  std::int64_t context_tokens_max = 0;
  /// Tokens that end an answer: eos and, where the vocabulary has it, <end_of_turn>.
  std::vector<std::int32_t> stop_ids;

  /// Embedders: mean pooling over all tokens after the output norm, then the dense layers (identity
  /// activation, no bias), then L2 normalisation.
  bool is_embedder = false;
  int dense_hidden = 0;   ///< Rows of dense2; 0: the model has no dense layers.
  int embedding_dim = 0;  ///< Length of the vector; 0 for a generator.
  /// What its ranking weighs beside full-text search's 1: GGUF key "facet.search_weight",
  /// 1, fit for a good general embedder, where it is missing.
  double search_weight = 1.0;
};

/// Limits that no model of the family comes near; a file beyond them is refused.
struct ConfigLimits {
  int layers_max = 1024;
  int heads_max = 1024;
  int head_dim_max = 1024;
  int hidden_max = 65536;
  int ffn_max = 1 << 20;
  int vocabulary_max = 1 << 20;
  std::int64_t context_tokens_max = std::int64_t{1} << 24;
  double search_weight_max = 1000.0;
};

/// The invariants written above: counts within `limits` and positive, kv_heads divides heads, even
/// head_dim, finite positive rope, scale and eps. invalid_data naming the field and the value.
Status check_config(const ModelConfig& config, const ConfigLimits& limits = {});

}  // namespace facet::engine
