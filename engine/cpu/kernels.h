// The fast Ops, written once over a vector type V that each instruction set supplies.
//
// Included only by avx512.cc, avx2.cc and portable.cc, each compiled with its own flags. V lives in
// an unnamed namespace there, so every instantiation is private to its file: code for one
// instruction set can never be linked into another. V offers
//   Reg, kWidth, kRows, kTokens, kDecodeRows, kQueries, kValueRegs, kFused, zero, set1, load,
//   store, add, sub, mul, div, fma, max, min, sum (of the lanes), sum4 (of four vectors, each in
//   the same order as sum), top (of the lanes), exp2_bits, from_half, from_bf16, from_int8,
//   from_nibbles, from_levels, half, keep (makes the compiler believe that a value is used and
//   changed).
// Files that include this are compiled with -ffp-contract=off: a product and a sum are fused where
// fma() says so and nowhere else, which is what makes all block shapes give the same bits.
#pragma once

#include "engine/cpu/attention_kernels.h"
#include "engine/cpu/weights.h"
#include "engine/ops.h"

#include <cstdint>
#include <cstring>

namespace facet::engine {

template <class V>
struct Kernels {
  using Reg = typename V::Reg;
  static constexpr std::int64_t kWidth = V::kWidth;
  static constexpr std::size_t kLanes = V::kWidth;
  template <int N>
  using Regs = Reg[static_cast<std::size_t>(N)];

  /// The last `n` < kWidth floats of a row, padded with zeros (which add nothing to a sum).
  static Reg load_part(const float* from, std::int64_t n) {
    float part[kLanes] = {};
    std::memcpy(part, from, static_cast<std::size_t>(n) * sizeof(float));
    return V::load(part);
  }
  static void store_part(float* to, std::int64_t n, Reg value) {
    float part[kLanes];
    V::store(part, value);
    std::memcpy(to, part, static_cast<std::size_t>(n) * sizeof(float));
  }

  template <DType D>
  static constexpr std::int64_t kStep = Weights<V>::template kStep<D>;

  /// y[t][r] for a block of R weight rows and T tokens. Every output has one vector accumulator
  /// that runs over k in ascending order, so the bits do not depend on R and T.
  template <DType D, int R, int T>
  static void dot_block(const std::byte* w,
                        std::int64_t row_bytes,
                        std::int64_t cols,
                        const float* x,
                        float* y,
                        std::int64_t y_stride) {
    Regs<T> sums[static_cast<std::size_t>(R)];
    for (int r = 0; r < R; ++r) {
      for (int t = 0; t < T; ++t) sums[r][t] = V::zero();
    }
    // Weights in their file's form come from memory, R rows at a time: the next R follow.
    constexpr bool kAsksAhead = D != DType::f32;
    const std::byte* const ahead = w + R * row_bytes;
    const std::int64_t step_bytes = R * row_bytes / (cols / kStep<D> + 1);
    std::int64_t asked = 0;
    std::int64_t k = 0;
    for (; k + kStep<D> <= cols; k += kStep<D>) {
      if constexpr (kAsksAhead) {
        for (; asked < k / kStep<D> * step_bytes; asked += 64) __builtin_prefetch(ahead + asked);
      }
      for (int r = 0; r < R; ++r) {
        const auto columns = Weights<V>::template columns<D>(w + r * row_bytes, k);
        for (std::int64_t i = 0; i < kStep<D>; i += kWidth) {
          const Reg weights = columns.at(i);
          for (int t = 0; t < T; ++t) {
            sums[r][t] = V::fma(weights, V::load(x + t * cols + k + i), sums[r][t]);
          }
        }
      }
    }
    if constexpr (kStep<D> == kWidth) {
      if (k < cols) {
        for (int r = 0; r < R; ++r) {
          const Reg weights = Weights<V>::template part<D>(w + r * row_bytes, k, cols - k);
          for (int t = 0; t < T; ++t) {
            sums[r][t] = V::fma(weights, load_part(x + t * cols + k, cols - k), sums[r][t]);
          }
        }
      }
    }
    for (int t = 0; t < T; ++t) {
      float* to = y + t * y_stride;
      int r = 0;
      for (; r + 4 <= R; r += 4)
        V::sum4(sums[r][t], sums[r + 1][t], sums[r + 2][t], sums[r + 3][t], to + r);
      for (; r < R; ++r) to[r] = V::sum(sums[r][t]);
    }
  }

  /// Rows [0, rows) for all tokens in blocks of R x T, with single rows and tokens as remainders.
  template <DType D, int R, int T>
  static void dot_rows(const std::byte* w,
                       std::int64_t row_bytes,
                       std::int64_t rows,
                       std::int64_t cols,
                       const float* x,
                       std::int64_t tokens,
                       float* y,
                       std::int64_t y_stride) {
    std::int64_t t = 0;
    const auto over_rows = [&]<int N>() {
      std::int64_t r = 0;
      for (; r + R <= rows; r += R) {
        dot_block<D, R, N>(
            w + r * row_bytes, row_bytes, cols, x + t * cols, y + t * y_stride + r, y_stride);
      }
      for (; r < rows; ++r) {
        dot_block<D, 1, N>(
            w + r * row_bytes, row_bytes, cols, x + t * cols, y + t * y_stride + r, y_stride);
      }
    };
    for (; t + T <= tokens; t += T) over_rows.template operator()<T>();
    for (; t < tokens; ++t) over_rows.template operator()<1>();
  }

  template <DType D>
  static void dequantize_row(const std::byte* row, std::int64_t cols, float* to) {
    std::int64_t k = 0;
    for (; k + kStep<D> <= cols; k += kStep<D>) {
      const auto columns = Weights<V>::template columns<D>(row, k);
      for (std::int64_t i = 0; i < kStep<D>; i += kWidth) V::store(to + k + i, columns.at(i));
    }
    if constexpr (kStep<D> == kWidth) {
      if (k < cols) store_part(to + k, cols - k, Weights<V>::template part<D>(row, k, cols - k));
    }
  }

  /// Few tokens: weights are expanded in registers, on the way. Many: once per tile of kMatmulRows
  /// rows into scratch, then used for all tokens. The expanded weights are the same floats.
  template <DType D>
  static void matmul_typed(const MatmulArgs& a) {
    const std::int64_t cols = a.w.cols;
    const std::int64_t bytes = a.w.row_bytes();
    const bool is_decode = (D == DType::f32 || V::kFused) && a.tokens < V::kTokens;
    for (std::int64_t r = a.row_begin; r < a.row_end; r += kMatmulRows) {
      const std::int64_t rows = a.row_end - r < kMatmulRows ? a.row_end - r : kMatmulRows;
      float* y = a.y + r - a.row_begin;
      const std::byte* w = a.w.data + r * bytes;
      if (is_decode) {
        dot_rows<D, V::kDecodeRows, 1>(w, bytes, rows, cols, a.x, a.tokens, y, a.y_stride);
        continue;
      }
      if constexpr (D != DType::f32) {
        for (std::int64_t i = 0; i < rows; ++i) {
          dequantize_row<D>(w + i * bytes, cols, a.scratch + i * cols);
        }
        w = reinterpret_cast<const std::byte*>(a.scratch);
      }
      dot_rows<DType::f32, V::kRows, V::kTokens>(
          w, cols * 4, rows, cols, a.x, a.tokens, y, a.y_stride);
    }
  }

  static void matmul(const MatmulArgs& args) {
    switch (args.w.type) {
      case DType::f32:
        return matmul_typed<DType::f32>(args);
      case DType::f16:
        return matmul_typed<DType::f16>(args);
      case DType::bf16:
        return matmul_typed<DType::bf16>(args);
      case DType::q8_0:
        return matmul_typed<DType::q8_0>(args);
      case DType::q4_0:
        return matmul_typed<DType::q4_0>(args);
      case DType::q4_1:
        return matmul_typed<DType::q4_1>(args);
      case DType::q5_0:
        return matmul_typed<DType::q5_0>(args);
      case DType::q5_1:
        return matmul_typed<DType::q5_1>(args);
      case DType::q2_k:
        return matmul_typed<DType::q2_k>(args);
      case DType::q3_k:
        return matmul_typed<DType::q3_k>(args);
      case DType::q4_k:
        return matmul_typed<DType::q4_k>(args);
      case DType::q5_k:
        return matmul_typed<DType::q5_k>(args);
      case DType::q6_k:
        return matmul_typed<DType::q6_k>(args);
      case DType::iq4_nl:
        return matmul_typed<DType::iq4_nl>(args);
    }
  }

  static float dot(const float* a, const float* b, std::int64_t n) {
    Reg sum = V::zero();
    std::int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) sum = V::fma(V::load(a + i), V::load(b + i), sum);
    if (i < n) sum = V::fma(load_part(a + i, n - i), load_part(b + i, n - i), sum);
    return V::sum(sum);
  }

  static void rms_norm(
      const float* x, const float* w, float eps, std::int64_t rows, std::int64_t dim, float* y) {
    for (std::int64_t r = 0; r < rows; ++r, x += dim, y += dim) {
      const float mean = dot(x, x, dim) / static_cast<float>(dim);
      const float inverse = 1.0F / __builtin_sqrtf(mean + eps);
      for_vectors(
          dim, y, [&](auto load) { return V::mul(V::mul(load(x), V::set1(inverse)), load(w)); });
    }
  }

  /// Writes y[i] = f(...) for all i < n, where f gets a loader of the lanes at i of any array.
  template <class F>
  static void for_vectors(std::int64_t n, float* y, F f) {
    std::int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) {
      V::store(y + i, f([i](const float* from) { return V::load(from + i); }));
    }
    if (i < n) {
      const std::int64_t left = n - i;
      store_part(
          y + i, left, f([i, left](const float* from) { return load_part(from + i, left); }));
    }
  }

  static void rope(float* x,
                   const float* cos,
                   const float* sin,
                   std::int64_t tokens,
                   std::int64_t heads,
                   std::int64_t head_dim) {
    const std::int64_t half = head_dim / 2;
    for (std::int64_t t = 0; t < tokens; ++t, cos += half, sin += half) {
      for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
        float* b = x + half;
        std::int64_t i = 0;
        for (; i + kWidth <= half; i += kWidth) {
          const Reg c = V::load(cos + i);
          const Reg s = V::load(sin + i);
          const Reg low = V::load(x + i);
          const Reg high = V::load(b + i);
          V::store(x + i, V::sub(V::mul(low, c), V::mul(high, s)));
          V::store(b + i, V::add(V::mul(high, c), V::mul(low, s)));
        }
        for (; i < half; ++i) {
          const float low = x[i];
          const float high = b[i];
          x[i] = low * cos[i] - high * sin[i];
          b[i] = high * cos[i] + low * sin[i];
        }
      }
    }
  }

  /// e^x for x in [-87, 88], which is where it is clamped to; NaN stays NaN. x = n ln 2 + r with
  /// |r| <= ln 2 / 2, then the Taylor series of e^r to r^7, whose rest is below 6e-9 relative.
  static Reg exp(Reg x) {
    // Adding 1.5 * 2^23 leaves the rounded integer n in the low bits of the sum.
    const Reg magic = V::set1(12582912.0F);
    x = V::max(V::set1(-87.0F), V::min(V::set1(88.0F), x));
    const Reg shifted = V::add(V::mul(x, V::set1(1.44269504F)), magic);
    const Reg n = V::sub(shifted, magic);
    // ln 2 in two parts: n times the first one is exact.
    Reg r = V::fma(n, V::set1(-0.693359375F), x);
    r = V::fma(n, V::set1(2.12194440e-4F), r);
    Reg sum = V::set1(1.0F / 5040.0F);
    for (const float c :
         {1.0F / 720.0F, 1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F, 0.5F, 1.0F, 1.0F}) {
      sum = V::fma(sum, r, V::set1(c));
    }
    return V::mul(sum, V::exp2_bits(shifted));
  }

  /// x = exp(scale * (x) - top) over n values in place, and their sum. `top` is the largest
  /// scaled value.
  static float exponentials(float* x, std::int64_t n, float top) {
    Reg sum = V::zero();
    std::int64_t i = 0;
    const Reg tops = V::set1(top);
    for (; i + kWidth <= n; i += kWidth) {
      const Reg e = exp(V::sub(V::load(x + i), tops));
      V::store(x + i, e);
      sum = V::add(sum, e);
    }
    float total = V::sum(sum);
    if (i < n) {
      const std::int64_t left = n - i;
      store_part(x + i, left, exp(V::sub(load_part(x + i, left), tops)));
      for (; i < n; ++i) total += x[i];
    }
    return total;
  }

  static float largest(const float* x, std::int64_t n) {
    Reg best = V::set1(x[0]);
    std::int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) best = V::max(V::load(x + i), best);
    float top = V::top(best);
    for (; i < n; ++i) top = x[i] > top ? x[i] : top;
    return top;
  }

  static void softmax(float* x, std::int64_t n) {
    const float total = exponentials(x, n, largest(x, n));
    const Reg inverse = V::set1(1.0F / total);
    for_vectors(n, x, [&](auto load) { return V::mul(load(x), inverse); });
  }

  static void gelu_mul(const float* gate, const float* up, std::int64_t n, float* y) {
    for_vectors(n, y, [&](auto load) {
      // x / (1 + exp(-2 u)) with u = sqrt(2 / pi) (x + 0.044715 x^3).
      const Reg x = load(gate);
      const Reg cubic = V::fma(V::mul(x, x), V::set1(0.044715F), V::set1(1.0F));
      const Reg minus_2u = V::mul(V::mul(x, cubic), V::set1(-1.59576912F));
      const Reg gelu = V::div(x, V::add(V::set1(1.0F), exp(minus_2u)));
      return V::mul(gelu, load(up));
    });
  }

  static void add(float* x, const float* y, std::int64_t n) {
    for_vectors(n, x, [&](auto load) { return V::add(load(x), load(y)); });
  }

  static void embed_row(
      DType type, const std::byte* row, std::int64_t cols, float scale, float* to) {
    dequantize(type, row, cols, to);
    for_vectors(cols, to, [&](auto load) { return V::mul(load(to), V::set1(scale)); });
  }

  using Attention = AttentionKernels<V, Kernels<V>>;

  static std::int64_t busy(std::int64_t rounds) {
    constexpr int kSums = 12;  // More than latency times throughput anywhere.
    Regs<kSums> sums;
    for (int i = 0; i < kSums; ++i) sums[i] = V::set1(static_cast<float>(i));
    Reg factor = V::set1(0.5F);
    for (std::int64_t round = 0; round < rounds; ++round) {
      for (int i = 0; i < kSums; ++i) sums[i] = V::fma(sums[i], factor, factor);
      V::keep(factor);
    }
    for (int i = 0; i < kSums; ++i) V::keep(sums[i]);
    return rounds * kSums * kWidth * 2;
  }

  static std::uint64_t read(const std::byte* from, std::int64_t bytes) {
    Regs<8> sums;
    for (int i = 0; i < 8; ++i) sums[i] = V::zero();
    for (std::int64_t at = 0; at < bytes; at += 8 * kWidth * 4) {
      for (int i = 0; i < 8; ++i) {
        sums[i] = V::max(sums[i], V::load(from + at + i * kWidth * 4));
      }
    }
    Reg all = sums[0];
    for (int i = 1; i < 8; ++i) all = V::max(all, sums[i]);
    const float top = V::top(all);
    std::uint32_t bits = 0;
    std::memcpy(&bits, &top, sizeof bits);
    return std::uint64_t{bits} + 1;
  }

  static constexpr Ops table(const char* name) {
    return {.name = name,
            .arithmetic = "f32 multiply-add",
            .matmul = matmul,
            .rms_norm = rms_norm,
            .rope = rope,
            .attention = Attention::attention,
            .attention_scores = Attention::scores,
            .attention_probabilities = Attention::probabilities,
            .attention_values = Attention::weigh,
            .softmax = softmax,
            .gelu_mul = gelu_mul,
            .add = add,
            .embed_row = embed_row,
            .busy = busy,
            .read = read};
  }
};

}  // namespace facet::engine
