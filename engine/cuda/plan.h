// What a model needs of a device's memory, known before anything is allocated: the one pool that is
// taken at load, and its three parts. Plain C++, without CUDA: `models inspect` and doctor ask it
// on machines without a device too.
#pragma once

#include "base/result.h"
#include "engine/cuda/matrix.h"
#include "engine/cuda/weight_form.h"
#include "engine/cuda/workspace.h"
#include "engine/kv/kv_type.h"
#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/vision/config.h"

#include <cstdint>
#include <string>

namespace facet::engine::cuda {

/// Memory that the driver, its kernels and their local memory take beside the pool, about.
inline constexpr std::int64_t kDriverBytes = std::int64_t{600} << 20;

struct PlanOptions {
  std::int64_t context_tokens_max = 0;  ///< Of one sequence.
  std::int64_t rows_max = 0;            ///< Of one pass: a chunk of a prompt and what decodes.
  std::int64_t prefix_bytes_max = 0;    ///< For remembered sequences.
  KvType kv_type = KvType::bf16;
  WeightForm weights = WeightForm::stored;
  /// The model's vision tower, borrowed; null: it has none. It is on the device where there is room
  /// besides what text needs, else pictures are read on the CPU.
  const VisionConfig* vision = nullptr;
};

struct MemoryPlan {
  std::int64_t weight_bytes = 0;
  std::int64_t workspace_bytes = 0;
  std::int64_t sequence_bytes = 0;  ///< Keys and values of one sequence that fills the context.
  std::int64_t page_bytes = 0;      ///< Of the pool, for all sequences; at least sequence_bytes.
  std::int64_t vision_bytes = 0;    ///< Weights and workspace of the tower; 0: not on the device.
  [[nodiscard]] std::int64_t pool_bytes() const {
    return weight_bytes + workspace_bytes + page_bytes + vision_bytes;
  }
  /// With what the driver takes: the smallest device that serves.
  [[nodiscard]] std::int64_t device_bytes_min() const {
    return weight_bytes + workspace_bytes + sequence_bytes + kDriverBytes;
  }
};

/// The layout of a matrix of `type`.
Layout layout_for(DType type, WeightForm form);

/// The rows of the embedding that are tokens; those behind them are placeholders, which nobody
/// reads.
TensorView embedding_of(const ModelConfig& config, const ModelWeights& weights);

/// Bytes of a model's weights in the pool.
std::int64_t plan_weight_bytes(const ModelConfig& config,
                               const ModelWeights& weights,
                               WeightForm form);

/// What the arrays of a pass follow from (workspace.h).
WorkspaceShape workspace_shape(const ModelConfig& config,
                               const ModelWeights& weights,
                               const PlanOptions& options);

/// Keys and values of one sequence of `tokens` tokens, with passes of rows_max.
std::int64_t plan_sequence_bytes(const ModelConfig& config,
                                 const PlanOptions& options,
                                 std::int64_t tokens);

/// What the tower takes where it is on the device; 0: there is none, or its heads are wider than
/// 256.
std::int64_t plan_vision_bytes(const PlanOptions& options);

/// What one sequence needs, plus room for others where `free_bytes` (what the device has left; the
/// driver's share is taken off) allows: three more of them and prefix_bytes_max. unavailable,
/// naming the parts and what to lower, when not even one fits.
Result<MemoryPlan> plan_memory(const ModelConfig& config,
                               const ModelWeights& weights,
                               const PlanOptions& options,
                               std::int64_t free_bytes);

/// The same parts without a device: page_bytes is for one sequence, and the tower is not counted.
MemoryPlan plan_needs(const ModelConfig& config,
                      const ModelWeights& weights,
                      const PlanOptions& options);

/// Longest context that fits `device_bytes` in all: the model's, or a multiple of 1024 below it; 0
/// when none does. Without the tower, as plan_needs.
std::int64_t context_that_fits(const ModelConfig& config,
                               const ModelWeights& weights,
                               const PlanOptions& options,
                               std::int64_t device_bytes);

}  // namespace facet::engine::cuda
