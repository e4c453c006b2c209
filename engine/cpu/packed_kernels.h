// Products of int8 activations with Q4_0 and Q8_0 weights, written once over a set of registers I
// that each instruction set supplies. The layout and the arithmetic are in engine/ops.h.
//
// The unit is a panel: 16 weight rows by 32 columns, turned so that a register holds 4 columns of
// every row, which is what the dot-product instructions want beside 4 activations of one token. No
// copy of the weights is kept: panels are turned on the way. For few tokens they are used from
// registers at once, and the next 16 rows, which follow in memory, are asked for meanwhile. For
// many they go through scratch that stays in the first cache level.
//
// I offers
//   Codes (16 rows x 4 columns), Acc (16 sums of a block), Floats (16),
//   expand<D>(from, stride, codes[8], scales): 16 blocks of type D that lie `stride` bytes apart,
//   load_codes, store_codes, load_floats(from, n), store_floats(to, n, value) of n <= 16, zero,
//   set1, mul, fma, start (an Acc of zeros), dot<D>(Acc, Codes, x): adds 4 products to each row,
//   finish<D>(Acc, s): as floats, with what the form of the codes adds to them taken off again,
//   kPanels and kTokens: the panels and tokens whose sums fit the registers together.
#pragma once

#include "engine/cpu/instruction_sets.h"
#include "engine/ops.h"

#include <cstdint>
#include <cstring>
#include <utility>

namespace facet::engine {

template <class I>
struct PackedKernels {
  using Codes = typename I::Codes;
  using Acc = typename I::Acc;
  using Floats = typename I::Floats;

  static constexpr std::int64_t kRows = 16;
  static constexpr std::int64_t kSteps = 8;       ///< Of 4 columns in a block.
  static constexpr std::int64_t kCodeBytes = 64;  ///< Of one step in scratch.
  static constexpr std::int64_t kPanelBytes = kSteps * kCodeBytes + 64;
  static constexpr std::int64_t kTokenBytes = 40;  ///< Of one token in a block.
  static constexpr std::int64_t kTile = kPackedTokens;
  /// Up to this many tokens take the weights from registers.
  static constexpr int kFew = 6;
  /// Blocks of two panels that scratch holds at once.
  static constexpr std::int64_t kScratchBlocks = 8192 * 4 / (2 * kPanelBytes);

  template <DType D>
  static constexpr std::int64_t kBlockBytes = D == DType::q4_0 ? 18 : 34;

  /// One block of a tile of packed tokens, from one of them on.
  struct Input {
    const std::byte* q;
    const std::byte* d;
    const std::byte* s;
    std::int64_t step;  ///< Bytes to the next block.

    /// Tokens from `first` on of block b of the tile of `n` tokens at `tile`.
    Input(const std::byte* tile, std::int64_t n, std::int64_t first, std::int64_t b)
        : q(tile + b * n * kTokenBytes + first * 32),
          d(tile + b * n * kTokenBytes + n * 32 + first * 4),
          s(tile + b * n * kTokenBytes + n * 36 + first * 4),
          step(n * kTokenBytes) {}
    void next() {
      q += step;
      d += step;
      s += step;
    }
    [[nodiscard]] const std::byte* codes(int t, std::int64_t j) const { return q + t * 32 + j * 4; }
    [[nodiscard]] float scale(int t) const {
      float value = 0.0F;
      std::memcpy(&value, d + t * 4, sizeof value);
      return value;
    }
    [[nodiscard]] const std::byte* sum(int t) const { return s + t * 4; }
  };

  /// 16 blocks, each `stride` bytes after the last.
  struct Blocks {
    const std::byte* at;
    std::int64_t stride;
  };

  /// Block b of `rows` < 16 rows, and zeros for those that lack, in `part`.
  template <DType D>
  [[gnu::noinline]] static Blocks padded(const std::byte* from,
                                         std::int64_t row_bytes,
                                         std::int64_t rows,
                                         std::byte* part) {
    std::memset(part, 0, static_cast<std::size_t>(kRows * kBlockBytes<D>));
    for (std::int64_t r = 0; r < rows; ++r) {
      std::memcpy(part + r * kBlockBytes<D>, from + r * row_bytes, kBlockBytes<D>);
    }
    return {part, kBlockBytes<D>};
  }

  /// `rows` <= 16 rows at block b, turned. Rows beyond are zeros. Inlined, so that the codes stay
  /// in registers.
  template <DType D>
  [[gnu::always_inline]] static void expand(const std::byte* w,
                                            std::int64_t row_bytes,
                                            std::int64_t rows,
                                            std::int64_t b,
                                            Codes* codes,
                                            Floats& scales) {
    std::byte part[static_cast<std::size_t>(kRows * kBlockBytes<D>)];
    Blocks blocks{w + b * kBlockBytes<D>, row_bytes};
    if (rows != kRows) blocks = padded<D>(blocks.at, row_bytes, rows, part);
    I::template expand<D>(blocks.at, blocks.stride, codes, scales);
  }

  /// Up to 16 rows times T tokens, straight from the weights.
  template <DType D, int T>
  static void few_tokens(const MatmulArgs& a, std::int64_t row, std::int64_t rows) {
    const std::int64_t row_bytes = a.w.row_bytes();
    const std::int64_t blocks = a.w.cols / kQuantBlock;
    const std::byte* w = a.w.data + row * row_bytes;
    const std::byte* ahead = w + kRows * row_bytes;
    Floats sums[static_cast<std::size_t>(T)];
    for (int t = 0; t < T; ++t) sums[t] = I::zero();
    Input x(a.packed, T, 0, 0);
    for (std::int64_t b = 0; b < blocks; ++b, x.next()) {
      for (std::int64_t line = 0; line < kRows * kBlockBytes<D>; line += 64) {
        __builtin_prefetch(ahead + b * kRows * kBlockBytes<D> + line);
      }
      Codes codes[kSteps];
      Floats scales;
      expand<D>(w, row_bytes, rows, b, codes, scales);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) {
        Acc acc = I::start();
#pragma GCC unroll 8
        for (std::int64_t j = 0; j < kSteps; ++j) {
          acc = I::template dot<D>(acc, codes[j], x.codes(t, j));
        }
        const Floats scale = I::mul(scales, I::set1(x.scale(t)));
        sums[t] = I::fma(I::template finish<D>(acc, x.sum(t)), scale, sums[t]);
      }
    }
    float* y = a.y + row - a.row_begin;
    for (int t = 0; t < T; ++t) I::store_floats(y + t * a.y_stride, rows, sums[t]);
  }

  /// R panels in scratch.
  struct Panels {
    const std::byte* w;
    std::int64_t blocks;
    std::int64_t rows;  ///< The last panel may be cut off.
    bool is_first;      ///< y holds nothing yet.
  };

  /// N tokens times R panels, added to y.
  template <DType D, int R, int N>
  static void tile(const Panels& p, Input x, float* y, std::int64_t y_stride) {
    Floats sums[static_cast<std::size_t>(R)][static_cast<std::size_t>(N)];
    const auto rows_of = [&p](int r) { return r + 1 < R ? kRows : p.rows - (R - 1) * kRows; };
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int t = 0; t < N; ++t) {
        float* from = y + t * y_stride + r * kRows;
        sums[r][t] = p.is_first ? I::zero() : I::load_floats(from, rows_of(r));
      }
    }
    const std::byte* w = p.w;
    for (std::int64_t b = 0; b < p.blocks; ++b, w += R * kPanelBytes, x.next()) {
      Acc acc[static_cast<std::size_t>(R)][static_cast<std::size_t>(N)];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) acc[r][t] = I::start();
      }
#pragma GCC unroll 8
      for (std::int64_t j = 0; j < kSteps; ++j) {
        Codes codes[static_cast<std::size_t>(R)];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) codes[r] = I::load_codes(w + (r * kSteps + j) * kCodeBytes);
#pragma GCC unroll 8
        for (int t = 0; t < N; ++t) {
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) {
            acc[r][t] = I::template dot<D>(acc[r][t], codes[r], x.codes(t, j));
          }
        }
      }
      const std::byte* scales = w + R * kSteps * kCodeBytes;
#pragma GCC unroll 8
      for (int t = 0; t < N; ++t) {
        const Floats d = I::set1(x.scale(t));
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          const Floats scale = I::mul(I::load_floats(scales + r * 64, kRows), d);
          sums[r][t] = I::fma(I::template finish<D>(acc[r][t], x.sum(t)), scale, sums[r][t]);
        }
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int t = 0; t < N; ++t) {
        I::store_floats(y + t * y_stride + r * kRows, rows_of(r), sums[r][t]);
      }
    }
  }

  /// Blocks [first, first + count) of R panels that begin at `row`, to scratch.
  template <DType D, int R>
  static void fill(const MatmulArgs& a,
                   std::int64_t row,
                   std::int64_t rows,
                   std::int64_t first,
                   std::int64_t count) {
    const std::int64_t row_bytes = a.w.row_bytes();
    auto* to = reinterpret_cast<std::byte*>(a.scratch);
    // The next panels follow in memory; they are wanted when all tokens have passed over these.
    const std::byte* ahead = a.w.data + (row + R * kRows) * row_bytes;
    for (std::int64_t b = first; b < first + count; ++b, to += R * kPanelBytes) {
      constexpr std::int64_t kBytes = R * kRows * kBlockBytes<D>;
      for (std::int64_t line = 0; line < kBytes; line += 64) {
        __builtin_prefetch(ahead + b * kBytes + line);
      }
      for (int r = 0; r < R; ++r) {
        const std::int64_t part = r + 1 < R ? kRows : rows - (R - 1) * kRows;
        Codes codes[kSteps];
        Floats scales;
        expand<D>(a.w.data + (row + r * kRows) * row_bytes, row_bytes, part, b, codes, scales);
        for (std::int64_t j = 0; j < kSteps; ++j) {
          I::store_codes(to + (r * kSteps + j) * kCodeBytes, codes[j]);
        }
        I::store_floats(to + R * kSteps * kCodeBytes + r * 64, kRows, scales);
      }
    }
  }

  /// All tokens times R panels that begin at `row`.
  template <DType D, int R>
  static void many_tokens(const MatmulArgs& a, std::int64_t row, std::int64_t rows) {
    const std::int64_t blocks = a.w.cols / kQuantBlock;
    // As many blocks at a time as scratch holds, evenly: y is read and written once each time.
    const std::int64_t most = even_share(blocks, kScratchBlocks);
    for (std::int64_t first = 0; first < blocks; first += most) {
      const std::int64_t count = blocks - first < most ? blocks - first : most;
      fill<D, R>(a, row, rows, first, count);
      const Panels panels{reinterpret_cast<const std::byte*>(a.scratch), count, rows, first == 0};
      for (std::int64_t token = 0; token < a.tokens; token += kTile) {
        const std::int64_t n = a.tokens - token < kTile ? a.tokens - token : kTile;
        const std::byte* packed = a.packed + packed_bytes(Activations::int8, token, a.w.cols);
        for (std::int64_t t = 0; t < n;) {
          const std::int64_t count_here = even_share(n - t, I::kTokens);
          float* y = a.y + (token + t) * a.y_stride + row - a.row_begin;
          with_count<I::kTokens>(count_here, [&]<int N>() {
            tile<D, R, N>(panels, Input(packed, n, t, first), y, a.y_stride);
          });
          t += count_here;
        }
      }
    }
  }

  /// The first of the fewest parts, at most `most` each, that `all` is cut into evenly.
  static constexpr std::int64_t even_share(std::int64_t all, std::int64_t most) {
    const std::int64_t parts = (all + most - 1) / most;
    return (all + parts - 1) / parts;
  }

  /// f<count>() for a count in [1, N].
  template <int N, class F>
  static void with_count(std::int64_t count, const F& f) {
    if constexpr (N > 1) {
      if (count < N) return with_count<N - 1>(count, f);
    }
    f.template operator()<N>();
  }

  template <DType D>
  static void matmul_typed(const MatmulArgs& a) {
    if (a.tokens <= kFew) {
      for (std::int64_t row = a.row_begin; row < a.row_end; row += kRows) {
        const std::int64_t rows = a.row_end - row < kRows ? a.row_end - row : kRows;
        with_count<kFew>(a.tokens, [&]<int T>() { few_tokens<D, T>(a, row, rows); });
      }
      return;
    }
    constexpr std::int64_t kStep = I::kPanels * kRows;
    for (std::int64_t row = a.row_begin; row < a.row_end; row += kStep) {
      const std::int64_t rows = a.row_end - row < kStep ? a.row_end - row : kStep;
      with_count<I::kPanels>((rows + kRows - 1) / kRows,
                             [&]<int R>() { many_tokens<D, R>(a, row, rows); });
    }
  }

  static void matmul(const MatmulArgs& args) {
    if (args.tokens == 0) return;
    if (args.w.type == DType::q4_0) return matmul_typed<DType::q4_0>(args);
    matmul_typed<DType::q8_0>(args);
  }

  /// One block of one row.
  static void pack_block(const float* x, std::byte* q, std::byte* d_to, std::byte* s_to) {
    std::uint32_t bits[kQuantBlock];
    std::memcpy(bits, x, sizeof bits);
    std::uint32_t top = 0;  // As integers, magnitudes are in order, infinity and NaN above all.
    for (const std::uint32_t value : bits) {
      const std::uint32_t magnitude = value & 0x7FFFFFFFU;
      top = magnitude > top ? magnitude : top;
    }
    float largest = 0.0F;
    std::memcpy(&largest, &top, sizeof largest);
    const bool is_finite = top < 0x7F800000U;
    const bool is_zero = !is_finite || largest < 1e-30F;
    const float inverse = is_zero ? 0.0F : 127.0F / largest;
    std::int32_t sum = 0;
    std::int8_t codes[kQuantBlock];
    for (std::int64_t i = 0; i < kQuantBlock; ++i) {
      // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
      const float shifted = (is_finite ? x[i] : 0.0F) * inverse + 12582912.0F;
      std::int32_t integer = 0;
      std::memcpy(&integer, &shifted, sizeof integer);
      const auto code = static_cast<std::int8_t>(integer & 255);
      codes[i] = code;
      sum += code;
    }
    float d = is_zero ? 0.0F : largest / 127.0F;
    if (!is_finite) d = __builtin_nanf("");
    const std::int32_t correction = -8 * sum;
    std::memcpy(q, codes, sizeof codes);
    std::memcpy(d_to, &d, sizeof d);
    std::memcpy(s_to, &correction, sizeof correction);
  }

  static void pack(const PackArgs& a) {
    for (std::int64_t token = 0; token < a.tokens; token += kTile) {
      const std::int64_t n = a.tokens - token < kTile ? a.tokens - token : kTile;
      const float* x = a.x + token * a.x_stride;
      std::byte* to = a.to + packed_bytes(Activations::int8, token, a.cols) +
                      a.begin / kQuantBlock * n * kTokenBytes;
      for (std::int64_t k = a.begin; k < a.end; k += kQuantBlock, to += n * kTokenBytes) {
        for (std::int64_t t = 0; t < n; ++t) {
          pack_block(x + t * a.x_stride + k - a.begin,
                     to + t * 32,
                     to + n * 32 + t * 4,
                     to + n * 36 + t * 4);
        }
      }
    }
  }

  static std::int64_t busy(std::int64_t rounds) {
    // More sums than latency times throughput. Their indices are constants from the start: sums
    // that are found by a loop's counter stay in memory, and then it is memory that is busy.
    return busy_with(rounds, std::make_index_sequence<12>());
  }
  template <std::size_t... I_>
  static std::int64_t busy_with(std::int64_t rounds, std::index_sequence<I_...> /*indices*/) {
    std::byte x[64] = {};
    asm volatile("" : "+m"(x));
    const Codes codes = I::load_codes(x);
    // Each begins with a value of its own, as far as the compiler knows: of equal sums it would
    // compute one.
    Acc sums[sizeof...(I_)] = {I::template dot<DType::q8_0>(I::start(), codes, x + 4 * I_)...};
    for (std::int64_t round = 0; round < rounds; ++round) {
      ((sums[I_] = I::template dot<DType::q8_0>(sums[I_], codes, x)), ...);
      asm volatile("" : "+m"(x));  // x may be another one the next time.
    }
    const std::byte zeros[4] = {};
    float sink[16 * sizeof...(I_)];
    (I::store_floats(sink + 16 * I_, kRows, I::template finish<DType::q8_0>(sums[I_], zeros)), ...);
    asm volatile("" : : "m"(sink));
    return rounds * static_cast<std::int64_t>(sizeof...(I_)) * 16 * 4 * 2;
  }

  static constexpr PackedOps table(const char* arithmetic) {
    return {.matmul = matmul, .pack = pack, .arithmetic = arithmetic, .busy = busy};
  }
};

}  // namespace facet::engine
