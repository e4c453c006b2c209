#include "engine/cuda/vision.h"

#include "base/check.h"
#include "engine/cuda/decode.h"
#include "engine/cuda/prefill.h"
#include "engine/cuda/uploader.h"
#include "engine/cuda/vision_kernels.h"
#include "engine/ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace facet::engine::cuda {
namespace {

TensorView view_of(const std::vector<float>& values, std::int64_t rows, std::int64_t cols) {
  return {.type = DType::f32,
          .rows = rows,
          .cols = cols,
          .data = reinterpret_cast<const std::byte*>(values.data())};
}

Result<PinnedBuffer> pinned(const Place& place) {
  return PinnedBuffer::allocate(static_cast<std::size_t>(place.bytes));
}

}  // namespace

/// Puts the parts of a tower into place.
class VisionTower::Up {
 public:
  explicit Up(Uploader& up) : up_(up) {}

  Result<Linear> linear(const VisionLinear& from) {
    Linear out;
    FACET_TRY(out.w, up_.matrix(from.w, Layout::bf16));
    FACET_TRY(out.bias, up_.vector(from.bias));
    return out;
  }
  Result<Norm> norm(const VisionNorm& from) {
    Norm out;
    FACET_TRY(out.w, up_.vector(from.w));
    FACET_TRY(out.b, up_.vector(from.bias));
    return out;
  }
  Result<Layer> layer(const VisionLayerWeights& from) {
    Layer out;
    FACET_TRY(out.norm1, norm(from.norm1));
    FACET_TRY(out.q, linear(from.q));
    FACET_TRY(out.k, linear(from.k));
    FACET_TRY(out.v, linear(from.v));
    FACET_TRY(out.o, linear(from.o));
    FACET_TRY(out.norm2, norm(from.norm2));
    FACET_TRY(out.fc1, linear(from.fc1));
    FACET_TRY(out.fc2, linear(from.fc2));
    return out;
  }

 private:
  Uploader& up_;
};

Result<VisionTower> VisionTower::create(const VisionConfig& config,
                                        const VisionWeights& weights,
                                        std::byte* memory,
                                        PromptUnits units,
                                        ThreadPool& pool,
                                        DeviceWork& work) {
  FACET_CHECK(wide_head_dim(config.head_dim()) > 0);
  VisionTower out(config, memory, units, work);
  FACET_TRY(out.patches_, pinned(out.layout_.pixels));
  FACET_TRY(out.tokens_, pinned(out.layout_.tokens));
  FACET_TRY_STATUS(out.upload(weights, pool));
  FACET_TRY_STATUS(out.write_constants());
  return out;
}

Status VisionTower::upload(const VisionWeights& weights, ThreadPool& pool) {
  FACET_TRY(Uploader uploader, Uploader::create(memory_, pool, *work_));
  Up up(uploader);
  const std::int64_t hidden = config_.hidden;
  FACET_TRY(patch_, up.linear(weights.patch));
  std::vector<float> position(static_cast<std::size_t>(config_.patches() * hidden));
  const TensorView& table = weights.position;
  for (std::int64_t p = 0; p < config_.patches(); ++p) {
    dequantize(table.type, table.row(p), hidden, position.data() + p * hidden);
  }
  FACET_TRY(position_, uploader.matrix(view_of(position, config_.patches(), hidden), Layout::f32));
  for (const VisionLayerWeights& layer : weights.layers) {
    FACET_TRY(Layer uploaded, up.layer(layer));
    layers_.push_back(uploaded);
  }
  FACET_TRY(post_norm_, up.norm(weights.post_norm));
  FACET_TRY(soft_norm_, uploader.vector(weights.soft_norm));
  FACET_TRY(
      projection_,
      uploader.matrix(view_of(weights.projection, config_.text_hidden, hidden), Layout::bf16));
  return uploader.finish();
}

Status VisionTower::write_constants() {
  const std::int64_t patches = config_.patches();
  const std::int64_t wide = std::int64_t{config_.heads} * wide_head_dim(config_.head_dim());
  const std::int64_t tile_rows =
      flash_tile_tokens(config_.heads, config_.heads, wide_head_dim(config_.head_dim()));
  const std::vector<std::int32_t> end(static_cast<std::size_t>(patches),
                                      static_cast<std::int32_t>(patches));
  std::vector<AttentionTile> tiles;
  for (std::int64_t row = 0; row < patches; row += tile_rows) {
    tiles.push_back({.row = static_cast<std::int32_t>(row),
                     .rows = static_cast<std::int32_t>(std::min(tile_rows, patches - row)),
                     .position = static_cast<std::int32_t>(row),
                     .end_max = static_cast<std::int32_t>(patches)});
  }
  std::vector<std::byte*> pointers;
  for (std::int64_t p = 0; p < patches; p += kPageTokens) {
    pointers.push_back(at<std::byte>(layout_.pages) + p * 2 * 2 * wide);
  }
  const SequencePages sequence{.pages = at<std::byte*>(layout_.pointers)};
  const auto write = [&](const Place& place, const auto& values) {
    const auto bytes = std::as_bytes(std::span(values));
    FACET_CHECK(std::ssize(bytes) <= place.bytes);
    return work_->queue.copy_to_device(memory_ + place.offset, bytes.data(), bytes.size());
  };
  FACET_TRY_STATUS(write(layout_.end, end));
  FACET_TRY_STATUS(write(layout_.tiles, tiles));
  FACET_TRY_STATUS(write(layout_.pointers, pointers));
  FACET_TRY_STATUS(write(layout_.sequence, std::span(&sequence, 1)));
  // Positions behind the last patch are read as part of a page, and must not be NaN times 0.
  FACET_TRY_STATUS(work_->queue.fill(
      memory_ + layout_.pages.offset, 0, static_cast<std::size_t>(layout_.pages.bytes)));
  return work_->queue.wait();
}

void VisionTower::gather_patches(std::span<const float> pixels) {
  const std::int64_t side = config_.image_size;
  const std::int64_t patch = config_.patch;
  auto* to = reinterpret_cast<float*>(patches_.data());
  for (std::int64_t p = 0; p < config_.patches(); ++p) {
    const std::int64_t top = p / config_.side_patches() * patch;
    const std::int64_t left = p % config_.side_patches() * patch;
    for (std::int64_t line = 0; line < 3 * patch; ++line, to += patch) {
      const std::int64_t y = line / patch * side + top + line % patch;  // Colour planes on end.
      std::memcpy(
          to, pixels.data() + y * side + left, sizeof(float) * static_cast<std::size_t>(patch));
    }
  }
}

Status VisionTower::product(const PackedMatrix& w,
                            const std::uint16_t* x,
                            std::int64_t rows,
                            float* y) {
  return matmul({.w = w,
                 .row_begin = 0,
                 .row_end = w.rows,
                 .x = x,
                 .x_stride = padded_cols(Layout::bf16, w.cols),
                 .tokens = rows,
                 .y = y,
                 .y_stride = w.rows,
                 .units = units_},
                next());
}

Status VisionTower::norm(const Norm& norm, float* y, std::uint16_t* y_bf16) {
  return layer_norm({.x = at<float>(layout_.x),
                     .w = norm.w,
                     .b = norm.b,
                     .eps = config_.norm_eps,
                     .rows = config_.patches(),
                     .cols = config_.hidden,
                     .y = y,
                     .y_bf16 = y_bf16,
                     .bf16_stride = padded_cols(Layout::bf16, config_.hidden)},
                    next());
}

Status VisionTower::add(const float* y, const float* bias) {
  float* const x = at<float>(layout_.x);
  return add_rows({.base = x,
                   .base_stride = config_.hidden,
                   .y = y,
                   .bias = bias,
                   .rows = config_.patches(),
                   .cols = config_.hidden,
                   .x = x},
                  next());
}

Status VisionTower::embed_patches() {
  const std::int64_t patches = config_.patches();
  auto* const h16 = at<std::uint16_t>(layout_.h16);
  float* const wide = at<float>(layout_.wide);
  FACET_TRY_STATUS(work_->queue.copy_to_device(
      at<float>(layout_.pixels), patches_.data(), static_cast<std::size_t>(layout_.pixels.bytes)));
  FACET_TRY_STATUS(to_bf16(at<float>(layout_.pixels),
                           patches,
                           config_.patch_floats(),
                           h16,
                           padded_cols(Layout::bf16, config_.patch_floats()),
                           {.stream = work_->queue.handle()}));
  FACET_TRY_STATUS(product(patch_.w, h16, patches, wide));
  return add_rows({.base = reinterpret_cast<const float*>(position_.data),
                   .base_stride = padded_cols(Layout::f32, config_.hidden),
                   .y = wide,
                   .bias = patch_.bias,
                   .rows = patches,
                   .cols = config_.hidden,
                   .x = at<float>(layout_.x)},
                  next());
}

Status VisionTower::attend(const Layer& layer) {
  const std::int64_t patches = config_.patches();
  const std::int64_t hidden = config_.hidden;
  const int heads = config_.heads;
  const int dim = config_.head_dim();
  const int wide_dim = wide_head_dim(dim);
  auto* const h16 = at<std::uint16_t>(layout_.h16);
  auto* const queries = at<std::uint16_t>(layout_.wide16);
  auto* const attended = at<std::uint16_t>(layout_.heads);
  float* const q = at<float>(layout_.wide);
  float* const k = q + patches * hidden;
  float* const v = k + patches * hidden;
  FACET_TRY_STATUS(norm(layer.norm1, nullptr, h16));
  FACET_TRY_STATUS(product(layer.q.w, h16, patches, q));
  FACET_TRY_STATUS(product(layer.k.w, h16, patches, k));
  FACET_TRY_STATUS(product(layer.v.w, h16, patches, v));
  FACET_TRY_STATUS(pack_heads({.q = q,
                               .k = k,
                               .v = v,
                               .q_bias = layer.q.bias,
                               .k_bias = layer.k.bias,
                               .v_bias = layer.v.bias,
                               .rows = patches,
                               .heads = heads,
                               .head_dim = dim,
                               .wide_dim = wide_dim,
                               .q_out = queries,
                               .pages = at<std::uint16_t>(layout_.pages)},
                              next()));
  const auto tile_rows = flash_tile_tokens(heads, heads, wide_dim);
  FACET_TRY_STATUS(flash_attend(
      {.q = queries,
       .heads = heads,
       .rows = {.rows = static_cast<int>(patches), .end = at<std::int32_t>(layout_.end)},
       .tiles = at<AttentionTile>(layout_.tiles),
       .tile_count = static_cast<int>((patches + tile_rows - 1) / tile_rows),
       .pages = {.sequences = at<SequencePages>(layout_.sequence),
                 .type = KvType::bf16,
                 .kv_heads = heads,
                 .head_dim = wide_dim},
       .span = {.window = 0, .causal = false},
       .scale = 1.0F / std::sqrt(static_cast<float>(dim)),
       .out = attended},
      next()));
  FACET_TRY_STATUS(unpack_heads(
      attended, patches, heads, dim, wide_dim, h16, padded_cols(Layout::bf16, hidden), next()));
  FACET_TRY_STATUS(product(layer.o.w, h16, patches, q));
  return add(q, layer.o.bias);
}

Status VisionTower::feed_forward(const Layer& layer) {
  const std::int64_t patches = config_.patches();
  auto* const h16 = at<std::uint16_t>(layout_.h16);
  auto* const wide16 = at<std::uint16_t>(layout_.wide16);
  float* const wide = at<float>(layout_.wide);
  FACET_TRY_STATUS(norm(layer.norm2, nullptr, h16));
  FACET_TRY_STATUS(product(layer.fc1.w, h16, patches, wide));
  FACET_TRY_STATUS(gelu_bias(wide,
                             layer.fc1.bias,
                             patches,
                             config_.ffn,
                             wide16,
                             padded_cols(Layout::bf16, config_.ffn),
                             next()));
  FACET_TRY_STATUS(product(layer.fc2.w, wide16, patches, wide));
  return add(wide, layer.fc2.bias);
}

Status VisionTower::project() {
  const std::int64_t side = config_.side_patches();
  float* const wide = at<float>(layout_.wide);
  float* const pooled = at<float>(layout_.pooled);
  auto* const h16 = at<std::uint16_t>(layout_.h16);
  FACET_TRY_STATUS(norm(post_norm_, wide, nullptr));
  FACET_TRY_STATUS(
      pool_squares(wide, side, side / config_.side_tokens(), config_.hidden, pooled, next()));
  FACET_TRY_STATUS(residual_norm({.x = pooled, .norm = soft_norm_, .eps = config_.norm_eps},
                                 config_.image_tokens,
                                 config_.hidden,
                                 nullptr,
                                 h16,
                                 next()));
  return product(projection_, h16, config_.image_tokens, at<float>(layout_.tokens));
}

Result<std::vector<float>> VisionTower::encode(std::span<const float> pixels) {
  const auto size = static_cast<std::size_t>(config_.image_size);
  FACET_CHECK(pixels.size() == 3 * size * size);
  gather_patches(pixels);
  FACET_TRY_STATUS(embed_patches());
  for (const Layer& layer : layers_) {
    FACET_TRY_STATUS(attend(layer));
    FACET_TRY_STATUS(feed_forward(layer));
  }
  FACET_TRY_STATUS(project());
  const auto bytes = static_cast<std::size_t>(layout_.tokens.bytes);
  FACET_TRY_STATUS(work_->queue.copy_to_host(tokens_.data(), at<float>(layout_.tokens), bytes));
  FACET_TRY_STATUS(work_->queue.wait());
  std::vector<float> out(bytes / sizeof(float));
  std::memcpy(out.data(), tokens_.data(), bytes);
  return out;
}

}  // namespace facet::engine::cuda
