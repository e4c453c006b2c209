#include "engine/vision/encoder.h"

#include "base/check.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace facet::engine {
namespace {

/// Patches that one part of a loop handles: their rows stay in the second cache level while the
/// weights pass by.
constexpr std::int64_t kBlockRows = 64;

std::size_t floats(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

float* sized(std::vector<float>& memory, std::int64_t rows, std::int64_t cols) {
  if (memory.size() < floats(rows, cols)) memory.resize(floats(rows, cols));
  return memory.data();
}

TensorView view_of(const float* data, std::int64_t rows, std::int64_t cols) {
  return {.type = DType::f32,
          .rows = rows,
          .cols = cols,
          .data = reinterpret_cast<const std::byte*>(data)};
}

}  // namespace

/// What one worker needs for a block of rows.
struct VisionEncoder::Scratch {
  std::vector<float> rows;     // Input of a linear layer.
  std::vector<float> wide;     // Output of fc1, or scores.
  std::vector<float> out;      // Output of a linear layer.
  std::vector<float> weights;  // Dequantised weight rows.
};

/// The activations of one image; "patches" is rows of all of them.
struct VisionEncoder::Activations {
  std::vector<float> x;     // (patches, hidden): the residual stream
  std::vector<float> q;     // (heads, patches, head_dim), scaled
  std::vector<float> k;     // (heads, patches, head_dim)
  std::vector<float> v;     // (heads, head_dim, patches): transposed, as the sum over keys wants it
  std::vector<float> attn;  // (patches, hidden)
  std::vector<float> ones;  // (ffn): the second factor of gelu_mul
  std::vector<Scratch> scratch;
};

template <class Body>
void VisionEncoder::for_blocks(Activations& all, const Body& body) const {
  const std::int64_t rows = config_.patches();
  pool_.run((rows + kBlockRows - 1) / kBlockRows, [&](std::int64_t part, int worker) {
    const std::int64_t first = part * kBlockRows;
    body(first, std::min(kBlockRows, rows - first), all.scratch[static_cast<std::size_t>(worker)]);
  });
}

void layer_norm(const VisionNorm& norm, const float* x, float eps, std::int64_t rows, float* y) {
  const auto dim = static_cast<std::int64_t>(norm.w.size());
  for (std::int64_t r = 0; r < rows; ++r, x += dim, y += dim) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < dim; ++i) sum += static_cast<double>(x[i]);
    const double mean = sum / static_cast<double>(dim);
    double squares = 0.0;
    for (std::int64_t i = 0; i < dim; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const double variance = squares / static_cast<double>(dim);
    const double inverse = 1.0 / std::sqrt(variance + static_cast<double>(eps));
    for (std::int64_t i = 0; i < dim; ++i) {
      const auto at = static_cast<std::size_t>(i);
      y[i] = static_cast<float>((x[i] - mean) * inverse) * norm.w[at] + norm.bias[at];
    }
  }
}

void VisionEncoder::linear(const VisionLinear& layer,
                           const float* x,
                           std::int64_t rows,
                           float* y,
                           Scratch& scratch) const {
  ops_.matmul({.w = layer.w,
               .row_begin = 0,
               .row_end = layer.w.rows,
               .x = x,
               .tokens = rows,
               .y = y,
               .y_stride = layer.w.rows,
               .scratch = sized(scratch.weights, kMatmulRows, layer.w.cols)});
  for (std::int64_t r = 0; r < rows; ++r) {
    ops_.add(y + r * layer.w.rows, layer.bias.data(), layer.w.rows);
  }
}

void VisionEncoder::embed_patches(std::span<const float> pixels, Activations& all) const {
  const std::int64_t hidden = config_.hidden;
  const std::int64_t side = config_.image_size;
  const std::int64_t patch = config_.patch;
  for_blocks(all, [&](std::int64_t first, std::int64_t rows, Scratch& scratch) {
    float* to = sized(scratch.rows, rows, config_.patch_floats());
    for (std::int64_t p = first; p < first + rows; ++p) {
      const std::int64_t top = p / config_.side_patches() * patch;
      const std::int64_t left = p % config_.side_patches() * patch;
      for (std::int64_t line = 0; line < 3 * patch; ++line, to += patch) {
        const std::int64_t y = line / patch * side + top + line % patch;  // Colour planes on end.
        std::memcpy(to, pixels.data() + y * side + left, floats(1, patch) * sizeof(float));
      }
    }
    float* x = all.x.data() + first * hidden;
    linear(weights_.patch, scratch.rows.data(), rows, x, scratch);
    float* position = sized(scratch.out, 1, hidden);
    for (std::int64_t r = 0; r < rows; ++r) {
      const TensorView& table = weights_.position;
      ops_.embed_row(table.type, table.row(first + r), hidden, 1.0F, position);
      ops_.add(x + r * hidden, position, hidden);
    }
  });
}

void VisionEncoder::project_heads(const VisionLayerWeights& layer, Activations& all) const {
  const std::int64_t hidden = config_.hidden;
  const std::int64_t dim = config_.head_dim();
  const std::int64_t patches = config_.patches();
  const float scale = 1.0F / std::sqrt(static_cast<float>(dim));
  for_blocks(all, [&](std::int64_t first, std::int64_t rows, Scratch& scratch) {
    float* h = sized(scratch.rows, rows, hidden);
    float* out = sized(scratch.out, rows, hidden);
    layer_norm(layer.norm1, all.x.data() + first * hidden, config_.norm_eps, rows, h);
    // Element i of head n of a patch, to where `place` wants it.
    const auto project = [&](const VisionLinear& w, const auto& place) {
      linear(w, h, rows, out, scratch);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t at = 0; at < hidden; ++at) {
          place(first + r, at / dim, at % dim, out[r * hidden + at]);
        }
      }
    };
    project(layer.q, [&](std::int64_t p, std::int64_t n, std::int64_t i, float value) {
      all.q[static_cast<std::size_t>((n * patches + p) * dim + i)] = value * scale;
    });
    project(layer.k, [&](std::int64_t p, std::int64_t n, std::int64_t i, float value) {
      all.k[static_cast<std::size_t>((n * patches + p) * dim + i)] = value;
    });
    project(layer.v, [&](std::int64_t p, std::int64_t n, std::int64_t i, float value) {
      all.v[static_cast<std::size_t>((n * dim + i) * patches + p)] = value;
    });
  });
}

void VisionEncoder::attend(Activations& all) const {
  const std::int64_t hidden = config_.hidden;
  const std::int64_t dim = config_.head_dim();
  const std::int64_t patches = config_.patches();
  const std::int64_t blocks = (patches + kBlockRows - 1) / kBlockRows;
  // Scores and sums are matrix products like any other: keys, then values, take the weights' place.
  pool_.run(blocks * config_.heads, [&](std::int64_t part, int worker) {
    Scratch& scratch = all.scratch[static_cast<std::size_t>(worker)];
    const std::int64_t n = part / blocks;
    const std::int64_t first = part % blocks * kBlockRows;
    const std::int64_t rows = std::min(kBlockRows, patches - first);
    float* scores = sized(scratch.wide, rows, patches);
    float* out = sized(scratch.out, rows, dim);
    float* unused = sized(scratch.weights, kMatmulRows, patches);
    ops_.matmul({.w = view_of(all.k.data() + n * patches * dim, patches, dim),
                 .row_end = patches,
                 .x = all.q.data() + (n * patches + first) * dim,
                 .tokens = rows,
                 .y = scores,
                 .y_stride = patches,
                 .scratch = unused});
    for (std::int64_t r = 0; r < rows; ++r) ops_.softmax(scores + r * patches, patches);
    ops_.matmul({.w = view_of(all.v.data() + n * dim * patches, dim, patches),
                 .row_end = dim,
                 .x = scores,
                 .tokens = rows,
                 .y = out,
                 .y_stride = dim,
                 .scratch = unused});
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(all.attn.data() + (first + r) * hidden + n * dim,
                  out + r * dim,
                  floats(1, dim) * sizeof(float));
    }
  });
}

void VisionEncoder::finish_layer(const VisionLayerWeights& layer, Activations& all) const {
  const std::int64_t hidden = config_.hidden;
  const std::int64_t ffn = config_.ffn;
  for_blocks(all, [&](std::int64_t first, std::int64_t rows, Scratch& scratch) {
    float* x = all.x.data() + first * hidden;
    float* h = sized(scratch.rows, rows, hidden);
    float* wide = sized(scratch.wide, rows, ffn);
    float* out = sized(scratch.out, rows, hidden);
    linear(layer.o, all.attn.data() + first * hidden, rows, out, scratch);
    ops_.add(x, out, rows * hidden);
    layer_norm(layer.norm2, x, config_.norm_eps, rows, h);
    linear(layer.fc1, h, rows, wide, scratch);
    for (std::int64_t r = 0; r < rows; ++r) {
      ops_.gelu_mul(wide + r * ffn, all.ones.data(), ffn, wide + r * ffn);
    }
    linear(layer.fc2, wide, rows, out, scratch);
    ops_.add(x, out, rows * hidden);
  });
}

std::vector<float> VisionEncoder::project(const Activations& all) const {
  const std::int64_t hidden = config_.hidden;
  const std::int64_t side = config_.side_tokens();
  const std::int64_t pool = config_.side_patches() / side;
  const float share = 1.0F / static_cast<float>(pool * pool);
  std::vector<float> pooled(floats(config_.image_tokens, hidden), 0.0F);
  std::vector<float> row(floats(1, hidden));
  for (std::int64_t p = 0; p < config_.patches(); ++p) {
    layer_norm(weights_.post_norm, all.x.data() + p * hidden, config_.norm_eps, 1, row.data());
    const std::int64_t y = p / config_.side_patches() / pool;
    const std::int64_t x = p % config_.side_patches() / pool;
    ops_.add(pooled.data() + (y * side + x) * hidden, row.data(), hidden);
  }
  for (float& value : pooled) value *= share;
  ops_.rms_norm(pooled.data(),
                weights_.soft_norm.data(),
                config_.norm_eps,
                config_.image_tokens,
                hidden,
                pooled.data());
  std::vector<float> out(floats(config_.image_tokens, config_.text_hidden));
  const TensorView w = view_of(weights_.projection.data(), config_.text_hidden, hidden);
  const std::int64_t tiles = (w.rows + kMatmulRows - 1) / kMatmulRows;
  pool_.run(tiles, [&](std::int64_t tile, int /*worker*/) {
    std::vector<float> unused(floats(kMatmulRows, hidden));
    ops_.matmul({.w = w,
                 .row_begin = tile * kMatmulRows,
                 .row_end = std::min(w.rows, (tile + 1) * kMatmulRows),
                 .x = pooled.data(),
                 .tokens = config_.image_tokens,
                 .y = out.data() + tile * kMatmulRows,
                 .y_stride = w.rows,
                 .scratch = unused.data()});
  });
  return out;
}

std::vector<float> VisionEncoder::encode(std::span<const float> pixels) const {
  const std::int64_t size = config_.image_size;
  FACET_CHECK(pixels.size() == floats(3 * size, size));
  const std::size_t all_rows = floats(config_.patches(), config_.hidden);
  Activations all;
  for (std::vector<float>* memory : {&all.x, &all.q, &all.k, &all.v, &all.attn}) {
    memory->resize(all_rows);
  }
  all.ones.assign(static_cast<std::size_t>(config_.ffn), 1.0F);
  all.scratch.resize(static_cast<std::size_t>(pool_.threads()));
  embed_patches(pixels, all);
  for (const VisionLayerWeights& layer : weights_.layers) {
    project_heads(layer, all);
    attend(all);
    finish_layer(layer, all);
  }
  return project(all);
}

}  // namespace facet::engine
