// The products of amx.cc on a software copy of the tiles, for tests on processors without AMX.
// Compiled with the flags of avx512_vnni.cc. What each instruction does is from Intel's Software
// Developer's Manual, volume 2: TILELOADD, TILESTORED, TDPBSSD, TDPBF16PS.
#include "engine/cpu/amx_kernels.h"

namespace facet::engine {
namespace {

struct EmulatedTiles {
  struct Tile {
    std::byte at[16][64];
    int rows;
    int row_bytes;
  };
  static Tile& tile(int index) {
    static thread_local Tile tiles[8];
    return tiles[index];
  }

  static void configure(std::int64_t tokens, std::int64_t bytes) {
    for (int i = 0; i < 8; ++i) {
      const bool is_a = i == 4 || i == 5;
      tile(i).rows = static_cast<int>(i >= 6 ? bytes / 4 : tokens);
      tile(i).row_bytes = static_cast<int>(is_a ? bytes : 64);
      std::memset(tile(i).at, 0, sizeof tile(i).at);
    }
  }
  static void release() {}
  template <int C>
  static void zero() {
    std::memset(tile(C).at, 0, sizeof tile(C).at);
  }
  template <int N>
  static void load(const void* from, int stride) {
    zero<N>();
    for (int r = 0; r < tile(N).rows; ++r) {
      std::memcpy(tile(N).at[r],
                  static_cast<const std::byte*>(from) + std::int64_t{r} * stride,
                  static_cast<std::size_t>(tile(N).row_bytes));
    }
  }
  template <int C>
  static void store(void* to, int stride) {
    for (int r = 0; r < tile(C).rows; ++r) {
      std::memcpy(static_cast<std::byte*>(to) + std::int64_t{r} * stride,
                  tile(C).at[r],
                  static_cast<std::size_t>(tile(C).row_bytes));
    }
  }
  template <class V>
  static V get(const std::byte* from, int index) {
    V value{};
    std::memcpy(&value, from + static_cast<std::size_t>(index) * sizeof value, sizeof value);
    return value;
  }
  template <int C, int A, int B>
  static void dot_int8() {
    for (int m = 0; m < tile(C).rows; ++m) {
      for (int k = 0; k < tile(A).row_bytes / 4; ++k) {
        for (int n = 0; n < 16; ++n) {
          auto sum = get<std::int32_t>(tile(C).at[m], n);
          for (int i = 0; i < 4; ++i) {
            sum += get<std::int8_t>(tile(A).at[m], 4 * k + i) *
                   get<std::int8_t>(tile(B).at[k], 4 * n + i);
          }
          std::memcpy(tile(C).at[m] + 4 * n, &sum, sizeof sum);
        }
      }
    }
  }
  template <int C, int A, int B>
  static void dot_bf16() {
    for (int m = 0; m < tile(C).rows; ++m) {
      for (int n = 0; n < 16; ++n) {
        float sums[2] = {};
        for (int k = 0; k < tile(A).row_bytes / 4; ++k) {
          for (int i = 0; i < 2; ++i) {
            const float x = bf16_to_float(get<std::uint16_t>(tile(A).at[m], 2 * k + i));
            const float w = bf16_to_float(get<std::uint16_t>(tile(B).at[k], 2 * n + i));
            sums[i] = __builtin_fmaf(x, w, sums[i]);
          }
        }
        const float sum = get<float>(tile(C).at[m], n) + (sums[0] + sums[1]);
        std::memcpy(tile(C).at[m] + 4 * n, &sum, sizeof sum);
      }
    }
  }
};

}  // namespace

PackedOps amx_emulated_int8_ops() {
  return {.matmul = AmxKernels<EmulatedTiles>::matmul_int8, .pack = avx512_vnni_ops().pack};
}

PackedOps amx_emulated_bf16_ops() {
  return {.matmul = AmxKernels<EmulatedTiles>::matmul_bf16, .pack = nullptr};
}

}  // namespace facet::engine
