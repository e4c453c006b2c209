// Devices, errors, kernels' attributes, and what tests set.
#include "tests/support/cuda_on_cpu/cuda_runtime.h"
#include "tests/support/cuda_on_cpu/runtime.h"

#include <algorithm>
#include <cstdio>

namespace cuda_on_cpu {
namespace {

/// What kernels have of static shared memory, at most.
constexpr std::size_t kStaticShared = 1024;

std::size_t shared_optin(const Device& device) {
  const int capability = 10 * device.major + device.minor;
  if (capability >= 90 && capability < 120) return std::size_t{227} << 10;
  return (capability == 80 || capability == 87 ? std::size_t{163} : std::size_t{99}) << 10;
}

}  // namespace

void reset(const Device& device) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  r.device = device;
  r.memory = std::make_unique<DeviceMemory>(device.memory_bytes);
  r.null_stream = {};
  for (Stream* stream : r.streams) stream->queue.clear();
  r.injected.clear();
  r.shared_allowed.clear();
  r.broken_kernel = {};
  r.sticky = cudaSuccess;
  r.last = cudaSuccess;
  r.failure.clear();
  r.counts = {};
  r.current_device = 0;
}

void fail_call(const std::string& name, cudaError_t error, int calls_before) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  r.injected[name] = {error, calls_before};
}

void break_kernel(cudaError_t error, int launches_before) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  r.broken_kernel = {error, launches_before};
}

std::string kernel_failure() {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  return r.failure;
}

Counts counts() {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  Counts out = r.counts;
  out.allocated_bytes = r.memory->used();
  return out;
}

std::size_t shared_allowed(const Runtime& r, const void* kernel) {
  const auto found = r.shared_allowed.find(kernel);
  return found == r.shared_allowed.end() ? (std::size_t{48} << 10) - kStaticShared : found->second;
}

cudaError_t allow_shared(const void* kernel, cudaFuncAttribute attribute, int bytes) {
  return call("cudaFuncSetAttribute", [&](Runtime& r) {
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    if (bytes < 0 || static_cast<std::size_t>(bytes) + kStaticShared > shared_optin(r.device)) {
      return cudaErrorInvalidValue;
    }
    r.shared_allowed[kernel] = static_cast<std::size_t>(bytes);
    return cudaSuccess;
  });
}

cudaError_t describe_kernel(cudaFuncAttributes* attributes, const void* /*kernel*/) {
  return call("cudaFuncGetAttributes", [&](Runtime& r) {
    if (!r.device.has_kernel_image) {
      return r.device.says_invalid_function ? cudaErrorInvalidDeviceFunction
                                            : cudaErrorNoKernelImageForDevice;
    }
    const int version = 10 * r.device.major + r.device.minor;
    *attributes = {0, static_cast<int>(kThreadsMax), 64, version, version};
    return cudaSuccess;
  });
}

cudaError_t blocks_per_processor(int* blocks, int threads, std::size_t shared_bytes) {
  return call("cudaOccupancyMaxActiveBlocksPerMultiprocessor", [&](Runtime& r) {
    const auto by_shared =
        static_cast<int>(shared_optin(r.device) / std::max<std::size_t>(shared_bytes, 1024));
    *blocks = std::min(by_shared, 2048 / std::max(threads, 1));
    return cudaSuccess;
  });
}

}  // namespace cuda_on_cpu

using cuda_on_cpu::call;
using cuda_on_cpu::Runtime;
using cuda_on_cpu::runtime;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    default:
      return "cudaError";
  }
}

const char* cudaGetErrorString(cudaError_t error) {
  static std::string text;
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorDevicesUnavailable:
      return "CUDA-capable device(s) is/are busy or unavailable";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorNoKernelImageForDevice:
      return "no kernel image is available for execution on the device";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorLaunchFailure:
      text = "unspecified launch failure" + (r.failure.empty() ? "" : " (" + r.failure + ")");
      return text.c_str();
    default:
      text = "error " + std::to_string(static_cast<int>(error));
      return text.c_str();
  }
}

cudaError_t cudaGetLastError() {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  const cudaError_t out = r.last;
  r.last = r.sticky;
  return out;
}

cudaError_t cudaPeekAtLastError() {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  return r.last;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = runtime().device.driver_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  return call("cudaGetDeviceCount", [&](Runtime& r) {
    if (r.device.driver_version < 13000) return cudaErrorInsufficientDriver;
    *count = r.device.count;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int device) {
  return call("cudaSetDevice", [&](Runtime& r) {
    if (device < 0 || device >= r.device.count) return cudaErrorInvalidDevice;
    if (r.device.is_busy) return cudaErrorDevicesUnavailable;
    r.current_device = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return call("cudaGetDevice", [&](Runtime& r) {
    *device = r.current_device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call("cudaGetDeviceProperties", [&](Runtime& r) {
    if (device < 0 || device >= r.device.count) return cudaErrorInvalidDevice;
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "emulated device %d", device);
    properties->totalGlobalMem = r.device.memory_bytes;
    properties->sharedMemPerBlock = std::size_t{48} << 10;
    properties->sharedMemPerBlockOptin = cuda_on_cpu::shared_optin(r.device);
    properties->major = r.device.major;
    properties->minor = r.device.minor;
    properties->multiProcessorCount = 4;
    properties->l2CacheSize = 1 << 20;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return call("cudaDeviceGetAttribute", [&](Runtime& r) {
    if (device < 0 || device >= r.device.count) return cudaErrorInvalidDevice;
    switch (attribute) {
      case cudaDevAttrMultiProcessorCount:
        *value = 4;
        return cudaSuccess;
      case cudaDevAttrL2CacheSize:
        *value = 1 << 20;
        return cudaSuccess;
      case cudaDevAttrComputeCapabilityMajor:
        *value = r.device.major;
        return cudaSuccess;
      case cudaDevAttrComputeCapabilityMinor:
        *value = r.device.minor;
        return cudaSuccess;
      case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(cuda_on_cpu::shared_optin(r.device));
        return cudaSuccess;
      default:
        *value = 0;
        return cudaErrorInvalidValue;
    }
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  return call("cudaMemGetInfo", [&](Runtime& r) {
    *total_bytes = r.memory->capacity();
    *free_bytes = r.memory->capacity() - r.memory->used();
    return cudaSuccess;
  });
}
