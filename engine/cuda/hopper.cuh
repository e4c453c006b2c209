// What only Hopper has (sm_90a), in the manner of portable.cuh: barriers in shared memory that
// count bytes (mbarrier), copies of whole tiles by the copy engine (TMA), and products of a
// warpgroup, 128 threads, that read their tiles out of shared memory (wgmma). Other architectures
// have no such instructions: a kernel that uses them has a body only where FACET_HAS_HOPPER is
// defined, and is launched only where has_wgmma() (wgmma.h).
//
// Tiles in shared memory are rows of 128 bytes (64 bfloat16 of a row of the matrix), aligned to
// 1024 bytes as a whole, in the pattern that PTX calls 128-byte swizzling: the 16 bytes at column c
// of row r lie at 128 r + 16 (c ^ r % 8). Copies write it and products read it; nobody else looks.
//
// Rules, beside those of portable.cuh: a barrier's phases are waited for in turn, by their parity;
// a tile is written again only after wgmma_wait() of the products that read it.
#pragma once

#include "engine/cuda/portable.cuh"

#include <cstdint>

#if defined(FACET_CUDA_ON_CPU)
#include "tests/support/cuda_on_cpu/hopper.h"
#define FACET_HAS_HOPPER
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define FACET_HAS_HOPPER
#endif

namespace facet::engine::cuda {

inline constexpr int kWarpgroup = 128;
inline constexpr int kTileColumns = 64;  ///< bfloat16 elements of a tile's row.
inline constexpr int kTileRowBytes = 128;
inline constexpr int kTileAlignment = 1024;  ///< Of a tile in shared memory.
inline constexpr int kProductColumns = 256;  ///< Columns of the result of wgmma_64x256x16.

/// Where a matrix lies and what a copy of it takes: a CUtensorMap, made by make_tensor_map of
/// tensor_map.h and given to a kernel by value, as `const __grid_constant__ TensorMap`.
struct alignas(128) TensorMap {
  unsigned char bytes[128];
};

/// A barrier in shared memory.
struct Mbarrier {
  std::uint64_t state;
};

#if defined(FACET_CUDA_ON_CPU)

/// `arrivals` threads (and bytes that somebody expects) complete a phase. By one thread, before
/// mbarrier_publish() and a __syncthreads().
inline void mbarrier_init(Mbarrier* at, int arrivals) {
  cuda_on_cpu::mbarrier_init(at, arrivals);
}
inline void mbarrier_publish() {}
inline void mbarrier_arrive(Mbarrier* at) {
  cuda_on_cpu::mbarrier_arrive(at, 0);
}
inline void mbarrier_arrive_expect(Mbarrier* at, int bytes) {
  cuda_on_cpu::mbarrier_arrive(at, bytes);
}
inline void mbarrier_wait(Mbarrier* at,
                          int parity,
                          cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  cuda_on_cpu::mbarrier_wait(at, parity, where);
}
inline void tma_load(void* tile, const TensorMap& map, int column, int row, Mbarrier* done) {
  cuda_on_cpu::tma_load(tile, map.bytes, column, row, done);
}
inline std::uint64_t tile_descriptor(const void* tile) {
  return cuda_on_cpu::tile_descriptor(tile);
}
inline void wgmma_fence(float (&)[128]) {}
inline void wgmma_64x256x16(float (&d)[128],
                            std::uint64_t a,
                            std::uint64_t b,
                            bool adds,
                            cuda_on_cpu::Where where = cuda_on_cpu::Where::current()) {
  cuda_on_cpu::wgmma_64x256x16(d, a, b, adds, where);
}
inline void wgmma_commit() {
  cuda_on_cpu::wgmma_commit();
}
template <int groups>
void wgmma_wait(float (&)[128]) {
  cuda_on_cpu::wgmma_wait(groups);
}
template <int registers>
void take_registers() {}
template <int registers>
void leave_registers() {}

#elif defined(FACET_HAS_HOPPER)

/// `arrivals` threads (and bytes that somebody expects) complete a phase. By one thread, before
/// mbarrier_publish() and a __syncthreads().
__device__ __forceinline__ void mbarrier_init(Mbarrier* at, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;"
               :
               : "r"(shared_address(at)), "r"(arrivals)
               : "memory");
}
/// Makes barriers known to the copy engine.
__device__ __forceinline__ void mbarrier_publish() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ __forceinline__ void mbarrier_arrive(Mbarrier* at) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" : : "r"(shared_address(at)) : "memory");
}
/// Arrives, and has the phase wait for so many bytes of copies too.
__device__ __forceinline__ void mbarrier_arrive_expect(Mbarrier* at, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
               :
               : "r"(shared_address(at)), "r"(bytes)
               : "memory");
}
/// Waits for the end of the phase of this parity: 0 for the first one, then 1, 0, ... Behind
/// mbarrier_init a wait for parity 1 returns at once.
__device__ __forceinline__ void mbarrier_wait(Mbarrier* at, int parity) {
  std::uint32_t is_over = 0;
  while (is_over == 0) {
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}\n"
        : "=r"(is_over)
        : "r"(shared_address(at)), "r"(parity)
        : "memory");
  }
}

/// Starts the copy of the tile of `map` whose first element is at (row, column); what lies outside
/// of the matrix becomes zeros. All bytes of the tile are counted at `done`.
__device__ __forceinline__ void tma_load(
    void* tile, const TensorMap& map, int column, int row, Mbarrier* done) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%2, %3}], [%4];"
      :
      : "r"(shared_address(tile)), "l"(&map), "r"(column), "r"(row), "r"(shared_address(done))
      : "memory");
}

/// What a product reads, K-major: rows of 128 bytes, eight of them (1024 bytes) to a group of the
/// swizzling. The next 16 columns lie 2 further on (units of 16 bytes). PTX ISA, "matrix
/// descriptor": address, leading offset (not used here), stride of the groups, swizzling of 128.
__device__ __forceinline__ std::uint64_t tile_descriptor(const void* tile) {
  const std::uint64_t address = (shared_address(tile) & 0x3FFFFU) >> 4U;
  return address | std::uint64_t{1} << 16U | std::uint64_t{1024 >> 4} << 32U |
         std::uint64_t{1} << 62U;
}

/// In front of the first product behind anything else that touched the sums: registers are in
/// place.
__device__ __forceinline__ void wgmma_fence(float (&d)[128]) {
#pragma unroll
  for (int i = 0; i < 128; ++i) asm volatile("" : "+f"(d[i])::"memory");
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/// d = a b, or d += a b where it `adds`, of a warpgroup: a has 64 rows, b 256, of 16 columns each,
/// bfloat16; sums f32. With w = warp % 4, g = lane / 4, t = lane % 4 a thread has in d[4 j], d[4 j
/// + 1] row 16 w + g, columns 8 j + 2 t and the next, and in d[4 j + 2], d[4 j + 3] row 16 w + g
/// + 8. There after wgmma_wait. All threads of the warpgroup take part.
__device__ __forceinline__ void wgmma_64x256x16(float (&d)[128],
                                                std::uint64_t a,
                                                std::uint64_t b,
                                                bool adds) {
  asm volatile(
      "{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "
      "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "
      "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, "
      "%127}, %128, %129, p, 1, 1, 0, 0;\n}\n"
      : "+f"(d[0]),
        "+f"(d[1]),
        "+f"(d[2]),
        "+f"(d[3]),
        "+f"(d[4]),
        "+f"(d[5]),
        "+f"(d[6]),
        "+f"(d[7]),
        "+f"(d[8]),
        "+f"(d[9]),
        "+f"(d[10]),
        "+f"(d[11]),
        "+f"(d[12]),
        "+f"(d[13]),
        "+f"(d[14]),
        "+f"(d[15]),
        "+f"(d[16]),
        "+f"(d[17]),
        "+f"(d[18]),
        "+f"(d[19]),
        "+f"(d[20]),
        "+f"(d[21]),
        "+f"(d[22]),
        "+f"(d[23]),
        "+f"(d[24]),
        "+f"(d[25]),
        "+f"(d[26]),
        "+f"(d[27]),
        "+f"(d[28]),
        "+f"(d[29]),
        "+f"(d[30]),
        "+f"(d[31]),
        "+f"(d[32]),
        "+f"(d[33]),
        "+f"(d[34]),
        "+f"(d[35]),
        "+f"(d[36]),
        "+f"(d[37]),
        "+f"(d[38]),
        "+f"(d[39]),
        "+f"(d[40]),
        "+f"(d[41]),
        "+f"(d[42]),
        "+f"(d[43]),
        "+f"(d[44]),
        "+f"(d[45]),
        "+f"(d[46]),
        "+f"(d[47]),
        "+f"(d[48]),
        "+f"(d[49]),
        "+f"(d[50]),
        "+f"(d[51]),
        "+f"(d[52]),
        "+f"(d[53]),
        "+f"(d[54]),
        "+f"(d[55]),
        "+f"(d[56]),
        "+f"(d[57]),
        "+f"(d[58]),
        "+f"(d[59]),
        "+f"(d[60]),
        "+f"(d[61]),
        "+f"(d[62]),
        "+f"(d[63]),
        "+f"(d[64]),
        "+f"(d[65]),
        "+f"(d[66]),
        "+f"(d[67]),
        "+f"(d[68]),
        "+f"(d[69]),
        "+f"(d[70]),
        "+f"(d[71]),
        "+f"(d[72]),
        "+f"(d[73]),
        "+f"(d[74]),
        "+f"(d[75]),
        "+f"(d[76]),
        "+f"(d[77]),
        "+f"(d[78]),
        "+f"(d[79]),
        "+f"(d[80]),
        "+f"(d[81]),
        "+f"(d[82]),
        "+f"(d[83]),
        "+f"(d[84]),
        "+f"(d[85]),
        "+f"(d[86]),
        "+f"(d[87]),
        "+f"(d[88]),
        "+f"(d[89]),
        "+f"(d[90]),
        "+f"(d[91]),
        "+f"(d[92]),
        "+f"(d[93]),
        "+f"(d[94]),
        "+f"(d[95]),
        "+f"(d[96]),
        "+f"(d[97]),
        "+f"(d[98]),
        "+f"(d[99]),
        "+f"(d[100]),
        "+f"(d[101]),
        "+f"(d[102]),
        "+f"(d[103]),
        "+f"(d[104]),
        "+f"(d[105]),
        "+f"(d[106]),
        "+f"(d[107]),
        "+f"(d[108]),
        "+f"(d[109]),
        "+f"(d[110]),
        "+f"(d[111]),
        "+f"(d[112]),
        "+f"(d[113]),
        "+f"(d[114]),
        "+f"(d[115]),
        "+f"(d[116]),
        "+f"(d[117]),
        "+f"(d[118]),
        "+f"(d[119]),
        "+f"(d[120]),
        "+f"(d[121]),
        "+f"(d[122]),
        "+f"(d[123]),
        "+f"(d[124]),
        "+f"(d[125]),
        "+f"(d[126]),
        "+f"(d[127])
      : "l"(a), "l"(b), "r"(adds ? 1 : 0));
}

/// Closes a group of products.
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits until at most `groups` of the newest groups are under way.
template <int groups>
__device__ __forceinline__ void wgmma_wait(float (&d)[128]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" : : "n"(groups) : "memory");
#pragma unroll
  for (int i = 0; i < 128; ++i) asm volatile("" : "+f"(d[i])::"memory");
}

/// Gives the threads of this warpgroup more, or fewer, registers than the kernel was launched with.
template <int registers>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" : : "n"(registers));
}
template <int registers>
__device__ __forceinline__ void leave_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" : : "n"(registers));
}

#endif

}  // namespace facet::engine::cuda
