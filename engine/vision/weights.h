// The weights of a vision tower and its projector, put into place from either file format.
#pragma once

#include "base/result.h"
#include "engine/model/tensor_table.h"
#include "engine/vision/config.h"

#include <string>
#include <string_view>
#include <vector>

namespace facet::engine {

/// A linear layer with bias: y = x W^T + b.
struct VisionLinear {
  TensorView w;             ///< (out, in)
  std::vector<float> bias;  ///< (out)
};

/// y = (x - mean) / sqrt(variance + eps) * w + b.
struct VisionNorm {
  std::vector<float> w;     ///< (hidden)
  std::vector<float> bias;  ///< (hidden)
};

struct VisionLayerWeights {
  VisionNorm norm1;
  VisionLinear q;  ///< (hidden, hidden), like k, v and o
  VisionLinear k;
  VisionLinear v;
  VisionLinear o;
  VisionNorm norm2;
  VisionLinear fc1;  ///< (ffn, hidden)
  VisionLinear fc2;  ///< (hidden, ffn)
};

/// The views borrow the bytes that the tensor table was filled from.
struct VisionWeights {
  VisionLinear patch;   ///< (hidden, 3 * patch * patch): one kernel a row, colour planes in order
  TensorView position;  ///< (patches, hidden)
  std::vector<VisionLayerWeights> layers;
  VisionNorm post_norm;
  std::vector<float> soft_norm;   ///< (hidden), the "1 +" of the checkpoint already in
  std::vector<float> projection;  ///< (text_hidden, hidden): files store it the other way round
};

/// How a file names a tower's tensors.
struct VisionNaming {
  std::string patch;         ///< Followed by ".weight" or ".bias", like all that is a layer.
  std::string position;      ///< Complete.
  std::string layer_prefix;  ///< The index and a dot follow.
  std::string_view norm1, q, k, v, o, norm2, fc1, fc2;
  std::string post_norm;
  std::string soft_norm;     ///< Complete.
  std::string projection;    ///< Complete.
  float norm_offset = 0.0F;  ///< Added to soft_norm: 1 where files store w of (1 + w).
};

/// Hugging Face names, with whichever of the prefixes in use `tensors` has: "vision_tower." with or
/// without "vision_model." behind and "model." before. invalid_data when it has none of them.
Result<VisionNaming> find_hf_vision_naming(const TensorTable& tensors);

/// llama.cpp's names. The two matrices of the feed-forward carry each other's name in older files;
/// their shapes tell.
VisionNaming gguf_vision_naming(const TensorTable& tensors, const VisionConfig& config);

/// Every tensor checked against the config by name and shape. invalid_data naming the tensor.
Result<VisionWeights> assemble_vision_weights(const VisionConfig& config,
                                              const TensorTable& tensors,
                                              const VisionNaming& naming);

}  // namespace facet::engine
