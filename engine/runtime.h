// Runtime: all that the sequences of one loaded model share, and nothing that changes.
#pragma once

#include "engine/cpu/forward.h"
#include "engine/cpu/thread_pool.h"
#include "engine/kv/prefix_tree.h"
#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/ops.h"

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
  KvType kv_type = KvType::f32;
  bool float_activations = true;
};

/// The longest window of the sliding layers of a generator; 0: there are none.
std::int64_t window_max(const ModelConfig& config);

/// Immutable but for the internally locked state of the pool, the forward pass and the prefixes.
/// Thread-safe. Shared by the Engine and its Sequences: a Sequence may outlive the Engine.
class Runtime {
 public:
  Runtime(RuntimeModel model, const Ops& ops, const RuntimeOptions& options)
      : model_(std::move(model)),
        ops_(ops),
        options_(options),
        pool_(options.threads),
        prefixes_(options.prefix_bytes_max, window_max(model_.config)),
        forward_(model_.config,
                 model_.weights,
                 ops,
                 pool_,
                 {.float_activations = options.float_activations}) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime() = default;

  [[nodiscard]] const ModelConfig& config() const { return model_.config; }
  /// What a saved cache must match: the model, the type of the cache, how activations are rounded.
  [[nodiscard]] std::string cache_identity() const {
    return model_.identity + "/" + std::string(kv_type_name(options_.kv_type)) + "/" +
           (options_.float_activations ? "float" : "rounded");
  }
  [[nodiscard]] const RuntimeOptions& options() const { return options_; }
  [[nodiscard]] const Forward& forward() const { return forward_; }
  [[nodiscard]] const Ops& ops() const { return ops_; }
  [[nodiscard]] ThreadPool& pool() const { return pool_; }
  [[nodiscard]] PrefixTree& prefixes() const { return prefixes_; }

 private:
  RuntimeModel model_;
  const Ops& ops_;
  RuntimeOptions options_;
  mutable ThreadPool pool_;      ///< Thread-safe.
  mutable PrefixTree prefixes_;  ///< Thread-safe.
  Forward forward_;
};

}  // namespace facet::engine
