// y = x W^T and the embedding lookup: the two ops that read packed weights.
#include "engine/cuda/kernels.h"
#include "engine/cuda/load.cuh"
#include "engine/cuda/status.cuh"

#include <string>

namespace facet::engine::cuda {
namespace {

constexpr int kWarpsPerBlock = 8;

/// One warp per (row, token); lanes stride the columns.
template <DType type>
__global__ void matmul_kernel(const unsigned char* __restrict__ w,
                              const float* __restrict__ x,
                              float* __restrict__ y,
                              std::int64_t rows,
                              std::int64_t cols) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
  const std::int64_t token = blockIdx.y;
  if (row >= rows) return;
  const unsigned char* weights = w + row * row_bytes<type>(cols);
  const float* activations = x + token * cols;
  float sum = 0.0F;
  for (std::int64_t k = threadIdx.x % kWarp; k < cols; k += kWarp) {
    sum = fmaf(load<type>(weights, k), activations[k], sum);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % kWarp == 0) y[token * rows + row] = sum;
}

/// One block per token, threads stride the columns.
template <DType type>
__global__ void embed_kernel(const unsigned char* __restrict__ table,
                             const std::int32_t* __restrict__ ids,
                             float scale,
                             float* __restrict__ y,
                             std::int64_t cols) {
  const std::int64_t token = blockIdx.x;
  const unsigned char* row = table + ids[token] * row_bytes<type>(cols);
  for (std::int64_t k = threadIdx.x; k < cols; k += blockDim.x) {
    y[token * cols + k] = load<type>(row, k) * scale;
  }
}

/// Calls `launch` with the DType as a compile-time constant; false for types without a kernel yet.
template <typename Launch>
bool dispatch(DType type, const Launch& launch) {
  switch (type) {
    case DType::f32:
      launch.template operator()<DType::f32>();
      return true;
    case DType::f16:
      launch.template operator()<DType::f16>();
      return true;
    case DType::bf16:
      launch.template operator()<DType::bf16>();
      return true;
    case DType::q8_0:
      launch.template operator()<DType::q8_0>();
      return true;
    case DType::q4_0:
      launch.template operator()<DType::q4_0>();
      return true;
    default:
      return false;
  }
}

Error no_kernel(DType type) {
  return {Code::unsupported,
          "weights of type " + std::string(dtype_name(type)) + " on this device"};
}

}  // namespace

Status matmul(const DeviceMatrix& w, const float* x, std::int64_t tokens, float* y, Stream stream) {
  if (tokens == 0 || w.rows == 0) return ok();
  const dim3 grid(static_cast<unsigned>((w.rows + kWarpsPerBlock - 1) / kWarpsPerBlock),
                  static_cast<unsigned>(tokens));
  const auto* data = static_cast<const unsigned char*>(w.data);
  const bool has_kernel = dispatch(w.type, [&]<DType type>() {
    matmul_kernel<type><<<grid, kWarpsPerBlock * kWarp, 0, static_cast<cudaStream_t>(stream)>>>(
        data, x, y, w.rows, w.cols);
  });
  if (!has_kernel) return no_kernel(w.type);
  return launch_status("matmul");
}

Status embed(const DeviceMatrix& table,
             const std::int32_t* ids,
             std::int64_t tokens,
             float scale,
             float* y,
             Stream stream) {
  if (tokens == 0) return ok();
  const auto* data = static_cast<const unsigned char*>(table.data);
  const bool has_kernel = dispatch(table.type, [&]<DType type>() {
    embed_kernel<type>
        <<<static_cast<unsigned>(tokens), 256, 0, static_cast<cudaStream_t>(stream)>>>(
            data, ids, scale, y, table.cols);
  });
  if (!has_kernel) return no_kernel(table.type);
  return launch_status("embed");
}

}  // namespace facet::engine::cuda
