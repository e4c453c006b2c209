// Products on the tiles of AMX. Compiled with -mamx-tile -mamx-int8 -mamx-bf16 besides the flags of
// avx512.cc; called only after dispatch.cc has found them all and has been allowed to use the
// tiles. Where there is no AMX the tests run these instructions in software
// (tests/support/amx_traps.h).
//
// Weights are turned as in packed_kernels.h: 16 rows by 32 columns are what the instructions want
// as their second factor; the first is a tile of up to 16 packed tokens, as it lies.
//
// int8: a block's sums come out of the tile as integers and are scaled and added in the order of
// packed_kernels.h: the same bits as there, so that few tokens can be left to AVX-512 VNNI.
// bf16: the tile adds up in f32. How is the processor's affair, so few tokens take the same way.
//
// Tiles 0 to 3 are C (16 floats or integers a row), 4 and 5 A, 6 and 7 B (64 bytes a row; 8 rows
// for 32 bytes of A, else 16).
#include "engine/cpu/avx512_turn.h"
#include "engine/cpu/instruction_sets.h"
#include "engine/ops.h"

#include <sys/syscall.h>

#include <cstdint>
#include <cstring>
#include <immintrin.h>
#include <unistd.h>
#include <utility>

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

struct AmxKernels {
  static constexpr std::int64_t kRows = 16;
  static constexpr std::int64_t kCols = 32;
  static constexpr std::int64_t kInt8Panel = 512 + 64;  ///< Codes of a block, then 16 scales.
  static constexpr std::int64_t kBf16Panel = 1024;
  static constexpr std::int64_t kFew = 6;   ///< What packed_kernels.h takes from registers.
  static constexpr std::int64_t kRing = 4;  ///< Blocks of B that are on their way at once.

  static std::int64_t at_most(std::int64_t value, std::int64_t most) {
    return value < most ? value : most;
  }

  /// `rows` rows of `bytes` bytes, `stride` apart; with zeros for those that 16 lack.
  struct Rows16 {
    alignas(64) std::byte part[16 * 64];
    const std::byte* at;
    std::int64_t stride;
    Rows16(const std::byte* from, std::int64_t from_stride, std::int64_t rows, std::int64_t bytes)
        : at(from), stride(from_stride) {
      if (rows == kRows) return;
      std::memset(part, 0, sizeof part);
      for (std::int64_t r = 0; r < rows; ++r) {
        std::memcpy(part + r * 64, from + r * from_stride, static_cast<std::size_t>(bytes));
      }
      at = part;
      stride = 64;
    }
  };

  template <DType D>
  static void fill_int8(const MatmulArgs& a, std::int64_t row, std::int64_t rows, std::byte* to) {
    constexpr std::int64_t kBytes = D == DType::q4_0 ? 18 : 34;
    // Codes are signed for the tiles.
    const __m512i offset = _mm512_set1_epi8(D == DType::q4_0 ? 8 : -128);
    const std::int64_t row_bytes = a.w.row_bytes();
    const std::byte* w = a.w.data + row * row_bytes;
    const std::byte* ahead = w + kRows * row_bytes;
    for (std::int64_t b = 0; b < a.w.cols / kCols; ++b, to += kInt8Panel) {
      for (std::int64_t line = 0; line < kRows * kBytes; line += 64) {
        __builtin_prefetch(ahead + b * kRows * kBytes + line);
      }
      const Rows16 blocks(w + b * kBytes, row_bytes, rows, kBytes);
      __m512i codes[8];
      turn_blocks<D>(blocks.at, blocks.stride, codes);
      for (std::int64_t j = 0; j < 8; ++j) {
        _mm512_storeu_si512(to + j * 64, _mm512_sub_epi8(codes[j], offset));
      }
      _mm512_storeu_ps(to + 512, turn_scales(blocks.at, blocks.stride));
    }
  }

  /// What a tile of n tokens times one panel adds up. Found by constants only, and nothing is
  /// called while there is one: so it is in registers.
  using Sums = __m512[16];
  using Sixteen = std::make_integer_sequence<std::int64_t, 16>;

  /// The next block of a panel times a tile of n tokens, on the tiles with number I. `integers` is
  /// the way out of the tile; `padded` holds the scales of fewer than 16 tokens.
  template <int I, std::int64_t... t>
  [[gnu::always_inline]] static void block_int8(
      const std::byte*& x,
      const std::byte*& panel,
      std::int64_t n,
      std::int32_t* integers,
      std::byte* padded,
      Sums& sums,
      std::integer_sequence<std::int64_t, t...> /*tokens*/) {
    Tiles::zero<I>();
    Tiles::load<4 + I>(x, 32);
    Tiles::load<6 + I>(panel, 64);
    Tiles::dot_int8<I, 4 + I, 6 + I>();
    Tiles::store<I>(integers, 64);
    const std::byte* d = x + n * 32;
    if (n < 16) {
      _mm512_store_ps(padded, _mm512_maskz_loadu_ps(first_lanes(n), d));
      d = padded;
    }
    const __m512 scales = _mm512_loadu_ps(panel + 512);
    ((sums[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(integers + 16 * t)),
                                _mm512_mul_ps(scales, broadcast(d + 4 * t)),
                                sums[t])),
     ...);
    panel += kInt8Panel;
    x += n * 40;
  }
  [[gnu::always_inline]] static __m512 broadcast(const std::byte* from) {
    float value = 0.0F;
    std::memcpy(&value, from, sizeof value);
    return _mm512_set1_ps(value);
  }

  /// One panel in scratch times a tile of n tokens.
  template <std::int64_t... t>
  static void tile_int8(const MatmulArgs& a,
                        std::int64_t token,
                        std::int64_t n,
                        std::int64_t row,
                        std::int64_t rows,
                        std::integer_sequence<std::int64_t, t...> tokens) {
    const auto* panel = reinterpret_cast<const std::byte*>(a.scratch);
    const std::byte* x = a.packed + packed_bytes(Activations::int8, token, a.w.cols);
    alignas(64) std::int32_t integers[2][16 * 16];
    if (n < 16) std::memset(integers, 0, sizeof integers);  // Rows that no tile writes.
    alignas(64) std::byte padded[64];
    Sums sums = {((void)t, _mm512_setzero_ps())...};
    // Two sets of tiles take turns, so that one is computed while the other is scaled.
    std::int64_t b = 0;
    for (; b + 2 <= a.w.cols / kCols; b += 2) {
      block_int8<0>(x, panel, n, integers[0], padded, sums, tokens);
      block_int8<1>(x, panel, n, integers[1], padded, sums, tokens);
    }
    if (b < a.w.cols / kCols) block_int8<0>(x, panel, n, integers[0], padded, sums, tokens);
    float* y = a.y + token * a.y_stride + row - a.row_begin;
    const __mmask16 mask = first_lanes(rows);
    ((t < n ? _mm512_mask_storeu_ps(y + t * a.y_stride, mask, sums[t]) : void()), ...);
  }

  /// The tiles' shape, set when it changes: that takes as long as some products.
  class Shape {
   public:
    explicit Shape(std::int64_t bytes) : bytes_(bytes) {}
    Shape(const Shape&) = delete;
    Shape& operator=(const Shape&) = delete;
    ~Shape() { Tiles::release(); }
    void set(std::int64_t tokens) {
      if (tokens != tokens_) Tiles::configure(tokens, bytes_);
      tokens_ = tokens;
    }

   private:
    std::int64_t bytes_;
    std::int64_t tokens_ = 0;
  };

  template <DType D>
  static void many_int8(const MatmulArgs& a) {
    Shape shape(32);
    for (std::int64_t row = a.row_begin; row < a.row_end; row += kRows) {
      const std::int64_t rows = at_most(a.row_end - row, kRows);
      fill_int8<D>(a, row, rows, reinterpret_cast<std::byte*>(a.scratch));
      for (std::int64_t token = 0; token < a.tokens; token += 16) {
        const std::int64_t n = at_most(a.tokens - token, 16);
        shape.set(n);
        tile_int8(a, token, n, row, rows, Sixteen());
      }
    }
  }

  static void matmul_int8(const MatmulArgs& a) {
    if (a.tokens <= kFew) return avx512_vnni_ops().matmul(a);
    if (a.w.type == DType::q4_0) return many_int8<DType::q4_0>(a);
    many_int8<DType::q8_0>(a);
  }

  /// Block b of one panel of BF16 weights.
  static void fill_bf16(
      const MatmulArgs& a, std::int64_t row, std::int64_t rows, std::int64_t b, std::byte* to) {
    const std::int64_t row_bytes = a.w.row_bytes();
    const Rows16 from(a.w.data + row * row_bytes + b * kCols * 2, row_bytes, rows, kCols * 2);
    for (std::int64_t quarter = 0; quarter < 4; ++quarter) {
      __m512i turned[4];
      turn_rows(from.at + 16 * quarter, from.stride, turned);
      for (std::int64_t i = 0; i < 4; ++i) {
        _mm512_storeu_si512(to + (4 * quarter + i) * 64, turned[i]);
      }
    }
  }

  /// Tile C to y: n tokens from `token` on, `rows` weight rows from `row` on.
  template <int C>
  static void put(const MatmulArgs& a,
                  std::int64_t token,
                  std::int64_t n,
                  std::int64_t row,
                  std::int64_t rows) {
    if (rows <= 0) return;
    alignas(64) float sums[16 * 16];
    Tiles::store<C>(sums, 64);
    for (std::int64_t t = 0; t < n; ++t) {
      _mm512_mask_storeu_ps(a.y + (token + t) * a.y_stride + row - a.row_begin,
                            first_lanes(at_most(rows, kRows)),
                            _mm512_loadu_ps(sums + 16 * t));
    }
  }

  /// Two panels in scratch times two tiles of 16 tokens.
  static void tiles_bf16(const MatmulArgs& a,
                         std::int64_t token,
                         std::int64_t row,
                         std::int64_t rows) {
    const auto* w = reinterpret_cast<const std::byte*>(a.scratch);
    const std::byte* x = a.packed + packed_bytes(Activations::bf16, token, a.w.cols);
    const std::int64_t next = packed_bytes(Activations::bf16, 16, a.w.cols);
    Tiles::zero<0>();
    Tiles::zero<1>();
    Tiles::zero<2>();
    Tiles::zero<3>();
    for (std::int64_t b = 0; b < a.w.cols / kCols; ++b, w += 2 * kBf16Panel, x += 1024) {
      Tiles::load<4>(x, 64);
      Tiles::load<6>(w, 64);
      Tiles::dot_bf16<0, 4, 6>();
      Tiles::load<7>(w + kBf16Panel, 64);
      Tiles::dot_bf16<1, 4, 7>();
      Tiles::load<5>(x + next, 64);
      Tiles::dot_bf16<2, 5, 6>();
      Tiles::dot_bf16<3, 5, 7>();
    }
    put<0>(a, token, 16, row, rows);
    put<1>(a, token, 16, row + kRows, rows - kRows);
    put<2>(a, token + 16, 16, row, rows);
    put<3>(a, token + 16, 16, row + kRows, rows - kRows);
  }

  /// Two panels times one tile of n tokens. `fill`: the panels come from the weights, through a
  /// ring in scratch; else they lie there.
  static void tile_bf16(const MatmulArgs& a,
                        std::int64_t token,
                        std::int64_t n,
                        std::int64_t row,
                        std::int64_t rows,
                        bool fill) {
    auto* scratch = reinterpret_cast<std::byte*>(a.scratch);
    const std::byte* x = a.packed + packed_bytes(Activations::bf16, token, a.w.cols);
    const std::byte* ahead = a.w.data + (row + 2 * kRows) * a.w.row_bytes();
    Tiles::zero<0>();
    Tiles::zero<1>();
    for (std::int64_t b = 0; b < a.w.cols / kCols; ++b, x += n * 64) {
      std::byte* w = scratch + (fill ? b % kRing : b) * 2 * kBf16Panel;
      if (fill) {
        for (std::int64_t line = 0; line < 2 * kBf16Panel; line += 64) {
          __builtin_prefetch(ahead + b * 2 * kBf16Panel + line);
        }
        fill_bf16(a, row, at_most(rows, kRows), b, w);
        if (rows > kRows) fill_bf16(a, row + kRows, rows - kRows, b, w + kBf16Panel);
      }
      Tiles::load<4>(x, 64);
      Tiles::load<6>(w, 64);
      Tiles::dot_bf16<0, 4, 6>();
      if (rows > kRows) {
        Tiles::load<7>(w + kBf16Panel, 64);
        Tiles::dot_bf16<1, 4, 7>();
      }
    }
    put<0>(a, token, n, row, rows);
    put<1>(a, token, n, row + kRows, rows - kRows);
  }

  static void matmul_bf16(const MatmulArgs& a) {
    if (a.tokens == 0) return;
    const bool is_one_tile = a.tokens <= 16;
    auto* scratch = reinterpret_cast<std::byte*>(a.scratch);
    Shape shape(64);
    for (std::int64_t row = a.row_begin; row < a.row_end; row += 2 * kRows) {
      const std::int64_t rows = at_most(a.row_end - row, 2 * kRows);
      if (is_one_tile) {
        shape.set(a.tokens);
        tile_bf16(a, 0, a.tokens, row, rows, true);
        continue;
      }
      for (std::int64_t b = 0; b < a.w.cols / kCols; ++b) {
        std::byte* to = scratch + b * 2 * kBf16Panel;
        fill_bf16(a, row, at_most(rows, kRows), b, to);
        fill_bf16(a, row + kRows, rows < kRows ? 0 : rows - kRows, b, to + kBf16Panel);
      }
      shape.set(16);
      std::int64_t token = 0;
      for (; token + 32 <= a.tokens; token += 32) tiles_bf16(a, token, row, rows);
      for (; token < a.tokens; token += 16) {
        const std::int64_t n = at_most(a.tokens - token, 16);
        shape.set(n);
        tile_bf16(a, token, n, row, rows, false);
      }
    }
  }
};

}  // namespace

PackedOps amx_int8_ops() {
  return {.matmul = AmxKernels::matmul_int8, .pack = avx512_vnni_ops().pack};
}

PackedOps amx_bf16_ops() {
  return {.matmul = AmxKernels::matmul_bf16, .pack = avx512_bf16_ops().pack};
}

bool ask_for_tiles() {
  // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA): for the whole process, once is enough.
  constexpr long kRequestPermission = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace facet::engine
