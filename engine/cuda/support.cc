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

}  // namespace

const CudaSupport& cuda_support() {
  static constexpr CudaSupport kSupport{
      .create = &create, .list_devices = &cuda::list_devices, .open_device = &cuda::open_device};
  return kSupport;
}

}  // namespace facet::engine::cuda
