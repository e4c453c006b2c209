#include "engine/cuda/support.h"

#include <utility>

namespace facet::engine::cuda {

namespace {

Result<CudaModel> create(const ModelConfig& config,
                         const ModelWeights& weights,
                         const BackendOptions& options,
                         ThreadPool& pool) {
  FACET_TRY(auto backend, CudaBackend::create(config, weights, options, pool));
  CudaModel out{.device = backend->device(), .plan = backend->plan()};
  out.backend = std::move(backend);
  return out;
}

Result<DeviceLimits> measure_limits(int index) {
  return measure_device_limits(index);
}

}  // namespace

const CudaSupport& cuda_support() {
  static constexpr CudaSupport kSupport{.create = &create,
                                        .list_devices = &cuda::list_devices,
                                        .open_device = &cuda::open_device,
                                        .measure_limits = &measure_limits};
  return kSupport;
}

}  // namespace facet::engine::cuda
