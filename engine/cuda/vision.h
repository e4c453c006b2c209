// VisionTower: engine/vision/encoder.h on a CUDA device, the same steps in the same order. Products
// and attention are those of prompts: activations and weights rounded to bfloat16, sums f32, the
// residual stream f32. Heads are widened with zeros to a dimension that flash_attend has (72 to
// 128).
#pragma once

#include "base/result.h"
#include "engine/cpu/thread_pool.h"
#include "engine/cuda/device_work.h"
#include "engine/cuda/matrix.h"
#include "engine/cuda/vision_layout.h"
#include "engine/vision/config.h"
#include "engine/vision/weights.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine::cuda {

/// Not thread-safe.
class VisionTower {
 public:
  /// Writes weights and constants to `memory`: lay_out_vision(config).bytes of device memory, which
  /// it borrows, as it does `work`, whose mutex must be held. `weights` and `pool` are used during
  /// the call only. `units`: who multiplies. REQUIRES:
  /// wide_head_dim(config.head_dim()) > 0.
  static Result<VisionTower> create(const VisionConfig& config,
                                    const VisionWeights& weights,
                                    std::byte* memory,
                                    PromptUnits units,
                                    ThreadPool& pool,
                                    DeviceWork& work);

  /// The soft tokens of one image, as VisionEncoder::encode. The root of the mean squared
  /// difference from the reference is at most 2e-2 of that of the tokens. Waits. Called with the
  /// mutex of `work` held; the same bits for the same pixels.
  Result<std::vector<float>> encode(std::span<const float> pixels);

 private:
  struct Linear {
    PackedMatrix w;
    const float* bias = nullptr;
  };
  struct Norm {
    const float* w = nullptr;
    const float* b = nullptr;
  };
  struct Layer {
    Norm norm1;
    Linear q, k, v, o;
    Norm norm2;
    Linear fc1, fc2;
  };
  class Up;

  VisionTower(const VisionConfig& config, std::byte* memory, PromptUnits units, DeviceWork& work)
      : config_(config),
        layout_(lay_out_vision(config)),
        memory_(memory),
        units_(units),
        work_(&work) {}

  Status upload(const VisionWeights& weights, ThreadPool& pool);
  Status write_constants();
  /// Patches in lines, each as the patch matrix wants it, in pinned memory.
  void gather_patches(std::span<const float> pixels);
  Status embed_patches();
  Status attend(const Layer& layer);
  Status feed_forward(const Layer& layer);
  Status project();
  Status norm(const Norm& norm, float* y, std::uint16_t* y_bf16);
  /// y = x W^T: (rows, w.rows).
  Status product(const PackedMatrix& w, const std::uint16_t* x, std::int64_t rows, float* y);
  /// x += y + bias, where product left y.
  Status add(const float* y, const float* bias);

  template <class T>
  [[nodiscard]] T* at(const Place& place) const {
    return reinterpret_cast<T*>(memory_ + place.offset);
  }
  [[nodiscard]] LaunchOrder next() const {
    return {.stream = work_->queue.handle(), .overlaps = true};
  }

  VisionConfig config_;
  VisionLayout layout_;
  std::byte* memory_;
  PromptUnits units_;
  DeviceWork* work_;
  Linear patch_;
  PackedMatrix position_;  ///< f32
  std::vector<Layer> layers_;
  Norm post_norm_;
  const float* soft_norm_ = nullptr;
  PackedMatrix projection_;
  PinnedBuffer patches_;  ///< As pixels.
  PinnedBuffer tokens_;   ///< As tokens.
};

}  // namespace facet::engine::cuda
