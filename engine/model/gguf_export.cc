#include "engine/model/gguf_export.h"

#include "engine/tokenizer/vocabulary.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

namespace facet::engine {
namespace {

constexpr int kSlidingPeriod = 6;  // What readers assume where a file does not say.
constexpr double kLocalTheta = 1e4;
constexpr int kLayersOf27b = 62;

/// Numbers of value types in a GGUF file.
enum class Kind : std::uint32_t { u32 = 4, i32 = 5, f32 = 6, boolean = 7, string = 8, array = 9 };

template <typename T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

/// Collects keys and values.
class Metadata {
 public:
  void add(std::string_view key, std::uint32_t value) { put(begin(key, Kind::u32), value); }
  void add(std::string_view key, int value) { add(key, static_cast<std::uint32_t>(value)); }
  void add(std::string_view key, float value) { put(begin(key, Kind::f32), value); }
  void add(std::string_view key, bool value) {
    put<std::uint8_t>(begin(key, Kind::boolean), value ? 1 : 0);
  }
  void add(std::string_view key, std::string_view value) {
    put_text(begin(key, Kind::string), value);
  }
  /// `element` writes one of `count` values behind what is there.
  template <typename Element>
  void add_array(std::string_view key, Kind kind, std::size_t count, Element element) {
    std::string& out = begin(key, Kind::array);
    put(out, static_cast<std::uint32_t>(kind));
    put<std::uint64_t>(out, count);
    for (std::size_t i = 0; i < count; ++i) element(out, i);
  }

  /// Hands everything over.
  void give(GgufPlan& plan) && {
    plan.metadata = std::move(bytes_);
    plan.metadata_count = count_;
  }

 private:
  std::string& begin(std::string_view key, Kind kind) {
    ++count_;
    put_text(bytes_, key);
    put(bytes_, static_cast<std::uint32_t>(kind));
    return bytes_;
  }

  std::string bytes_;
  std::uint64_t count_ = 0;
};

bool slides_as_assumed(const std::vector<LayerSpec>& layers) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if ((layers[i].window != 0) != ((i + 1) % kSlidingPeriod != 0)) return false;
  }
  return true;
}

void add_attention(const ModelConfig& config, const std::string& front, Metadata& out) {
  const LayerSpec& any = config.layers.front();
  out.add(front + "attention.head_count", any.heads);
  out.add(front + "attention.head_count_kv", any.kv_heads);
  out.add(front + "attention.key_length", any.head_dim);
  out.add(front + "attention.value_length", any.head_dim);
  out.add(front + "attention.layer_norm_rms_epsilon", config.norm_eps);
  const bool is_27b = config.layers.size() == kLayersOf27b;
  const double width = is_27b ? static_cast<double>(config.hidden) / any.heads : any.head_dim;
  if (any.attention_scale != static_cast<float>(1.0 / std::sqrt(width))) {
    out.add(front + "attention.scale", any.attention_scale);
  }
  for (const LayerSpec& layer : config.layers) {
    if (layer.window == 0) continue;
    // Embedders state the width over both sides.
    const int window = layer.causal ? layer.window : 2 * (layer.window - 1);
    out.add(front + "attention.sliding_window", window);
    if (layer.rope_theta != kLocalTheta) {
      out.add(front + "rope.freq_base_swa", static_cast<float>(layer.rope_theta));
    }
    break;
  }
  if (!slides_as_assumed(config.layers)) {
    out.add_array(front + "attention.sliding_window_pattern",
                  Kind::boolean,
                  config.layers.size(),
                  [&](std::string& to, std::size_t i) {
                    put<std::uint8_t>(to, config.layers[i].window != 0 ? 1 : 0);
                  });
  }
  for (const LayerSpec& layer : config.layers) {
    if (layer.window != 0) continue;
    out.add(front + "rope.freq_base", static_cast<float>(layer.rope_theta));
    if (layer.rope_divisor != 1.0) {
      out.add(front + "rope.scaling.type", std::string_view("linear"));
      out.add(front + "rope.scaling.factor", static_cast<float>(layer.rope_divisor));
    }
    break;
  }
}

void add_config(const ModelConfig& config, Metadata& out) {
  out.add("general.architecture", std::string_view(config.architecture));
  out.add("general.type", std::string_view("model"));
  out.add("general.name", std::string_view(config.name));
  out.add("general.quantization_version", 2);
  const std::string front = config.architecture + ".";
  out.add(front + "context_length", static_cast<std::uint32_t>(config.context_tokens_max));
  out.add(front + "embedding_length", config.hidden);
  out.add(front + "block_count", static_cast<int>(config.layers.size()));
  out.add(front + "feed_forward_length", config.layers.front().ffn);
  add_attention(config, front, out);
  if (!config.is_embedder) return;
  out.add(front + "attention.causal", false);
  out.add(front + "pooling_type", 1);
  if (config.dense_hidden == 0) return;
  out.add(front + "dense_2_feat_in", config.hidden);
  out.add(front + "dense_2_feat_out", config.dense_hidden);
  out.add(front + "dense_3_feat_in", config.dense_hidden);
  out.add(front + "dense_3_feat_out", config.embedding_dim);
}

/// llama.cpp matches user-defined text before it marks spaces, so there they are spaces.
std::string piece_text(const Piece& piece) {
  return piece.type == Piece::Type::user_defined && !is_control_piece(piece) ? piece_bytes(piece)
                                                                             : piece.text;
}

Piece::Type piece_type(const Piece& piece) {
  if (piece.type == Piece::Type::unknown || !is_control_piece(piece)) return piece.type;
  return Piece::Type::control;
}

/// Stop tokens beside eos: the end of a turn by its name, and one more.
Status add_stop_ids(const ModelConfig& config, const Vocabulary& vocabulary, Metadata& out) {
  std::vector<TokenId> rest;
  for (const TokenId id : config.stop_ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= vocabulary.pieces.size()) continue;
    const std::string& text = vocabulary.pieces[static_cast<std::size_t>(id)].text;
    if (id != vocabulary.eos && text != "<end_of_turn>" && text != "<eos>") rest.push_back(id);
  }
  std::sort(rest.begin(), rest.end());
  rest.erase(std::unique(rest.begin(), rest.end()), rest.end());
  if (rest.size() > 1) {
    return Error{Code::unsupported,
                 "the stop tokens " + std::to_string(rest[0]) + " and " + std::to_string(rest[1]) +
                     " beside eos and <end_of_turn>; a GGUF file holds one"};
  }
  const auto turn = std::find_if(vocabulary.pieces.begin(),
                                 vocabulary.pieces.end(),
                                 [](const Piece& piece) { return piece.text == "<end_of_turn>"; });
  if (turn != vocabulary.pieces.end() && !config.is_embedder) {
    out.add("tokenizer.ggml.eot_token_id", static_cast<int>(turn - vocabulary.pieces.begin()));
  }
  if (!rest.empty()) out.add("tokenizer.ggml.eom_token_id", rest.front());
  return ok();
}

Status add_vocabulary(const ModelConfig& config, const Vocabulary& vocabulary, Metadata& out) {
  const std::vector<Piece>& pieces = vocabulary.pieces;
  out.add("tokenizer.ggml.model", std::string_view("llama"));
  out.add("tokenizer.ggml.pre", std::string_view("default"));
  out.add_array(
      "tokenizer.ggml.tokens", Kind::string, pieces.size(), [&](std::string& to, std::size_t i) {
        put_text(to, piece_text(pieces[i]));
      });
  out.add_array(
      "tokenizer.ggml.scores", Kind::f32, pieces.size(), [&](std::string& to, std::size_t i) {
        put(to, pieces[i].score);
      });
  out.add_array(
      "tokenizer.ggml.token_type", Kind::i32, pieces.size(), [&](std::string& to, std::size_t i) {
        put(to, static_cast<std::int32_t>(piece_type(pieces[i])));
      });
  out.add("tokenizer.ggml.bos_token_id", vocabulary.bos);
  out.add("tokenizer.ggml.eos_token_id", vocabulary.eos);
  const auto unknown = std::find_if(pieces.begin(), pieces.end(), [](const Piece& piece) {
    return piece.type == Piece::Type::unknown;
  });
  out.add("tokenizer.ggml.unknown_token_id", static_cast<int>(unknown - pieces.begin()));
  if (vocabulary.pad >= 0) out.add("tokenizer.ggml.padding_token_id", vocabulary.pad);
  out.add("tokenizer.ggml.add_bos_token", vocabulary.add_bos);
  out.add("tokenizer.ggml.add_eos_token", vocabulary.add_eos);
  out.add("tokenizer.ggml.add_space_prefix", false);
  return add_stop_ids(config, vocabulary, out);
}

/// Moves the tensors of a model from one naming to the other.
class Mover {
 public:
  Mover(const ModelSource& source, GgufPlan& plan) : source_(source), plan_(plan) {}

  Status move(const std::string& from, const std::string& to, std::int64_t rows_max = 0) {
    const StoredTensor* tensor = source_.tensors.find(from);
    if (tensor == nullptr) return Error{Code::invalid_data, "tensor '" + from + "' is missing"};
    GgufTensorPlan out{.name = to, .source = *tensor};
    if (tensor->shape.size() == 1) out.offset = source_.naming.norm_offset;
    if (rows_max > 0 && out.source.shape[0] > rows_max) {
      out.source.bytes = out.source.bytes / out.source.shape[0] * rows_max;
      out.source.shape[0] = rows_max;
    }
    plan_.tensors.push_back(std::move(out));
    return ok();
  }

  Status move_layer(std::size_t index) {
    const TensorNaming to = gguf_naming();
    constexpr std::string_view TensorNaming::*kParts[] = {&TensorNaming::attn_norm,
                                                          &TensorNaming::q,
                                                          &TensorNaming::k,
                                                          &TensorNaming::v,
                                                          &TensorNaming::o,
                                                          &TensorNaming::q_norm,
                                                          &TensorNaming::k_norm,
                                                          &TensorNaming::post_attn_norm,
                                                          &TensorNaming::ffn_norm,
                                                          &TensorNaming::gate,
                                                          &TensorNaming::up,
                                                          &TensorNaming::down,
                                                          &TensorNaming::post_ffn_norm};
    for (const auto part : kParts) {
      FACET_TRY_STATUS(
          move(source_.naming.layer(index, source_.naming.*part), to.layer(index, to.*part)));
    }
    return ok();
  }

 private:
  const ModelSource& source_;
  GgufPlan& plan_;
};

bool same(const LayerSpec& a, const LayerSpec& b) {
  return a.heads == b.heads && a.kv_heads == b.kv_heads && a.head_dim == b.head_dim &&
         a.ffn == b.ffn && a.window == b.window && a.causal == b.causal &&
         a.rope_theta == b.rope_theta && a.rope_divisor == b.rope_divisor &&
         a.attention_scale == b.attention_scale;
}

Error differs(const std::string& field) {
  return {Code::unsupported, "the model's " + field + " cannot be said in a GGUF file"};
}

}  // namespace

Result<GgufPlan> plan_gguf(const ModelSource& source) {
  GgufPlan out;
  Metadata metadata;
  add_config(source.config, metadata);
  FACET_TRY_STATUS(add_vocabulary(source.config, source.vocabulary, metadata));
  std::move(metadata).give(out);
  const TensorNaming to = gguf_naming();
  Mover mover(source, out);
  FACET_TRY_STATUS(mover.move(source.naming.embedding, to.embedding, source.config.vocabulary));
  FACET_TRY_STATUS(mover.move(source.naming.output_norm, to.output_norm));
  for (std::size_t i = 0; i < source.config.layers.size(); ++i) {
    FACET_TRY_STATUS(mover.move_layer(i));
  }
  if (source.config.dense_hidden > 0) {
    FACET_TRY_STATUS(mover.move(std::string(source.naming.dense2), std::string(to.dense2)));
    FACET_TRY_STATUS(mover.move(std::string(source.naming.dense3), std::string(to.dense3)));
  }
  out.left_out = std::ssize(source.tensors.all()) - std::ssize(out.tensors);
  return out;
}

Status check_export(const ModelConfig& source, const ModelConfig& written) {
  if (written.architecture != source.architecture || written.hidden != source.hidden) {
    return differs("architecture");
  }
  if (written.vocabulary != source.vocabulary) return differs("vocabulary");
  if (written.norm_eps != source.norm_eps) return differs("norm epsilon");
  if (written.context_tokens_max != source.context_tokens_max) return differs("context length");
  if (written.dense_hidden != source.dense_hidden ||
      written.embedding_dim != source.embedding_dim) {
    return differs("dense layers");
  }
  if (written.layers.size() != source.layers.size()) return differs("layers");
  for (std::size_t i = 0; i < source.layers.size(); ++i) {
    if (!same(written.layers[i], source.layers[i])) return differs("layer " + std::to_string(i));
  }
  return ok();
}

}  // namespace facet::engine
