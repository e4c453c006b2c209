// CUDA's error codes as Status.
#pragma once

#include "base/result.h"

#include <cuda_runtime_api.h>
#include <string>

namespace facet::engine::cuda {

inline Status to_status(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return ok();
  return Error{Code::unavailable, std::string("CUDA ") + what + ": " + cudaGetErrorString(code)};
}

/// The error of the launch just made; arguments the device refuses show up here.
inline Status launch_status(const char* kernel) {
  return to_status(cudaGetLastError(), kernel);
}

}  // namespace facet::engine::cuda
