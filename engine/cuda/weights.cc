#include "engine/cuda/weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace facet::engine::cuda {
namespace {

/// Bytes that are repacked before they are copied.
constexpr std::int64_t kStageBytes = std::int64_t{32} << 20;

/// Rows that one thread repacks at a time.
constexpr std::int64_t kRowsEach = 4 * kPanelRows;

/// Puts one thing after the other into a piece of device memory, through a stage that is emptied
/// when it is full.
class Uploader {
 public:
  static Result<Uploader> create(WeightForm form,
                                 std::byte* to,
                                 ThreadPool& pool,
                                 DeviceWork& work) {
    Uploader out(form, to, pool, work);
    FACET_TRY(out.stage_, PinnedBuffer::allocate(static_cast<std::size_t>(kStageBytes)));
    return out;
  }

  Result<PackedMatrix> matrix(const TensorView& from) {
    const Layout layout = layout_for(from.type, form_);
    const PackedMatrix out{.layout = layout, .rows = from.rows, .cols = from.cols, .data = to_};
    const std::int64_t row_bytes = rows_bytes(layout, kPanelRows, from.cols) / kPanelRows;
    const std::int64_t each =
        std::max<std::int64_t>(1, kStageBytes / ((row_bytes + 4) * kPanelRows)) * kPanelRows;
    for (std::int64_t begin = 0; begin < from.rows; begin += each) {
      FACET_TRY_STATUS(stripe(from, layout, begin, std::min(from.rows, begin + each)));
    }
    to_ += aligned_bytes(matrix_bytes(layout, from.rows, from.cols));
    return out;
  }

  Result<const float*> vector(std::span<const float> from) {
    const auto bytes = static_cast<std::int64_t>(from.size_bytes());
    FACET_TRY(std::byte * stage, next_stage(bytes));
    std::memcpy(stage, from.data(), from.size_bytes());
    FACET_TRY_STATUS(work_->queue.copy_to_device(to_, stage, from.size_bytes()));
    const auto* out = reinterpret_cast<const float*>(to_);
    to_ += aligned_bytes(bytes);
    return out;
  }

  Status finish() { return work_->queue.wait(); }

 private:
  Uploader(WeightForm form, std::byte* to, ThreadPool& pool, DeviceWork& work)
      : form_(form), to_(to), pool_(&pool), work_(&work) {}

  /// Bytes of `rows` rows, a multiple of kPanelRows or all, without what follows the last one.
  static std::int64_t rows_bytes(Layout layout, std::int64_t rows, std::int64_t cols) {
    const std::int64_t bytes = matrix_bytes(layout, rows, cols);
    return layout == Layout::fp8 ? bytes - 4 * rows : bytes;
  }

  /// Memory that no copy reads any more.
  Result<std::byte*> next_stage(std::int64_t bytes) {
    if (used_ + bytes > kStageBytes) {
      FACET_TRY_STATUS(work_->queue.wait());
      used_ = 0;
    }
    std::byte* const out = stage_.data() + used_;
    used_ += aligned_bytes(bytes);
    return out;
  }

  /// Rows [begin, end) of a matrix, repacked as a matrix of their own.
  Status stripe(const TensorView& from, Layout layout, std::int64_t begin, std::int64_t end) {
    const std::int64_t rows = end - begin;
    const TensorView part{
        .type = from.type, .rows = rows, .cols = from.cols, .data = from.row(begin)};
    const std::int64_t bytes = matrix_bytes(layout, rows, from.cols);
    FACET_TRY(std::byte * stage, next_stage(bytes));
    pool_->run((rows + kRowsEach - 1) / kRowsEach, [&](std::int64_t i, int /*worker*/) {
      repack(part, layout, i * kRowsEach, std::min(rows, (i + 1) * kRowsEach), stage);
    });
    const std::int64_t body = rows_bytes(layout, rows, from.cols);
    FACET_TRY_STATUS(work_->queue.copy_to_device(
        to_ + rows_bytes(layout, begin, from.cols), stage, static_cast<std::size_t>(body)));
    if (body == bytes) return ok();
    // The scales of all rows follow the last row.
    std::byte* const scales = to_ + rows_bytes(layout, from.rows, from.cols) + 4 * begin;
    return work_->queue.copy_to_device(scales, stage + body, static_cast<std::size_t>(4 * rows));
  }

  WeightForm form_;
  std::byte* to_;
  ThreadPool* pool_;
  DeviceWork* work_;
  PinnedBuffer stage_;
  std::int64_t used_ = 0;
};

Result<DeviceLayer> upload_layer(const LayerWeights& from, Uploader& up) {
  DeviceLayer out;
  FACET_TRY(out.attn_norm, up.vector(from.attn_norm));
  FACET_TRY(out.q, up.matrix(from.q));
  FACET_TRY(out.k, up.matrix(from.k));
  FACET_TRY(out.v, up.matrix(from.v));
  FACET_TRY(out.o, up.matrix(from.o));
  FACET_TRY(out.q_norm, up.vector(from.q_norm));
  FACET_TRY(out.k_norm, up.vector(from.k_norm));
  FACET_TRY(out.post_attn_norm, up.vector(from.post_attn_norm));
  FACET_TRY(out.ffn_norm, up.vector(from.ffn_norm));
  FACET_TRY(out.gate, up.matrix(from.gate));
  FACET_TRY(out.up, up.matrix(from.up));
  FACET_TRY(out.down, up.matrix(from.down));
  FACET_TRY(out.post_ffn_norm, up.vector(from.post_ffn_norm));
  return out;
}

}  // namespace

Result<DeviceWeights> upload_weights(const ModelConfig& config,
                                     const ModelWeights& weights,
                                     WeightForm form,
                                     std::byte* to,
                                     ThreadPool& pool,
                                     DeviceWork& work) {
  FACET_TRY(Uploader up, Uploader::create(form, to, pool, work));
  DeviceWeights out;
  FACET_TRY(out.embedding, up.matrix(embedding_of(config, weights)));
  FACET_TRY(out.output_norm, up.vector(weights.output_norm));
  for (const LayerWeights& layer : weights.layers) {
    FACET_TRY(DeviceLayer uploaded, upload_layer(layer, up));
    out.layers.push_back(uploaded);
  }
  for (const auto& [from, uploaded] :
       {std::pair(&weights.dense2, &out.dense2), std::pair(&weights.dense3, &out.dense3)}) {
    if (from->empty()) continue;
    FACET_TRY(*uploaded, up.matrix(*from));
  }
  FACET_TRY_STATUS(up.finish());
  return out;
}

}  // namespace facet::engine::cuda
