#include "engine/cuda/blas.h"

#include <string>

#ifdef FACET_CUBLASLT

#include <array>
#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <memory>
#include <mutex>

namespace facet::engine::cuda {
namespace {

Error blas_error(const char* what, cublasStatus_t status) {
  const Code code = status == CUBLAS_STATUS_NOT_SUPPORTED ? Code::unsupported : Code::unavailable;
  return {code, std::string("cuBLASLt ") + what + ": " + cublasLtGetStatusString(status)};
}

/// Ends what cuBLASLt has begun.
template <class T, cublasStatus_t (*end)(T)>
struct Ends {
  using pointer = T;
  void operator()(T what) const { end(what); }
};
template <class T, cublasStatus_t (*end)(T)>
using Owned = std::unique_ptr<T, Ends<T, end>>;
using Description = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Matrix = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

constexpr int kDevicesMax = 64;  // Of one machine.

/// One for each device, the one that the calling thread speaks to: a handle belongs to its device,
/// is thread-safe, dear to make, and remembers what it found out about shapes. Null where it cannot
/// be made. Never given back: when a program ends, the library may be gone before its statics.
cublasLtHandle_t handle() {
  static std::mutex mutex;
  static std::array<cublasLtHandle_t, kDevicesMax> handles;
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || device >= kDevicesMax) return nullptr;
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& out = handles[static_cast<std::size_t>(device)];
  if (out == nullptr && cublasLtCreate(&out) != CUBLAS_STATUS_SUCCESS) out = nullptr;
  return out;
}

Matrix matrix(cudaDataType_t type, std::int64_t rows, std::int64_t cols, std::int64_t stride) {
  cublasLtMatrixLayout_t out = nullptr;
  cublasLtMatrixLayoutCreate(
      &out, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(cols), stride);
  return Matrix(out);
}

/// The power of two that the address is a multiple of, up to 256.
std::uint32_t alignment_of(const void* at) {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  std::uint32_t out = 256;
  while (address % out != 0) out /= 2;
  return out;
}

/// For pointers as aligned as they are.
Preference preference_of(const BlasArgs& args) {
  cublasLtMatmulPreference_t out = nullptr;
  if (cublasLtMatmulPreferenceCreate(&out) != CUBLAS_STATUS_SUCCESS) return nullptr;
  Preference owned(out);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    cublasLtMatmulPreferenceSetAttribute(out, attribute, &value, sizeof value);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<std::uint64_t>(args.workspace_bytes));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(args.w));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(args.x));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(args.y));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(args.y));
  return owned;
}

}  // namespace

bool has_blas() {
  return true;
}

Status blas_matmul(const BlasArgs& args, const LaunchOrder& order) {
  const cublasLtHandle_t library = handle();
  if (library == nullptr) return Error{Code::unavailable, "cuBLASLt cannot be started"};
  cublasLtMatmulDesc_t made = nullptr;
  cublasStatus_t status = cublasLtMatmulDescCreate(&made, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  if (status != CUBLAS_STATUS_SUCCESS) return blas_error("description", status);
  const Description description(made);
  // The library counts down columns: w is (cols, rows) to it and is turned, y is (rows, tokens).
  const cublasOperation_t turned = CUBLAS_OP_T;
  status =
      cublasLtMatmulDescSetAttribute(made, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned);
  if (status != CUBLAS_STATUS_SUCCESS) return blas_error("description", status);
  const Matrix w = matrix(CUDA_R_16BF, args.cols, args.rows, args.w_stride);
  const Matrix x = matrix(CUDA_R_16BF, args.cols, args.tokens, args.x_stride);
  const Matrix y = matrix(CUDA_R_32F, args.rows, args.tokens, args.y_stride);
  const Preference preference = preference_of(args);
  if (!w || !x || !y || !preference) {
    return Error{Code::unavailable, "cuBLASLt has no memory for a product"};
  }
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  status = cublasLtMatmulAlgoGetHeuristic(
      library, made, w.get(), x.get(), y.get(), y.get(), preference.get(), 1, &found, &count);
  if (status == CUBLAS_STATUS_SUCCESS && count == 0) status = CUBLAS_STATUS_NOT_SUPPORTED;
  if (status != CUBLAS_STATUS_SUCCESS) return blas_error("choice of a kernel", status);
  const float one = 1.0F;
  const float zero = 0.0F;
  status = cublasLtMatmul(library,
                          made,
                          &one,
                          args.w,
                          w.get(),
                          args.x,
                          x.get(),
                          &zero,
                          args.y,
                          y.get(),
                          args.y,
                          y.get(),
                          &found.algo,
                          args.workspace,
                          static_cast<std::size_t>(args.workspace_bytes),
                          static_cast<cudaStream_t>(order.stream));
  if (status != CUBLAS_STATUS_SUCCESS) return blas_error("product", status);
  return ok();
}

}  // namespace facet::engine::cuda

#else

namespace facet::engine::cuda {

bool has_blas() {
  return false;
}

Status blas_matmul(const BlasArgs& /*args*/, const LaunchOrder& /*order*/) {
  return Error{Code::unsupported, "this build has no cuBLASLt"};
}

}  // namespace facet::engine::cuda

#endif
