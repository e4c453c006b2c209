#include "engine/cuda/forward.h"

#include "base/check.h"
#include "engine/cuda/prefill.h"
#include "engine/ops.h"

#include <algorithm>
#include <vector>

namespace facet::engine::cuda {

Forward::Forward(const ModelConfig& config,
                 const DeviceWeights& weights,
                 const WorkspaceLayout& layout,
                 std::byte* workspace,
                 PassTables& tables,
                 DeviceWork& work,
                 const ForwardOptions& options)
    : config_(config),
      weights_(weights),
      layout_(layout),
      workspace_(workspace),
      tables_(tables),
      work_(work),
      options_(options) {
  tile_tokens_ = kDecodeRowsMax;
  for (const LayerSpec& spec : config.layers) {
    if (!flash_has(spec.heads, spec.kv_heads, spec.head_dim, options.kv_type)) continue;
    const int tokens = flash_tile_tokens(spec.heads, spec.kv_heads, spec.head_dim);
    tile_tokens_ = std::min(tile_tokens_ == kDecodeRowsMax ? tokens : tile_tokens_, tokens);
  }
}

Status Forward::prepare() {
  for (std::size_t r = 0; r < layout_.ropes.size(); ++r) {
    const Rope& rope = layout_.shape.ropes[r];
    const auto frequencies = rope_frequencies(rope.head_dim, rope.theta, rope.divisor);
    FACET_TRY_STATUS(work_.queue.copy_to_device(
        at(layout_.ropes[r].frequencies), frequencies.data(), frequencies.size() * sizeof(float)));
  }
  FACET_TRY_STATUS(work_.queue.fill(
      workspace_ + layout_.counters.offset, 0, static_cast<std::size_t>(layout_.counters.bytes)));
  return work_.queue.wait();
}

StepRows Forward::step_rows(std::int64_t rows, PassKind kind) const {
  const InputPlaces& places = layout_.inputs_of(kind);
  return {.rows = static_cast<int>(rows),
          .position = at_as<std::int32_t>(places.position),
          .end = at_as<std::int32_t>(places.end),
          .sequence = at_as<std::int32_t>(places.sequence)};
}

LayerPages Forward::pages_of(std::size_t index) const {
  const LayerSpec& spec = config_.layers[index];
  return {.sequences = tables_.sequences(index),
          .type = options_.kv_type,
          .kv_heads = spec.kv_heads,
          .head_dim = spec.head_dim};
}

const RopePlaces& Forward::ropes_of_layer(const LayerSpec& spec) const {
  const auto& ropes = layout_.shape.ropes;
  const auto found = std::find(ropes.begin(), ropes.end(), rope_of(spec));
  return layout_.ropes[static_cast<std::size_t>(found - ropes.begin())];
}

AttentionSpan Forward::span_of(const LayerSpec& spec) const {
  return {.window = spec.window, .causal = spec.causal};
}

Status Forward::rope_tables(std::int64_t rows, PassKind kind) {
  const std::int32_t* const position = step_rows(rows, kind).position;
  for (std::size_t r = 0; r < layout_.ropes.size(); ++r) {
    const RopePlaces& places = layout_.ropes[r];
    FACET_TRY_STATUS(rope_table(position,
                                rows,
                                at(places.frequencies),
                                layout_.shape.ropes[r].head_dim / 2,
                                at(places.cos),
                                at(places.sin),
                                r == 0 ? first() : next()));
  }
  return ok();
}

Status Forward::embed_tokens(const Pass& pass) {
  FACET_TRY_STATUS(rope_tables(pass.launch_rows, pass.kind));
  const InputPlaces& places = layout_.inputs_of(pass.kind);
  x_now_ = 0;
  delta_norm_ = nullptr;
  FACET_TRY_STATUS(embed_rows(weights_.embedding,
                              at_as<std::int32_t>(places.ids),
                              pass.launch_rows,
                              config_.embedding_scale,
                              at(layout_.x[0]),
                              next()));
  for (const Slice& slice : pass.slices) {
    if (!slice.is_image()) continue;
    FACET_TRY_STATUS(work_.queue.copy_to_device(at(layout_.x[0]) + slice.row * config_.hidden,
                                                slice.item->image_rows.data(),
                                                slice.item->image_rows.size_bytes()));
  }
  return ok();
}

RowInput Forward::input(const float* norm, const float* delta_norm, int parts) {
  RowInput out{.x = at(layout_.x[x_now_]), .norm = norm, .eps = config_.norm_eps};
  if (delta_norm == nullptr) return out;
  out.delta = at(layout_.delta);
  out.delta_parts = parts;
  out.delta_norm = delta_norm;
  x_now_ = 1 - x_now_;
  out.x_out = at(layout_.x[x_now_]);
  return out;
}

Status Forward::decode_layer(std::size_t index, int rows) {
  const LayerSpec& spec = config_.layers[index];
  const DeviceLayer& layer = weights_.layers[index];
  const RopePlaces& rope = ropes_of_layer(spec);
  const StepRows step = step_rows(rows, PassKind::decode);
  auto* const counters = at_as<std::uint32_t>(layout_.counters);
  FACET_TRY_STATUS(project_qkv({.q = layer.q,
                                .k = layer.k,
                                .v = layer.v,
                                .input = input(layer.attn_norm, delta_norm_, delta_parts_),
                                .heads = spec.heads,
                                .q_norm = layer.q_norm,
                                .k_norm = layer.k_norm,
                                .cos = at(rope.cos),
                                .sin = at(rope.sin),
                                .rows = step,
                                .pages = pages_of(index),
                                .q_out = at(layout_.q),
                                .scratch = at(layout_.scratch),
                                .counters = counters},
                               // Image rows are copied to x in front of the first layer.
                               index == 0 ? first() : next()));
  FACET_TRY_STATUS(attend({.q = at(layout_.q),
                           .heads = spec.heads,
                           .rows = step,
                           .pages = pages_of(index),
                           .span = span_of(spec),
                           .scale = spec.attention_scale,
                           .splits = options_.splits,
                           .out = at(layout_.attn),
                           .scratch = at(layout_.splits),
                           .counters = counters + qkv_counters(layout_.shape)},
                          next()));
  FACET_TRY_STATUS(
      multiply_rows(layer.o, {.x = at(layout_.attn)}, rows, at(layout_.delta), next()));
  FACET_TRY_STATUS(
      gate_up({.gate = layer.gate,
               .up = layer.up,
               .input = input(layer.ffn_norm, layer.post_attn_norm, multiply_parts(layer.o, rows)),
               .rows = rows,
               .y = at(layout_.gated),
               .scratch = at(layout_.scratch)},
              next()));
  FACET_TRY_STATUS(
      multiply_rows(layer.down, {.x = at(layout_.gated)}, rows, at(layout_.delta), next()));
  delta_norm_ = layer.post_ffn_norm;
  delta_parts_ = multiply_parts(layer.down, rows);
  return ok();
}

Status Forward::decode_layers(int rows) {
  for (std::size_t l = 0; l < config_.layers.size(); ++l) FACET_TRY_STATUS(decode_layer(l, rows));
  return ok();
}

Status Forward::decode_logits(int rows) {
  return multiply_rows(weights_.embedding,
                       input(weights_.output_norm, delta_norm_, delta_parts_),
                       rows,
                       at(layout_.logits),
                       next());
}

Status Forward::linear(const PackedMatrix& w,
                       const std::uint16_t* x,
                       std::int64_t rows,
                       float* y,
                       std::int64_t y_stride) {
  const std::int64_t stride = padded_cols(Layout::bf16, w.cols);
  return matmul({.w = w,
                 .row_begin = 0,
                 .row_end = w.rows,
                 .x = x,
                 .x_stride = stride,
                 .tokens = rows,
                 .y = y,
                 .y_stride = y_stride,
                 .scratch = at_as<std::uint16_t>(layout_.unpacked),
                 .scratch_rows = unpacked_rows(stride, kPanelRows),
                 .units = options_.units,
                 .library_workspace = workspace_ + layout_.splits.offset,
                 .library_workspace_bytes = layout_.splits.bytes},
                next());
}

Status Forward::prompt_attention(std::size_t index, std::int64_t rows) {
  const LayerSpec& spec = config_.layers[index];
  const DeviceLayer& layer = weights_.layers[index];
  const RopePlaces& rope = ropes_of_layer(spec);
  const StepRows step = step_rows(rows, PassKind::prompt);
  const std::int64_t q_width = std::int64_t{spec.heads} * spec.head_dim;
  const std::int64_t kv_width = std::int64_t{spec.kv_heads} * spec.head_dim;
  const std::int64_t attn_stride = padded_cols(Layout::bf16, q_width);
  float* const q = at(layout_.wide);
  float* const k = q + rows * q_width;
  float* const v = k + rows * kv_width;
  float* const q_finished = v + rows * kv_width;
  float* const attn = q_finished + rows * q_width;
  auto* const attn16 = at_as<std::uint16_t>(layout_.wide16);
  auto* const q16 = attn16 + rows * attn_stride;
  const auto* const h16 = at_as<std::uint16_t>(layout_.h16);
  const bool is_flash = flash_has(spec.heads, spec.kv_heads, spec.head_dim, options_.kv_type);

  FACET_TRY_STATUS(linear(layer.q, h16, rows, q, q_width));
  FACET_TRY_STATUS(linear(layer.k, h16, rows, k, kv_width));
  FACET_TRY_STATUS(linear(layer.v, h16, rows, v, kv_width));
  FACET_TRY_STATUS(finish_qkv({.q = q,
                               .k = k,
                               .v = v,
                               .q_stride = q_width,
                               .kv_stride = kv_width,
                               .heads = spec.heads,
                               .q_norm = layer.q_norm,
                               .k_norm = layer.k_norm,
                               .eps = config_.norm_eps,
                               .cos = at(rope.cos),
                               .sin = at(rope.sin),
                               .rows = step,
                               .pages = pages_of(index),
                               .q_out = is_flash ? nullptr : q_finished,
                               .q_out_bf16 = is_flash ? q16 : nullptr},
                              next()));
  if (is_flash) {
    // q, k and v are where they are wanted, so their array holds what the splits find.
    const int splits = flash_splits(tables_.tiles(),
                                    spec.kv_heads,
                                    spec.head_dim,
                                    options_.multiprocessors,
                                    layout_.wide.bytes / 4);
    return flash_attend({.q = q16,
                         .heads = spec.heads,
                         .rows = step,
                         .tiles = at_as<AttentionTile>(layout_.prompt.tiles),
                         .tile_count = tables_.tiles(),
                         .pages = pages_of(index),
                         .span = span_of(spec),
                         .scale = spec.attention_scale,
                         .out = attn16,
                         .splits = splits,
                         .scratch = q},
                        next());
  }
  FACET_TRY_STATUS(
      attend({.q = q_finished,
              .heads = spec.heads,
              .rows = step,
              .pages = pages_of(index),
              .span = span_of(spec),
              .scale = spec.attention_scale,
              .splits = 1,
              .out = attn,
              .scratch = attn + rows * q_width,
              .counters = at_as<std::uint32_t>(layout_.counters) + qkv_counters(layout_.shape)},
             next()));
  return to_bf16(attn, rows, q_width, attn16, attn_stride, next());
}

Status Forward::prompt_feed_forward(std::size_t index, std::int64_t rows) {
  const DeviceLayer& layer = weights_.layers[index];
  const std::int64_t ffn = config_.layers[index].ffn;
  const std::int64_t ffn_stride = padded_cols(Layout::bf16, ffn);
  float* const gate = at(layout_.wide);
  float* const up = gate + rows * ffn;
  const auto* const h16 = at_as<std::uint16_t>(layout_.h16);
  auto* const gated = at_as<std::uint16_t>(layout_.wide16);
  if (options_.units == PromptUnits::wgmma) {
    const std::int64_t stride = padded_cols(Layout::bf16, config_.hidden);
    FACET_TRY_STATUS(gate_up_rows({.gate = layer.gate,
                                   .up = layer.up,
                                   .x = h16,
                                   .x_stride = stride,
                                   .tokens = rows,
                                   .y = gated,
                                   .y_stride = ffn_stride,
                                   .scratch = at_as<std::uint16_t>(layout_.unpacked),
                                   .scratch_rows = unpacked_rows(stride, 2 * kPanelRows)},
                                  next()));
  } else {
    FACET_TRY_STATUS(linear(layer.gate, h16, rows, gate, ffn));
    FACET_TRY_STATUS(linear(layer.up, h16, rows, up, ffn));
    FACET_TRY_STATUS(gelu_mul(gate, up, rows, ffn, ffn, gated, ffn_stride, next()));
  }
  return linear(layer.down, gated, rows, at(layout_.delta), config_.hidden);
}

Status Forward::prompt_layer(std::size_t index, std::int64_t rows) {
  const DeviceLayer& layer = weights_.layers[index];
  auto* const h16 = at_as<std::uint16_t>(layout_.h16);
  FACET_TRY_STATUS(residual_norm(input(layer.attn_norm, delta_norm_, 1),
                                 rows,
                                 config_.hidden,
                                 nullptr,
                                 h16,
                                 index == 0 ? first() : next()));
  FACET_TRY_STATUS(prompt_attention(index, rows));
  FACET_TRY_STATUS(linear(
      layer.o, at_as<std::uint16_t>(layout_.wide16), rows, at(layout_.delta), config_.hidden));
  FACET_TRY_STATUS(residual_norm(
      input(layer.ffn_norm, layer.post_attn_norm, 1), rows, config_.hidden, nullptr, h16, next()));
  FACET_TRY_STATUS(prompt_feed_forward(index, rows));
  delta_norm_ = layer.post_ffn_norm;
  return ok();
}

Status Forward::prompt_layers(std::int64_t rows) {
  for (std::size_t l = 0; l < config_.layers.size(); ++l) FACET_TRY_STATUS(prompt_layer(l, rows));
  FACET_TRY_STATUS(residual_norm(
      input(nullptr, delta_norm_, 1), rows, config_.hidden, nullptr, nullptr, next()));
  delta_norm_ = nullptr;
  return ok();
}

Result<const float*> Forward::gather(std::span<const std::int64_t> rows) {
  const float* const x = at(layout_.x[x_now_]);
  if (rows.back() - rows.front() + 1 == std::ssize(rows)) {
    return x + rows.front() * config_.hidden;
  }
  float* to = at(layout_.picked);
  for (std::size_t begin = 0; begin < rows.size();) {
    std::size_t end = begin + 1;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
    const std::size_t floats = (end - begin) * static_cast<std::size_t>(config_.hidden);
    FACET_TRY_STATUS(
        work_.queue.copy_on_device(to, x + rows[begin] * config_.hidden, floats * sizeof(float)));
    to += floats;
    begin = end;
  }
  return at(layout_.picked);
}

Status Forward::prompt_logits(std::span<const std::int64_t> rows) {
  FACET_CHECK(!rows.empty() && std::ssize(rows) <= layout_.shape.batch_rows);
  FACET_TRY(const float* const x, gather(rows));
  const RowInput normed{.x = x, .norm = weights_.output_norm, .eps = config_.norm_eps};
  const std::int64_t count = std::ssize(rows);
  if (count <= kDecodeRowsMax) {
    return multiply_rows(
        weights_.embedding, normed, static_cast<int>(count), at(layout_.logits), first());
  }
  auto* const h16 = at_as<std::uint16_t>(layout_.h16);
  FACET_TRY_STATUS(residual_norm(normed, count, config_.hidden, nullptr, h16, first()));
  return linear(weights_.embedding, h16, count, at(layout_.logits), config_.vocabulary);
}

Status Forward::pool_rows(std::int64_t rows) {
  float* const h = at(layout_.wide);
  FACET_TRY_STATUS(residual_norm(
      input(weights_.output_norm, nullptr, 1), rows, config_.hidden, h, nullptr, next()));
  return mean_pool(h, rows, config_.hidden, pooled(), next());
}

Status Forward::dense(const PackedMatrix& w, const float* x, float* y) {
  FACET_CHECK(multiply_parts(w, 1) <= kMultiplyPartsMax);
  return multiply_rows(w, {.x = x}, 1, y, first());
}

}  // namespace facet::engine::cuda
