// A model's weights in device memory: repacked once at load, then only read.
#pragma once

#include "base/result.h"
#include "engine/cpu/thread_pool.h"
#include "engine/cuda/device_work.h"
#include "engine/cuda/matrix.h"
#include "engine/cuda/plan.h"
#include "engine/model/model.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace facet::engine::cuda {

/// The weights of one layer, as LayerWeights; norms are f32 in device memory.
struct DeviceLayer {
  const float* attn_norm = nullptr;
  PackedMatrix q;
  PackedMatrix k;
  PackedMatrix v;
  PackedMatrix o;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  const float* post_attn_norm = nullptr;
  const float* ffn_norm = nullptr;
  PackedMatrix gate;
  PackedMatrix up;
  PackedMatrix down;
  const float* post_ffn_norm = nullptr;
};

struct DeviceWeights {
  PackedMatrix embedding;  ///< (vocabulary, hidden)
  const float* output_norm = nullptr;
  std::vector<DeviceLayer> layers;
  PackedMatrix dense2;  ///< data null: none.
  PackedMatrix dense3;
};

/// Writes `weights` to `to`: plan_weight_bytes(form) bytes of device memory. `pool` repacks.
/// `made_rows` as Uploader takes it. Called with the mutex of `work` held.
Result<DeviceWeights> upload_weights(const ModelConfig& config,
                                     const ModelWeights& weights,
                                     WeightForm form,
                                     std::byte* to,
                                     ThreadPool& pool,
                                     DeviceWork& work,
                                     std::int64_t made_rows = 0);

}  // namespace facet::engine::cuda
