#include "engine/reference/forward.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace facet::engine {
namespace {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;  // One row per token.

Vector dequantized(const TensorView& w, std::int64_t row) {
  std::vector<float> floats(static_cast<std::size_t>(w.cols));
  dequantize(w.type, w.row(row), w.cols, floats.data());
  return {floats.begin(), floats.end()};
}

Matrix linear(const TensorView& w, const Matrix& x) {
  Matrix y(x.size());
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const Vector row = dequantized(w, r);
    for (std::size_t t = 0; t < x.size(); ++t) {
      double sum = 0.0;
      for (std::size_t k = 0; k < row.size(); ++k) sum += x[t][k] * row[k];
      y[t].push_back(sum);
    }
  }
  return y;
}

void norm(std::span<double> x, std::span<const float> w, double eps) {
  double sum = 0.0;
  for (const double value : x) sum += value * value;
  const double inverse = 1.0 / std::sqrt(sum / static_cast<double>(x.size()) + eps);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= inverse * static_cast<double>(w[i]);
}

Matrix normed(Matrix x, std::span<const float> w, double eps) {
  for (Vector& row : x) norm(row, w, eps);
  return x;
}

void add(Matrix& x, const Matrix& y) {
  for (std::size_t t = 0; t < x.size(); ++t) {
    for (std::size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
  }
}

void rotate(std::span<double> head, std::size_t position, const LayerSpec& spec) {
  const std::size_t half = head.size() / 2;
  for (std::size_t j = 0; j < half; ++j) {
    const double exponent = -2.0 * static_cast<double>(j) / static_cast<double>(head.size());
    const double angle =
        static_cast<double>(position) / spec.rope_divisor * std::pow(spec.rope_theta, exponent);
    const double a = head[j];
    const double b = head[j + half];
    head[j] = a * std::cos(angle) - b * std::sin(angle);
    head[j + half] = b * std::cos(angle) + a * std::sin(angle);
  }
}

/// Norms and rotates all heads of q or k.
void finish_heads(Matrix& x, std::span<const float> w, double eps, const LayerSpec& spec) {
  const auto dim = static_cast<std::size_t>(spec.head_dim);
  for (std::size_t t = 0; t < x.size(); ++t) {
    for (std::size_t at = 0; at < x[t].size(); at += dim) {
      const std::span<double> head(x[t].data() + at, dim);
      norm(head, w, eps);
      rotate(head, t, spec);
    }
  }
}

bool in_one_image(std::span<const ImageSpan> images, std::int64_t query, std::int64_t key) {
  for (const ImageSpan& span : images) {
    const auto holds = [&](std::int64_t at) { return at >= span.first && at < span.end(); };
    if (holds(query) && holds(key)) return true;
  }
  return false;
}

bool admits(const LayerSpec& spec,
            std::span<const ImageSpan> images,
            std::int64_t query,
            std::int64_t key) {
  // An image sees all of itself ahead; behind, the window holds for it too.
  if (spec.causal && key > query) return in_one_image(images, query, key);
  return spec.window == 0 || std::abs(query - key) < spec.window;
}

Matrix attention(const Matrix& q,
                 const Matrix& k,
                 const Matrix& v,
                 const LayerSpec& spec,
                 std::span<const ImageSpan> images) {
  const auto dim = static_cast<std::size_t>(spec.head_dim);
  const auto group = static_cast<std::size_t>(spec.heads / spec.kv_heads);
  Matrix out(q.size(), Vector(q.front().size(), 0.0));
  for (std::size_t t = 0; t < q.size(); ++t) {
    for (std::size_t h = 0; h < static_cast<std::size_t>(spec.heads); ++h) {
      const std::size_t kv_at = h / group * dim;
      Vector weights(q.size(), 0.0);
      double total = 0.0;
      for (std::size_t j = 0; j < q.size(); ++j) {
        const auto query = static_cast<std::int64_t>(t);
        if (!admits(spec, images, query, static_cast<std::int64_t>(j))) continue;
        double dot = 0.0;
        for (std::size_t i = 0; i < dim; ++i) dot += q[t][h * dim + i] * k[j][kv_at + i];
        // Scores of normed heads are small: no maximum needs to be taken out in double.
        weights[j] = std::exp(dot * static_cast<double>(spec.attention_scale));
        total += weights[j];
      }
      for (std::size_t j = 0; j < q.size(); ++j) {
        for (std::size_t i = 0; i < dim; ++i) {
          out[t][h * dim + i] += weights[j] / total * v[j][kv_at + i];
        }
      }
    }
  }
  return out;
}

double gelu_tanh(double x) {
  const double u = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1.0 + std::tanh(u));
}

/// Scaled embeddings of words, and the rows of images as they are.
Matrix embedded(const ModelConfig& config,
                const ModelWeights& weights,
                std::span<const TokenId> ids,
                std::span<const ImageSpan> images) {
  Matrix x;
  for (const TokenId id : ids) {
    x.push_back(dequantized(weights.embedding, std::max<TokenId>(id, 0)));
    for (double& value : x.back()) value *= static_cast<double>(config.embedding_scale);
  }
  for (const ImageSpan& span : images) {
    auto value = span.image->values.begin();
    for (std::int64_t t = span.first; t < span.end(); ++t) {
      for (double& to : x[static_cast<std::size_t>(t)]) to = static_cast<double>(*value++);
    }
  }
  return x;
}

/// The residual stream after all layers and the output norm.
Matrix hidden_states(const ModelConfig& config,
                     const ModelWeights& weights,
                     std::span<const TokenId> ids,
                     std::span<const ImageSpan> images) {
  const double eps = config.norm_eps;
  Matrix x = embedded(config, weights, ids, images);
  for (std::size_t l = 0; l < config.layers.size(); ++l) {
    const LayerSpec& spec = config.layers[l];
    const LayerWeights& layer = weights.layers[l];
    const Matrix h = normed(x, layer.attn_norm, eps);
    Matrix q = linear(layer.q, h);
    Matrix k = linear(layer.k, h);
    finish_heads(q, layer.q_norm, eps, spec);
    finish_heads(k, layer.k_norm, eps, spec);
    const Matrix attended = attention(q, k, linear(layer.v, h), spec, images);
    add(x, normed(linear(layer.o, attended), layer.post_attn_norm, eps));

    const Matrix f = normed(x, layer.ffn_norm, eps);
    Matrix gate = linear(layer.gate, f);
    const Matrix up = linear(layer.up, f);
    for (std::size_t t = 0; t < gate.size(); ++t) {
      for (std::size_t i = 0; i < gate[t].size(); ++i) {
        gate[t][i] = gelu_tanh(gate[t][i]) * up[t][i];
      }
    }
    add(x, normed(linear(layer.down, gate), layer.post_ffn_norm, eps));
  }
  return normed(std::move(x), weights.output_norm, eps);
}

}  // namespace

std::vector<double> reference_logits(const ModelConfig& config,
                                     const ModelWeights& weights,
                                     std::span<const TokenId> ids,
                                     std::span<const ImageSpan> images) {
  TensorView head = weights.embedding;
  head.rows = config.vocabulary;
  std::vector<double> out;
  for (const Vector& row : linear(head, hidden_states(config, weights, ids, images))) {
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

std::vector<double> reference_embedding(const ModelConfig& config,
                                        const ModelWeights& weights,
                                        std::span<const TokenId> ids) {
  const Matrix states = hidden_states(config, weights, ids, {});
  Matrix pooled(1, Vector(states.front().size(), 0.0));
  for (const Vector& state : states) {
    for (std::size_t i = 0; i < state.size(); ++i) {
      pooled[0][i] += state[i] / static_cast<double>(states.size());
    }
  }
  if (!weights.dense2.empty()) pooled = linear(weights.dense2, pooled);
  if (!weights.dense3.empty()) pooled = linear(weights.dense3, pooled);
  double sum = 0.0;
  for (const double value : pooled[0]) sum += value * value;
  const double length = std::max(std::sqrt(sum), 1e-12);
  for (double& value : pooled[0]) value /= length;
  return pooled[0];
}

}  // namespace facet::engine
