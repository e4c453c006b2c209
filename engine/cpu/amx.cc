// Compiled with -mamx-tile -mamx-int8 -mamx-bf16 besides the flags of avx512.cc; called only after
// dispatch.cc has found them all and has been allowed to use the tiles.
#include "engine/cpu/amx_kernels.h"

#include <sys/syscall.h>

#include <immintrin.h>
#include <unistd.h>

namespace facet::engine {
namespace {

/// The processor's own tiles. Their state belongs to the thread.
struct Tiles {
  struct alignas(64) Config {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  };

  static void configure(std::int64_t tokens, std::int64_t bytes) {
    Config config;
    for (int tile = 0; tile < 8; ++tile) {
      const bool is_a = tile == 4 || tile == 5;
      const bool is_b = tile >= 6;
      config.row_bytes[tile] = static_cast<std::uint16_t>(is_a ? bytes : 64);
      config.rows[tile] = static_cast<std::uint8_t>(is_b ? bytes / 4 : tokens);
    }
    // The compiler's function says that it reads 8 bytes of the 64: the rest must not be taken for
    // writes that nobody reads.
    asm volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
  }
  static void release() { _tile_release(); }

  // The compiler's functions take tile numbers as text, hence the cases, and do not say that they
  // read memory, hence the barriers.
  static void barrier() { asm volatile("" ::: "memory"); }
  template <int C>
  static void zero() {
    static_assert(C >= 0 && C < 4);
    if constexpr (C == 0) _tile_zero(0);
    if constexpr (C == 1) _tile_zero(1);
    if constexpr (C == 2) _tile_zero(2);
    if constexpr (C == 3) _tile_zero(3);
  }
  template <int N>
  static void load(const void* from, long stride) {
    static_assert(N >= 4 && N < 8);
    barrier();
    if constexpr (N == 4) _tile_loadd(4, from, stride);
    if constexpr (N == 5) _tile_loadd(5, from, stride);
    if constexpr (N == 6) _tile_loadd(6, from, stride);
    if constexpr (N == 7) _tile_loadd(7, from, stride);
  }
  template <int C>
  static void store(void* to, long stride) {
    static_assert(C >= 0 && C < 4);
    if constexpr (C == 0) _tile_stored(0, to, stride);
    if constexpr (C == 1) _tile_stored(1, to, stride);
    if constexpr (C == 2) _tile_stored(2, to, stride);
    if constexpr (C == 3) _tile_stored(3, to, stride);
    barrier();
  }
  template <int C, int A, int B>
  static void dot_int8() {
    constexpr int kAll = 100 * C + 10 * A + B;
    static_assert(kAll == 46 || kAll == 157);
    if constexpr (kAll == 46) _tile_dpbssd(0, 4, 6);
    if constexpr (kAll == 157) _tile_dpbssd(1, 5, 7);
  }
  template <int C, int A, int B>
  static void dot_bf16() {
    constexpr int kAll = 100 * C + 10 * A + B;
    static_assert(kAll == 46 || kAll == 147 || kAll == 256 || kAll == 357);
    if constexpr (kAll == 46) _tile_dpbf16ps(0, 4, 6);
    if constexpr (kAll == 147) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kAll == 256) _tile_dpbf16ps(2, 5, 6);
    if constexpr (kAll == 357) _tile_dpbf16ps(3, 5, 7);
  }
};

}  // namespace

PackedOps amx_int8_ops() {
  return {.matmul = AmxKernels<Tiles>::matmul_int8, .pack = avx512_vnni_ops().pack};
}

PackedOps amx_bf16_ops() {
  return {.matmul = AmxKernels<Tiles>::matmul_bf16, .pack = avx512_bf16_ops().pack};
}

bool ask_for_tiles() {
  // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA): for the whole process, once is enough.
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace facet::engine
