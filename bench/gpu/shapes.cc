#include "bench/gpu/shapes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

namespace facet::bench {
namespace {

using engine::DType;
using engine::TensorView;

struct Shape {
  std::string_view name;
  int layers;
  int hidden;
  int heads;
  int kv_heads;
  int head_dim;
  int ffn;
  int window;
  int vocabulary;
  double divisor;  ///< Of positions in global layers.
};

// config.json of each model; 5 sliding layers, then a global one.
constexpr Shape kShapes[] = {
    {"tiny", 6, 256, 4, 1, 64, 512, 64, 512, 1.0},
    {"270m", 18, 640, 4, 1, 256, 2048, 512, 262144, 1.0},
    {"1b", 26, 1152, 4, 1, 256, 6912, 512, 262144, 1.0},
    {"4b", 34, 2560, 8, 4, 256, 10240, 1024, 262144, 8.0},
    {"12b", 48, 3840, 16, 8, 256, 15360, 1024, 262144, 8.0},
    {"27b", 62, 5376, 32, 16, 128, 21504, 1024, 262144, 8.0},
};

/// `bytes` of blocks of `type` whose values are about 1 / sqrt(cols) in size.
std::vector<std::byte> random_blocks(DType type, std::int64_t bytes) {
  std::vector<std::byte> out(static_cast<std::size_t>(bytes));
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i + 8 <= out.size(); i += 8) {
    const std::uint64_t word = random();
    std::memcpy(out.data() + i, &word, 8);
  }
  const auto put = [&](std::size_t at, std::uint16_t bits) {
    if (at + 2 <= out.size()) std::memcpy(out.data() + at, &bits, 2);
  };
  const std::uint16_t scale = engine::float_to_half(type == DType::q8_0   ? 0.0002F
                                                    : type == DType::q4_k ? 0.0001F
                                                    : type == DType::q3_k ? 0.0003F
                                                                          : 0.003F);
  if (type == DType::bf16) {
    // Sign and mantissa stay random; the exponent is that of about 0.02.
    for (std::size_t i = 0; i < out.size(); i += 2) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, out.data() + i, 2);
      put(i, static_cast<std::uint16_t>((bits & 0x807FU) | 0x3C80U));
    }
    return out;
  }
  const auto block = static_cast<std::size_t>(engine::dtype_block_bytes(type));
  for (std::size_t i = 0; i < out.size(); i += block) {
    const std::size_t at = i + (type == DType::q6_k   ? 208
                                : type == DType::q3_k ? 108
                                : type == DType::q2_k ? 80
                                                      : 0);
    put(at, scale);
    const bool has_min = type == DType::q2_k || type == DType::q4_k || type == DType::q5_k;
    if (has_min) put(at + 2, scale);
  }
  return out;
}

}  // namespace

std::optional<engine::ModelConfig> shape_of(std::string_view name) {
  const auto* const found = std::find_if(
      std::begin(kShapes), std::end(kShapes), [&](const Shape& s) { return s.name == name; });
  if (found == std::end(kShapes)) return std::nullopt;
  engine::ModelConfig config{.name = std::string(name),
                             .architecture = "gemma3",
                             .hidden = found->hidden,
                             .vocabulary = found->vocabulary,
                             .embedding_scale = std::sqrt(static_cast<float>(found->hidden)),
                             .context_tokens_max = 131072};
  for (int l = 0; l < found->layers; ++l) {
    const bool global = l % 6 == 5;
    config.layers.push_back(
        {.heads = found->heads,
         .kv_heads = found->kv_heads,
         .head_dim = found->head_dim,
         .ffn = found->ffn,
         .window = global ? 0 : found->window,
         .rope_theta = global ? 1e6 : 1e4,
         .rope_divisor = global ? found->divisor : 1.0,
         .attention_scale = 1.0F / std::sqrt(static_cast<float>(found->head_dim))});
  }
  return config;
}

RandomModel random_model(const engine::ModelConfig& config, DType type, DType head) {
  RandomModel out{.config = config};
  const engine::LayerSpec& spec = config.layers.front();
  const std::int64_t hidden = config.hidden;
  const std::int64_t q = std::int64_t{spec.heads} * spec.head_dim;
  const std::int64_t kv = std::int64_t{spec.kv_heads} * spec.head_dim;
  const std::int64_t widest = std::max<std::int64_t>({hidden, spec.ffn, q});
  out.bytes = random_blocks(type, kMadeRows * *engine::dtype_row_bytes(type, widest));
  const auto matrix = [&](std::int64_t height, std::int64_t width) {
    return TensorView{.type = type, .rows = height, .cols = width, .data = out.bytes.data()};
  };
  const std::vector<float> ones(static_cast<std::size_t>(hidden), 1.0F);
  const std::vector<float> head_ones(static_cast<std::size_t>(spec.head_dim), 1.0F);
  out.weights.embedding = matrix(config.vocabulary, hidden);
  if (head != type) {
    out.head_bytes = random_blocks(head, kMadeRows * *engine::dtype_row_bytes(head, hidden));
    out.weights.embedding.type = head;
    out.weights.embedding.data = out.head_bytes.data();
  }
  out.weights.output_norm = ones;
  for (std::size_t l = 0; l < config.layers.size(); ++l) {
    out.weights.layers.push_back({.attn_norm = ones,
                                  .q = matrix(q, hidden),
                                  .k = matrix(kv, hidden),
                                  .v = matrix(kv, hidden),
                                  .o = matrix(hidden, q),
                                  .q_norm = head_ones,
                                  .k_norm = head_ones,
                                  .post_attn_norm = ones,
                                  .ffn_norm = ones,
                                  .gate = matrix(spec.ffn, hidden),
                                  .up = matrix(spec.ffn, hidden),
                                  .down = matrix(hidden, spec.ffn),
                                  .post_ffn_norm = ones});
  }
  return out;
}

}  // namespace facet::bench
