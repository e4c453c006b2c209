// Every CUDA kernel against the scalar reference on seeded random shapes, outputs poisoned with NaN
// first. All cases are tagged [gpu]: machines without a device build them and do not run them.
#include "engine/cuda/kernels.h"

#include "engine/cuda/device.h"
#include "engine/ops.h"
#include "engine/reference/ops.h"
#include "tests/support/catch.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace {

namespace cuda = facet::engine::cuda;
using facet::engine::DType;

constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();

template <typename T>
cuda::DeviceBuffer to_device(const std::vector<T>& host) {
  auto buffer = cuda::DeviceBuffer::allocate(host.size() * sizeof(T) + 1);
  REQUIRE(buffer.has_value());
  REQUIRE(buffer->upload(std::as_bytes(std::span(host))).has_value());
  return *std::move(buffer);
}

std::vector<float> to_host(const cuda::DeviceBuffer& buffer, std::size_t count) {
  std::vector<float> host(count);
  REQUIRE(cuda::synchronize().has_value());
  REQUIRE(buffer.download(std::as_writable_bytes(std::span(host))).has_value());
  return host;
}

float* floats(const cuda::DeviceBuffer& buffer) {
  return static_cast<float*>(buffer.data());
}

std::vector<float> random_floats(std::mt19937& rng, std::size_t count, float scale = 1.0F) {
  std::normal_distribution<float> normal(0.0F, scale);
  std::vector<float> out(count);
  for (float& value : out) value = normal(rng);
  return out;
}

/// A random packed matrix: random bits are valid weights but for the exponents, so scales are set.
std::vector<std::byte> random_weights(std::mt19937& rng,
                                      DType type,
                                      std::int64_t rows,
                                      std::int64_t cols) {
  const auto row_bytes = static_cast<std::size_t>(*facet::engine::dtype_row_bytes(type, cols));
  std::vector<std::byte> out(static_cast<std::size_t>(rows) * row_bytes);
  std::uniform_int_distribution<int> any_byte(0, 255);
  for (std::byte& value : out) value = static_cast<std::byte>(any_byte(rng));
  const auto count = static_cast<std::size_t>(rows * cols);
  if (type == DType::f32) {
    const auto values = random_floats(rng, count);
    std::memcpy(out.data(), values.data(), out.size());
  } else if (type == DType::f16 || type == DType::bf16) {
    for (std::size_t i = 0; i < count; ++i) {
      const float value = random_floats(rng, 1)[0];
      const std::uint16_t bits = type == DType::f16 ? facet::engine::float_to_half(value)
                                                    : facet::engine::float_to_bf16(value);
      std::memcpy(out.data() + 2 * i, &bits, 2);
    }
  } else {
    const auto block = static_cast<std::size_t>(facet::engine::dtype_block_bytes(type));
    for (std::size_t at = 0; at < out.size(); at += block) {
      const std::uint16_t bits = facet::engine::float_to_half(0.01F);
      std::memcpy(out.data() + at, &bits, 2);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("CUDA matmul and embed agree with the reference for every weight type", "[engine][gpu]") {
  std::mt19937 rng(1);
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
    for (const std::int64_t rows : {1, 7, 33}) {
      for (const std::int64_t tokens : {1, 3}) {
        const std::int64_t cols = 96;
        const auto weights = random_weights(rng, type, rows, cols);
        const auto x = random_floats(rng, static_cast<std::size_t>(tokens * cols));
        const auto w_device = to_device(weights);
        const auto x_device = to_device(x);
        const std::vector<float> poison(static_cast<std::size_t>(tokens * rows), kPoison);
        const auto y_device = to_device(poison);
        const cuda::DeviceMatrix matrix{type, rows, cols, w_device.data()};
        REQUIRE(
            cuda::matmul(matrix, floats(x_device), tokens, floats(y_device), nullptr).has_value());
        const auto y = to_host(y_device, poison.size());
        std::vector<float> row(static_cast<std::size_t>(cols));
        const facet::engine::TensorView view{type, rows, cols, weights.data()};
        for (std::int64_t r = 0; r < rows; ++r) {
          facet::engine::dequantize(type, view.row(r), cols, row.data());
          for (std::int64_t t = 0; t < tokens; ++t) {
            double sum = 0.0;
            double magnitude = 0.0;
            for (std::int64_t k = 0; k < cols; ++k) {
              const double product = static_cast<double>(row[static_cast<std::size_t>(k)]) *
                                     static_cast<double>(x[static_cast<std::size_t>(t * cols + k)]);
              sum += product;
              magnitude += std::abs(product);
            }
            const double difference =
                std::abs(static_cast<double>(y[static_cast<std::size_t>(t * rows + r)]) - sum);
            REQUIRE(difference <= 4e-6 * magnitude);
          }
        }
        const std::vector<std::int32_t> ids{static_cast<std::int32_t>(rows - 1)};
        const auto ids_device = to_device(ids);
        const auto e_device =
            to_device(std::vector<float>(static_cast<std::size_t>(cols), kPoison));
        REQUIRE(cuda::embed(matrix,
                            static_cast<const std::int32_t*>(ids_device.data()),
                            1,
                            2.0F,
                            floats(e_device),
                            nullptr)
                    .has_value());
        const auto embedded = to_host(e_device, static_cast<std::size_t>(cols));
        facet::engine::dequantize(type, view.row(rows - 1), cols, row.data());
        for (std::size_t k = 0; k < row.size(); ++k) REQUIRE(embedded[k] == row[k] * 2.0F);
      }
    }
  }
}

TEST_CASE("CUDA norm, rope, gelu and add agree with the reference", "[engine][gpu]") {
  std::mt19937 rng(2);
  const auto& reference = facet::engine::reference_ops();
  const std::int64_t tokens = 5;
  const std::int64_t heads = 3;
  const std::int64_t head_dim = 64;
  const std::int64_t dim = heads * head_dim;
  const auto count = static_cast<std::size_t>(tokens * dim);
  auto x = random_floats(rng, count);
  const auto w = random_floats(rng, static_cast<std::size_t>(dim));
  const auto x_device = to_device(x);
  const auto w_device = to_device(w);
  const auto y_device = to_device(std::vector<float>(count, kPoison));

  REQUIRE(cuda::rms_norm(
              floats(x_device), floats(w_device), 1e-6F, tokens, dim, floats(y_device), nullptr)
              .has_value());
  std::vector<float> expected(count);
  reference.rms_norm(x.data(), w.data(), 1e-6F, tokens, dim, expected.data());
  auto y = to_host(y_device, count);
  for (std::size_t i = 0; i < count; ++i)
    REQUIRE(std::abs(y[i] - expected[i]) <= 4e-6F * std::abs(expected[i]) + 1e-7F);

  REQUIRE(cuda::gelu_mul(floats(x_device),
                         floats(y_device),
                         static_cast<std::int64_t>(count),
                         floats(y_device),
                         nullptr)
              .has_value());
  const auto up = y;
  reference.gelu_mul(x.data(), up.data(), static_cast<std::int64_t>(count), expected.data());
  y = to_host(y_device, count);
  for (std::size_t i = 0; i < count; ++i)
    REQUIRE(std::abs(y[i] - expected[i]) <= 4e-6F * std::abs(x[i] * up[i]) + 1e-30F);

  std::vector<float> cos(static_cast<std::size_t>(tokens * head_dim / 2));
  std::vector<float> sin(cos.size());
  facet::engine::rope_angles(100, tokens, head_dim, 1e4, 1.0, cos.data(), sin.data());
  const auto cos_device = to_device(cos);
  const auto sin_device = to_device(sin);
  REQUIRE(cuda::rope(floats(x_device),
                     floats(cos_device),
                     floats(sin_device),
                     tokens,
                     heads,
                     head_dim,
                     nullptr)
              .has_value());
  reference.rope(x.data(), cos.data(), sin.data(), tokens, heads, head_dim);
  const auto rotated = to_host(x_device, count);
  for (std::size_t i = 0; i < count; ++i) REQUIRE(std::abs(rotated[i] - x[i]) <= 1e-5F);

  REQUIRE(cuda::add(floats(x_device), floats(x_device), static_cast<std::int64_t>(count), nullptr)
              .has_value());
  const auto doubled = to_host(x_device, count);
  for (std::size_t i = 0; i < count; ++i) REQUIRE(doubled[i] == rotated[i] + rotated[i]);
}

TEST_CASE("CUDA attention agrees with a plain softmax, with and without a window",
          "[engine][gpu]") {
  std::mt19937 rng(3);
  for (const std::int64_t window : {0, 4}) {
    for (const int head_dim : {1, 40, 256}) {
      cuda::AttentionArgs args;
      args.tokens = 3;
      args.first_position = 6;
      args.heads = 4;
      args.kv_heads = 2;
      args.head_dim = head_dim;
      args.window = window;
      args.scale = 0.25F;
      const std::int64_t positions = args.first_position + args.tokens;
      const auto dim = static_cast<std::size_t>(head_dim);
      const auto q = random_floats(rng, static_cast<std::size_t>(args.tokens) * 4 * dim);
      const auto keys = random_floats(rng, static_cast<std::size_t>(positions) * 2 * dim);
      const auto values = random_floats(rng, keys.size());
      const auto q_device = to_device(q);
      const auto k_device = to_device(keys);
      const auto v_device = to_device(values);
      const auto out_device = to_device(std::vector<float>(q.size(), kPoison));
      args.q = floats(q_device);
      args.keys = floats(k_device);
      args.values = floats(v_device);
      args.out = floats(out_device);
      REQUIRE(cuda::attention(args, nullptr).has_value());
      const auto out = to_host(out_device, q.size());
      for (std::size_t t = 0; t < 3; ++t) {
        for (std::size_t h = 0; h < 4; ++h) {
          const std::size_t position = 6 + t;
          const std::size_t first = window > 0 && position + 1 > 4 ? position + 1 - 4 : 0;
          std::vector<double> weights;
          double total = 0.0;
          for (std::size_t j = first; j <= position; ++j) {
            double score = 0.0;
            for (std::size_t d = 0; d < dim; ++d) {
              score += static_cast<double>(q[(t * 4 + h) * dim + d]) *
                       static_cast<double>(keys[(j * 2 + h / 2) * dim + d]);
            }
            weights.push_back(std::exp(score * 0.25));
            total += weights.back();
          }
          for (std::size_t d = 0; d < dim; ++d) {
            double expected = 0.0;
            for (std::size_t j = first; j <= position; ++j) {
              expected += weights[j - first] / total *
                          static_cast<double>(values[(j * 2 + h / 2) * dim + d]);
            }
            REQUIRE(std::abs(static_cast<double>(out[(t * 4 + h) * dim + d]) - expected) <=
                    2e-5 * 5.0);
          }
        }
      }
    }
  }
}
