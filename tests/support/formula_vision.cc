#include "tests/support/formula_vision.h"

namespace facet::test {
namespace {

using engine::DType;
using engine::VisionConfig;

/// One tensor of the tower in all its forms.
struct Entry {
  std::uint32_t number;
  const char* hf;
  const char* gguf;
  std::vector<std::int64_t> shape;
  float stored_offset_hf = 0.0F;  ///< Added to the values of the formula, by format.
  float stored_offset_gguf = 0.0F;
};

std::vector<Entry> outer_entries(const VisionConfig& c) {
  const std::int64_t h = c.hidden;
  return {
      {500, "embeddings.patch_embedding.weight", "v.patch_embd.weight", {h, 3, c.patch, c.patch}},
      {501, "embeddings.patch_embedding.bias", "v.patch_embd.bias", {h}},
      {502, "embeddings.position_embedding.weight", "v.position_embd.weight", {c.patches(), h}},
      {503, "post_layernorm.weight", "v.post_ln.weight", {h}, 1.0F, 1.0F},
      {504, "post_layernorm.bias", "v.post_ln.bias", {h}},
      {505, "mm_soft_emb_norm.weight", "mm.soft_emb_norm.weight", {h}, 0.0F, 1.0F},
      {506, "mm_input_projection_weight", "mm.input_projection.weight", {h, c.text_hidden}}};
}

std::vector<Entry> layer_entries(const VisionConfig& c, std::uint32_t layer) {
  const std::int64_t h = c.hidden;
  const std::uint32_t n = 510 + 16 * layer;
  return {{n, "layer_norm1.weight", "ln1.weight", {h}, 1.0F, 1.0F},
          {n + 1, "layer_norm1.bias", "ln1.bias", {h}},
          {n + 2, "self_attn.q_proj.weight", "attn_q.weight", {h, h}},
          {n + 3, "self_attn.q_proj.bias", "attn_q.bias", {h}},
          {n + 4, "self_attn.k_proj.weight", "attn_k.weight", {h, h}},
          {n + 5, "self_attn.k_proj.bias", "attn_k.bias", {h}},
          {n + 6, "self_attn.v_proj.weight", "attn_v.weight", {h, h}},
          {n + 7, "self_attn.v_proj.bias", "attn_v.bias", {h}},
          {n + 8, "self_attn.out_proj.weight", "attn_out.weight", {h, h}},
          {n + 9, "self_attn.out_proj.bias", "attn_out.bias", {h}},
          {n + 10, "layer_norm2.weight", "ln2.weight", {h}, 1.0F, 1.0F},
          {n + 11, "layer_norm2.bias", "ln2.bias", {h}},
          {n + 12, "mlp.fc1.weight", "ffn_up.weight", {c.ffn, h}},
          {n + 13, "mlp.fc1.bias", "ffn_up.bias", {c.ffn}},
          {n + 14, "mlp.fc2.weight", "ffn_down.weight", {h, c.ffn}},
          {n + 15, "mlp.fc2.bias", "ffn_down.bias", {h}}};
}

FileTensor file_tensor(const Entry& entry, std::string name, float offset, DType type) {
  std::int64_t count = 1;
  for (const std::int64_t size : entry.shape) count *= size;
  std::vector<float> values = FormulaWeights::stream(entry.number, count);
  for (float& value : values) value += offset;
  const DType stored = entry.shape.size() == 1 ? DType::f32 : type;
  return {.name = std::move(name),
          .type = stored,
          .shape = entry.shape,
          .bytes = encode_values(stored, values)};
}

engine::VisionLinear linear(FormulaWeights& memory,
                            std::uint32_t number,
                            std::int64_t rows,
                            std::int64_t cols) {
  return {.w = memory.matrix(number, rows, cols), .bias = FormulaWeights::stream(number + 1, rows)};
}

engine::VisionNorm norm(std::uint32_t number, std::int64_t dim) {
  return {.w = FormulaWeights::norm(number, dim), .bias = FormulaWeights::stream(number + 1, dim)};
}

}  // namespace

VisionConfig formula_vision_config() {
  return {.image_size = 84,
          .patch = 14,
          .hidden = 48,
          .layers = 3,
          .heads = 4,
          .ffn = 100,
          .image_tokens = 9,
          .text_hidden = 128};
}

engine::VisionWeights formula_vision(FormulaWeights& memory, const VisionConfig& c) {
  const std::int64_t h = c.hidden;
  engine::VisionWeights out{.patch = linear(memory, 500, h, c.patch_floats()),
                            .position = memory.matrix(502, c.patches(), h),
                            .post_norm = norm(503, h),
                            .soft_norm = FormulaWeights::norm(505, h)};
  const std::vector<float> stored = FormulaWeights::stream(506, h * c.text_hidden);
  for (std::int64_t t = 0; t < c.text_hidden; ++t) {
    for (std::int64_t i = 0; i < h; ++i) {
      out.projection.push_back(stored[static_cast<std::size_t>(i * c.text_hidden + t)]);
    }
  }
  for (int layer = 0; layer < c.layers; ++layer) {
    const auto n = static_cast<std::uint32_t>(510 + 16 * layer);
    out.layers.push_back({.norm1 = norm(n, h),
                          .q = linear(memory, n + 2, h, h),
                          .k = linear(memory, n + 4, h, h),
                          .v = linear(memory, n + 6, h, h),
                          .o = linear(memory, n + 8, h, h),
                          .norm2 = norm(n + 10, h),
                          .fc1 = linear(memory, n + 12, c.ffn, h),
                          .fc2 = linear(memory, n + 14, h, c.ffn)});
  }
  return out;
}

std::vector<float> formula_pixels(const VisionConfig& config, std::uint32_t index) {
  const std::int64_t size = config.image_size;
  std::vector<float> out = FormulaWeights::stream(2000 + index, 3 * size * size);
  for (float& value : out) value *= 4.0F;
  return out;
}

std::vector<FileTensor> hf_vision_tensors(const VisionConfig& config,
                                          const std::string& front,
                                          const std::string& behind,
                                          DType type) {
  const std::string tower = front + "vision_tower." + behind;
  std::vector<FileTensor> out;
  for (const Entry& entry : outer_entries(config)) {
    const bool projects = std::string_view(entry.hf).starts_with("mm_");
    const std::string prefix = projects ? front + "multi_modal_projector." : tower;
    out.push_back(file_tensor(entry, prefix + entry.hf, entry.stored_offset_hf, type));
  }
  for (int layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = tower + "encoder.layers." + std::to_string(layer) + ".";
    for (const Entry& entry : layer_entries(config, static_cast<std::uint32_t>(layer))) {
      out.push_back(file_tensor(entry, prefix + entry.hf, entry.stored_offset_hf, type));
    }
  }
  return out;
}

std::string vision_config_json(const VisionConfig& c) {
  const auto number = [](const char* name, int value) {
    return std::string("\"") + name + "\": " + std::to_string(value);
  };
  return "\"vision_config\": {" + number("image_size", c.image_size) + ", " +
         number("patch_size", c.patch) + ", " + number("hidden_size", c.hidden) + ", " +
         number("num_hidden_layers", c.layers) + ", " + number("num_attention_heads", c.heads) +
         ", " + number("intermediate_size", c.ffn) + ", \"vision_use_head\": false}, " +
         number("mm_tokens_per_image", c.image_tokens);
}

GgufWriter vision_gguf(const VisionConfig& c, DType type, bool swapped) {
  const auto size = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  GgufWriter out;
  out.add_string("general.architecture", "clip");
  out.add_bool("clip.has_vision_encoder", true);
  out.add_string("clip.projector_type", "gemma3");
  out.add_u32("clip.vision.image_size", size(c.image_size));
  out.add_u32("clip.vision.patch_size", size(c.patch));
  out.add_u32("clip.vision.embedding_length", size(c.hidden));
  out.add_u32("clip.vision.feed_forward_length", size(c.ffn));
  out.add_u32("clip.vision.block_count", size(c.layers));
  out.add_u32("clip.vision.attention.head_count", size(c.heads));
  out.add_f32("clip.vision.attention.layer_norm_epsilon", c.norm_eps);
  out.add_u32("clip.vision.projection_dim", size(c.text_hidden));
  out.add_u32("clip.vision.projector.scale_factor", size(c.side_patches() / c.side_tokens()));
  out.add_f32s("clip.vision.image_mean", {0.5F, 0.5F, 0.5F});
  out.add_f32s("clip.vision.image_std", {0.5F, 0.5F, 0.5F});
  for (const Entry& entry : outer_entries(c)) {
    out.add_tensor(file_tensor(entry, entry.gguf, entry.stored_offset_gguf, type));
  }
  for (int layer = 0; layer < c.layers; ++layer) {
    const std::string prefix = "v.blk." + std::to_string(layer) + ".";
    for (const Entry& entry : layer_entries(c, static_cast<std::uint32_t>(layer))) {
      std::string name = entry.gguf;
      if (swapped && name.starts_with("ffn_up")) {
        name.replace(0, 6, "ffn_down");
      } else if (swapped && name.starts_with("ffn_down")) {
        name.replace(0, 8, "ffn_up");
      }
      out.add_tensor(file_tensor(entry, prefix + name, entry.stored_offset_gguf, type));
    }
  }
  return out;
}

}  // namespace facet::test
