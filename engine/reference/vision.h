// The obvious vision tower: scalar loops in double, nothing shared with engine/vision/encoder.h.
// The steps are those of transformers' SiglipVisionModel and Gemma3MultiModalProjector.
#pragma once

#include "engine/vision/config.h"
#include "engine/vision/weights.h"

#include <span>
#include <vector>

namespace facet::engine {

/// The soft tokens of one image. pixels: (3, image_size, image_size); returns
/// (image_tokens, text_hidden). Time grows with patches^2; for small towers.
std::vector<double> reference_soft_tokens(const VisionConfig& config,
                                          const VisionWeights& weights,
                                          std::span<const float> pixels);

}  // namespace facet::engine
