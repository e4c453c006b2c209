// How the two file formats name the same tensors.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facet::engine {

/// The tensor names of one file format, and its norm convention.
struct TensorNaming {
  std::string embedding;
  std::string output_norm;
  std::string layer_prefix;  ///< "blk." or "model.layers."; the index and a dot follow.
  std::string_view attn_norm, q, k, v, o, q_norm, k_norm, post_attn_norm;
  std::string_view ffn_norm, gate, up, down, post_ffn_norm;
  std::string_view dense2, dense3;
  float norm_offset = 0.0F;  ///< Added to every norm weight: 1 where files store w of (1 + w).

  [[nodiscard]] std::string layer(std::size_t index, std::string_view name) const {
    return layer_prefix + std::to_string(index) + "." + std::string(name);
  }
};

/// llama.cpp's names; norms are stored as 1 + w.
TensorNaming gguf_naming();

/// Hugging Face names behind `prefix` ("model.", "language_model.model.", "model.language_model."
/// or ""); norms are stored as w. The dense layers are entered as "2_Dense" and "3_Dense".
TensorNaming hf_naming(std::string_view prefix);

}  // namespace facet::engine
