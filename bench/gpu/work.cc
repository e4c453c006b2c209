#include "bench/gpu/work.h"

#include "engine/kv/cache.h"

#include <algorithm>

namespace facet::bench {
namespace {

/// Positions that the token at `position` sees.
std::int64_t seen(const engine::LayerSpec& layer, std::int64_t position) {
  return layer.window > 0 ? std::min<std::int64_t>(layer.window, position + 1) : position + 1;
}

/// Sum of seen() over positions 0 to `tokens` - 1.
double seen_by_all(const engine::LayerSpec& layer, std::int64_t tokens) {
  const std::int64_t growing = seen(layer, tokens - 1);
  return static_cast<double>(growing) * static_cast<double>(growing + 1) / 2 +
         static_cast<double>(tokens - growing) * static_cast<double>(growing);
}

}  // namespace

double kv_bytes_read(const engine::ModelConfig& config,
                     engine::KvType type,
                     std::int64_t position) {
  double bytes = 0;
  for (const engine::LayerSpec& layer : config.layers) {
    bytes += static_cast<double>(seen(layer, position) * engine::kv_token_bytes(layer, type));
  }
  return bytes;
}

PromptWork prompt_work(const engine::ModelConfig& config, std::int64_t tokens) {
  PromptWork work;
  const double hidden = config.hidden;
  for (const engine::LayerSpec& layer : config.layers) {
    const double q = static_cast<double>(layer.heads) * layer.head_dim;
    const double kv = static_cast<double>(layer.kv_heads) * layer.head_dim;
    const double weights = hidden * (2 * q + 2 * kv + 3.0 * layer.ffn);
    work.products += 2 * weights * static_cast<double>(tokens);
    work.attention += 4 * q * seen_by_all(layer, tokens);
  }
  work.products += 2 * hidden * config.vocabulary;
  return work;
}

}  // namespace facet::bench
