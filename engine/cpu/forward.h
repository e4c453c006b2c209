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

#include "engine/backend.h"
#include "engine/cpu/thread_pool.h"
#include "engine/kv/cache.h"
#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/ops.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace facet::engine {

struct ForwardOptions {
  /// True: activations stay f32 in every product. False: they take the form that is fast for the
  /// weights (fast_activations in ops.h, where its error is stated).
  bool float_activations = true;
};

/// Runs tokens through a model on the processor. Borrows config, weights, ops and pool, which must
/// outlive it. Thread-safe: each call takes a workspace of its own from a free list.
///
/// The bits of an item's results do not depend on how a text is cut into steps, nor on what else is
/// in a step. Caches are those of host_page_memory().
class Forward final : public Backend {
 public:
  Forward(const ModelConfig& config,
          const ModelWeights& weights,
          const Ops& ops,
          ThreadPool& pool,
          const ForwardOptions& options = {});
  Forward(const Forward&) = delete;
  Forward& operator=(const Forward&) = delete;
  ~Forward() override;

  Status step(std::span<const StepItem> items) override;
  Result<std::vector<float>> embed(std::span<const TokenId> ids) override;
  [[nodiscard]] PageMemory& page_memory() override { return host_page_memory(); }

  /// Rows of a step that follow each other in one cache.
  struct Chunk {
    KvCache* cache = nullptr;
    std::int64_t row = 0;    ///< Of the step's rows, the first one.
    std::int64_t first = 0;  ///< Its position.
    std::int64_t tokens = 0;
    bool is_image = false;
    [[nodiscard]] std::int64_t end() const { return first + tokens; }
  };

 private:
  struct Workspace;
  class Lease;

  /// Lays out the rows of a step: chunks, and x.
  void take_items(std::span<const StepItem> items, Workspace& work) const;
  void embed_tokens(std::span<const TokenId> ids, std::int64_t row, Workspace& work) const;
  void layer(std::size_t index, std::size_t cache_layer, Workspace& work) const;
  void project_and_store(std::size_t index, std::size_t cache_layer, Workspace& work) const;
  void attend(std::size_t index, std::size_t cache_layer, Workspace& work) const;
  /// One tile, its positions shared by all threads.
  void attend_together(AttentionArgs& args, Workspace& work) const;
  /// The logits that the items ask for.
  void write_logits(std::span<const StepItem> items, Workspace& work) const;
  void feed_forward(std::size_t index, Workspace& work) const;
  /// x += norm(h), unless `added` is null; then h = norm(x), unless `next` is null.
  void add_and_norm(const std::vector<float>* added,
                    const std::vector<float>* next,
                    Workspace& work) const;

  /// What products multiply: rows as f32, and in the other forms that their weights take.
  struct Rows {
    const float* x = nullptr;
    std::array<const std::byte*, 3> packed{};  ///< By Activations.
    std::int64_t tokens = 0;
  };
  /// One linear layer: y (tokens, w.rows).
  struct Product {
    const TensorView& w;
    float* y;
  };
  /// The form in which products with `w` take their rows here.
  [[nodiscard]] Activations form_of(const TensorView& w) const;
  /// x (tokens, cols) in the forms that `weights` take, in memory of `work`.
  Rows rows_of(const float* x,
               std::int64_t tokens,
               std::initializer_list<const TensorView*> weights,
               Workspace& work) const;
  void linear(
      const TensorView& w, const float* x, std::int64_t tokens, float* y, Workspace& work) const;
  /// Runs products of the same rows as one loop over the rows of all their weights.
  void multiply(std::span<const Product> products, const Rows& rows, Workspace& work) const;
  /// Rows [begin, end) of w; y (tokens, y_stride) gets row r in column r - begin.
  void matmul_rows(const TensorView& w,
                   std::int64_t begin,
                   std::int64_t end,
                   const Rows& rows,
                   float* y,
                   std::int64_t y_stride,
                   std::vector<float>& scratch) const;
  void pack(Activations form, const PackArgs& args) const;
  [[nodiscard]] std::int64_t rows_per_part(const TensorView& w, std::int64_t tokens) const;

  const ModelConfig& config_;
  const ModelWeights& weights_;
  const Ops& ops_;
  ThreadPool& pool_;
  bool is_packed_;
  std::int64_t scratch_cols_ = 0;  ///< Longest weight row.

  mutable std::mutex free_mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace facet::engine
