#include "engine/cuda/hopper.cuh"
#include "engine/cuda/tensor_map.h"

#include <string>

#ifdef FACET_CUDA_ON_CPU

namespace facet::engine::cuda {

Status make_tensor_map(const TensorShape& shape, int tile_rows, TensorMap& out) {
  const std::string fault = cuda_on_cpu::make_tensor_map(
      shape.data, shape.rows, shape.cols, shape.stride, tile_rows, kTileColumns, out.bytes);
  if (!fault.empty()) return Error{Code::unavailable, "CUDA tensor map: " + fault};
  return ok();
}

}  // namespace facet::engine::cuda

#else

#include <cuda.h>

namespace facet::engine::cuda {
namespace {

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) &&
              alignof(TensorMap) >= alignof(CUtensorMap));

/// Out of the driver, which the program is not linked with. Null where it has none.
decltype(&cuTensorMapEncodeTiled) encoder() {
  static const auto found = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
    const cudaError_t status = cudaGetDriverEntryPointByVersion(
        "cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &result);
    const bool is_there = status == cudaSuccess && result == cudaDriverEntryPointSuccess;
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(is_there ? function : nullptr);
  }();
  return found;
}

}  // namespace

Status make_tensor_map(const TensorShape& shape, int tile_rows, TensorMap& out) {
  const auto encode = encoder();
  if (encode == nullptr) return Error{Code::unavailable, "CUDA: the driver has no tensor maps"};
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(shape.cols),
                               static_cast<cuuint64_t>(shape.rows)};
  const cuuint64_t stride_bytes[1] = {static_cast<cuuint64_t>(shape.stride) * 2};
  const cuuint32_t tile[2] = {kTileColumns, static_cast<cuuint32_t>(tile_rows)};
  const cuuint32_t steps[2] = {1, 1};
  const CUresult result = encode(reinterpret_cast<CUtensorMap*>(&out),
                                 CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
                                 2,
                                 const_cast<std::uint16_t*>(shape.data),
                                 sizes,
                                 stride_bytes,
                                 tile,
                                 steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE,
                                 CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                 CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result == CUDA_SUCCESS) return ok();
  return Error{Code::unavailable,
               "CUDA tensor map of " + std::to_string(shape.rows) + " rows and " +
                   std::to_string(shape.cols) + " columns: error " + std::to_string(result)};
}

}  // namespace facet::engine::cuda

#endif
