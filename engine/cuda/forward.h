// The forward pass of Gemma 3 and EmbeddingGemma on a CUDA device: the same steps in the same order
// as engine/cpu/forward.cc, as launches. Layers differ by LayerSpec only.
//
//   x = E[id] * sqrt(hidden)
//   per layer: h = norm(x); q, k, v = h W; q, k = norm per head; rotate q, k; attention;
//              x += norm(attn Wo); h = norm(x); m = gelu(h Wgate) * (h Wup) Wdown; x += norm(m)
//   generator: logits = norm(x_last) E^T
//   embedder:  mean over tokens of norm(x); dense2; dense3
//
// There are three ways, with different launches (PassKind):
//
//   decode   up to kDecodeRowsMax rows: decode.h, five launches a layer
//   batch    up to kBatchRowsMax rows of many sequences: products, norms and GELU of prefill.h, and
//            between them `attend` of decode.h, whose blocks take one row each: sequences share no
//            keys, so that a tile of flash_attend would be one row of 64 that are computed.
//            Quantised weights are multiplied as they are by decode.h, 16 rows at a time, as long
//            as that reads fewer bytes than expanding them to bfloat16 moves (Q4_0: always)
//   prompt   any number of rows: prefill.h
//
// What a function for the first two enqueues depends on the number of rows only, never on what is
// in the tables, so that a recording of it serves every pass of its size.
#pragma once

#include "base/result.h"
#include "engine/cuda/decode.h"
#include "engine/cuda/device_work.h"
#include "engine/cuda/pass.h"
#include "engine/cuda/prompt_units.h"
#include "engine/cuda/weights.h"
#include "engine/cuda/workspace.h"
#include "engine/model/config.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace facet::engine::cuda {

struct ForwardOptions {
  KvType kv_type = KvType::bf16;
  /// Parts of decode's attention over one sequence. Fixed, so that a row's bits depend on itself.
  int splits = 1;
  int multiprocessors = 1;  ///< Of the device.
  PromptUnits units = PromptUnits::mma;
};

/// Enqueues work; does not wait. Borrows everything. Not thread-safe.
class Forward {
 public:
  Forward(const ModelConfig& config,
          const DeviceWeights& weights,
          const WorkspaceLayout& layout,
          std::byte* workspace,
          PassTables& tables,
          DeviceWork& work,
          const ForwardOptions& options);

  /// Writes what stays: rotary frequencies and zeroed counters. Once, before anything else.
  Status prepare();

  /// The rows' tokens become x: embeddings by the ids of the tables, image rows as they are.
  Status embed_tokens(const Pass& pass);
  /// All layers, for `rows` rows of x; the decode way.
  Status decode_layers(int rows);
  /// The logits of all rows behind decode_layers: (rows, vocabulary) at logits().
  Status decode_logits(int rows);

  /// The same two, the batch way: a row's bits depend on itself and on `rows`.
  Status batch_layers(std::int64_t rows);
  Status batch_logits(std::int64_t rows);

  /// All layers, for any number of rows; x() is then the residual stream behind the last one.
  Status prompt_layers(std::int64_t rows);
  /// Logits of these rows (ascending, 1 to batch_rows), behind prompt_layers, by one product: up to
  /// kDecodeRowsMax of them that of decode.h, else that of prefill.h.
  Status prompt_logits(std::span<const std::int64_t> rows);

  /// Behind prompt_layers, for an embedder: the mean of the normed rows, (hidden) at pooled().
  Status pool_rows(std::int64_t rows);
  /// y = w x for one row, (multiply_parts, w.rows): dense2 and dense3.
  Status dense(const PackedMatrix& w, const float* x, float* y);

  [[nodiscard]] float* logits() const { return at(layout_.logits); }
  /// Counters of find_candidates.
  [[nodiscard]] std::uint32_t* find_counters() const {
    return at_as<std::uint32_t>(layout_.counters) + qkv_counters(layout_.shape) +
           attend_counters(layout_.shape);
  }
  [[nodiscard]] float* pooled() const { return at(layout_.pooled); }

  /// Tokens of an AttentionTile, for PassTables::fill.
  [[nodiscard]] int tile_tokens() const { return tile_tokens_; }

 private:
  [[nodiscard]] float* at(const Place& place) const {
    return reinterpret_cast<float*>(workspace_ + place.offset);
  }
  template <class T>
  [[nodiscard]] T* at_as(const Place& place) const {
    return reinterpret_cast<T*>(workspace_ + place.offset);
  }
  [[nodiscard]] StepRows step_rows(std::int64_t rows, PassKind kind) const;
  [[nodiscard]] LayerPages pages_of(std::size_t index) const;
  [[nodiscard]] const RopePlaces& ropes_of_layer(const LayerSpec& spec) const;
  [[nodiscard]] AttentionSpan span_of(const LayerSpec& spec) const;
  /// The order of a launch behind another one of the pass.
  [[nodiscard]] LaunchOrder next() const {
    return {.stream = work_.queue.handle(), .overlaps = true};
  }
  /// The order of a launch behind a copy.
  [[nodiscard]] LaunchOrder first() const { return {.stream = work_.queue.handle()}; }
  Status rope_tables(std::int64_t rows, PassKind kind);
  /// norm(x) where nothing waits to be added, or x + norm(delta) first.
  [[nodiscard]] RowInput input(const float* norm, const float* delta_norm, int parts);

  Status decode_layer(std::size_t index, int rows);
  Status prompt_layer(std::size_t index, std::int64_t rows);
  Status prompt_attention(std::size_t index, std::int64_t rows);
  Status prompt_feed_forward(std::size_t index, std::int64_t rows);

  /// Of the batch way, in forward_batch.cc. x of a product: f32, and rounded to bfloat16 with
  /// padded columns.
  struct BothForms {
    const float* x = nullptr;
    const std::uint16_t* x16 = nullptr;
  };
  Status batch_attention(std::size_t index, std::int64_t rows);
  Status batch_feed_forward(std::size_t index, std::int64_t rows);
  /// The norm of x, after what waits to be added to it, in both forms.
  Result<BothForms> batch_norm(const float* norm,
                               const float* delta_norm,
                               std::int64_t rows,
                               const LaunchOrder& order);
  /// True: the product is that of decode.h on packed weights.
  [[nodiscard]] bool stays_packed(const PackedMatrix& w, std::int64_t rows, int parts_max) const;
  Status batch_linear(const PackedMatrix& w, const BothForms& x, std::int64_t rows, float* y);
  /// The same to delta, in one or more parts.
  Status batch_delta(const PackedMatrix& w, const BothForms& x, std::int64_t rows);

  /// Where rows of x for these logits follow each other; copied there if they do not.
  Result<const float*> gather(std::span<const std::int64_t> rows);
  /// Rows of `stride` bfloat16 that the scratch for unpacked weights holds, a multiple of `unit`.
  [[nodiscard]] std::int64_t unpacked_rows(std::int64_t stride, std::int64_t unit) const {
    return layout_.unpacked.bytes / (2 * stride) / unit * unit;
  }
  Status linear(const PackedMatrix& w,
                const std::uint16_t* x,
                std::int64_t rows,
                float* y,
                std::int64_t y_stride);

  const ModelConfig& config_;
  const DeviceWeights& weights_;
  const WorkspaceLayout& layout_;
  std::byte* workspace_;
  PassTables& tables_;
  DeviceWork& work_;
  ForwardOptions options_;
  int tile_tokens_ = 1;

  int x_now_ = 0;                      ///< Which of the two x holds the residual stream.
  int delta_parts_ = 1;                ///< Of what waits in delta,
  const float* delta_norm_ = nullptr;  ///< and its norm; null: nothing waits.
};

}  // namespace facet::engine::cuda
