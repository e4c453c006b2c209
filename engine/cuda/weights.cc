#include "engine/cuda/weights.h"

#include "engine/cuda/uploader.h"

#include <utility>

namespace facet::engine::cuda {
namespace {

/// Uploads each matrix in the layout that its type has in this form.
class ModelUploader {
 public:
  ModelUploader(Uploader& up, WeightForm form) : up_(up), form_(form) {}
  Result<PackedMatrix> matrix(const TensorView& from) {
    return up_.matrix(from, layout_for(from.type, form_));
  }
  Result<const float*> vector(std::span<const float> from) { return up_.vector(from); }

 private:
  Uploader& up_;
  WeightForm form_;
};

Result<DeviceLayer> upload_layer(const LayerWeights& from, ModelUploader& up) {
  DeviceLayer out;
  FACET_TRY(out.attn_norm, up.vector(from.attn_norm));
  FACET_TRY(out.q, up.matrix(from.q));
  FACET_TRY(out.k, up.matrix(from.k));
  FACET_TRY(out.v, up.matrix(from.v));
  FACET_TRY(out.o, up.matrix(from.o));
  FACET_TRY(out.q_norm, up.vector(from.q_norm));
  FACET_TRY(out.k_norm, up.vector(from.k_norm));
  FACET_TRY(out.post_attn_norm, up.vector(from.post_attn_norm));
  FACET_TRY(out.ffn_norm, up.vector(from.ffn_norm));
  FACET_TRY(out.gate, up.matrix(from.gate));
  FACET_TRY(out.up, up.matrix(from.up));
  FACET_TRY(out.down, up.matrix(from.down));
  FACET_TRY(out.post_ffn_norm, up.vector(from.post_ffn_norm));
  return out;
}

}  // namespace

Result<DeviceWeights> upload_weights(const ModelConfig& config,
                                     const ModelWeights& weights,
                                     WeightForm form,
                                     std::byte* to,
                                     ThreadPool& pool,
                                     DeviceWork& work,
                                     std::int64_t made_rows) {
  FACET_TRY(Uploader uploader, Uploader::create(to, pool, work, made_rows));
  ModelUploader up(uploader, form);
  DeviceWeights out;
  FACET_TRY(out.embedding, up.matrix(embedding_of(config, weights)));
  FACET_TRY(out.output_norm, up.vector(weights.output_norm));
  for (const LayerWeights& layer : weights.layers) {
    FACET_TRY(DeviceLayer uploaded, upload_layer(layer, up));
    out.layers.push_back(uploaded);
  }
  for (const auto& [from, uploaded] :
       {std::pair(&weights.dense2, &out.dense2), std::pair(&weights.dense3, &out.dense3)}) {
    if (from->empty()) continue;
    FACET_TRY(*uploaded, up.matrix(*from));
  }
  FACET_TRY_STATUS(uploader.finish());
  return out;
}

}  // namespace facet::engine::cuda
