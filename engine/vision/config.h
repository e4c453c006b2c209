// VisionConfig: the shape of a vision tower (SigLIP) and its projector, whatever file they came
// from. All Gemma 3 sizes from 4B up have the same one, but for the width they project to.
#pragma once

#include "base/result.h"
#include "engine/model/gguf.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

namespace facet::engine {

struct VisionConfig {
  int image_size = 896;  ///< Pixels a side of the square that the tower reads.
  int patch = 14;        ///< Pixels a side of a patch; divides image_size.
  int hidden = 1152;     ///< Divided by heads.
  int layers = 27;
  int heads = 16;
  int ffn = 4304;
  float norm_eps = 1e-6F;
  int image_tokens = 256;  ///< Soft tokens of an image: a square number.
  int text_hidden = 0;     ///< Width of a soft token: that of the text model.
  /// The id that stands for each soft token in lists of ids made elsewhere.
  int placeholder = 262144;

  [[nodiscard]] int side_patches() const { return image_size / patch; }
  [[nodiscard]] std::int64_t patches() const {
    return std::int64_t{side_patches()} * side_patches();
  }
  /// Floats of one patch: three colours, each patch x patch.
  [[nodiscard]] std::int64_t patch_floats() const { return std::int64_t{3} * patch * patch; }
  [[nodiscard]] int side_tokens() const {
    return static_cast<int>(std::lround(std::sqrt(static_cast<double>(image_tokens))));
  }
  [[nodiscard]] int head_dim() const { return hidden / heads; }
};

/// What is written above, and that a token's square of patches comes out whole, within the limits
/// of ConfigLimits and at most 4096 x 4096 pixels. invalid_data naming the field and the value.
Status check_vision_config(const VisionConfig& config);

/// The vision_config in the text of a config.json, with the defaults of the transformers library
/// for absent keys; nullopt where the model has none. `text_hidden` is the text model's width.
/// unsupported for an activation or a head that the tower does not have.
Result<std::optional<VisionConfig>> read_hf_vision_config(std::string_view json, int text_hidden);

/// The same from an mmproj file of llama.cpp. unsupported for another projector than "gemma3", and
/// for pixels that are not normalised with mean 0.5 and standard deviation 0.5.
Result<VisionConfig> read_gguf_vision_config(const Gguf& gguf);

}  // namespace facet::engine
