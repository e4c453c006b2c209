// The obvious forward pass: whole text at once, no cache, no chunks, no threads, all in double.
// The oracle of engine/cpu/forward.h; the steps are those of the transformers library's
// modeling_gemma3 (Gemma3TextModel), written as scalar loops.
#pragma once

#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/vision/soft_tokens.h"

#include <span>
#include <vector>

namespace facet::engine {

/// Logits after every token. (tokens, vocabulary). Time grows with tokens^2; for small models.
/// `images` lie where find_images says.
std::vector<double> reference_logits(const ModelConfig& config,
                                     const ModelWeights& weights,
                                     std::span<const TokenId> ids,
                                     std::span<const ImageSpan> images = {});

/// The L2-normalised vector of a text. (embedding_dim)
std::vector<double> reference_embedding(const ModelConfig& config,
                                        const ModelWeights& weights,
                                        std::span<const TokenId> ids);

}  // namespace facet::engine
