// CUDA on a CPU: what a .cu file needs in order to compile as plain C++ and to run, slowly and
// strictly, on one thread of any machine. For tests: a kernel that is right here is right up to
// what this cannot show, which is timing, races between blocks, and the rounding of fast
// intrinsics.
//
// How a kernel runs: block.h. How the host side behaves: cuda_runtime_api.h. What tests can set,
// count and break: control.h.
#pragma once

#include "tests/support/cuda_on_cpu/cuda_runtime_api.h"
#include "tests/support/cuda_on_cpu/device_functions.h"
#include "tests/support/cuda_on_cpu/ptx.h"

#include <functional>
#include <tuple>
#include <utility>

// NOLINTBEGIN: the names are CUDA's.
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
// Of the one operating system thread that runs kernels: block.h says why.
#define __shared__ static thread_local

enum cudaLaunchAttributeID {
  cudaLaunchAttributeIgnore = 0,
  cudaLaunchAttributeProgrammaticStreamSerialization = 6,
};
struct cudaLaunchAttributeValue {
  int programmaticStreamSerializationAllowed = 0;
};
struct cudaLaunchAttribute {
  cudaLaunchAttributeID id = cudaLaunchAttributeIgnore;
  cudaLaunchAttributeValue val;
};
struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
  cudaLaunchAttribute* attrs = nullptr;
  unsigned numAttrs = 0;
};

namespace cuda_on_cpu {

cudaError_t launch_kernel(const cudaLaunchConfig_t& config,
                          const void* kernel,
                          std::function<void()> body);
cudaError_t allow_shared(const void* kernel, cudaFuncAttribute attribute, int bytes);
cudaError_t describe_kernel(cudaFuncAttributes* attributes, const void* kernel);
cudaError_t blocks_per_processor(int* blocks, int threads, std::size_t shared_bytes);

}  // namespace cuda_on_cpu

template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config,
                               void (*kernel)(Params...),
                               Args&&... args) {
  return cuda_on_cpu::launch_kernel(
      *config,
      reinterpret_cast<const void*>(kernel),
      [kernel, values = std::tuple<std::decay_t<Params>...>(std::forward<Args>(args)...)] {
        std::apply(kernel, values);
      });
}
template <class... Params>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Params...),
                                 cudaFuncAttribute attribute,
                                 int value) {
  return cuda_on_cpu::allow_shared(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class... Params>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*kernel)(Params...)) {
  return cuda_on_cpu::describe_kernel(attributes, reinterpret_cast<const void*>(kernel));
}
template <class... Params>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks,
                                                          void (*)(Params...),
                                                          int threads,
                                                          std::size_t shared_bytes) {
  return cuda_on_cpu::blocks_per_processor(blocks, threads, shared_bytes);
}
template <class T>
cudaError_t cudaMalloc(T** to, std::size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(to), bytes);
}
template <class T>
cudaError_t cudaMallocHost(T** to, std::size_t bytes) {
  return cudaMallocHost(reinterpret_cast<void**>(to), bytes);
}
// NOLINTEND
