#include "engine/model/hf_config.h"

#include "base/checked.h"
#include "base/json.h"
#include "engine/model/hf_json.h"
#include "engine/model/in_quotes.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace facet::engine {
namespace {

constexpr double kGlobalTheta = 1e6;
constexpr double kLocalTheta = 1e4;

/// RoPE of one kind of layer.
struct Rope {
  double theta = 0.0;
  double divisor = 1.0;
};

/// "default" or "linear" scaling out of an object that may be absent or null.
Result<double> rope_divisor(const JsonFields& scaling, double otherwise) {
  if (scaling.empty()) return otherwise;
  FACET_TRY(std::string type, scaling.text("rope_type", ""));
  if (type.empty()) {
    FACET_TRY(type, scaling.text("type", "default"));
  }
  if (type == "default") return 1.0;
  if (type == "linear") return scaling.number("factor", 1.0);
  return Error{Code::unsupported, "rope type " + in_quotes(type) + "; default and linear are read"};
}

/// The newest spelling has an object per kind of layer in rope_parameters, older ones have flat
/// keys. Files mix them: a flat base stands in for one that the object lacks, and rope_scaling goes
/// over the object of the global layers.
Result<Rope> read_rope(const JsonFields& text, bool slides) {
  FACET_TRY(const JsonFields parameters, text.object("rope_parameters"));
  FACET_TRY(const JsonFields own,
            parameters.object(slides ? "sliding_attention" : "full_attention"));
  Rope out;
  FACET_TRY(out.theta,
            text.number(slides ? "rope_local_base_freq" : "rope_theta",
                        slides ? kLocalTheta : kGlobalTheta));
  FACET_TRY(out.theta, own.number("rope_theta", out.theta));
  FACET_TRY(out.divisor, rope_divisor(own, 1.0));
  if (slides) return out;
  FACET_TRY(const JsonFields scaling, text.object("rope_scaling"));
  FACET_TRY(out.divisor, rope_divisor(scaling, out.divisor));
  return out;
}

/// Which layers slide, from whichever of the three spellings is there.
Result<std::vector<bool>> sliding_layers(const JsonFields& text, int layers) {
  std::vector<bool> out(static_cast<std::size_t>(layers));
  FACET_TRY(const std::vector<std::string> types, text.texts("layer_types"));
  if (!types.empty()) {
    if (types.size() != out.size()) {
      return Error{Code::invalid_data,
                   "layer_types has " + std::to_string(types.size()) + " entries for " +
                       std::to_string(layers) + " layers"};
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (types[i] != "sliding_attention" && types[i] != "full_attention") {
        return Error{Code::unsupported, "layer type " + in_quotes(types[i])};
      }
      out[i] = types[i] == "sliding_attention";
    }
    return out;
  }
  FACET_TRY(const int newer, text.integer("_sliding_window_pattern", 6));
  FACET_TRY(const int pattern, text.integer("sliding_window_pattern", newer));
  if (pattern < 1) {
    return Error{Code::invalid_data, "sliding_window_pattern is " + std::to_string(pattern)};
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = (i + 1) % static_cast<std::size_t>(pattern) != 0;
  }
  return out;
}

Result<LayerSpec> read_layer_base(const JsonFields& text, bool is_embedder) {
  LayerSpec out;
  FACET_TRY(out.heads, text.integer("num_attention_heads", 8));
  FACET_TRY(out.kv_heads, text.integer("num_key_value_heads", 4));
  FACET_TRY(out.head_dim, text.integer("head_dim", 256));
  FACET_TRY(out.ffn, text.integer("intermediate_size", 9216));
  FACET_TRY(const double scalar, text.number("query_pre_attn_scalar", 256.0));
  out.attention_scale = static_cast<float>(1.0 / std::sqrt(scalar));
  out.causal = !is_embedder;
  return out;
}

Status read_layers(const JsonFields& text, ModelConfig& config) {
  FACET_TRY(const int layers, text.integer("num_hidden_layers", 26));
  if (layers < 1 || layers > ConfigLimits().layers_max) {
    return Error{Code::invalid_data, "num_hidden_layers is " + std::to_string(layers)};
  }
  FACET_TRY(const LayerSpec base, read_layer_base(text, config.is_embedder));
  FACET_TRY(const int window, text.integer("sliding_window", 4096));
  FACET_TRY(const std::vector<bool> sliding, sliding_layers(text, layers));
  FACET_TRY(const Rope local, read_rope(text, true));
  FACET_TRY(const Rope global, read_rope(text, false));
  for (const bool slides : sliding) {
    if (slides && window < 1) {
      return Error{Code::invalid_data, "sliding_window is " + std::to_string(window)};
    }
    LayerSpec layer = base;
    layer.rope_theta = slides ? local.theta : global.theta;
    layer.rope_divisor = slides ? local.divisor : global.divisor;
    // transformers halves an embedder's window, because it reaches to both sides.
    if (slides) layer.window = layer.causal ? window : window / 2 + 1;
    config.layers.push_back(layer);
  }
  return ok();
}

/// What no model of the family has, and the forward pass does not know.
Status refuse_foreign(const JsonFields& text) {
  for (const std::string_view key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    FACET_TRY(const double cap, text.number(key, 0.0));
    if (cap != 0.0) {
      return Error{Code::unsupported, std::string(key) + " is " + std::to_string(cap)};
    }
  }
  FACET_TRY(const std::string activation, text.text("hidden_activation", "gelu_pytorch_tanh"));
  if (activation != "gelu_pytorch_tanh") {
    return Error{Code::unsupported, "hidden_activation " + in_quotes(activation)};
  }
  FACET_TRY(const bool bias, text.boolean("attention_bias", false));
  if (bias) return Error{Code::unsupported, "attention_bias is true"};
  FACET_TRY(const bool tied, text.boolean("tie_word_embeddings", true));
  if (!tied) return Error{Code::unsupported, "tie_word_embeddings is false"};
  return ok();
}

Status read_stop_ids(const JsonFields& fields, ModelConfig& config) {
  FACET_TRY(const std::vector<std::int32_t> ids, fields.integers("eos_token_id"));
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= config.vocabulary) {
      return Error{Code::invalid_data,
                   "eos_token_id is " + std::to_string(id) + ", vocab_size is " +
                       std::to_string(config.vocabulary)};
    }
    config.stop_ids.push_back(id);
  }
  return ok();
}

}  // namespace

Result<ModelConfig> read_hf_config(std::string_view json) {
  FACET_TRY(const auto value, parse_json(json, "config.json"));
  if (!value.is_object()) return Error{Code::invalid_data, "config.json is not an object"};
  const JsonFields root(&value);
  FACET_TRY(const std::string type, root.text("model_type", ""));
  if (type != "gemma3" && type != "gemma3_text" && type != "shieldgemma2") {
    return Error{
        Code::unsupported,
        "model_type " + in_quotes(type) + "; gemma3, gemma3_text and shieldgemma2 are read"};
  }
  FACET_TRY(const JsonFields nested, root.object("text_config"));
  const JsonFields& text = nested.empty() ? root : nested;
  ModelConfig config;
  FACET_TRY(config.is_embedder, text.boolean("use_bidirectional_attention", false));
  config.architecture = config.is_embedder ? "gemma-embedding" : "gemma3";
  FACET_TRY(config.hidden, text.integer("hidden_size", 2304));
  FACET_TRY(config.vocabulary, text.integer("vocab_size", 262208));
  FACET_TRY(config.context_tokens_max, text.integer("max_position_embeddings", 131072));
  FACET_TRY(const double eps, text.number("rms_norm_eps", 1e-6));
  config.norm_eps = static_cast<float>(eps);
  config.embedding_scale = std::sqrt(static_cast<float>(config.hidden));
  if (config.is_embedder) config.embedding_dim = config.hidden;
  FACET_TRY_STATUS(refuse_foreign(text));
  FACET_TRY_STATUS(read_layers(text, config));
  FACET_TRY_STATUS(read_stop_ids(root, config));
  FACET_TRY_STATUS(check_config(config));
  return config;
}

Status apply_generation_config(std::string_view json, ModelConfig& config) {
  FACET_TRY(const auto value, parse_json(json, "generation_config.json"));
  if (!value.is_object()) {
    return Error{Code::invalid_data, "generation_config.json is not an object"};
  }
  return read_stop_ids(JsonFields(&value), config);
}

Status check_pooling_config(std::string_view json) {
  FACET_TRY(const auto value, parse_json(json, "1_Pooling/config.json"));
  if (!value.is_object()) return Error{Code::invalid_data, "it is not an object"};
  for (const auto& [key, chosen] : value.items()) {
    const bool is_mode = key.starts_with("pooling_mode_") && key != "pooling_mode_mean_tokens";
    if (is_mode && chosen.is_boolean() && chosen.get<bool>()) {
      return Error{Code::unsupported,
                   in_quotes(key) + " is true; the mean over tokens is computed"};
    }
  }
  FACET_TRY(const bool is_mean, JsonFields(&value).boolean("pooling_mode_mean_tokens", true));
  if (is_mean) return ok();
  return Error{Code::unsupported, "pooling_mode_mean_tokens is false"};
}

Status check_dense_config(std::string_view json) {
  FACET_TRY(const auto value, parse_json(json, "config.json"));
  if (!value.is_object()) return Error{Code::invalid_data, "it is not an object"};
  FACET_TRY(const std::string activation, JsonFields(&value).text("activation_function", ""));
  if (activation.empty() || activation.ends_with(".Identity")) return ok();
  return Error{Code::unsupported,
               "activation_function " + in_quotes(activation) + "; Identity is computed"};
}

Status apply_tokenizer_config(std::string_view json, Vocabulary& vocabulary) {
  FACET_TRY(const auto value, parse_json(json, "tokenizer_config.json"));
  if (!value.is_object()) {
    return Error{Code::invalid_data, "tokenizer_config.json is not an object"};
  }
  const JsonFields root(&value);
  FACET_TRY(vocabulary.add_bos, root.boolean("add_bos_token", vocabulary.add_bos));
  FACET_TRY(vocabulary.add_eos, root.boolean("add_eos_token", vocabulary.add_eos));
  FACET_TRY(const JsonFields added, root.object("added_tokens_decoder"));
  for (std::size_t id = 0; id < vocabulary.pieces.size() && !added.empty(); ++id) {
    Piece& piece = vocabulary.pieces[id];
    if (!piece.text.starts_with("<unused")) continue;
    FACET_TRY(const JsonFields entry, added.object(std::to_string(id)));
    FACET_TRY(std::string content, entry.text("content", piece.text));
    if (content == piece.text) continue;
    piece.text = std::move(content);
    piece.type = Piece::Type::control;
  }
  return ok();
}

}  // namespace facet::engine
