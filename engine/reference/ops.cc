#include "engine/reference/ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <vector>

namespace facet::engine {
namespace {

void matmul_ref(const MatmulArgs& args) {
  const std::int64_t cols = args.w.cols;
  std::vector<float> row(static_cast<std::size_t>(cols));
  for (std::int64_t r = args.row_begin; r < args.row_end; ++r) {
    dequantize(args.w.type, args.w.row(r), cols, row.data());
    for (std::int64_t t = 0; t < args.tokens; ++t) {
      double sum = 0.0;
      for (std::int64_t k = 0; k < cols; ++k) {
        sum += static_cast<double>(args.x[t * cols + k]) *
               static_cast<double>(row[static_cast<std::size_t>(k)]);
      }
      args.y[t * args.y_stride + r - args.row_begin] = static_cast<float>(sum);
    }
  }
}

/// One block of one row: 32 codes, the scale and -8 times the sum of the codes.
struct PackedBlock {
  std::int8_t q[32] = {};
  float d = 0.0F;
  std::int32_t minus_8_sum = 0;
};

PackedBlock pack_block_ref(const float* x) {
  PackedBlock out;
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) {
    if (!std::isfinite(x[i])) {
      out.d = std::numeric_limits<float>::quiet_NaN();
      return out;
    }
    largest = std::max(largest, std::abs(x[i]));
  }
  if (largest < 1e-30F) return out;
  out.d = largest / 127.0F;
  const float inverse = 127.0F / largest;
  for (int i = 0; i < 32; ++i) {
    out.q[i] = static_cast<std::int8_t>(std::nearbyint(x[i] * inverse));
    out.minus_8_sum -= 8 * out.q[i];
  }
  return out;
}

/// Where block b of row t lies among `tokens` packed rows: its codes, scale and sum.
struct PackedPlace {
  std::int64_t q, d, sum;
};
PackedPlace int8_place(std::int64_t t, std::int64_t b, std::int64_t tokens, std::int64_t cols) {
  const std::int64_t first = t / kPackedTokens * kPackedTokens;
  const std::int64_t n = std::min(kPackedTokens, tokens - first);
  const std::int64_t block = packed_bytes(Activations::int8, first, cols) + b * n * 40;
  const std::int64_t row = t - first;
  return {block + row * 32, block + n * 32 + row * 4, block + n * 36 + row * 4};
}

void pack_int8_ref(const PackArgs& args) {
  for (std::int64_t t = 0; t < args.tokens; ++t) {
    for (std::int64_t k = args.begin; k < args.end; k += 32) {
      const PackedBlock block = pack_block_ref(args.x + t * args.x_stride + k - args.begin);
      const PackedPlace place = int8_place(t, k / 32, args.tokens, args.cols);
      std::memcpy(args.to + place.q, block.q, sizeof block.q);
      std::memcpy(args.to + place.d, &block.d, sizeof block.d);
      std::memcpy(args.to + place.sum, &block.minus_8_sum, sizeof block.minus_8_sum);
    }
  }
}

void matmul_int8_ref(const MatmulArgs& args) {
  const std::int64_t cols = args.w.cols;
  std::vector<float> x(static_cast<std::size_t>(args.tokens * cols));
  for (std::int64_t t = 0; t < args.tokens; ++t) {
    for (std::int64_t k = 0; k < cols; ++k) {
      const PackedPlace place = int8_place(t, k / 32, args.tokens, cols);
      float d = 0.0F;
      std::memcpy(&d, args.packed + place.d, sizeof d);
      const auto q = static_cast<std::int8_t>(args.packed[place.q + k % 32]);
      x[static_cast<std::size_t>(t * cols + k)] = d * static_cast<float>(q);
    }
  }
  MatmulArgs floats = args;
  floats.x = x.data();
  matmul_ref(floats);
}

/// Where columns [32 b, 32 b + 32) of row t lie among `tokens` packed rows.
std::int64_t bf16_place(std::int64_t t, std::int64_t b, std::int64_t tokens, std::int64_t cols) {
  const std::int64_t first = t / kPackedTokens * kPackedTokens;
  const std::int64_t n = std::min(kPackedTokens, tokens - first);
  return packed_bytes(Activations::bf16, first, cols) + (b * n + t - first) * 64;
}

void pack_bf16_ref(const PackArgs& args) {
  for (std::int64_t t = 0; t < args.tokens; ++t) {
    for (std::int64_t k = args.begin; k < args.end; ++k) {
      const std::uint16_t bits = float_to_bf16(args.x[t * args.x_stride + k - args.begin]);
      std::byte* to = args.to + bf16_place(t, k / 32, args.tokens, args.cols);
      std::memcpy(to + k % 32 * 2, &bits, sizeof bits);
    }
  }
}

void matmul_bf16_ref(const MatmulArgs& args) {
  const std::int64_t cols = args.w.cols;
  std::vector<float> x(static_cast<std::size_t>(args.tokens * cols));
  for (std::int64_t t = 0; t < args.tokens; ++t) {
    for (std::int64_t k = 0; k < cols; ++k) {
      std::uint16_t bits = 0;
      const std::byte* from = args.packed + bf16_place(t, k / 32, args.tokens, cols) + k % 32 * 2;
      std::memcpy(&bits, from, sizeof bits);
      x[static_cast<std::size_t>(t * cols + k)] = bf16_to_float(bits);
    }
  }
  MatmulArgs floats = args;
  floats.x = x.data();
  matmul_ref(floats);
}

void rms_norm_ref(
    const float* x, const float* w, float eps, std::int64_t rows, std::int64_t dim, float* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += dim, y += dim) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < dim; ++i) sum += static_cast<double>(x[i]) * x[i];
    const double mean = sum / static_cast<double>(dim);
    const double inverse = 1.0 / std::sqrt(mean + static_cast<double>(eps));
    for (std::int64_t i = 0; i < dim; ++i) {
      y[i] = static_cast<float>(static_cast<double>(x[i]) * inverse * static_cast<double>(w[i]));
    }
  }
}

void rope_ref(float* x,
              const float* cos,
              const float* sin,
              std::int64_t tokens,
              std::int64_t heads,
              std::int64_t head_dim) {
  const std::int64_t half = head_dim / 2;
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
      for (std::int64_t i = 0; i < half; ++i) {
        const double a = x[i];
        const double b = x[i + half];
        const double c = cos[t * half + i];
        const double s = sin[t * half + i];
        x[i] = static_cast<float>(a * c - b * s);
        x[i + half] = static_cast<float>(b * c + a * s);
      }
    }
  }
}

void attention_head_ref(const AttentionArgs& args) {
  const std::int64_t dim = args.kv.head_dim;
  const std::int64_t row_bytes = kv_row_bytes(args.kv.type, args.kv.kv_heads, dim);
  const auto at = [&](std::int64_t position, std::int64_t plane, std::int64_t i) {
    const std::byte* page = args.kv.pages[position / kPageTokens - args.kv.first_page];
    const std::byte* row = page + (plane * kPageTokens + position % kPageTokens) * row_bytes;
    return static_cast<double>(kv_load(args.kv.type, row, args.kv.kv_heads, dim, args.kv_head, i));
  };
  std::vector<double> scores;
  for (std::int64_t j = args.first; j < args.end; ++j) {
    double dot = 0.0;
    for (std::int64_t i = 0; i < dim; ++i) dot += static_cast<double>(args.q[i]) * at(j, 0, i);
    scores.push_back(dot * static_cast<double>(args.scale));
  }
  const double top = *std::max_element(scores.begin(), scores.end());
  double total = 0.0;
  for (double& score : scores) total += score = std::exp(score - top);
  for (std::int64_t i = 0; i < dim; ++i) {
    double sum = 0.0;
    for (std::int64_t j = args.first; j < args.end; ++j) {
      sum += scores[static_cast<std::size_t>(j - args.first)] / total * at(j, 1, i);
    }
    args.out[i] = static_cast<float>(sum);
  }
}

void attention_ref(const AttentionArgs& args) {
  AttentionArgs one = args;
  for (std::int64_t row = 0; row < args.tokens * args.heads; ++row) {
    const std::int64_t token = row / args.heads;
    const std::int64_t at = token * args.stride + row % args.heads * args.kv.head_dim;
    one.q = args.q + at;
    one.out = args.out + at;
    one.first = attention_first(args, token);
    one.end = attention_end(args, token);
    attention_head_ref(one);
  }
}

void softmax_ref(float* x, std::int64_t n) {
  const double top = *std::max_element(x, x + n);
  double total = 0.0;
  for (std::int64_t i = 0; i < n; ++i) total += std::exp(x[i] - top);
  for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(std::exp(x[i] - top) / total);
}

void gelu_mul_ref(const float* gate, const float* up, std::int64_t n, float* y) {
  const double factor = std::sqrt(2.0 / std::numbers::pi);
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = gate[i];
    // x / 2 (1 + tanh(u)) written as x / (1 + exp(-2 u)), which keeps its digits for negative u.
    const double u = factor * (x + 0.044715 * x * x * x);
    y[i] = static_cast<float>(x / (1.0 + std::exp(-2.0 * u)) * static_cast<double>(up[i]));
  }
}

void add_ref(float* x, const float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] += y[i];
}

void embed_row_ref(DType type, const std::byte* row, std::int64_t cols, float scale, float* to) {
  dequantize(type, row, cols, to);
  for (std::int64_t i = 0; i < cols; ++i) to[i] *= scale;
}

constexpr Ops kReference = {.name = "reference",
                            .matmul = matmul_ref,
                            .matmul_int8 = matmul_int8_ref,
                            .matmul_bf16 = matmul_bf16_ref,
                            .pack_int8 = pack_int8_ref,
                            .pack_bf16 = pack_bf16_ref,
                            .rms_norm = rms_norm_ref,
                            .rope = rope_ref,
                            .attention = attention_ref,
                            .softmax = softmax_ref,
                            .gelu_mul = gelu_mul_ref,
                            .add = add_ref,
                            .embed_row = embed_row_ref};

}  // namespace

const Ops& reference_ops() {
  return kReference;
}

}  // namespace facet::engine
