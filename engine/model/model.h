// Model: immutable weights of a Gemma 3 or EmbeddingGemma model, read from a GGUF file or a Hugging
// Face folder, with its tokenizer.
#pragma once

#include "base/result.h"
#include "engine/model/config.h"
#include "engine/model/info.h"
#include "engine/model/tensor.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace facet::engine {

/// The weights of one layer. Norms are ready to multiply: y = x / rms(x) * norm (the "1 +" of the
/// safetensors convention is already in). Matrices are (out, in): y = W x.
struct LayerWeights {
  std::vector<float> attn_norm;       ///< (hidden)
  TensorView q;                       ///< (heads * head_dim, hidden)
  TensorView k;                       ///< (kv_heads * head_dim, hidden)
  TensorView v;                       ///< (kv_heads * head_dim, hidden)
  TensorView o;                       ///< (hidden, heads * head_dim)
  std::vector<float> q_norm;          ///< (head_dim), shared by all heads
  std::vector<float> k_norm;          ///< (head_dim)
  std::vector<float> post_attn_norm;  ///< (hidden)
  std::vector<float> ffn_norm;        ///< (hidden), before the feed-forward
  TensorView gate;                    ///< (ffn, hidden)
  TensorView up;                      ///< (ffn, hidden)
  TensorView down;                    ///< (hidden, ffn)
  std::vector<float> post_ffn_norm;   ///< (hidden)
};

/// All weights of a model. The views point into memory that the Model keeps alive.
struct ModelWeights {
  TensorView embedding;            ///< (vocabulary, hidden); also the output head of a generator
  std::vector<float> output_norm;  ///< (hidden)
  std::vector<LayerWeights> layers;
  TensorView dense2;  ///< (dense_hidden, hidden); empty when there is none
  TensorView dense3;  ///< (embedding_dim, dense_hidden); empty when there is none
};

struct ModelLoadOptions {
  /// False: see EngineOptions::with_tokenizer.
  bool with_tokenizer = true;
};

/// Immutable after load and shared; all methods may be called from several threads at once. Matrix
/// weights stay memory-mapped; the Model keeps the mapping alive for every view it hands out.
class Model {
 public:
  /// Reads `path`: a GGUF file, or a folder with config.json, *.safetensors and tokenizer.model.
  /// Every tensor's name and shape is checked against the config. not_found for a missing file or
  /// tensor file, unsupported for another architecture or tensor type, invalid_data for anything
  /// broken; the message names file, tensor and value.
  static Result<std::shared_ptr<const Model>> load(const std::filesystem::path& path,
                                                   const ModelLoadOptions& options = {});

  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model();

  [[nodiscard]] const ModelConfig& config() const;
  /// REQUIRES: index < config().layers.size().
  [[nodiscard]] const LayerWeights& layer(std::size_t index) const;
  [[nodiscard]] const TensorView& embedding() const;
  [[nodiscard]] std::span<const float> output_norm() const;
  [[nodiscard]] const TensorView& dense2() const;
  [[nodiscard]] const TensorView& dense3() const;
  /// REQUIRES: loaded with_tokenizer.
  [[nodiscard]] const Tokenizer& tokenizer() const;
  /// What the files say; cpu_path and the kv_ fields are left empty.
  [[nodiscard]] const ModelInfo& info() const;

 private:
  struct Parts;
  explicit Model(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// Only the tokenizer of `path`: a bare SentencePiece `.model` file, a GGUF file, or a folder with
/// tokenizer.model. Errors as in Model::load.
Result<std::shared_ptr<const Tokenizer>> load_tokenizer(const std::filesystem::path& path);

}  // namespace facet::engine
