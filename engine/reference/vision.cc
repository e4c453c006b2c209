#include "engine/reference/vision.h"

#include <cmath>
#include <numbers>

namespace facet::engine {
namespace {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;  // One row per patch or token.

Vector dequantized_row(const TensorView& w, std::int64_t row) {
  std::vector<float> values(static_cast<std::size_t>(w.cols));
  dequantize(w.type, w.row(row), w.cols, values.data());
  return {values.begin(), values.end()};
}

Matrix linear(const VisionLinear& layer, const Matrix& x) {
  Matrix y(x.size());
  for (std::int64_t r = 0; r < layer.w.rows; ++r) {
    const Vector w = dequantized_row(layer.w, r);
    for (std::size_t p = 0; p < x.size(); ++p) {
      double sum = layer.bias[static_cast<std::size_t>(r)];
      for (std::size_t i = 0; i < w.size(); ++i) sum += x[p][i] * w[i];
      y[p].push_back(sum);
    }
  }
  return y;
}

Matrix normed(const VisionNorm& norm, Matrix x, double eps) {
  for (Vector& row : x) {
    const auto count = static_cast<double>(row.size());
    double mean = 0.0;
    for (const double value : row) mean += value / count;
    double variance = 0.0;
    for (const double value : row) variance += (value - mean) * (value - mean) / count;
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = (row[i] - mean) / std::sqrt(variance + eps) * static_cast<double>(norm.w[i]) +
               static_cast<double>(norm.bias[i]);
    }
  }
  return x;
}

void add(Matrix& x, const Matrix& y) {
  for (std::size_t p = 0; p < x.size(); ++p) {
    for (std::size_t i = 0; i < x[p].size(); ++i) x[p][i] += y[p][i];
  }
}

/// A convolution without overlap: one dot product a patch and kernel.
Matrix embedded(const VisionConfig& config,
                const VisionWeights& weights,
                std::span<const float> pixels) {
  Matrix patches;
  for (int top = 0; top < config.image_size; top += config.patch) {
    for (int left = 0; left < config.image_size; left += config.patch) {
      Vector patch;
      for (int c = 0; c < 3; ++c) {
        for (int y = top; y < top + config.patch; ++y) {
          for (int x = left; x < left + config.patch; ++x) {
            const int at = (c * config.image_size + y) * config.image_size + x;
            patch.push_back(static_cast<double>(pixels[static_cast<std::size_t>(at)]));
          }
        }
      }
      patches.push_back(patch);
    }
  }
  Matrix x = linear(weights.patch, patches);
  for (std::size_t p = 0; p < x.size(); ++p) {
    const Vector position = dequantized_row(weights.position, static_cast<std::int64_t>(p));
    for (std::size_t i = 0; i < position.size(); ++i) x[p][i] += position[i];
  }
  return x;
}

Matrix attention(const VisionConfig& config, const Matrix& q, const Matrix& k, const Matrix& v) {
  const auto dim = static_cast<std::size_t>(config.head_dim());
  const double scale = 1.0 / std::sqrt(static_cast<double>(dim));
  Matrix out(q.size(), Vector(q.front().size(), 0.0));
  for (std::size_t head = 0; head < q.front().size(); head += dim) {
    for (std::size_t p = 0; p < q.size(); ++p) {
      Vector weights;
      double total = 0.0;
      for (const Vector& key : k) {
        double dot = 0.0;
        for (std::size_t i = head; i < head + dim; ++i) dot += q[p][i] * key[i];
        // In double, scores up to 700 need no maximum taken out.
        weights.push_back(std::exp(dot * scale));
        total += weights.back();
      }
      for (std::size_t j = 0; j < v.size(); ++j) {
        for (std::size_t i = head; i < head + dim; ++i) out[p][i] += weights[j] / total * v[j][i];
      }
    }
  }
  return out;
}

double gelu_tanh(double x) {
  const double u = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1.0 + std::tanh(u));
}

/// The mean over squares of patches.
Matrix pooled(const VisionConfig& config, const Matrix& x) {
  const auto patches = static_cast<std::size_t>(config.side_patches());
  const auto tokens = static_cast<std::size_t>(config.side_tokens());
  const std::size_t pool = patches / tokens;
  Matrix out(tokens * tokens, Vector(x.front().size(), 0.0));
  for (std::size_t p = 0; p < x.size(); ++p) {
    Vector& to = out[p / patches / pool * tokens + p % patches / pool];
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += x[p][i] / static_cast<double>(pool * pool);
  }
  return out;
}

}  // namespace

std::vector<double> reference_soft_tokens(const VisionConfig& config,
                                          const VisionWeights& weights,
                                          std::span<const float> pixels) {
  const double eps = static_cast<double>(config.norm_eps);
  Matrix x = embedded(config, weights, pixels);
  for (const VisionLayerWeights& layer : weights.layers) {
    const Matrix h = normed(layer.norm1, x, eps);
    const Matrix attended =
        attention(config, linear(layer.q, h), linear(layer.k, h), linear(layer.v, h));
    add(x, linear(layer.o, attended));
    Matrix wide = linear(layer.fc1, normed(layer.norm2, x, eps));
    for (Vector& row : wide) {
      for (double& value : row) value = gelu_tanh(value);
    }
    add(x, linear(layer.fc2, wide));
  }
  std::vector<double> out;
  for (Vector& row : pooled(config, normed(weights.post_norm, std::move(x), eps))) {
    double squares = 0.0;
    for (const double value : row) squares += value * value;
    const double rms = std::sqrt(squares / static_cast<double>(row.size()) + eps);
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = row[i] / rms * static_cast<double>(weights.soft_norm[i]);
    }
    for (std::size_t t = 0; t < static_cast<std::size_t>(config.text_hidden); ++t) {
      double sum = 0.0;
      for (std::size_t i = 0; i < row.size(); ++i) {
        sum += row[i] * static_cast<double>(weights.projection[t * row.size() + i]);
      }
      out.push_back(sum);
    }
  }
  return out;
}

}  // namespace facet::engine
