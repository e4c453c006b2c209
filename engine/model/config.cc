#include "engine/model/config.h"

#include <cmath>
#include <string_view>

namespace facet::engine {
namespace {

Status in_range(std::string_view field, std::int64_t value, std::int64_t max) {
  if (value >= 1 && value <= max) return ok();
  return Error{Code::invalid_data,
               std::string(field) + " is " + std::to_string(value) + ", expected 1 to " +
                   std::to_string(max)};
}

Status positive(std::string_view field, double value) {
  if (std::isfinite(value) && value > 0.0) return ok();
  return Error{
      Code::invalid_data,
      std::string(field) + " is " + std::to_string(value) + ", expected a finite positive number"};
}

Status check_layer(const LayerSpec& layer, std::int64_t context, const ConfigLimits& limits) {
  FACET_TRY_STATUS(in_range("head count", layer.heads, limits.heads_max));
  FACET_TRY_STATUS(in_range("key/value head count", layer.kv_heads, layer.heads));
  FACET_TRY_STATUS(in_range("head dimension", layer.head_dim, limits.head_dim_max));
  FACET_TRY_STATUS(in_range("feed-forward length", layer.ffn, limits.ffn_max));
  if (layer.heads % layer.kv_heads != 0) {
    return Error{Code::invalid_data,
                 "head count " + std::to_string(layer.heads) +
                     " is not a multiple of the key/value head count " +
                     std::to_string(layer.kv_heads)};
  }
  if (layer.head_dim % 2 != 0) {
    return Error{Code::invalid_data,
                 "head dimension is " + std::to_string(layer.head_dim) + ", expected even"};
  }
  // A window may be wider than the context (then it never slides), but not absurd.
  if (layer.window < 0 || layer.window > limits.context_tokens_max || context <= 0) {
    return Error{Code::invalid_data, "sliding window is " + std::to_string(layer.window)};
  }
  FACET_TRY_STATUS(positive("rope theta", layer.rope_theta));
  FACET_TRY_STATUS(positive("rope scaling factor", layer.rope_divisor));
  return positive("attention scale", static_cast<double>(layer.attention_scale));
}

}  // namespace

Status check_config(const ModelConfig& config, const ConfigLimits& limits) {
  FACET_TRY_STATUS(in_range("hidden size", config.hidden, limits.hidden_max));
  FACET_TRY_STATUS(in_range("vocabulary size", config.vocabulary, limits.vocabulary_max));
  FACET_TRY_STATUS(
      in_range("layer count", static_cast<std::int64_t>(config.layers.size()), limits.layers_max));
  FACET_TRY_STATUS(
      in_range("context length", config.context_tokens_max, limits.context_tokens_max));
  FACET_TRY_STATUS(positive("norm epsilon", static_cast<double>(config.norm_eps)));
  FACET_TRY_STATUS(positive("embedding scale", static_cast<double>(config.embedding_scale)));
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (auto status = check_layer(config.layers[i], config.context_tokens_max, limits); !status) {
      return status.error().with_context("layer " + std::to_string(i));
    }
  }
  if (!config.is_embedder) return ok();
  if (!(config.search_weight >= 0.0 && config.search_weight <= limits.search_weight_max)) {
    return Error{Code::invalid_data,
                 "search weight is " + std::to_string(config.search_weight) + ", expected 0 to " +
                     std::to_string(limits.search_weight_max)};
  }
  FACET_TRY_STATUS(in_range("embedding dimension", config.embedding_dim, limits.hidden_max));
  if (config.dense_hidden != 0) {
    FACET_TRY_STATUS(in_range("dense layer width", config.dense_hidden, limits.ffn_max));
  }
  return ok();
}

}  // namespace facet::engine
