#include "engine/ops.h"

#include "engine/cpu/instruction_sets.h"
#include "engine/reference/ops.h"
#include "tests/support/catch.h"
#include "tests/support/random_tensors.h"
#include "tests/support/same_bits.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace facet::engine {
namespace {

using test::random_floats;
using test::RandomTensor;
using test::same_bits;

/// Every table this machine can run, and the reference itself: its own contract binds it too.
std::vector<const Ops*> all_ops() {
  std::vector<const Ops*> out = usable_ops();
  out.push_back(&reference_ops());
  return out;
}

std::vector<float> run_matmul(const Ops& ops, const TensorView& w, const std::vector<float>& x) {
  const std::int64_t tokens = static_cast<std::int64_t>(x.size()) / w.cols;
  std::vector<float> y(static_cast<std::size_t>(tokens * w.rows));
  std::vector<float> scratch(static_cast<std::size_t>(kMatmulRows * w.cols));
  ops.matmul({.w = w,
              .row_begin = 0,
              .row_end = w.rows,
              .x = x.data(),
              .tokens = tokens,
              .y = y.data(),
              .y_stride = w.rows,
              .scratch = scratch.data()});
  return y;
}

}  // namespace

TEST_CASE("matmul multiplies a hand-made matrix", "[engine][unit]") {
  // (2, 3) weights against two tokens, small integers: exact in any order.
  const std::vector<float> weights = {1, 2, 3, -4, 5, 6};
  const TensorView w{.type = DType::f32,
                     .rows = 2,
                     .cols = 3,
                     .data = reinterpret_cast<const std::byte*>(weights.data())};
  for (const Ops* ops : all_ops()) {
    INFO(ops->name);
    CHECK(run_matmul(*ops, w, {1, 1, 1, 2, 0, -1}) == std::vector<float>{6, 7, -1, -14});
  }
}

TEST_CASE("matmul agrees with the reference for every type and shape", "[engine][unit]") {
  const DType type = GENERATE(from_range(dtypes().begin(), dtypes().end()));
  const std::int64_t block = dtype_block_elements(type);
  std::vector<std::int64_t> widths = {block, 2 * block, 3 * block, 5 * block};
  if (block == 1) widths = {1, 32, 47, 130};
  std::mt19937 random(11);
  for (const std::int64_t cols : widths) {
    for (const std::int64_t rows : {1, 3, 16, 17, 37}) {
      const RandomTensor w(type, rows, cols, random);
      for (const std::int64_t tokens : {0, 1, 2, 3, 4, 5, 9}) {
        const std::vector<float> x = random_floats(tokens * cols, random);
        const std::vector<float> expected = run_matmul(reference_ops(), w.view(), x);
        for (const Ops* ops : usable_ops()) {
          INFO(ops->name << ' ' << dtype_name(type) << ' ' << rows << 'x' << cols << ", "
                         << tokens);
          const std::vector<float> y = run_matmul(*ops, w.view(), x);
          for (std::int64_t i = 0; i < tokens * rows; ++i) {
            const double size = w.dot_magnitude(i % rows, x.data() + i / rows * cols);
            const auto at = static_cast<std::size_t>(i);
            REQUIRE(std::abs(static_cast<double>(y[at]) - expected[at]) <= 4e-6 * size);
          }
        }
      }
    }
  }
}

TEST_CASE("matmul expands the weights of every type exactly", "[engine][unit]") {
  // Against unit vectors a product is a weight: few tokens take one path, many the other.
  const DType type = GENERATE(from_range(dtypes().begin(), dtypes().end()));
  const std::int64_t cols = std::max<std::int64_t>(64, dtype_block_elements(type));
  constexpr std::int64_t kRows = 5;
  std::mt19937 random(18);
  const RandomTensor w(type, kRows, cols, random);
  std::vector<float> expected(static_cast<std::size_t>(kRows * cols));
  dequantize(type, w.view().data, kRows * cols, expected.data());
  std::vector<float> units(static_cast<std::size_t>(cols * cols));
  for (std::int64_t k = 0; k < cols; ++k) units[static_cast<std::size_t>(k * cols + k)] = 1.0F;
  for (const Ops* ops : usable_ops()) {
    const std::vector<float> together = run_matmul(*ops, w.view(), units);
    for (std::int64_t k = 0; k < cols; ++k) {
      const auto alone =
          run_matmul(*ops, w.view(), {units.begin() + k * cols, units.begin() + (k + 1) * cols});
      for (std::int64_t r = 0; r < kRows; ++r) {
        INFO(ops->name << ' ' << dtype_name(type) << " row " << r << " column " << k);
        const float weight = expected[static_cast<std::size_t>(r * cols + k)];
        REQUIRE(together[static_cast<std::size_t>(k * kRows + r)] == weight);
        REQUIRE(alone[static_cast<std::size_t>(r)] == weight);
      }
    }
  }
}

TEST_CASE("matmul gives the same bits whatever is computed beside a row", "[engine][unit]") {
  const DType type = GENERATE(from_range(dtypes().begin(), dtypes().end()));
  constexpr std::int64_t kRows = 45;
  const std::int64_t cols = 3 * std::max<std::int64_t>(32, dtype_block_elements(type));
  constexpr std::int64_t kTokens = 11;
  std::mt19937 random(12);
  const RandomTensor w(type, kRows, cols, random);
  const std::vector<float> x = random_floats(kTokens * cols, random);
  for (const Ops* ops : usable_ops()) {
    INFO(ops->name << ' ' << dtype_name(type));
    const std::vector<float> together = run_matmul(*ops, w.view(), x);
    for (const std::int64_t chunk : {1, 2, 3, 4, 7}) {
      std::vector<float> apart;
      for (std::int64_t t = 0; t < kTokens; t += chunk) {
        const std::int64_t end = std::min(kTokens, t + chunk);
        const auto part =
            run_matmul(*ops, w.view(), {x.begin() + t * cols, x.begin() + end * cols});
        apart.insert(apart.end(), part.begin(), part.end());
      }
      REQUIRE(same_bits(together, apart));
    }
  }
}

TEST_CASE("rms_norm follows its equation", "[engine][unit]") {
  for (const Ops* ops : all_ops()) {
    INFO(ops->name);
    // mean(x^2) = (9 + 16) / 2 = 12.5; with eps 12.5 the root is 5.
    const std::vector<float> x = {3, 4};
    const std::vector<float> w = {10, 0.5};
    std::vector<float> y(2);
    ops->rms_norm(x.data(), w.data(), 12.5F, 1, 2, y.data());
    CHECK(y[0] == Approx(6.0));
    CHECK(y[1] == Approx(0.4));
  }
  std::mt19937 random(13);
  for (const std::int64_t dim : {1, 7, 8, 16, 33, 64, 257}) {
    const std::vector<float> x = random_floats(3 * dim, random);
    const std::vector<float> w = random_floats(dim, random);
    std::vector<float> expected(x.size());
    reference_ops().rms_norm(x.data(), w.data(), 1e-6F, 3, dim, expected.data());
    for (const Ops* ops : usable_ops()) {
      INFO(ops->name << ' ' << dim);
      std::vector<float> y = x;
      ops->rms_norm(y.data(), w.data(), 1e-6F, 3, dim, y.data());
      for (std::size_t i = 0; i < y.size(); ++i) {
        REQUIRE(std::abs(y[i] - expected[i]) <= 2e-6F * std::abs(expected[i]) + 1e-7F);
      }
    }
  }
}

TEST_CASE("rope turns pairs half a head apart", "[engine][unit]") {
  for (const Ops* ops : all_ops()) {
    INFO(ops->name);
    // A quarter turn of (1, 3) and no turn of (2, 4).
    std::vector<float> x = {1, 2, 3, 4};
    const std::vector<float> cos = {0, 1};
    const std::vector<float> sin = {1, 0};
    ops->rope(x.data(), cos.data(), sin.data(), 1, 1, 4);
    CHECK(x == std::vector<float>{-3, 2, 1, 4});
  }
  std::mt19937 random(14);
  for (const std::int64_t dim : {2, 6, 16, 32, 38, 64}) {
    std::vector<float> cos(static_cast<std::size_t>(3 * dim / 2));
    std::vector<float> sin(cos.size());
    rope_angles(1000, 3, dim, 1e4, 8.0, cos.data(), sin.data());
    const std::vector<float> x = random_floats(3 * 2 * dim, random);
    std::vector<float> expected = x;
    reference_ops().rope(expected.data(), cos.data(), sin.data(), 3, 2, dim);
    for (const Ops* ops : usable_ops()) {
      INFO(ops->name << ' ' << dim);
      std::vector<float> y = x;
      ops->rope(y.data(), cos.data(), sin.data(), 3, 2, dim);
      for (std::size_t i = 0; i < y.size(); ++i) {
        // The elements are below 1 in size, so |a| + |b| is below 2.
        REQUIRE(std::abs(y[i] - expected[i]) <= 2e-6F);
      }
    }
  }
}

TEST_CASE("rope angles follow the position, the base and the divisor", "[engine][unit]") {
  std::vector<float> cos(4);
  std::vector<float> sin(4);
  // head_dim 4: frequencies 1 and theta^-0.5 = 0.01; positions 2 and 3.
  rope_angles(2, 2, 4, 1e4, 1.0, cos.data(), sin.data());
  CHECK(cos[0] == Approx(std::cos(2.0)));
  CHECK(sin[1] == Approx(std::sin(0.02)));
  CHECK(cos[2] == Approx(std::cos(3.0)));
  CHECK(sin[3] == Approx(std::sin(0.03)));
  rope_angles(16, 1, 4, 1e4, 8.0, cos.data(), sin.data());
  CHECK(cos[0] == Approx(std::cos(2.0)));
}

TEST_CASE("attention agrees with the reference for every reach of keys", "[engine][unit]") {
  std::mt19937 random(15);
  for (const std::int64_t dim : {2, 8, 24, 64, 72, 128}) {
    constexpr int kKvHeads = 2;
    const std::int64_t row = kKvHeads * dim;
    std::vector<std::vector<float>> memory;
    std::vector<std::byte*> pages;
    for (int page = 0; page < 4; ++page) {
      memory.push_back(random_floats(2 * kPageTokens * row, random));
    }
    for (std::vector<float>& page : memory) {
      pages.push_back(reinterpret_cast<std::byte*>(page.data()));
    }
    for (const int heads : {1, 2, 3, 4, 7}) {
      const std::vector<float> q = random_floats(heads * dim, random);
      for (const std::int64_t first : {64, 65, 130}) {
        for (const std::int64_t count : {1, 2, 16, 65, 100}) {
          std::vector<float> scratch(static_cast<std::size_t>(heads * count));
          std::vector<float> expected(static_cast<std::size_t>(heads * dim));
          AttentionArgs args{.q = q.data(),
                             .heads = heads,
                             .kv = {pages.data(), 1, kKvHeads, static_cast<int>(dim)},
                             .kv_head = 1,
                             .first = first,
                             .end = first + count,
                             .scale = 3.0F,
                             .out = expected.data(),
                             .scratch = scratch.data()};
          reference_ops().attention(args);
          for (const Ops* ops : usable_ops()) {
            INFO(ops->name << " dim " << dim << " heads " << heads << " first " << first
                           << " count " << count);
            std::vector<float> out(expected.size());
            args.out = out.data();
            ops->attention(args);
            float worst = 0.0F;
            for (std::size_t i = 0; i < out.size(); ++i) {
              worst = std::max(worst, std::abs(out[i] - expected[i]));
            }
            REQUIRE(worst <= 1e-5F);
          }
        }
      }
    }
  }
}

TEST_CASE("attention over one key returns its value", "[engine][unit]") {
  std::vector<float> page(static_cast<std::size_t>(2 * kPageTokens * 2), 0.0F);
  std::byte* const pages[] = {reinterpret_cast<std::byte*>(page.data())};
  page[static_cast<std::size_t>((kPageTokens + 5) * 2)] = 7.0F;
  page[static_cast<std::size_t>((kPageTokens + 5) * 2 + 1)] = -2.0F;
  const float q[] = {1.0F, 2.0F};
  for (const Ops* ops : all_ops()) {
    float out[2] = {};
    float scratch[1] = {};
    ops->attention({.q = q,
                    .heads = 1,
                    .kv = {pages, 0, 1, 2},
                    .kv_head = 0,
                    .first = 5,
                    .end = 6,
                    .scale = 1.0F,
                    .out = out,
                    .scratch = scratch});
    CHECK(out[0] == 7.0F);
    CHECK(out[1] == -2.0F);
  }
}

TEST_CASE("softmax agrees with the reference from tiny to huge logits", "[engine][unit]") {
  std::mt19937 random(16);
  for (const std::int64_t n : {1, 2, 15, 16, 17, 100}) {
    for (const float spread : {0.01F, 1.0F, 30.0F}) {
      std::vector<float> x = random_floats(n, random);
      for (float& value : x) value = value * spread + 500.0F;
      std::vector<float> expected = x;
      reference_ops().softmax(expected.data(), n);
      for (const Ops* ops : usable_ops()) {
        INFO(ops->name << ' ' << n << ' ' << spread);
        std::vector<float> y = x;
        ops->softmax(y.data(), n);
        for (std::size_t i = 0; i < y.size(); ++i) {
          REQUIRE(std::abs(y[i] - expected[i]) <= 2e-6F * expected[i] + 1e-12F);
        }
      }
    }
  }
}

TEST_CASE("gelu_mul has the published values and the reference's digits", "[engine][unit]") {
  const std::vector<float> up = {1, 1, 1, 2};
  // gelu_tanh(1) and gelu_tanh(-1) to 7 digits; 0; and twice gelu_tanh(3).
  const std::vector<float> gate = {1, -1, 0, 3};
  const std::vector<float> expected = {0.8411920F, -0.1588080F, 0.0F, 5.9927277F};
  for (const Ops* ops : all_ops()) {
    INFO(ops->name);
    std::vector<float> y(4);
    ops->gelu_mul(gate.data(), up.data(), 4, y.data());
    for (std::size_t i = 0; i < 4; ++i) CHECK(y[i] == Approx(expected[i]).epsilon(1e-6));
  }
  std::vector<float> wide;
  for (int i = -4000; i <= 4001; ++i) wide.push_back(static_cast<float>(i) * 0.01F);
  const auto n = static_cast<std::int64_t>(wide.size());
  const std::vector<float> ones(wide.size(), 1.0F);
  std::vector<float> wanted(wide.size());
  reference_ops().gelu_mul(wide.data(), ones.data(), n, wanted.data());
  for (const Ops* ops : usable_ops()) {
    std::vector<float> y = wide;
    ops->gelu_mul(y.data(), ones.data(), n, y.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
      INFO(ops->name << " gelu(" << wide[i] << ')');
      REQUIRE(std::abs(y[i] - wanted[i]) <= 2e-6F * std::abs(wide[i]) + 1e-30F);
    }
  }
}

TEST_CASE("add and embed_row are exact", "[engine][unit]") {
  std::mt19937 random(17);
  const RandomTensor row(DType::q8_0, 1, 96, random);
  const std::vector<float> y = random_floats(37, random);
  const std::vector<float> x = random_floats(37, random);
  std::vector<float> sum = x;
  std::vector<float> embedded(96);
  reference_ops().add(sum.data(), y.data(), 37);
  reference_ops().embed_row(DType::q8_0, row.view().data, 96, 25.3F, embedded.data());
  for (const Ops* ops : usable_ops()) {
    std::vector<float> a = x;
    std::vector<float> e(96);
    ops->add(a.data(), y.data(), 37);
    ops->embed_row(DType::q8_0, row.view().data, 96, 25.3F, e.data());
    CHECK(same_bits(a, sum));
    CHECK(same_bits(e, embedded));
  }
}

TEST_CASE("NaN and infinity are passed on, not hidden", "[engine][unit]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Ops* ops : all_ops()) {
    INFO(ops->name);
    std::vector<float> gate(20, 1.0F);
    std::vector<float> up(20, 1.0F);
    gate[3] = nan;
    gate[18] = nan;
    up[7] = infinity;
    ops->gelu_mul(gate.data(), up.data(), 20, gate.data());
    CHECK(std::isnan(gate[3]));
    CHECK(std::isnan(gate[18]));
    CHECK(std::isinf(gate[7]));
    std::vector<float> x(20, 1.0F);
    x[5] = nan;
    ops->softmax(x.data(), 20);
    CHECK(std::isnan(x[5]));
    std::vector<float> normed(20, 1.0F);
    normed[19] = nan;
    ops->rms_norm(normed.data(), up.data(), 1e-6F, 1, 20, normed.data());
    CHECK(std::isnan(normed[0]));
  }
}

TEST_CASE("mean_pool averages over tokens and l2_normalize gives length one", "[engine][unit]") {
  const std::vector<float> x = {1, 2, 3, 6};
  std::vector<float> y(2);
  mean_pool(x.data(), 2, 2, y.data());
  CHECK(y == std::vector<float>{2, 4});
  std::vector<float> v = {3, -4};
  l2_normalize(v.data(), 2);
  CHECK(v[0] == Approx(0.6));
  CHECK(v[1] == Approx(-0.8));
  std::vector<float> none(3, 0.0F);
  l2_normalize(none.data(), 3);
  CHECK(none == std::vector<float>(3, 0.0F));
}

TEST_CASE("an instruction set is chosen by name or refused with a reason", "[engine][unit]") {
  REQUIRE(choose_ops("").has_value());
  CHECK(*choose_ops("") == usable_ops().front());
  REQUIRE(choose_ops("portable").has_value());
  CHECK((*choose_ops("portable"))->name == std::string("portable"));
  const auto unknown = choose_ops("sse9");
  REQUIRE(!unknown.has_value());
  CHECK(unknown.error().code == Code::invalid_argument);
  CHECK(unknown.error().message.find("sse9") != std::string::npos);
}

}  // namespace facet::engine
