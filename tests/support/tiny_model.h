// A tiny random Gemma 3 or EmbeddingGemma model, written as a GGUF file or a Hugging Face folder.
// The same seed gives the same weights in both forms (before rounding to the file's type).
#pragma once

#include "engine/model/tensor.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/support/model_files.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace facet::test {

struct TinyModel {
  std::uint32_t seed = 1;
  int layers = 3;
  int hidden = 64;
  int heads = 4;
  int kv_heads = 2;
  int head_dim = 32;  ///< heads * head_dim differs from hidden on purpose.
  int ffn = 96;
  int window = 8;
  int global_every = 3;  ///< Every third layer is global; the others slide.
  int context_tokens_max = 256;
  double rope_factor = 1.0;  ///< Linear scaling of the global layers.
  int embedding_rows = 0;    ///< 0: the pieces of tiny_vocabulary.
  bool is_embedder = false;
  int dense_hidden = 0;                     ///< Embedders: 0 for no dense layers.
  engine::DType type = engine::DType::f32;  ///< Of the matrices; norms are F32.
};

/// 500 pieces or so: Gemma's first ids, turn and tool tokens at 46..52, 105 and 106, the 256 byte
/// pieces, newline and space runs and one HTML tag as user-defined text, ASCII, common pairs.
engine::Vocabulary tiny_vocabulary();
/// The same with these control tokens in the places of unused ones, where it lacks them.
engine::Vocabulary tiny_vocabulary_with(const std::vector<std::string>& control_tokens);

/// The weights by their GGUF names, as floats, norms as they multiply (1 + w).
struct TinyTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
std::map<std::string, TinyTensor> tiny_weights(const TinyModel& model);

/// The parts of the GGUF file, for tests that change one of them.
GgufWriter tiny_gguf(const TinyModel& model);
/// The same without its tokenizer.
GgufWriter tiny_gguf_without_tokenizer(const TinyModel& model);
void write_tiny_gguf(const std::filesystem::path& path, const TinyModel& model);

/// config.json (layer_types spelling), tokenizer.model, and model.safetensors, or `shards` files
/// with an index when more than 1. Names begin with `prefix`. REQUIRES: type F32, F16 or BF16.
void write_tiny_folder(const std::filesystem::path& folder,
                       const TinyModel& model,
                       int shards = 1,
                       const std::string& prefix = "model.");
/// The text of that config.json.
std::string tiny_config_json(const TinyModel& model);

}  // namespace facet::test
