#include "tests/support/tiny_model.h"

#include "base/check.h"
#include "engine/model/naming.h"
#include "engine/tokenizer/model_proto.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string_view>

namespace facet::test {
namespace {

using engine::DType;
using engine::Piece;

constexpr std::string_view kSpace = "\xE2\x96\x81";

/// Adds pieces in the order of their ids.
class VocabularyBuilder {
 public:
  void add(std::string text, Piece::Type type) {
    const bool scored = type == Piece::Type::normal;
    out_.pieces.push_back({std::move(text), scored ? score_ : 0.0F, type});
    if (scored) score_ -= 1.0F;
  }
  engine::Vocabulary take() { return std::move(out_); }
  [[nodiscard]] std::size_t size() const { return out_.pieces.size(); }

 private:
  engine::Vocabulary out_;
  float score_ = -1.0F;
};

std::string control_name(std::size_t id) {
  constexpr std::string_view kTools[] = {"<start_function_declaration>",
                                         "<end_function_declaration>",
                                         "<start_function_call>",
                                         "<end_function_call>",
                                         "<start_function_response>",
                                         "<end_function_response>",
                                         "<escape>"};
  if (id == 4) return "<mask>";
  if (id == 5) return "[multimodal]";
  if (id >= 46 && id <= 52) return std::string(kTools[id - 46]);
  if (id == 105) return "<start_of_turn>";
  if (id == 106) return "<end_of_turn>";
  if (id == 107) return "<start_of_image>";
  return "<unused" + std::to_string(id - (id < 46 ? 6 : 13)) + ">";
}

}  // namespace

engine::Vocabulary tiny_vocabulary() {
  VocabularyBuilder out;
  for (const char* name : {"<pad>", "<eos>", "<bos>"}) out.add(name, Piece::Type::control);
  out.add("<unk>", Piece::Type::unknown);
  // As in Gemma's own file, the markers are of the type "user-defined".
  while (out.size() < 108) out.add(control_name(out.size()), Piece::Type::user_defined);
  out.add("\n", Piece::Type::user_defined);
  out.add("\n\n", Piece::Type::user_defined);
  out.add(std::string(kSpace) + std::string(kSpace), Piece::Type::user_defined);
  out.add("<h1>", Piece::Type::user_defined);
  for (unsigned byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    out.add(text, Piece::Type::byte);
  }
  for (const char* pair :
       {"th", "he", "in", "er", "an", "re", "on", "ll", "the", "hell", "hello"}) {
    out.add(pair, Piece::Type::normal);
  }
  for (const char* word : {"t", "a", "w", "the", "wor"}) {
    out.add(std::string(kSpace) + word, Piece::Type::normal);
  }
  for (const char* more : {"or", "wor", "ld", "\xC3\xA9", "\xE2\x82\xAC"}) {
    out.add(more, Piece::Type::normal);
  }
  out.add(std::string(kSpace), Piece::Type::normal);
  for (char c = '!'; c <= '~'; ++c) out.add(std::string(1, c), Piece::Type::normal);
  return out.take();
}

engine::Vocabulary tiny_vocabulary_with(const std::vector<std::string>& control_tokens) {
  engine::Vocabulary out = tiny_vocabulary();
  auto free = out.pieces.begin();
  for (const std::string& name : control_tokens) {
    const bool is_there =
        std::any_of(out.pieces.begin(), out.pieces.end(), [&](const engine::Piece& piece) {
          return piece.text == name;
        });
    if (is_there) continue;
    free = std::find_if(free, out.pieces.end(), [](const engine::Piece& piece) {
      return piece.text.starts_with("<unused");
    });
    FACET_CHECK(free != out.pieces.end());
    free->text = name;
  }
  return out;
}

namespace {

std::int64_t embedding_rows(const TinyModel& model) {
  if (model.embedding_rows > 0) return model.embedding_rows;
  return static_cast<std::int64_t>(tiny_vocabulary().pieces.size());
}

}  // namespace

std::map<std::string, TinyTensor> tiny_weights(const TinyModel& model) {
  std::map<std::string, TinyTensor> out;
  std::mt19937 random(model.seed);
  // Not std::normal_distribution: its values differ between libraries. The sum of two is enough.
  const auto next = [&random] { return static_cast<float>(random() >> 8U) / 8388608.0F - 1.0F; };
  const auto matrix = [&](const std::string& name, std::int64_t rows, std::int64_t cols) {
    TinyTensor tensor{{rows, cols}, std::vector<float>(static_cast<std::size_t>(rows * cols))};
    for (float& value : tensor.values) value = 0.15F * (next() + next());
    out.emplace(name, std::move(tensor));
  };
  const auto norm = [&](const std::string& name, std::int64_t count) {
    TinyTensor tensor{{count}, std::vector<float>(static_cast<std::size_t>(count))};
    for (float& value : tensor.values) value = 1.0F + 0.25F * next();
    out.emplace(name, std::move(tensor));
  };
  const engine::TensorNaming names = engine::gguf_naming();
  const std::int64_t hidden = model.hidden;
  const std::int64_t head_dim = model.head_dim;
  matrix(names.embedding, embedding_rows(model), hidden);
  norm(names.output_norm, hidden);
  for (std::size_t i = 0; i < static_cast<std::size_t>(model.layers); ++i) {
    for (const auto name :
         {names.attn_norm, names.post_attn_norm, names.ffn_norm, names.post_ffn_norm}) {
      norm(names.layer(i, name), hidden);
    }
    norm(names.layer(i, names.q_norm), head_dim);
    norm(names.layer(i, names.k_norm), head_dim);
    matrix(names.layer(i, names.q), model.heads * head_dim, hidden);
    matrix(names.layer(i, names.k), model.kv_heads * head_dim, hidden);
    matrix(names.layer(i, names.v), model.kv_heads * head_dim, hidden);
    matrix(names.layer(i, names.o), hidden, model.heads * head_dim);
    matrix(names.layer(i, names.gate), model.ffn, hidden);
    matrix(names.layer(i, names.up), model.ffn, hidden);
    matrix(names.layer(i, names.down), hidden, model.ffn);
  }
  if (model.is_embedder && model.dense_hidden > 0) {
    matrix(std::string(names.dense2), model.dense_hidden, hidden);
    matrix(std::string(names.dense3), hidden, model.dense_hidden);
  }
  return out;
}

GgufWriter tiny_gguf(const TinyModel& model) {
  GgufWriter out;
  const std::string architecture = model.is_embedder ? "gemma-embedding" : "gemma3";
  const auto u32 = [&](std::string_view key, int value) {
    out.add_u32(architecture + "." + std::string(key), static_cast<std::uint32_t>(value));
  };
  out.add_string("general.architecture", architecture);
  out.add_string("general.name", "tiny");
  u32("context_length", model.context_tokens_max);
  u32("embedding_length", model.hidden);
  u32("block_count", model.layers);
  u32("feed_forward_length", model.ffn);
  u32("attention.head_count", model.heads);
  u32("attention.head_count_kv", model.kv_heads);
  u32("attention.key_length", model.head_dim);
  u32("attention.value_length", model.head_dim);
  u32("attention.sliding_window", model.window);
  u32("attention.sliding_window_pattern", model.global_every);
  out.add_f32(architecture + ".attention.layer_norm_rms_epsilon", 1e-6F);
  out.add_f32(architecture + ".rope.freq_base", 1e6F);
  if (model.rope_factor != 1.0) {
    out.add_string(architecture + ".rope.scaling.type", "linear");
    out.add_f32(architecture + ".rope.scaling.factor", static_cast<float>(model.rope_factor));
  }
  if (model.is_embedder) u32("pooling_type", 1);
  out.add_vocabulary(tiny_vocabulary());
  for (const auto& [name, tensor] : tiny_weights(model)) {
    const DType type = tensor.shape.size() == 1 ? DType::f32 : model.type;
    out.add_tensor({name, type, tensor.shape, encode_values(type, tensor.values)});
  }
  return out;
}

GgufWriter tiny_gguf_without_tokenizer(const TinyModel& model) {
  GgufWriter out = tiny_gguf(model);
  for (const char* key : {"model",
                          "tokens",
                          "scores",
                          "token_type",
                          "bos_token_id",
                          "eos_token_id",
                          "padding_token_id",
                          "add_space_prefix"}) {
    out.remove(std::string("tokenizer.ggml.") + key);
  }
  return out;
}

void write_tiny_gguf(const std::filesystem::path& path, const TinyModel& model) {
  write_bytes(path, tiny_gguf(model).bytes());
}

std::string tiny_config_json(const TinyModel& model) {
  nlohmann::ordered_json types = nlohmann::ordered_json::array();
  for (int i = 0; i < model.layers; ++i) {
    types.push_back((i + 1) % model.global_every == 0 ? "full_attention" : "sliding_attention");
  }
  nlohmann::ordered_json json = {
      {"architectures", {model.is_embedder ? "Gemma3TextModel" : "Gemma3ForCausalLM"}},
      {"model_type", "gemma3_text"},
      {"hidden_size", model.hidden},
      {"intermediate_size", model.ffn},
      {"num_hidden_layers", model.layers},
      {"num_attention_heads", model.heads},
      {"num_key_value_heads", model.kv_heads},
      {"head_dim", model.head_dim},
      {"query_pre_attn_scalar", model.head_dim},
      {"sliding_window", model.window},
      {"layer_types", types},
      {"max_position_embeddings", model.context_tokens_max},
      {"rms_norm_eps", 1e-6},
      {"rope_theta", 1e6},
      {"rope_local_base_freq", 1e4},
      {"hidden_activation", "gelu_pytorch_tanh"},
      {"vocab_size", embedding_rows(model)},
      {"eos_token_id", {1, 106}}};
  if (model.is_embedder) json["use_bidirectional_attention"] = true;
  json["rope_scaling"] = nullptr;
  if (model.rope_factor != 1.0) {
    json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", model.rope_factor}};
  }
  return json.dump(1);
}

namespace {

/// GGUF names to Hugging Face names, by walking both schemes side by side.
std::map<std::string, std::string> hf_names(const TinyModel& model, const std::string& prefix) {
  const engine::TensorNaming from = engine::gguf_naming();
  const engine::TensorNaming to = engine::hf_naming(prefix);
  std::map<std::string, std::string> out{{from.embedding, to.embedding},
                                         {from.output_norm, to.output_norm}};
  constexpr std::string_view engine::TensorNaming::*kFields[] = {
      &engine::TensorNaming::attn_norm,
      &engine::TensorNaming::q,
      &engine::TensorNaming::k,
      &engine::TensorNaming::v,
      &engine::TensorNaming::o,
      &engine::TensorNaming::q_norm,
      &engine::TensorNaming::k_norm,
      &engine::TensorNaming::post_attn_norm,
      &engine::TensorNaming::ffn_norm,
      &engine::TensorNaming::gate,
      &engine::TensorNaming::up,
      &engine::TensorNaming::down,
      &engine::TensorNaming::post_ffn_norm};
  for (std::size_t i = 0; i < static_cast<std::size_t>(model.layers); ++i) {
    for (const auto field : kFields)
      out.emplace(from.layer(i, from.*field), to.layer(i, to.*field));
  }
  return out;
}

FileTensor hf_tensor(const TinyModel& model, std::string name, TinyTensor tensor) {
  if (tensor.shape.size() == 1) {
    for (float& value : tensor.values) value -= 1.0F;  // Stored as w of (1 + w).
  }
  const DType type = tensor.shape.size() == 1 ? DType::f32 : model.type;
  return {std::move(name), type, tensor.shape, encode_values(type, tensor.values)};
}

void write_dense(const std::filesystem::path& folder, const FileTensor& tensor) {
  std::filesystem::create_directories(folder);
  write_bytes(folder / "model.safetensors", safetensors_bytes({tensor}));
}

}  // namespace

void write_tiny_folder(const std::filesystem::path& folder,
                       const TinyModel& model,
                       int shards,
                       const std::string& prefix) {
  std::filesystem::create_directories(folder);
  write_bytes(folder / "config.json", tiny_config_json(model));
  write_bytes(folder / "tokenizer.model", engine::write_model_proto(tiny_vocabulary()));
  const auto names = hf_names(model, prefix);
  std::vector<std::vector<FileTensor>> parts(static_cast<std::size_t>(shards));
  nlohmann::ordered_json map;
  std::size_t next = 0;
  for (auto& [name, tensor] : tiny_weights(model)) {
    if (name.starts_with("dense_")) {
      const std::string place = name.substr(6, 1) + "_Dense";
      write_dense(folder / place, hf_tensor(model, "linear.weight", tensor));
      continue;
    }
    const std::size_t part = next++ % parts.size();
    parts[part].push_back(hf_tensor(model, names.at(name), tensor));
    map[names.at(name)] = "part-" + std::to_string(part) + ".safetensors";
  }
  if (shards == 1) {
    write_bytes(folder / "model.safetensors", safetensors_bytes(parts[0]));
    return;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    write_bytes(folder / ("part-" + std::to_string(i) + ".safetensors"),
                safetensors_bytes(parts[i]));
  }
  write_bytes(folder / "model.safetensors.index.json",
              nlohmann::ordered_json{{"weight_map", map}}.dump());
}

}  // namespace facet::test
