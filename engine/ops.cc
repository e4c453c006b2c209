#include "engine/ops.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace facet::engine {

void mean_pool(const float* x, std::int64_t tokens, std::int64_t dim, float* y) {
  for (std::int64_t i = 0; i < dim; ++i) {
    double sum = 0.0;
    for (std::int64_t t = 0; t < tokens; ++t) sum += static_cast<double>(x[t * dim + i]);
    y[i] = static_cast<float>(sum / static_cast<double>(tokens));
  }
}

void l2_normalize(float* x, std::int64_t dim) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < dim; ++i) sum += static_cast<double>(x[i]) * x[i];
  const double norm = std::max(std::sqrt(sum), 1e-12);
  for (std::int64_t i = 0; i < dim; ++i) x[i] = static_cast<float>(x[i] / norm);
}

std::vector<float> rope_frequencies(std::int64_t head_dim, double theta, double divisor) {
  std::vector<float> out;
  for (std::int64_t j = 0; j < head_dim / 2; ++j) {
    const auto exponent = static_cast<float>(2 * j) / static_cast<float>(head_dim);
    const auto power = static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
    out.push_back(1.0F / power / static_cast<float>(divisor));
  }
  return out;
}

void rope_angles(std::int64_t first,
                 std::int64_t tokens,
                 std::int64_t head_dim,
                 double theta,
                 double divisor,
                 float* cos,
                 float* sin) {
  const std::int64_t half = head_dim / 2;
  const std::vector<float> frequencies = rope_frequencies(head_dim, theta, divisor);
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t j = 0; j < half; ++j) {
      const float angle = static_cast<float>(first + t) * frequencies[static_cast<std::size_t>(j)];
      cos[t * half + j] = static_cast<float>(std::cos(static_cast<double>(angle)));
      sin[t * half + j] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
}

}  // namespace facet::engine
