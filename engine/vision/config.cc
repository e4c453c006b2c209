#include "engine/vision/config.h"

#include "base/checked.h"
#include "base/json.h"
#include "engine/model/config.h"
#include "engine/model/hf_json.h"
#include "engine/model/in_quotes.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace facet::engine {
namespace {

constexpr int kImageSizeMax = 4096;
constexpr int kPoolOfGguf = 4;  // What a file means that does not say.

Error invalid(const std::string& field, double value) {
  return Error{Code::invalid_data, "vision " + field + " is " + std::to_string(value)};
}

Status check_range(const std::string& field, int value, int max) {
  if (value >= 1 && value <= max) return ok();
  return Error{Code::invalid_data,
               "vision " + field + " is " + std::to_string(value) + ", expected 1 to " +
                   std::to_string(max)};
}

Result<int> need_int(const Gguf& gguf, std::string_view key) {
  FACET_TRY(const std::int64_t value, gguf.need_integer(key));
  const auto narrow = checked_cast<int>(value);
  if (!narrow) {
    return Error{Code::invalid_data, "key '" + std::string(key) + "' is " + std::to_string(value)};
  }
  return *narrow;
}

/// Mean and standard deviation, where a file states them.
Status check_normalisation(const Gguf& gguf) {
  for (const std::string_view key : {"clip.vision.image_mean", "clip.vision.image_std"}) {
    const GgufValue* value = gguf.find(key);
    if (value == nullptr) continue;
    const auto* array = std::get_if<GgufArray>(value);
    const auto* numbers = array == nullptr ? nullptr : std::get_if<std::vector<double>>(array);
    if (numbers == nullptr || *numbers != std::vector<double>{0.5, 0.5, 0.5}) {
      return Error{Code::unsupported, "key '" + std::string(key) + "' is not [0.5, 0.5, 0.5]"};
    }
  }
  return ok();
}

}  // namespace

Status check_vision_config(const VisionConfig& config) {
  const ConfigLimits limits;
  FACET_TRY_STATUS(check_range("image_size", config.image_size, kImageSizeMax));
  FACET_TRY_STATUS(check_range("patch_size", config.patch, config.image_size));
  FACET_TRY_STATUS(check_range("hidden_size", config.hidden, limits.hidden_max));
  FACET_TRY_STATUS(check_range("layers", config.layers, limits.layers_max));
  FACET_TRY_STATUS(check_range("attention heads", config.heads, limits.heads_max));
  FACET_TRY_STATUS(check_range("intermediate_size", config.ffn, limits.ffn_max));
  FACET_TRY_STATUS(check_range("text width", config.text_hidden, limits.hidden_max));
  const auto patches = static_cast<int>(config.patches());
  FACET_TRY_STATUS(check_range("tokens of an image", config.image_tokens, patches));
  if (config.image_size % config.patch != 0) return invalid("patch_size", config.patch);
  if (config.hidden % config.heads != 0) return invalid("attention heads", config.heads);
  const int side = config.side_tokens();
  if (side * side != config.image_tokens || config.side_patches() % side != 0) {
    return invalid("tokens of an image", config.image_tokens);
  }
  if (!std::isfinite(config.norm_eps) || config.norm_eps <= 0.0F) {
    return invalid("layer_norm_eps", static_cast<double>(config.norm_eps));
  }
  return ok();
}

Result<std::optional<VisionConfig>> read_hf_vision_config(std::string_view json, int text_hidden) {
  FACET_TRY(const auto value, parse_json(json, "config.json"));
  if (!value.is_object()) return Error{Code::invalid_data, "config.json is not an object"};
  const JsonFields root(&value);
  FACET_TRY(const JsonFields vision, root.object("vision_config"));
  if (vision.empty()) return std::optional<VisionConfig>();
  FACET_TRY(const std::string act, vision.text("hidden_act", "gelu_pytorch_tanh"));
  if (act != "gelu_pytorch_tanh")
    return Error{Code::unsupported, "vision hidden_act " + in_quotes(act)};
  FACET_TRY(const int channels, vision.integer("num_channels", 3));
  if (channels != 3) {
    return Error{Code::unsupported, "vision num_channels is " + std::to_string(channels)};
  }
  VisionConfig out{.text_hidden = text_hidden};
  FACET_TRY(out.image_size, vision.integer("image_size", 224));
  FACET_TRY(out.patch, vision.integer("patch_size", 16));
  FACET_TRY(out.hidden, vision.integer("hidden_size", 768));
  FACET_TRY(out.layers, vision.integer("num_hidden_layers", 12));
  FACET_TRY(out.heads, vision.integer("num_attention_heads", 12));
  FACET_TRY(out.ffn, vision.integer("intermediate_size", 3072));
  FACET_TRY(const double eps, vision.number("layer_norm_eps", 1e-6));
  out.norm_eps = static_cast<float>(eps);
  FACET_TRY(out.image_tokens, root.integer("mm_tokens_per_image", 256));
  FACET_TRY(out.placeholder, root.integer("image_token_id", out.placeholder));
  FACET_TRY(out.placeholder, root.integer("image_token_index", out.placeholder));
  FACET_TRY_STATUS(check_vision_config(out));
  return std::optional(out);
}

Result<VisionConfig> read_gguf_vision_config(const Gguf& gguf) {
  FACET_TRY(const std::string_view architecture, gguf.need_string("general.architecture"));
  if (architecture != "clip") {
    return Error{Code::unsupported,
                 "architecture " + in_quotes(architecture) + " is no vision tower (clip)"};
  }
  FACET_TRY(const auto stated, gguf.string("clip.vision.projector_type"));
  FACET_TRY(const auto older, gguf.string("clip.projector_type"));
  const std::string projector(stated.value_or(older.value_or("")));
  if (projector != "gemma3")
    return Error{Code::unsupported, "projector type " + in_quotes(projector)};
  FACET_TRY_STATUS(check_normalisation(gguf));
  VisionConfig out;
  FACET_TRY(out.image_size, need_int(gguf, "clip.vision.image_size"));
  FACET_TRY(out.patch, need_int(gguf, "clip.vision.patch_size"));
  FACET_TRY(out.hidden, need_int(gguf, "clip.vision.embedding_length"));
  FACET_TRY(out.layers, need_int(gguf, "clip.vision.block_count"));
  FACET_TRY(out.heads, need_int(gguf, "clip.vision.attention.head_count"));
  FACET_TRY(out.ffn, need_int(gguf, "clip.vision.feed_forward_length"));
  FACET_TRY(out.text_hidden, need_int(gguf, "clip.vision.projection_dim"));
  FACET_TRY(const double eps, gguf.need_number("clip.vision.attention.layer_norm_epsilon"));
  out.norm_eps = static_cast<float>(eps);
  FACET_TRY(const auto factor, gguf.integer("clip.vision.projector.scale_factor"));
  const auto pool = checked_cast<int>(factor.value_or(kPoolOfGguf));
  if (!pool || *pool < 1 || out.patch < 1 || out.image_size > kImageSizeMax) {
    return Error{Code::invalid_data, "the vision tower's sizes are out of range"};
  }
  if (out.side_patches() % *pool != 0) return invalid("projector scale_factor", *pool);
  const int side = out.side_patches() / *pool;
  out.image_tokens = side * side;
  FACET_TRY_STATUS(check_vision_config(out));
  return out;
}

}  // namespace facet::engine
