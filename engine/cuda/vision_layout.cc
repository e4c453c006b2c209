#include "engine/cuda/vision_layout.h"

#include "engine/cuda/matrix.h"
#include "engine/ops.h"

#include <algorithm>

namespace facet::engine::cuda {
namespace {

std::int64_t vision_weight_bytes(const VisionConfig& config) {
  const auto matrix = [](Layout layout, std::int64_t rows, std::int64_t cols) {
    return aligned_bytes(matrix_bytes(layout, rows, cols));
  };
  const auto vector = [](std::int64_t count) { return aligned_bytes(4 * count); };
  const std::int64_t hidden = config.hidden;
  const auto linear = [&](std::int64_t rows, std::int64_t cols) {
    return matrix(Layout::bf16, rows, cols) + vector(rows);
  };
  const std::int64_t layer = 4 * vector(hidden) + 4 * linear(hidden, hidden) +
                             linear(config.ffn, hidden) + linear(hidden, config.ffn);
  return linear(hidden, config.patch_floats()) + matrix(Layout::f32, config.patches(), hidden) +
         config.layers * layer + 3 * vector(hidden) +
         matrix(Layout::bf16, config.text_hidden, hidden);
}

}  // namespace

VisionLayout lay_out_vision(const VisionConfig& config) {
  VisionLayout out{.weight_bytes = vision_weight_bytes(config)};
  out.bytes = out.weight_bytes;
  const auto take = [&out](std::int64_t bytes) {
    const Place place{.offset = out.bytes, .bytes = bytes};
    out.bytes += aligned_bytes(bytes);
    return place;
  };
  const std::int64_t patches = config.patches();
  const std::int64_t hidden = config.hidden;
  const std::int64_t heads = std::int64_t{config.heads} * wide_head_dim(config.head_dim());
  const std::int64_t pages = (patches + kPageTokens - 1) / kPageTokens;
  const std::int64_t widest = std::max(hidden, config.patch_floats());
  out.end = take(4 * patches);
  out.tiles = take(static_cast<std::int64_t>(sizeof(AttentionTile)) * patches);
  out.pointers = take(static_cast<std::int64_t>(sizeof(std::byte*)) * pages);
  out.sequence = take(static_cast<std::int64_t>(sizeof(SequencePages)));
  out.pixels = take(4 * patches * config.patch_floats());
  out.x = take(4 * patches * hidden);
  out.h16 = take(2 * patches * padded_cols(Layout::bf16, widest));
  out.wide = take(4 * patches * std::max<std::int64_t>(3 * hidden, config.ffn));
  out.wide16 = take(2 * patches * std::max(heads, padded_cols(Layout::bf16, config.ffn)));
  out.heads = take(2 * patches * heads);
  out.pages = take(pages * 2 * kPageTokens * 2 * heads);
  out.pooled = take(std::int64_t{4} * config.image_tokens * hidden);
  out.tokens = take(std::int64_t{4} * config.image_tokens * config.text_hidden);
  return out;
}

}  // namespace facet::engine::cuda
