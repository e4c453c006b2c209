// What kernels need beyond plain CUDA C++, behind one set of names: launches, dynamic shared memory
// and the PTX instructions that have no intrinsic. A .cu file that uses nothing else compiles
// twice: with nvcc for a device, and with a C++ compiler for tests, where the headers called
// cuda_runtime.h and so on are those of tests/support/cuda_on_cpu and FACET_CUDA_ON_CPU is defined.
//
// Rules for such a file: no <<<>>>, no asm, no extern __shared__, no cooperative groups; a barrier
// or a *_sync intrinsic is reached by all threads that it names; a block never waits for another
// block.
#pragma once

#include "base/result.h"
#include "engine/cuda/status.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstddef>
#include <cstdint>
#include <cuda_runtime.h>

namespace facet::engine::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;

/// Room for the static shared memory of kernels that also have a dynamic one: the limits of the
/// device are for both together.
inline constexpr std::size_t kSharedBytesStatic = 1U << 10U;
/// Dynamic shared memory beyond this has to be asked for; launch() does.
inline constexpr std::size_t kSharedBytesPlain = (48U << 10U) - kSharedBytesStatic;

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  ///< Dynamic shared memory, see dynamic_shared().
  void* stream = nullptr;        ///< A cudaStream_t.
  /// True: programmatic dependent launch. The kernel may start while the previous one of the stream
  /// still runs, and calls grid_dependency_wait() before it touches anything that one writes.
  bool overlaps_previous = false;
};

/// Lets `kernel` have all the dynamic shared memory that a block of the current device can have.
/// Never less: the limit is the kernel's, not the launch's, so one that is lowered for a small
/// launch may refuse graphs that hold a larger one of the same kernel.
template <class... Params>
Status allow_shared_memory(const char* name, void (*kernel)(Params...)) {
  int device = 0;
  int bytes = 0;
  FACET_TRY_STATUS(to_status(cudaGetDevice(&device), name));
  FACET_TRY_STATUS(to_status(
      cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), name));
  bytes -= static_cast<int>(kSharedBytesStatic);
  return to_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
                   name);
}

/// Launches kernel<<<config>>>(args...), converted to the kernel's parameter types. unavailable,
/// with `name` and CUDA's message, where the device refuses. Cheap enough for every token, and
/// recorded where the stream is being captured.
template <class... Params, class... Args>
Status launch(const char* name,
              void (*kernel)(Params...),
              const LaunchConfig& config,
              const Args&... args) {
  static_assert(sizeof...(Params) == sizeof...(Args));
  if (config.shared_bytes > kSharedBytesPlain) {
    FACET_TRY_STATUS(allow_shared_memory(name, kernel));
  }
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t launch_config{};
  launch_config.gridDim = config.grid;
  launch_config.blockDim = config.block;
  launch_config.dynamicSmemBytes = config.shared_bytes;
  launch_config.stream = static_cast<cudaStream_t>(config.stream);
  launch_config.attrs = &attribute;
  launch_config.numAttrs = config.overlaps_previous ? 1 : 0;
  return to_status(cudaLaunchKernelEx(&launch_config, kernel, static_cast<Params>(args)...), name);
}

#ifdef FACET_CUDA_ON_CPU

/// The block's dynamic shared memory, aligned to 128 bytes, not initialised. The same memory for
/// every T.
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(cuda_on_cpu::dynamic_shared());
}

// The instructions below: what they do is said at their PTX forms further down.
using cuda_on_cpu::cp_async_16;
using cuda_on_cpu::cp_async_commit;
using cuda_on_cpu::cp_async_wait;
using cuda_on_cpu::grid_dependency_launch;
using cuda_on_cpu::grid_dependency_wait;
using cuda_on_cpu::ldmatrix_x2;
using cuda_on_cpu::ldmatrix_x4;
using cuda_on_cpu::ldmatrix_x4_trans;
using cuda_on_cpu::mma_bf16_16x8x16;
using cuda_on_cpu::mma_f16_16x8x16;
using cuda_on_cpu::mma_s8_16x8x32;
using cuda_on_cpu::named_barrier;

#else

template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char facet_dynamic_shared[];
  return reinterpret_cast<T*>(facet_dynamic_shared);
}

__device__ __forceinline__ unsigned shared_address(const void* at) {
  return static_cast<unsigned>(__cvta_generic_to_shared(at));
}

// Matrix products of a warp, d += a b, in the fragment layouts of the PTX manual ("Matrix fragments
// for mma.m16n8k16" and "... m16n8k32"). With g = lane / 4 and t = lane % 4:
//   d[0], d[1]: row g, columns 2t, 2t + 1; d[2], d[3]: row g + 8.
//   16-bit a: a[0] row g, columns 2t, 2t + 1; a[1] row g + 8; a[2], a[3]: the same 8 columns on.
//   16-bit b: b[0] rows 2t, 2t + 1 of column g; b[1]: 8 rows on.
//   8-bit a: a[0] row g, columns 4t .. 4t + 3; a[1] row g + 8; a[2], a[3]: 16 columns on.
//   8-bit b: b[0] rows 4t .. 4t + 3 of column g; b[1]: 16 rows on.
// All 32 lanes take part.

/// bf16 times bf16, summed in f32.
__device__ __forceinline__ void mma_bf16_16x8x16(float (&d)[4],
                                                 const std::uint32_t (&a)[4],
                                                 const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// f16 times f16, summed in f32.
__device__ __forceinline__ void mma_f16_16x8x16(float (&d)[4],
                                                const std::uint32_t (&a)[4],
                                                const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// int8 times int8, summed in int32 without saturation.
__device__ __forceinline__ void mma_s8_16x8x32(std::int32_t (&d)[4],
                                               const std::uint32_t (&a)[4],
                                               const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// Loads four 8 x 8 matrices of 16-bit elements: lanes 8i .. 8i + 7 give the addresses (in shared
/// memory, 16-byte aligned) of the rows of matrix i; r[i] receives elements 2t, 2t + 1 of its row
/// g.
__device__ __forceinline__ void ldmatrix_x4(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

/// The same transposed: r[i] receives rows 2t, 2t + 1 of column g.
__device__ __forceinline__ void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

/// Two matrices; the addresses of lanes 0 .. 15 count.
__device__ __forceinline__ void ldmatrix_x2(std::uint32_t (&r)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row))
               : "memory");
}

/// Starts a copy of 16 bytes to shared memory, both ends aligned to 16; zeros where not `valid`
/// (then `from` is not read). There after cp_async_wait and a barrier.
__device__ __forceinline__ void cp_async_16(void* shared, const void* from, bool valid = true) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(shared_address(shared)), "l"(__cvta_generic_to_global(from)), "r"(bytes)
               : "memory");
}

/// Closes a group of this thread's copies.
__device__ __forceinline__ void cp_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until at most `groups` of this thread's newest groups are under way.
template <int groups>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(groups) : "memory");
}

/// Waits until the kernels before this one are done and their writes are seen; nothing to wait for
/// in a plain launch. With grid_dependency_launch() the next kernel may start.
__device__ __forceinline__ void grid_dependency_wait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ __forceinline__ void grid_dependency_launch() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// A barrier for `threads` threads of the block (whole warps), under a number from 1 to 15.
__device__ __forceinline__ void named_barrier(int number, int threads) {
  asm volatile("bar.sync %0, %1;" : : "r"(number), "r"(threads) : "memory");
}

#endif

}  // namespace facet::engine::cuda
