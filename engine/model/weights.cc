#include "engine/model/weights.h"

#include <cstdint>
#include <string>
#include <utility>

namespace facet::engine {
namespace {

/// Reads the tensors of one layer by their short names.
class LayerReader {
 public:
  LayerReader(const TensorTable& tensors, const TensorNaming& naming, std::size_t index)
      : tensors_(tensors), naming_(naming), index_(index) {}

  Status matrix(std::string_view name, std::int64_t rows, std::int64_t cols, TensorView& to) const {
    FACET_TRY(to, tensors_.matrix(naming_.layer(index_, name), rows, cols));
    return ok();
  }
  Status norm(std::string_view name, std::int64_t count, std::vector<float>& to) const {
    FACET_TRY(to, tensors_.vector(naming_.layer(index_, name), count, naming_.norm_offset));
    return ok();
  }

 private:
  const TensorTable& tensors_;
  const TensorNaming& naming_;
  std::size_t index_;
};

Result<LayerWeights> read_layer(const ModelConfig& config,
                                std::size_t index,
                                const TensorTable& tensors,
                                const TensorNaming& naming) {
  const LayerSpec& spec = config.layers[index];
  const std::int64_t hidden = config.hidden;
  const std::int64_t head_dim = spec.head_dim;
  const std::int64_t q_width = spec.heads * head_dim;
  const std::int64_t kv_width = spec.kv_heads * head_dim;
  const LayerReader reader(tensors, naming, index);
  LayerWeights out;
  FACET_TRY_STATUS(reader.norm(naming.attn_norm, hidden, out.attn_norm));
  FACET_TRY_STATUS(reader.matrix(naming.q, q_width, hidden, out.q));
  FACET_TRY_STATUS(reader.matrix(naming.k, kv_width, hidden, out.k));
  FACET_TRY_STATUS(reader.matrix(naming.v, kv_width, hidden, out.v));
  FACET_TRY_STATUS(reader.matrix(naming.o, hidden, q_width, out.o));
  FACET_TRY_STATUS(reader.norm(naming.q_norm, head_dim, out.q_norm));
  FACET_TRY_STATUS(reader.norm(naming.k_norm, head_dim, out.k_norm));
  FACET_TRY_STATUS(reader.norm(naming.post_attn_norm, hidden, out.post_attn_norm));
  FACET_TRY_STATUS(reader.norm(naming.ffn_norm, hidden, out.ffn_norm));
  FACET_TRY_STATUS(reader.matrix(naming.gate, spec.ffn, hidden, out.gate));
  FACET_TRY_STATUS(reader.matrix(naming.up, spec.ffn, hidden, out.up));
  FACET_TRY_STATUS(reader.matrix(naming.down, hidden, spec.ffn, out.down));
  FACET_TRY_STATUS(reader.norm(naming.post_ffn_norm, hidden, out.post_ffn_norm));
  return out;
}

Result<TensorView> read_embedding(const ModelConfig& config,
                                  const TensorTable& tensors,
                                  const TensorNaming& naming,
                                  bool may_be_longer) {
  std::int64_t rows = config.vocabulary;
  const StoredTensor* tensor = tensors.find(naming.embedding);
  if (may_be_longer && tensor != nullptr && tensor->shape.size() == 2 && tensor->shape[0] > rows) {
    rows = tensor->shape[0];
  }
  FACET_TRY(TensorView out, tensors.matrix(naming.embedding, rows, config.hidden));
  out.rows = config.vocabulary;
  return out;
}

}  // namespace

Result<ModelWeights> assemble_weights(const ModelConfig& config,
                                      const TensorTable& tensors,
                                      const TensorNaming& naming,
                                      bool embedding_may_be_longer) {
  ModelWeights out;
  FACET_TRY(out.embedding, read_embedding(config, tensors, naming, embedding_may_be_longer));
  FACET_TRY(out.output_norm, tensors.vector(naming.output_norm, config.hidden, naming.norm_offset));
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    FACET_TRY(LayerWeights layer, read_layer(config, i, tensors, naming));
    out.layers.push_back(std::move(layer));
  }
  if (config.dense_hidden > 0) {
    FACET_TRY(out.dense2, tensors.matrix(naming.dense2, config.dense_hidden, config.hidden));
    FACET_TRY(out.dense3, tensors.matrix(naming.dense3, config.embedding_dim, config.dense_hidden));
  }
  return out;
}

}  // namespace facet::engine
