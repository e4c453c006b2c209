// What a build with CUDA hands to the engine, so that a build without needs nothing of it: the
// program passes cuda_support() to Engine::load, or null.
#pragma once

#include "base/result.h"
#include "engine/backend.h"
#include "engine/cpu/thread_pool.h"
#include "engine/cuda/backend.h"
#include "engine/cuda/device_limits.h"

#include <memory>
#include <vector>

namespace facet::engine::cuda {

/// A model on a device, and what it took there.
struct CudaModel {
  std::unique_ptr<Backend> backend;
  DeviceInfo device;
  MemoryPlan plan;
};

struct CudaSupport {
  /// CudaBackend::create.
  Result<CudaModel> (*create)(const ModelConfig& config,
                              const ModelWeights& weights,
                              const BackendOptions& options,
                              ThreadPool& pool) = nullptr;
  Result<std::vector<DeviceInfo>> (*list_devices)() = nullptr;
  Result<DeviceInfo> (*open_device)(int index) = nullptr;
  Result<DeviceLimits> (*measure_limits)(int index) = nullptr;
};

/// Defined in facet_engine_cuda only.
const CudaSupport& cuda_support();

}  // namespace facet::engine::cuda
