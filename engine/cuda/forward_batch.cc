// The batch way of forward.h: up to kBatchRowsMax rows of many sequences in one recording.
#include "base/check.h"
#include "engine/cuda/forward.h"
#include "engine/cuda/prefill.h"

namespace facet::engine::cuda {

bool Forward::stays_packed(const PackedMatrix& w, std::int64_t rows, int parts_max) const {
  if (w.layout == Layout::bf16) return false;
  const int parts = multiply_parts(w, static_cast<int>(rows));
  const bool has_room =
      parts == 1 || std::int64_t{4} * parts * rows * w.rows <= layout_.delta.bytes;
  if (parts > parts_max || !has_room) return false;
  const std::int64_t packed = matrix_bytes(w.layout, w.rows, w.cols);
  const std::int64_t expanded = 2 * w.rows * padded_cols(Layout::bf16, w.cols);
  // Read once for every 16 rows; or read once, and written and read again as bfloat16.
  const std::int64_t times = (rows + kDecodeRowsMax - 1) / kDecodeRowsMax;
  return times * packed <= packed + 2 * expanded;
}

Status Forward::batch_linear(const PackedMatrix& w,
                             const BothForms& x,
                             std::int64_t rows,
                             float* y) {
  if (!stays_packed(w, rows, 1)) return linear(w, x.x16, rows, y, w.rows);
  return multiply_rows(w, {.x = x.x}, static_cast<int>(rows), y, next());
}

Status Forward::batch_delta(const PackedMatrix& w, const BothForms& x, std::int64_t rows) {
  float* const y = at(layout_.delta);
  delta_parts_ = 1;
  if (!stays_packed(w, rows, kMultiplyPartsMax)) return linear(w, x.x16, rows, y, w.rows);
  delta_parts_ = multiply_parts(w, static_cast<int>(rows));
  return multiply_rows(w, {.x = x.x}, static_cast<int>(rows), y, next());
}

Result<Forward::BothForms> Forward::batch_norm(const float* norm,
                                               const float* delta_norm,
                                               std::int64_t rows,
                                               const LaunchOrder& order) {
  // No logits are picked while the layers run.
  float* const h = at(layout_.picked);
  auto* const h16 = at_as<std::uint16_t>(layout_.h16);
  FACET_TRY_STATUS(
      residual_norm(input(norm, delta_norm, delta_parts_), rows, config_.hidden, h, h16, order));
  return BothForms{.x = h, .x16 = h16};
}

Status Forward::batch_attention(std::size_t index, std::int64_t rows) {
  const LayerSpec& spec = config_.layers[index];
  const DeviceLayer& layer = weights_.layers[index];
  const RopePlaces& rope = ropes_of_layer(spec);
  const StepRows step = step_rows(rows, PassKind::batch);
  const std::int64_t q_width = std::int64_t{spec.heads} * spec.head_dim;
  const std::int64_t kv_width = std::int64_t{spec.kv_heads} * spec.head_dim;
  float* const q = at(layout_.wide);
  float* const k = q + rows * q_width;
  float* const v = k + rows * kv_width;
  float* const q_finished = v + rows * kv_width;
  float* const attn = q_finished + rows * q_width;
  auto* const attn16 = at_as<std::uint16_t>(layout_.wide16);
  FACET_TRY(const BothForms h,
            batch_norm(layer.attn_norm, delta_norm_, rows, index == 0 ? first() : next()));
  FACET_TRY_STATUS(batch_linear(layer.q, h, rows, q));
  FACET_TRY_STATUS(batch_linear(layer.k, h, rows, k));
  FACET_TRY_STATUS(batch_linear(layer.v, h, rows, v));
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
                               .q_out = q_finished},
                              next()));
  FACET_TRY_STATUS(attend(
      {.q = q_finished,
       .heads = spec.heads,
       .rows = step,
       .pages = pages_of(index),
       .span = span_of(spec),
       .scale = spec.attention_scale,
       .splits =
           attend_splits_of_batch(static_cast<int>(rows), spec.kv_heads, options_.multiprocessors),
       .out = attn,
       .scratch = at(layout_.splits),
       .counters = at_as<std::uint32_t>(layout_.counters) + qkv_counters(layout_.shape)},
      next()));
  const std::int64_t stride = padded_cols(Layout::bf16, q_width);
  if (!stays_packed(layer.o, rows, kMultiplyPartsMax)) {
    FACET_TRY_STATUS(to_bf16(attn, rows, q_width, attn16, stride, next()));
  }
  return batch_delta(layer.o, {.x = attn, .x16 = attn16}, rows);
}

Status Forward::batch_feed_forward(std::size_t index, std::int64_t rows) {
  const DeviceLayer& layer = weights_.layers[index];
  const std::int64_t ffn = config_.layers[index].ffn;
  float* const gate = at(layout_.wide);
  float* const up = gate + rows * ffn;
  auto* const gated = at_as<std::uint16_t>(layout_.wide16);
  FACET_TRY(const BothForms h, batch_norm(layer.ffn_norm, layer.post_attn_norm, rows, next()));
  FACET_TRY_STATUS(batch_linear(layer.gate, h, rows, gate));
  FACET_TRY_STATUS(batch_linear(layer.up, h, rows, up));
  const bool is_packed = stays_packed(layer.down, rows, kMultiplyPartsMax);
  FACET_TRY_STATUS(
      is_packed
          ? gelu_mul_f32(gate, up, rows * ffn, next())
          : gelu_mul(gate, up, rows, ffn, ffn, gated, padded_cols(Layout::bf16, ffn), next()));
  return batch_delta(layer.down, {.x = gate, .x16 = gated}, rows);
}

Status Forward::batch_layers(std::int64_t rows) {
  FACET_CHECK(rows > kDecodeRowsMax && rows <= layout_.shape.batch_rows);
  for (std::size_t l = 0; l < config_.layers.size(); ++l) {
    FACET_TRY_STATUS(batch_attention(l, rows));
    FACET_TRY_STATUS(batch_feed_forward(l, rows));
    delta_norm_ = weights_.layers[l].post_ffn_norm;
  }
  return ok();
}

Status Forward::batch_logits(std::int64_t rows) {
  FACET_TRY(const BothForms h, batch_norm(weights_.output_norm, delta_norm_, rows, next()));
  return batch_linear(weights_.embedding, h, rows, at(layout_.logits));
}

}  // namespace facet::engine::cuda
