// VisionEncoder: pixels in, soft tokens out, on the CPU with the text model's kernels.
//
// Steps, in the order of transformers' SiglipVisionModel and Gemma3MultiModalProjector:
//   x = patches Wpatch + b + position
//   per layer: x += attention(norm1(x)) Wo + b; x += gelu(norm2(x) W1 + b) W2 + b
//   x = post_norm(x); mean over each token's square of patches; rms norm; projection
// Attention reads every patch from every patch, scaled by head_dim^-0.5. The matching scalar code
// is engine/reference/vision.h.
#pragma once

#include "engine/cpu/thread_pool.h"
#include "engine/ops.h"
#include "engine/vision/config.h"
#include "engine/vision/weights.h"

#include <cstdint>
#include <span>
#include <vector>

namespace facet::engine {

/// Borrows config, weights, ops and pool, which must outlive it. Thread-safe: a call brings its own
/// memory (about 100 MB for a 896 x 896 tower). The bits do not depend on the number of threads.
class VisionEncoder {
 public:
  VisionEncoder(const VisionConfig& config,
                const VisionWeights& weights,
                const Ops& ops,
                ThreadPool& pool)
      : config_(config), weights_(weights), ops_(ops), pool_(pool) {}
  VisionEncoder(const VisionEncoder&) = delete;
  VisionEncoder& operator=(const VisionEncoder&) = delete;
  ~VisionEncoder() = default;

  /// The soft tokens of one image. pixels: (3, image_size, image_size), from preprocess_image.
  /// Returns (image_tokens, text_hidden): they enter the text model as they are, without the factor
  /// of its embeddings. Within 1e-4 of the largest value of the reference.
  [[nodiscard]] std::vector<float> encode(std::span<const float> pixels) const;

 private:
  struct Activations;
  struct Scratch;

  void embed_patches(std::span<const float> pixels, Activations& all) const;
  void project_heads(const VisionLayerWeights& layer, Activations& all) const;
  void attend(Activations& all) const;
  void finish_layer(const VisionLayerWeights& layer, Activations& all) const;
  [[nodiscard]] std::vector<float> project(const Activations& all) const;

  /// y = x W^T + b. x: (rows, in); y: (rows, out).
  void linear(const VisionLinear& layer,
              const float* x,
              std::int64_t rows,
              float* y,
              Scratch& scratch) const;
  /// Calls body(first row, rows, scratch) for blocks of rows, on all threads.
  template <class Body>
  void for_blocks(Activations& all, const Body& body) const;

  const VisionConfig& config_;
  const VisionWeights& weights_;
  const Ops& ops_;
  ThreadPool& pool_;
};

/// y = (x - mean) / sqrt(variance + eps) * w + b per row, the variance without Bessel's correction;
/// sums in double. x, y: (rows, dim), y may be x.
void layer_norm(const VisionNorm& norm, const float* x, float eps, std::int64_t rows, float* y);

}  // namespace facet::engine
