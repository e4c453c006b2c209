// Puts the tensors of a file into their places in a model, checking each against the config.
#pragma once

#include "base/result.h"
#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/model/naming.h"
#include "engine/model/tensor_table.h"

namespace facet::engine {

/// The weights of `config` out of `tensors`. The embedding may have more rows than the config has
/// tokens (multimodal folders pad it): the rest is cut off when `embedding_may_be_longer`.
/// invalid_data naming a tensor that is missing or misshapen, or a norm that is not finite.
Result<ModelWeights> assemble_weights(const ModelConfig& config,
                                      const TensorTable& tensors,
                                      const TensorNaming& naming,
                                      bool embedding_may_be_longer);

}  // namespace facet::engine
