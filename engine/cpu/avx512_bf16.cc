// Products of bf16 activations with BF16 weights: engine/ops.h has the layout, packed_kernels.h the
// idea. Compiled with -mavx512bf16 besides the flags of avx512.cc; called only after dispatch.cc
// has found it.
#include "engine/cpu/avx512_turn.h"
#include "engine/cpu/instruction_sets.h"

#include <cstring>
#include <immintrin.h>

namespace facet::engine {
namespace {

constexpr std::int64_t kRows = 16;
constexpr std::int64_t kCols = 32;          ///< Of a block.
constexpr std::int64_t kSteps = 16;         ///< Of 2 columns.
constexpr std::int64_t kPanelBytes = 1024;  ///< 16 rows of a block, turned.
constexpr std::int64_t kTokenBytes = 64;    ///< One token of a block.
constexpr int kPanels = 2;
constexpr int kFew = 6;  ///< Tokens that take the weights from registers.
/// Of a step in many_tokens: 2 x 8 sums, more than a latency of 6 cycles times 2 a cycle, and a
/// packed tile of 16 tokens is two whole steps.
constexpr int kTokens = 8;
constexpr std::int64_t kScratchBlocks = 8192 * 4 / (kPanels * kPanelBytes);

/// A block of `rows` < 16 rows, and zeros for those that lack, in `part`.
[[gnu::noinline]] void pad(const std::byte* from,
                           std::int64_t row_bytes,
                           std::int64_t rows,
                           std::byte* part) {
  std::memset(part, 0, kPanelBytes);
  for (std::int64_t r = 0; r < rows; ++r) {
    std::memcpy(part + r * kCols * 2, from + r * row_bytes, kCols * 2);
  }
}

/// Block b of up to 16 rows, turned; rows beyond are zeros. Inlined, so that it stays in registers.
[[gnu::always_inline]] inline void expand(
    const std::byte* w, std::int64_t row_bytes, std::int64_t rows, std::int64_t b, __m512i* to) {
  const std::byte* from = w + b * kCols * 2;
  std::byte part[kPanelBytes];
  if (rows < kRows) {
    pad(from, row_bytes, rows, part);
    from = part;
    row_bytes = kCols * 2;
  }
  for (int i = 0; i < 4; ++i) turn_rows(from + 16 * i, row_bytes, to + 4 * i);
}

__m512 dot(__m512 sum, __m512i w, const std::byte* x) {
  std::int32_t two = 0;
  std::memcpy(&two, x, sizeof two);
  return _mm512_dpbf16_ps(
      sum, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(_mm512_set1_epi32(two)));
}

/// Up to 16 rows times T tokens, straight from the weights.
template <int T>
void few_tokens(const MatmulArgs& a, std::int64_t row, std::int64_t rows) {
  const std::int64_t row_bytes = a.w.row_bytes();
  const std::byte* w = a.w.data + row * row_bytes;
  const std::byte* ahead = w + kRows * row_bytes;
  __m512 sums[static_cast<std::size_t>(T)];
  for (int t = 0; t < T; ++t) sums[t] = _mm512_setzero_ps();
  for (std::int64_t b = 0; b < a.w.cols / kCols; ++b) {
    for (std::int64_t line = 0; line < kPanelBytes; line += 64) {
      __builtin_prefetch(ahead + b * kPanelBytes + line);
    }
    __m512i codes[kSteps];
    expand(w, row_bytes, rows, b, codes);
    const std::byte* x = a.packed + b * T * kTokenBytes;
#pragma GCC unroll 16
    for (int j = 0; j < kSteps; ++j) {
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) sums[t] = dot(sums[t], codes[j], x + t * kTokenBytes + 4 * j);
    }
  }
  float* y = a.y + row - a.row_begin;
  for (int t = 0; t < T; ++t) {
    _mm512_mask_storeu_ps(y + t * a.y_stride, first_lanes(rows), sums[t]);
  }
}

/// `blocks` blocks of R panels in scratch times T tokens, added to y.
template <int R, int T>
void tile(const std::byte* w,
          std::int64_t blocks,
          const std::byte* x,
          std::int64_t x_step,
          std::int64_t rows,
          bool is_first,
          float* y,
          std::int64_t y_stride) {
  __m512 sums[static_cast<std::size_t>(R)][static_cast<std::size_t>(T)];
  const auto mask_of = [rows](int r) {
    return first_lanes(r + 1 < R ? kRows : rows - (R - 1) * kRows);
  };
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      sums[r][t] = is_first ? _mm512_setzero_ps()
                            : _mm512_maskz_loadu_ps(mask_of(r), y + t * y_stride + r * kRows);
    }
  }
  for (std::int64_t b = 0; b < blocks; ++b, w += R * kPanelBytes, x += x_step) {
#pragma GCC unroll 4
    for (int j = 0; j < kSteps; ++j) {
      __m512i codes[static_cast<std::size_t>(R)];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) codes[r] = _mm512_loadu_si512(w + r * kPanelBytes + j * 64);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          sums[r][t] = dot(sums[r][t], codes[r], x + t * kTokenBytes + 4 * j);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      _mm512_mask_storeu_ps(y + t * y_stride + r * kRows, mask_of(r), sums[r][t]);
    }
  }
}

/// f<count>() for a count in [1, N].
template <int N, class F>
void with_count(std::int64_t count, const F& f) {
  if constexpr (N > 1) {
    if (count < N) return with_count<N - 1>(count, f);
  }
  f.template operator()<N>();
}

/// All tokens times R panels that begin at `row`.
template <int R>
void many_tokens(const MatmulArgs& a, std::int64_t row, std::int64_t rows) {
  const std::int64_t row_bytes = a.w.row_bytes();
  const std::int64_t blocks = a.w.cols / kCols;
  auto* scratch = reinterpret_cast<std::byte*>(a.scratch);
  // As many blocks at a time as scratch holds, evenly: y is read and written once each time.
  const std::int64_t passes = (blocks + kScratchBlocks - 1) / kScratchBlocks;
  const std::int64_t most = (blocks + passes - 1) / passes;
  for (std::int64_t first = 0; first < blocks; first += most) {
    const std::int64_t count = blocks - first < most ? blocks - first : most;
    const std::byte* ahead = a.w.data + (row + R * kRows) * row_bytes;
    for (std::int64_t b = 0; b < count; ++b) {
      for (std::int64_t line = 0; line < R * kPanelBytes; line += 64) {
        __builtin_prefetch(ahead + (first + b) * R * kPanelBytes + line);
      }
      for (int r = 0; r < R; ++r) {
        const std::int64_t part = r + 1 < R ? kRows : rows - (R - 1) * kRows;
        __m512i codes[kSteps];
        expand(a.w.data + (row + r * kRows) * row_bytes, row_bytes, part, first + b, codes);
        std::byte* to = scratch + (b * R + r) * kPanelBytes;
        for (int j = 0; j < kSteps; ++j) _mm512_storeu_si512(to + j * 64, codes[j]);
      }
    }
    for (std::int64_t token = 0; token < a.tokens; token += kPackedTokens) {
      const std::int64_t n = a.tokens - token < kPackedTokens ? a.tokens - token : kPackedTokens;
      const std::byte* packed = a.packed + packed_bytes(Activations::bf16, token, a.w.cols);
      for (std::int64_t t = 0; t < n;) {
        const std::int64_t parts = (n - t + kTokens - 1) / kTokens;
        const std::int64_t count_here = (n - t + parts - 1) / parts;
        const std::byte* x = packed + (first * n + t) * kTokenBytes;
        float* y = a.y + (token + t) * a.y_stride + row - a.row_begin;
        with_count<kTokens>(count_here, [&]<int T>() {
          tile<R, T>(scratch, count, x, n * kTokenBytes, rows, first == 0, y, a.y_stride);
        });
        t += count_here;
      }
    }
  }
}

void matmul(const MatmulArgs& a) {
  if (a.tokens == 0) return;
  if (a.tokens <= kFew) {
    for (std::int64_t row = a.row_begin; row < a.row_end; row += kRows) {
      const std::int64_t rows = a.row_end - row < kRows ? a.row_end - row : kRows;
      with_count<kFew>(a.tokens, [&]<int T>() { few_tokens<T>(a, row, rows); });
    }
    return;
  }
  constexpr std::int64_t kStep = kPanels * kRows;
  for (std::int64_t row = a.row_begin; row < a.row_end; row += kStep) {
    const std::int64_t rows = a.row_end - row < kStep ? a.row_end - row : kStep;
    with_count<kPanels>((rows + kRows - 1) / kRows, [&]<int R>() { many_tokens<R>(a, row, rows); });
  }
}

/// To nearest even in integers, so that subnormal numbers stay; NaN stays NaN.
__m256i rounded(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  __m512i out = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  out = _mm512_mask_mov_epi32(out, nan, _mm512_set1_epi32(0x7FC00000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(out, 16));
}

void pack(const PackArgs& a) {
  for (std::int64_t token = 0; token < a.tokens; token += kPackedTokens) {
    const std::int64_t n = a.tokens - token < kPackedTokens ? a.tokens - token : kPackedTokens;
    std::byte* to =
        a.to + packed_bytes(Activations::bf16, token, a.cols) + a.begin / kCols * n * kTokenBytes;
    for (std::int64_t k = a.begin; k < a.end; k += kCols) {
      for (std::int64_t t = 0; t < n; ++t, to += kTokenBytes) {
        const float* from = a.x + (token + t) * a.x_stride + k - a.begin;
        for (int half = 0; half < 2; ++half) {
          const __m256i values = rounded(_mm512_loadu_ps(from + 16 * half));
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32 * half), values);
        }
      }
    }
  }
}

}  // namespace

PackedOps avx512_bf16_ops() {
  return {.matmul = matmul, .pack = pack};
}

}  // namespace facet::engine
