#include "engine/reference/ops.h"

#include <algorithm>
#include <cmath>
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
      args.y[t * args.w.rows + r] = static_cast<float>(sum);
    }
  }
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
  const std::int64_t row = args.kv.kv_heads * dim;
  const auto at = [&](std::int64_t position, std::int64_t plane) {
    const std::int64_t page = position / kPageTokens - args.kv.first_page;
    const std::int64_t slot = plane * kPageTokens + position % kPageTokens;
    return args.kv.pages[page] + slot * row + args.kv_head * dim;
  };
  std::vector<double> scores;
  for (std::int64_t j = args.first; j < args.end; ++j) {
    double dot = 0.0;
    for (std::int64_t i = 0; i < dim; ++i) dot += static_cast<double>(args.q[i]) * at(j, 0)[i];
    scores.push_back(dot * static_cast<double>(args.scale));
  }
  const double top = *std::max_element(scores.begin(), scores.end());
  double total = 0.0;
  for (double& score : scores) total += score = std::exp(score - top);
  for (std::int64_t i = 0; i < dim; ++i) {
    double sum = 0.0;
    for (std::int64_t j = args.first; j < args.end; ++j) {
      sum += scores[static_cast<std::size_t>(j - args.first)] / total * at(j, 1)[i];
    }
    args.out[i] = static_cast<float>(sum);
  }
}

void attention_ref(const AttentionArgs& args) {
  AttentionArgs one = args;
  for (int head = 0; head < args.heads; ++head) {
    one.q = args.q + head * args.kv.head_dim;
    one.out = args.out + head * args.kv.head_dim;
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
