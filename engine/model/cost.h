// What a forward pass has to read and to compute, from the shapes alone.
#pragma once

#include "engine/kv/kv_type.h"

#include <cstdint>

namespace facet::engine {

class Model;  // engine/model/model.h

/// Of one append, all tokens together.
struct PassCost {
  double weight_bytes = 0.0;  ///< Every matrix once per chunk; the head once.
  double kv_bytes = 0.0;      ///< Keys and values that a chunk may see, once per chunk.
  double flops = 0.0;         ///< 2 per weight and token, 4 per head dimension and key seen.
};

/// The cost of appending `tokens` behind `depth` positions in chunks of `chunk_tokens`, with the
/// logits of the last one. REQUIRES: a generator, tokens >= 1, chunk_tokens >= 1.
PassCost append_cost(const Model& model,
                     std::int64_t depth,
                     std::int64_t tokens,
                     std::int64_t chunk_tokens,
                     KvType kv_type);

}  // namespace facet::engine
