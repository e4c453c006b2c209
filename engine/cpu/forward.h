// The forward pass of Gemma 3 and EmbeddingGemma, one for all: layers differ by LayerSpec only.
//
// Steps, in the order of the reference implementation (one function each in forward.cc):
//   x = E[id] * sqrt(hidden)
//   per layer: h = norm(x); q, k, v = h W; q, k = norm per head; rotate q, k; attention;
//              x += norm(attn Wo); h = norm(x); m = gelu(h Wgate) * (h Wup) Wdown; x += norm(m)
//   generator: logits = norm(x_last) E^T
//   embedder:  mean over tokens of norm(x); dense2; dense3; L2
// The matching scalar code without cache, chunks or threads is engine/reference/forward.h.
#pragma once

#include "engine/cpu/thread_pool.h"
#include "engine/kv/cache.h"
#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/ops.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace facet::engine {

/// Runs tokens through a model. Borrows config, weights, ops and pool, which must outlive it.
/// Thread-safe: each call takes a workspace of its own from a free list.
class Forward {
 public:
  Forward(const ModelConfig& config, const ModelWeights& weights, const Ops& ops, ThreadPool& pool);
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;
  ~Forward();

  /// Appends `ids` (at least one) to `cache` as one chunk. When `logits` is not empty it receives
  /// the logits after the last token, (vocabulary), or after each, (ids.size(), vocabulary). The
  /// bits do not depend on how a text is cut into chunks. REQUIRES: ids within the vocabulary,
  /// cache made for this config.
  void append(std::span<const TokenId> ids, KvCache& cache, std::span<float> logits) const;

  /// The same for one whole image: `rows` (tokens, hidden) take the place of embeddings, unscaled,
  /// and attend to each other in both directions, in sliding layers as far back as the window.
  void append_image(std::span<const float> rows, KvCache& cache, std::span<float> logits) const;

  /// The L2-normalised vector of `ids` (at least one). (embedding_dim), or (hidden) where the model
  /// has no dense layers. REQUIRES: config().is_embedder, ids within the vocabulary.
  [[nodiscard]] std::vector<float> embed(std::span<const TokenId> ids) const;

 private:
  struct Workspace;
  class Lease;

  void embed_tokens(std::span<const TokenId> ids, Workspace& work) const;
  void run(KvCache& cache, std::span<float> logits, Workspace& work) const;
  void layer(std::size_t index, KvCache& cache, std::size_t cache_layer, Workspace& work) const;
  void project_and_store(std::size_t index,
                         KvCache& cache,
                         std::size_t cache_layer,
                         Workspace& work) const;
  void attend(std::size_t index,
              const KvCache& cache,
              std::size_t cache_layer,
              Workspace& work) const;
  void feed_forward(std::size_t index, Workspace& work) const;
  void norm_and_add(const std::vector<float>& norm, Workspace& work) const;
  void matmul(
      const TensorView& w, const float* x, std::int64_t tokens, float* y, Workspace& work) const;

  const ModelConfig& config_;
  const ModelWeights& weights_;
  const Ops& ops_;
  ThreadPool& pool_;
  std::int64_t scratch_cols_ = 0;  ///< Longest weight row.

  mutable std::mutex free_mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace facet::engine
