// Attention over the pages of a KV cache, written once over the vector type V of kernels.h.
//
// A call serves a tile of query rows: some tokens times the heads that share a kv head, so that a
// key or value is read once for all of them while it is in the nearest cache. Scores go to scratch,
// are made probabilities there, and then weigh the values. Each score is one vector sum over the
// head in ascending order, each output one sum over the positions in ascending order: the same bits
// for every tile.
#pragma once

#include "engine/ops.h"

#include <cstdint>
#include <cstring>

namespace facet::engine {

/// `Shared` supplies load_part and softmax.
template <class V, class Shared>
struct AttentionKernels {
  using Reg = typename V::Reg;
  static constexpr std::int64_t kWidth = V::kWidth;

  static const float* query(const AttentionArgs& a, std::int64_t row) {
    return a.q + row / a.heads * a.stride + row % a.heads * a.kv.head_dim;
  }

  /// Keys and values as f32.
  struct Floats {
    using Value = float;
    static constexpr bool kScaled = false;
    static Reg load(const float* from) { return V::load(from); }
    static Reg load_part(const float* from, std::int64_t n) { return Shared::load_part(from, n); }
    static float one(float value) { return value; }
  };
  /// Keys and values as bfloat16.
  struct Bfloats {
    using Value = std::uint16_t;
    static constexpr bool kScaled = false;
    static Reg load(const std::uint16_t* from) {
      return V::from_bf16(reinterpret_cast<const std::byte*>(from));
    }
    static Reg load_part(const std::uint16_t* from, std::int64_t n) {
      std::uint16_t part[static_cast<std::size_t>(kWidth)] = {};
      std::memcpy(part, from, static_cast<std::size_t>(n) * sizeof(part[0]));
      return load(part);
    }
    static float one(std::uint16_t value) { return bf16_to_float(value); }
  };

  /// Keys and values as int8 with a scale for each head, which the score is multiplied by, or the
  /// probability.
  struct Ints {
    using Value = std::int8_t;
    static constexpr bool kScaled = true;
    static Reg load(const std::int8_t* from) {
      return V::from_int8(reinterpret_cast<const std::byte*>(from));
    }
    static Reg load_part(const std::int8_t* from, std::int64_t n) {
      std::int8_t part[static_cast<std::size_t>(kWidth)] = {};
      std::memcpy(part, from, static_cast<std::size_t>(n));
      return load(part);
    }
    static float one(std::int8_t value) { return static_cast<float>(value); }
  };

  /// Keys and values as E4M3 bytes, scaled like int8. Bytes that are no numbers do not occur: a
  /// head that is not finite says so by its scale.
  struct Fp8s {
    using Value = std::uint8_t;
    static constexpr bool kScaled = true;
    static Reg load(const std::uint8_t* from) {
      float values[static_cast<std::size_t>(kWidth)];
      for (std::int64_t i = 0; i < kWidth; ++i) values[i] = one(from[i]);
      return V::load(values);
    }
    static Reg load_part(const std::uint8_t* from, std::int64_t n) {
      float values[static_cast<std::size_t>(kWidth)] = {};
      for (std::int64_t i = 0; i < n; ++i) values[i] = one(from[i]);
      return V::load(values);
    }
    static float one(std::uint8_t value) {
      const std::uint32_t bits = (value & 0x80U) << 24U | (value & 0x7FU) << 20U;
      float out = 0.0F;
      std::memcpy(&out, &bits, sizeof out);
      return out * 0x1p120F;
    }
  };

  /// Values (not bytes) from a row to the next.
  template <class K>
  static std::int64_t row_stride(const AttentionArgs& a) {
    return kv_row_bytes(a.kv.type, a.kv.kv_heads, a.kv.head_dim) /
           static_cast<std::int64_t>(sizeof(typename K::Value));
  }

  /// The scale of the kv head in the row whose part of that head is at `part`.
  template <class Value>
  static float scale_of(const AttentionArgs& a, const Value* part) {
    static_assert(sizeof(Value) == 1);
    const std::int64_t dim = a.kv.head_dim;
    float scale = 0.0F;
    std::memcpy(&scale, part + (a.kv.kv_heads - a.kv_head) * dim + a.kv_head * 4, sizeof scale);
    return scale;
  }

  /// The kv head's part of the key (plane 0) or value (plane 1) row at position j, which lies in
  /// `page`.
  template <class K>
  static const typename K::Value* row_at(const AttentionArgs& a,
                                         std::int64_t page,
                                         std::int64_t j,
                                         std::int64_t plane) {
    const auto* values =
        reinterpret_cast<const typename K::Value*>(a.kv.pages[page - a.kv.first_page]);
    return values + a.kv_head * a.kv.head_dim +
           (plane * kPageTokens + j % kPageTokens) * row_stride<K>(a);
  }

  /// Dot products of N query rows with M keys, written to to[n * stride + m].
  template <class K, int N, int M>
  static void dots(const float* const* q,
                   const typename K::Value* k,
                   std::int64_t k_stride,
                   std::int64_t dim,
                   float* to,
                   std::int64_t stride) {
    Reg sums[static_cast<std::size_t>(N)][static_cast<std::size_t>(M)];
    for (int n = 0; n < N; ++n) {
      for (int m = 0; m < M; ++m) sums[n][m] = V::zero();
    }
    const auto add = [&](auto load_key, auto load, std::int64_t i) {
      Reg keys[static_cast<std::size_t>(M)];
      for (int m = 0; m < M; ++m) keys[m] = load_key(k + m * k_stride + i);
      for (int n = 0; n < N; ++n) {
        const Reg query = load(q[n] + i);
        for (int m = 0; m < M; ++m) sums[n][m] = V::fma(query, keys[m], sums[n][m]);
      }
    };
    std::int64_t i = 0;
    for (; i + kWidth <= dim; i += kWidth) {
      add([](const typename K::Value* from) { return K::load(from); },
          [](const float* from) { return V::load(from); },
          i);
    }
    if (i < dim) {
      const std::int64_t left = dim - i;
      add([left](const typename K::Value* from) { return K::load_part(from, left); },
          [left](const float* from) { return Shared::load_part(from, left); },
          i);
    }
    for (int n = 0; n < N; ++n) {
      float* out = to + n * stride;
      if constexpr (M == 4) {
        V::sum4(sums[n][0], sums[n][1], sums[n][2], sums[n][3], out);
      } else {
        for (int m = 0; m < M; ++m) out[m] = V::sum(sums[n][m]);
      }
    }
  }

  /// All query rows times M keys from position j on.
  template <class K, int M>
  static void score_keys(const AttentionArgs& a, const typename K::Value* k, std::int64_t j) {
    const std::int64_t dim = a.kv.head_dim;
    const std::int64_t k_stride = row_stride<K>(a);
    const std::int64_t rows = a.tokens * a.heads;
    const std::int64_t n = attention_keys(a);
    float* to = a.scratch + j - attention_first(a, 0);
    std::int64_t row = 0;
    for (; row + V::kQueries <= rows; row += V::kQueries) {
      const float* q[static_cast<std::size_t>(V::kQueries)];
      for (int i = 0; i < V::kQueries; ++i) q[i] = query(a, row + i);
      dots<K, V::kQueries, M>(q, k, k_stride, dim, to + row * n, n);
    }
    for (; row < rows; ++row) {
      const float* q[1] = {query(a, row)};
      dots<K, 1, M>(q, k, k_stride, dim, to + row * n, n);
    }
    if constexpr (K::kScaled) {
      for (int m = 0; m < M; ++m) {
        const float scale = scale_of(a, k + m * k_stride);
        for (std::int64_t i = 0; i < rows; ++i) to[i * n + m] *= scale;
      }
    }
  }

  static void scores(const AttentionArgs& a, std::int64_t begin, std::int64_t end) {
    if (a.kv.type == KvType::bf16) return scores_of<Bfloats>(a, begin, end);
    if (a.kv.type == KvType::int8) return scores_of<Ints>(a, begin, end);
    if (a.kv.type == KvType::fp8) return scores_of<Fp8s>(a, begin, end);
    scores_of<Floats>(a, begin, end);
  }

  template <class K>
  static void scores_of(const AttentionArgs& a, std::int64_t begin, std::int64_t end) {
    const std::int64_t stride = row_stride<K>(a);
    for (std::int64_t j = begin; j < end;) {
      const std::int64_t page = j / kPageTokens;
      const std::int64_t page_end = end < (page + 1) * kPageTokens ? end : (page + 1) * kPageTokens;
      const typename K::Value* k = row_at<K>(a, page, j, 0);
      for (; j + 4 <= page_end; j += 4, k += 4 * stride) score_keys<K, 4>(a, k, j);
      for (; j < page_end; ++j, k += stride) score_keys<K, 1>(a, k, j);
    }
  }

  /// Row by row: what is not admitted becomes 0.
  static void probabilities(const AttentionArgs& a, std::int64_t begin, std::int64_t end) {
    const std::int64_t n = attention_keys(a);
    const std::int64_t base = attention_first(a, 0);
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t first = attention_first(a, row / a.heads) - base;
      const std::int64_t last = attention_end(a, row / a.heads) - base;
      float* p = a.scratch + row * n;
      std::memset(p, 0, static_cast<std::size_t>(first) * sizeof(float));
      std::memset(p + last, 0, static_cast<std::size_t>(n - last) * sizeof(float));
      float* x = p + first;
      const Reg scale = V::set1(a.scale);
      std::int64_t i = 0;
      for (; i + kWidth <= last - first; i += kWidth)
        V::store(x + i, V::mul(V::load(x + i), scale));
      for (; i < last - first; ++i) x[i] *= a.scale;
      Shared::softmax(x, last - first);
    }
  }

  /// Adds `count` positions to C vectors of the outputs of N query rows.
  template <class K, int N, int C>
  static void add_values(const float* const* p,
                         const typename K::Value* v,
                         const float* scales,
                         std::int64_t v_stride,
                         std::int64_t count,
                         float* const* out,
                         bool is_first) {
    Reg sums[static_cast<std::size_t>(N)][static_cast<std::size_t>(C)];
    for (int n = 0; n < N; ++n) {
      for (int c = 0; c < C; ++c) sums[n][c] = is_first ? V::zero() : V::load(out[n] + c * kWidth);
    }
    for (std::int64_t j = 0; j < count; ++j, v += v_stride) {
      for (int c = 0; c < C; ++c) {
        const Reg value = K::load(v + c * kWidth);
        for (int n = 0; n < N; ++n) {
          const float weight = K::kScaled ? p[n][j] * scales[j] : p[n][j];
          sums[n][c] = V::fma(V::set1(weight), value, sums[n][c]);
        }
      }
    }
    for (int n = 0; n < N; ++n) {
      for (int c = 0; c < C; ++c) V::store(out[n] + c * kWidth, sums[n][c]);
    }
  }

  /// A run of positions in one page.
  template <class K>
  struct Run {
    const typename K::Value* v;
    const float* scales;  ///< Of each position, where K is scaled.
    std::int64_t v_stride;
    std::int64_t at;  ///< Of the first one among the keys of the tile.
    std::int64_t count;
    std::int64_t dim_begin;
    std::int64_t dim_end;
    bool is_first;
  };

  template <class K, int N>
  static void weigh_rows(const AttentionArgs& a, const Run<K>& run, std::int64_t row) {
    const std::int64_t n = attention_keys(a);
    const float* p[static_cast<std::size_t>(N)];
    float* out[static_cast<std::size_t>(N)];
    const auto point = [&](std::int64_t i) {
      for (int r = 0; r < N; ++r) {
        p[r] = a.scratch + (row + r) * n + run.at;
        const std::int64_t at =
            (row + r) / a.heads * a.stride + (row + r) % a.heads * a.kv.head_dim;
        out[r] = a.out + at + i;
      }
    };
    std::int64_t i = run.dim_begin;
    for (; i + V::kValueRegs * kWidth <= run.dim_end; i += V::kValueRegs * kWidth) {
      point(i);
      add_values<K, N, V::kValueRegs>(
          p, run.v + i, run.scales, run.v_stride, run.count, out, run.is_first);
    }
    for (; i + kWidth <= run.dim_end; i += kWidth) {
      point(i);
      add_values<K, N, 1>(p, run.v + i, run.scales, run.v_stride, run.count, out, run.is_first);
    }
    for (; i < run.dim_end; ++i) {
      point(i);
      for (int r = 0; r < N; ++r) {
        float sum = run.is_first ? 0.0F : *out[r];
        for (std::int64_t j = 0; j < run.count; ++j) {
          const float weight = K::kScaled ? p[r][j] * run.scales[j] : p[r][j];
          sum += weight * K::one(run.v[j * run.v_stride + i]);
        }
        *out[r] = sum;
      }
    }
  }

  static void weigh(const AttentionArgs& a, std::int64_t dim_begin, std::int64_t dim_end) {
    if (a.kv.type == KvType::bf16) return weigh_of<Bfloats>(a, dim_begin, dim_end);
    if (a.kv.type == KvType::int8) return weigh_of<Ints>(a, dim_begin, dim_end);
    if (a.kv.type == KvType::fp8) return weigh_of<Fp8s>(a, dim_begin, dim_end);
    weigh_of<Floats>(a, dim_begin, dim_end);
  }

  template <class K>
  static void weigh_of(const AttentionArgs& a, std::int64_t dim_begin, std::int64_t dim_end) {
    const std::int64_t base = attention_first(a, 0);
    const std::int64_t end = base + attention_keys(a);
    const std::int64_t rows = a.tokens * a.heads;
    for (std::int64_t j = base; j < end;) {
      const std::int64_t page = j / kPageTokens;
      const std::int64_t page_end = end < (page + 1) * kPageTokens ? end : (page + 1) * kPageTokens;
      const typename K::Value* v = row_at<K>(a, page, j, 1);
      const std::int64_t stride = row_stride<K>(a);
      float scales[static_cast<std::size_t>(kPageTokens)];
      if constexpr (K::kScaled) {
        for (std::int64_t i = 0; i < page_end - j; ++i) scales[i] = scale_of(a, v + i * stride);
      }
      const Run<K> run{.v = v,
                       .scales = scales,
                       .v_stride = stride,
                       .at = j - base,
                       .count = page_end - j,
                       .dim_begin = dim_begin,
                       .dim_end = dim_end,
                       .is_first = j == base};
      std::int64_t row = 0;
      for (; row + 4 <= rows; row += 4) weigh_rows<K, 4>(a, run, row);
      for (; row < rows; ++row) weigh_rows<K, 1>(a, run, row);
      j = page_end;
    }
  }

  static void attention(const AttentionArgs& a) {
    const std::int64_t first = attention_first(a, 0);
    scores(a, first, first + attention_keys(a));
    probabilities(a, 0, a.tokens * a.heads);
    weigh(a, 0, a.kv.head_dim);
  }
};

}  // namespace facet::engine
