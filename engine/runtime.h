// Runtime: all that the sequences of one loaded model share, and nothing that changes.
#pragma once

#include "engine/backend.h"
#include "engine/cpu/forward.h"
#include "engine/cpu/thread_pool.h"
#include "engine/kv/prefix_tree.h"
#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/ops.h"
#include "engine/scheduler/scheduler.h"

#include <cstdint>
#include <memory>
#include <string>

namespace facet::engine {

/// What a model is made of. `owner` keeps alive what the weights' views point into.
struct RuntimeModel {
  ModelConfig config;
  ModelWeights weights;
  std::string identity;
  std::shared_ptr<const void> owner;
};

struct RuntimeOptions {
  int threads = 1;
  std::int64_t context_tokens_max = 0;
  std::int64_t prefill_chunk_tokens = 128;
  std::int64_t prefix_bytes_max = 0;
  int draft_tokens_max = 0;
  KvType kv_type = KvType::f32;
  bool float_activations = true;
};

/// The longest window of the sliding layers of a generator; 0: there are none.
std::int64_t window_max(const ModelConfig& config);

/// Rows of a pass that are left for sequences that decode while a chunk of a prompt is in it.
inline constexpr std::int64_t kDecodeRows = 32;

/// Immutable but for the internally locked state of pool, backend, prefixes and scheduler.
/// Thread-safe. Shared by the Engine and its Sequences: a Sequence may outlive the Engine.
class Runtime {
 public:
  /// `backend`: what computes; null: the forward pass on the CPU with `ops`.
  Runtime(RuntimeModel model,
          const Ops& ops,
          const RuntimeOptions& options,
          std::unique_ptr<Backend> backend = nullptr)
      : model_(std::move(model)),
        ops_(ops),
        options_(options),
        pool_(options.threads),
        backend_(backend != nullptr
                     ? std::move(backend)
                     : std::make_unique<Forward>(
                           model_.config,
                           model_.weights,
                           ops,
                           pool_,
                           ForwardOptions{.float_activations = options.float_activations})),
        prefixes_(options.prefix_bytes_max, window_max(model_.config)),
        scheduler_(*backend_, model_.config.hidden, options.prefill_chunk_tokens + kDecodeRows) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() = default;

  [[nodiscard]] const ModelConfig& config() const { return model_.config; }
  [[nodiscard]] const ModelWeights& weights() const { return model_.weights; }
  /// What a saved cache must match: the model, the type of the cache, how activations are rounded.
  [[nodiscard]] std::string cache_identity() const {
    return model_.identity + "/" + std::string(kv_type_name(options_.kv_type)) + "/" +
           (options_.float_activations ? "float" : "rounded");
  }
  [[nodiscard]] const RuntimeOptions& options() const { return options_; }
  [[nodiscard]] Backend& backend() const { return *backend_; }
  /// The way to backend().step() for whoever shares the engine.
  [[nodiscard]] Scheduler& scheduler() const { return scheduler_; }
  [[nodiscard]] const Ops& ops() const { return ops_; }
  [[nodiscard]] ThreadPool& pool() const { return pool_; }
  [[nodiscard]] PrefixTree& prefixes() const { return prefixes_; }

 private:
  RuntimeModel model_;
  const Ops& ops_;
  RuntimeOptions options_;
  /// What follows is thread-safe. Caches of the prefix tree lie in the backend's memory.
  mutable ThreadPool pool_;
  std::unique_ptr<Backend> backend_;
  mutable PrefixTree prefixes_;
  mutable Scheduler scheduler_;
};

}  // namespace facet::engine
