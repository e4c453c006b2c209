#include "tests/support/formula_files.h"

#include <cstring>
#include <utility>

namespace facet::test {

namespace {

/// The formula of tests/oracle/shapes.py.
std::vector<float> stream(std::uint32_t number, std::int64_t count) {
  std::uint32_t state = 2654435761U * number + 12345U;
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& value : out) {
    state = 1664525U * state + 1013904223U;
    value = (static_cast<float>(state >> 8U) * 0x1p-23F - 1.0F) * 0.25F;
  }
  return out;
}

}  // namespace

FileTensor formula_tensor(std::uint32_t number,
                          std::string name,
                          std::vector<std::int64_t> shape,
                          engine::DType type) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return {std::move(name), type, std::move(shape), encode_values(type, stream(number, count))};
}

std::vector<FileTensor> formula_tensors(const engine::ModelConfig& config,
                                        const std::string& prefix,
                                        engine::DType type) {
  const std::int64_t hidden = config.hidden;
  std::vector<FileTensor> out = {
      formula_tensor(0, prefix + "embed_tokens.weight", {config.vocabulary, hidden}, type),
      formula_tensor(1, prefix + "norm.weight", {hidden}, type)};
  std::uint32_t number = 2;
  for (std::size_t l = 0; l < config.layers.size(); ++l) {
    const engine::LayerSpec& spec = config.layers[l];
    const std::int64_t dim = spec.head_dim;
    const std::pair<const char*, std::vector<std::int64_t>> parts[] = {
        {"input_layernorm", {hidden}},
        {"self_attn.q_proj", {spec.heads * dim, hidden}},
        {"self_attn.k_proj", {spec.kv_heads * dim, hidden}},
        {"self_attn.v_proj", {spec.kv_heads * dim, hidden}},
        {"self_attn.o_proj", {hidden, spec.heads * dim}},
        {"self_attn.q_norm", {dim}},
        {"self_attn.k_norm", {dim}},
        {"post_attention_layernorm", {hidden}},
        {"pre_feedforward_layernorm", {hidden}},
        {"mlp.gate_proj", {spec.ffn, hidden}},
        {"mlp.up_proj", {spec.ffn, hidden}},
        {"mlp.down_proj", {hidden, spec.ffn}},
        {"post_feedforward_layernorm", {hidden}}};
    const std::string layer = prefix + "layers." + std::to_string(l) + ".";
    for (const auto& [name, shape] : parts) {
      out.push_back(formula_tensor(number++, layer + name + ".weight", shape, type));
    }
  }
  return out;
}

std::vector<float> floats_of_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 2 <= hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

}  // namespace facet::test
