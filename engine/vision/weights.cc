#include "engine/vision/weights.h"

#include <cstdint>
#include <utility>

namespace facet::engine {
namespace {

/// Reads one tower's tensors.
class Reader {
 public:
  Reader(const TensorTable& tensors, const VisionConfig& config)
      : tensors_(tensors), hidden_(config.hidden) {}

  Status linear(const std::string& name, std::int64_t rows, std::int64_t cols, VisionLinear& to) {
    FACET_TRY(to.w, tensors_.matrix(name + ".weight", rows, cols));
    FACET_TRY(to.bias, tensors_.vector(name + ".bias", rows, 0.0F));
    return ok();
  }
  Status norm(const std::string& name, VisionNorm& to) {
    FACET_TRY(to.w, tensors_.vector(name + ".weight", hidden_, 0.0F));
    FACET_TRY(to.bias, tensors_.vector(name + ".bias", hidden_, 0.0F));
    return ok();
  }

 private:
  const TensorTable& tensors_;
  std::int64_t hidden_;
};

/// The convolution's kernels, (hidden, 3, patch, patch), as the rows of a matrix.
Status read_patch(const VisionConfig& config,
                  const TensorTable& tensors,
                  const std::string& name,
                  VisionLinear& to) {
  const StoredTensor* tensor = tensors.find(name + ".weight");
  if (tensor == nullptr) {
    return Error{Code::invalid_data, "tensor '" + name + ".weight' is missing"};
  }
  const std::vector<std::int64_t> expected{config.hidden, 3, config.patch, config.patch};
  if (tensor->shape != expected) {
    return Error{Code::invalid_data,
                 "tensor '" + tensor->name + "' has shape " + shape_text(tensor->shape) +
                     ", the config asks for " + shape_text(expected)};
  }
  TensorTable flat;
  StoredTensor matrix = *tensor;
  matrix.shape = {config.hidden, config.patch_floats()};
  if (!dtype_row_bytes(matrix.type, config.patch_floats())) {
    return Error{Code::unsupported,
                 "tensor '" + tensor->name + "' has the type " +
                     std::string(dtype_name(tensor->type)) + ", whose blocks do not fit its rows"};
  }
  FACET_TRY_STATUS(flat.add(std::move(matrix)));
  FACET_TRY(to.w, flat.matrix(name + ".weight", config.hidden, config.patch_floats()));
  FACET_TRY(to.bias, tensors.vector(name + ".bias", config.hidden, 0.0F));
  return ok();
}

/// Files hold it as (hidden, text_hidden).
Result<std::vector<float>> read_projection(const VisionConfig& config,
                                           const TensorTable& tensors,
                                           const std::string& name) {
  FACET_TRY(const TensorView view, tensors.matrix(name, config.hidden, config.text_hidden));
  const auto rows = static_cast<std::size_t>(config.hidden);
  const auto cols = static_cast<std::size_t>(config.text_hidden);
  std::vector<float> row(cols);
  std::vector<float> out(rows * cols);
  for (std::size_t r = 0; r < rows; ++r) {
    dequantize(view.type, view.row(static_cast<std::int64_t>(r)), view.cols, row.data());
    for (std::size_t c = 0; c < cols; ++c) out[c * rows + r] = row[c];
  }
  return out;
}

Result<VisionLayerWeights> read_layer(const VisionConfig& config,
                                      Reader& reader,
                                      const VisionNaming& naming,
                                      int index) {
  const std::int64_t hidden = config.hidden;
  const auto name = [&](std::string_view part) {
    return naming.layer_prefix + std::to_string(index) + "." + std::string(part);
  };
  VisionLayerWeights out;
  FACET_TRY_STATUS(reader.norm(name(naming.norm1), out.norm1));
  FACET_TRY_STATUS(reader.linear(name(naming.q), hidden, hidden, out.q));
  FACET_TRY_STATUS(reader.linear(name(naming.k), hidden, hidden, out.k));
  FACET_TRY_STATUS(reader.linear(name(naming.v), hidden, hidden, out.v));
  FACET_TRY_STATUS(reader.linear(name(naming.o), hidden, hidden, out.o));
  FACET_TRY_STATUS(reader.norm(name(naming.norm2), out.norm2));
  FACET_TRY_STATUS(reader.linear(name(naming.fc1), config.ffn, hidden, out.fc1));
  FACET_TRY_STATUS(reader.linear(name(naming.fc2), hidden, config.ffn, out.fc2));
  return out;
}

VisionNaming hf_naming(const std::string& tower, const std::string& projector) {
  return {.patch = tower + "embeddings.patch_embedding",
          .position = tower + "embeddings.position_embedding.weight",
          .layer_prefix = tower + "encoder.layers.",
          .norm1 = "layer_norm1",
          .q = "self_attn.q_proj",
          .k = "self_attn.k_proj",
          .v = "self_attn.v_proj",
          .o = "self_attn.out_proj",
          .norm2 = "layer_norm2",
          .fc1 = "mlp.fc1",
          .fc2 = "mlp.fc2",
          .post_norm = tower + "post_layernorm",
          .soft_norm = projector + "mm_soft_emb_norm.weight",
          .projection = projector + "mm_input_projection_weight",
          .norm_offset = 1.0F};
}

}  // namespace

Result<VisionNaming> find_hf_vision_naming(const TensorTable& tensors) {
  for (const std::string front : {"", "model."}) {
    for (const std::string tower : {"vision_tower.vision_model.", "vision_tower."}) {
      VisionNaming naming = hf_naming(front + tower, front + "multi_modal_projector.");
      if (tensors.find(naming.position) != nullptr) return naming;
    }
  }
  return Error{
      Code::invalid_data,
      "tensor 'vision_tower.vision_model.embeddings.position_embedding.weight' is missing"};
}

VisionNaming gguf_vision_naming(const TensorTable& tensors, const VisionConfig& config) {
  VisionNaming out{.patch = "v.patch_embd",
                   .position = "v.position_embd.weight",
                   .layer_prefix = "v.blk.",
                   .norm1 = "ln1",
                   .q = "attn_q",
                   .k = "attn_k",
                   .v = "attn_v",
                   .o = "attn_out",
                   .norm2 = "ln2",
                   .fc1 = "ffn_up",
                   .fc2 = "ffn_down",
                   .post_norm = "v.post_ln",
                   .soft_norm = "mm.soft_emb_norm.weight",
                   .projection = "mm.input_projection.weight",
                   .norm_offset = 0.0F};
  const StoredTensor* up = tensors.find("v.blk.0.ffn_up.weight");
  if (up != nullptr && up->shape == std::vector<std::int64_t>{config.hidden, config.ffn}) {
    std::swap(out.fc1, out.fc2);
  }
  return out;
}

Result<VisionWeights> assemble_vision_weights(const VisionConfig& config,
                                              const TensorTable& tensors,
                                              const VisionNaming& naming) {
  Reader reader(tensors, config);
  VisionWeights out;
  FACET_TRY_STATUS(read_patch(config, tensors, naming.patch, out.patch));
  FACET_TRY(out.position, tensors.matrix(naming.position, config.patches(), config.hidden));
  for (int i = 0; i < config.layers; ++i) {
    FACET_TRY(VisionLayerWeights layer, read_layer(config, reader, naming, i));
    out.layers.push_back(std::move(layer));
  }
  FACET_TRY_STATUS(reader.norm(naming.post_norm, out.post_norm));
  FACET_TRY(out.soft_norm, tensors.vector(naming.soft_norm, config.hidden, naming.norm_offset));
  FACET_TRY(out.projection, read_projection(config, tensors, naming.projection));
  return out;
}

}  // namespace facet::engine
