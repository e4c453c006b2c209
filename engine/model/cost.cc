#include "engine/model/cost.h"

#include "engine/model/model.h"

#include <algorithm>

namespace facet::engine {
namespace {

/// The positions that a layer shows to one at `position`.
std::int64_t keys_seen(const LayerSpec& spec, std::int64_t position) {
  return spec.window == 0 ? position + 1 : std::min<std::int64_t>(spec.window, position + 1);
}

double matrix_weights(const TensorView& w) {
  return static_cast<double>(w.rows) * static_cast<double>(w.cols);
}

}  // namespace

PassCost append_cost(const Model& model,
                     std::int64_t depth,
                     std::int64_t tokens,
                     std::int64_t chunk_tokens,
                     KvType kv_type) {
  PassCost out;
  const auto count = static_cast<double>(tokens);
  const auto chunks = static_cast<double>((tokens + chunk_tokens - 1) / chunk_tokens);
  for (std::size_t l = 0; l < model.config().layers.size(); ++l) {
    const LayerSpec& spec = model.config().layers[l];
    const LayerWeights& layer = model.layer(l);
    for (const TensorView* w :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      out.weight_bytes += chunks * static_cast<double>(w->bytes());
      out.flops += 2.0 * count * matrix_weights(*w);
    }
    double keys = 0.0;
    for (std::int64_t t = 0; t < tokens; ++t) {
      keys += static_cast<double>(keys_seen(spec, depth + t));
    }
    out.flops += 4.0 * keys * spec.heads * spec.head_dim;
    for (std::int64_t first = 0; first < tokens; first += chunk_tokens) {
      const std::int64_t size = std::min(chunk_tokens, tokens - first);
      const std::int64_t seen =
          std::min(depth + first + size, keys_seen(spec, depth + first) + size - 1);
      out.kv_bytes +=
          2.0 * static_cast<double>(seen * kv_row_bytes(kv_type, spec.kv_heads, spec.head_dim));
    }
  }
  out.weight_bytes += static_cast<double>(model.embedding().bytes());
  out.flops += 2.0 * matrix_weights(model.embedding());
  return out;
}

}  // namespace facet::engine
