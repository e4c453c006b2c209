// CudaBackend: a model on one CUDA device. Everything it needs there is taken at load, as one pool;
// afterwards a step allocates nothing but pages out of it.
#pragma once

#include "base/result.h"
#include "engine/backend.h"
#include "engine/cpu/thread_pool.h"
#include "engine/cuda/backend_options.h"
#include "engine/cuda/device.h"
#include "engine/cuda/plan.h"
#include "engine/model/config.h"
#include "engine/model/model.h"

#include <cstdint>
#include <memory>

namespace facet::engine::cuda {

/// How a backend has worked, for tests and reports.
struct BackendStats {
  std::int64_t passes = 0;
  /// Kinds of steps that were recorded: up to 16 rows for each number of rows, beyond that (of
  /// sequences with few rows each, to 128) for each multiple of 32; and each by what is wanted at
  /// its end.
  std::int64_t recorded = 0;
  std::int64_t replayed = 0;  ///< Steps that were one launch.
  std::int64_t begun = 0;     ///< Steps that the device began by itself (ahead.h),
  std::int64_t taken = 0;     ///< and those of them that somebody asked for.
};

/// Thread-safe: one step at a time.
class CudaBackend final : public Backend {
 public:
  /// Opens the device, plans its memory and copies the weights there. Errors of open_device and
  /// plan_memory; invalid_argument for options out of range; unsupported for a shape that no kernel
  /// takes and for prompt_units that the device or the build has not. `config` is copied;
  /// `weights`, `pool` and what `options` point to are used during the call only.
  static Result<std::unique_ptr<CudaBackend>> create(const ModelConfig& config,
                                                     const ModelWeights& weights,
                                                     const BackendOptions& options,
                                                     ThreadPool& pool);
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;
  ~CudaBackend() override;

  Status step(std::span<const StepItem> items) override;
  Result<std::vector<float>> embed(std::span<const TokenId> ids) override;
  [[nodiscard]] CandidateLimits candidate_limits() const override;
  [[nodiscard]] bool has_vision() const override;
  Result<std::vector<float>> encode_image(std::span<const float> pixels) override;
  PageMemory& page_memory() override;

  [[nodiscard]] const DeviceInfo& device() const;
  [[nodiscard]] const MemoryPlan& plan() const;
  [[nodiscard]] BackendStats stats() const;
  /// Bytes of pages that are not taken.
  [[nodiscard]] std::int64_t free_page_bytes() const;

 private:
  struct Parts;
  explicit CudaBackend(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace facet::engine::cuda
