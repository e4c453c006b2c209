// Products of packed activations: engine/ops.h says what they are and how far they may be off.
#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/tile_check.h"
#include "engine/ops.h"
#include "engine/reference/ops.h"
#include "tests/support/amx_traps.h"
#include "tests/support/catch.h"
#include "tests/support/random_tensors.h"
#include "tests/support/same_bits.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

namespace facet::engine {
namespace {

using test::random_floats;
using test::RandomTensor;
using test::same_bits;

/// The best table with the products of AMX, which need AmxTraps here; null where that cannot be, or
/// where AMX itself is among usable_ops().
const Ops* trapped_ops() {
#if defined(__x86_64__)
  const Ops& best = *usable_ops().front();
  if (!test::can_trap_amx() || best.matmul_bf16 == nullptr) return nullptr;
  if (!__builtin_cpu_supports("avx512vnni")) return nullptr;
  static const Ops out = [&] {
    Ops made = best;
    made.name = "amx in software";
    made.matmul_int8 = amx_int8_ops().matmul;
    made.matmul_bf16 = amx_bf16_ops().matmul;
    return made;
  }();
  return &out;
#else
  return nullptr;
#endif
}

/// Tables that have the products of the form; all have int8.
std::vector<const Ops*> ops_for(Activations form) {
  std::vector<const Ops*> out;
  if (trapped_ops() != nullptr) out.push_back(trapped_ops());
  for (const Ops* ops : usable_ops()) {
    if (form == Activations::int8 || ops->matmul_bf16 != nullptr) out.push_back(ops);
  }
  return out;
}

std::vector<std::byte> pack(const Ops& ops,
                            const std::vector<float>& x,
                            std::int64_t cols,
                            Activations form = Activations::int8) {
  const std::int64_t tokens = static_cast<std::int64_t>(x.size()) / cols;
  std::vector<std::byte> out(static_cast<std::size_t>(packed_bytes(form, tokens, cols)));
  const auto function = form == Activations::int8 ? ops.pack_int8 : ops.pack_bf16;
  // In three pieces, each out of memory of its own: the whole must not depend on how it was cut.
  for (std::int64_t begin = 0; begin < cols;) {
    const std::int64_t end = std::min(cols, begin + (begin == 0 ? 32 : 160));
    const std::int64_t width = end - begin;
    std::vector<float> piece(static_cast<std::size_t>(tokens * (width + 3)));
    for (std::int64_t t = 0; t < tokens; ++t) {
      std::copy_n(x.begin() + t * cols + begin, width, piece.begin() + t * (width + 3));
    }
    function({.x = piece.data(),
              .x_stride = width + 3,
              .tokens = tokens,
              .cols = cols,
              .begin = begin,
              .end = end,
              .to = out.data()});
    begin = end;
  }
  return out;
}

std::vector<float> multiply(const Ops& ops, const TensorView& w, const std::vector<float>& x) {
  std::optional<test::AmxTraps> traps;  // Catch has its own handler again after each test.
  if (&ops == trapped_ops()) traps.emplace();
  const std::int64_t tokens = static_cast<std::int64_t>(x.size()) / w.cols;
  const Activations form = fast_activations(w.type);
  const std::vector<std::byte> packed = pack(ops, x, w.cols, form);
  std::vector<float> y(static_cast<std::size_t>(tokens * w.rows));
  std::vector<float> scratch(static_cast<std::size_t>(matmul_scratch_floats(w.cols)));
  const auto function = form == Activations::int8 ? ops.matmul_int8 : ops.matmul_bf16;
  // Some rows straight to their place, the others through memory of their own.
  const std::int64_t cut = std::min<std::int64_t>(w.rows, 48);
  function({.w = w,
            .row_begin = 0,
            .row_end = cut,
            .packed = packed.data(),
            .tokens = tokens,
            .y = y.data(),
            .y_stride = w.rows,
            .scratch = scratch.data()});
  const std::int64_t rest = w.rows - cut;
  std::vector<float> part(static_cast<std::size_t>(tokens * rest));
  function({.w = w,
            .row_begin = cut,
            .row_end = w.rows,
            .packed = packed.data(),
            .tokens = tokens,
            .y = part.data(),
            .y_stride = rest,
            .scratch = scratch.data()});
  for (std::int64_t t = 0; t < tokens; ++t) {
    std::copy_n(part.begin() + t * rest, rest, y.begin() + t * w.rows + cut);
  }
  return y;
}

}  // namespace

TEST_CASE("packing rounds to 127 steps of the largest of 32", "[engine][unit]") {
  std::vector<float> x(64, 0.0F);
  x[0] = 254.0F;  // d = 2
  x[1] = -3.0F;   // -1.5 steps: to even
  x[2] = 5.0F;    // 2.5 steps: to even
  x[3] = 7.1F;    // 3.55
  for (const Ops* ops : usable_ops()) {
    INFO(ops->name);
    const std::vector<std::byte> packed = pack(*ops, x, 64);
    const std::int8_t expected[5] = {127, -2, 2, 4, 0};
    CHECK(std::memcmp(packed.data(), expected, sizeof expected) == 0);
    float scales[2];
    std::int32_t sums[2];
    for (std::size_t block = 0; block < 2; ++block) {
      std::memcpy(&scales[block], packed.data() + 40 * block + 32, 4);
      std::memcpy(&sums[block], packed.data() + 40 * block + 36, 4);
    }
    CHECK(scales[0] == 2.0F);
    CHECK(sums[0] == -8 * 131);
    CHECK(scales[1] == 0.0F);
    CHECK(sums[1] == 0);
  }
}

TEST_CASE("packing gives the bytes of the reference", "[engine][unit]") {
  const Activations form = GENERATE(Activations::int8, Activations::bf16);
  std::mt19937 random(41);
  for (const std::int64_t cols : {32, 96, 320}) {
    for (const std::int64_t tokens : {0, 1, 2, 5, 7, 16, 17, 33}) {
      std::vector<float> x = random_floats(tokens * cols, random);
      // Blocks of very different size, and some that have none.
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float sizes[] = {1.0F, 1e-5F, 1e30F, 0.0F, 1e-35F};
        x[i] *= sizes[i / 32 % 5];
      }
      if (tokens == 7) x[3] = std::numeric_limits<float>::quiet_NaN();
      if (tokens == 7) x[40] = -std::numeric_limits<float>::infinity();
      const std::vector<std::byte> expected = pack(reference_ops(), x, cols, form);
      for (const Ops* ops : ops_for(form)) {
        INFO(ops->name << ' ' << tokens << 'x' << cols);
        REQUIRE(pack(*ops, x, cols, form) == expected);
      }
    }
  }
}

TEST_CASE("products of packed rows agree with the reference", "[engine][unit]") {
  const DType type = GENERATE(DType::q4_0, DType::q8_0, DType::bf16);
  std::mt19937 random(42);
  // 1024 columns are more blocks than scratch holds at once.
  for (const std::int64_t cols : {32, 96, 1024}) {
    for (const std::int64_t rows : {1, 15, 16, 17, 33, 70}) {
      const RandomTensor w(type, rows, cols, random);
      for (const std::int64_t tokens : {0, 1, 2, 3, 4, 5, 6, 7, 11, 16, 37, 50}) {
        const std::vector<float> x = random_floats(tokens * cols, random);
        const std::vector<float> expected = multiply(reference_ops(), w.view(), x);
        for (const Ops* ops : ops_for(fast_activations(type))) {
          INFO(ops->name << ' ' << dtype_name(type) << ' ' << rows << 'x' << cols << ", "
                         << tokens);
          const std::vector<float> y = multiply(*ops, w.view(), x);
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

TEST_CASE("packed products hold their largest and smallest codes", "[engine][unit]") {
  // Every sum within a block at its extreme: nothing may overflow or saturate.
  const DType type = GENERATE(DType::q4_0, DType::q8_0);
  const std::int64_t bytes = dtype_block_bytes(type);
  for (const int code : {0x00, 0x7F, 0x80, 0xFF, 0x0F, 0xF0}) {
    std::vector<std::byte> blocks(static_cast<std::size_t>(16 * bytes), std::byte(code));
    const std::uint16_t one = float_to_half(1.0F);
    for (std::int64_t r = 0; r < 16; ++r) std::memcpy(blocks.data() + r * bytes, &one, 2);
    const TensorView w{.type = type, .rows = 16, .cols = 32, .data = blocks.data()};
    for (const float value : {-127.0F, 127.0F}) {
      for (const std::size_t tokens : {1U, 8U}) {
        const std::vector<float> x(32 * tokens, value);
        const std::vector<float> expected = multiply(reference_ops(), w, x);
        for (const Ops* ops : usable_ops()) {
          INFO(ops->name << ' ' << dtype_name(type) << ' ' << code << ' ' << value);
          CHECK(multiply(*ops, w, x) == expected);
        }
      }
    }
  }
}

TEST_CASE("the products of AMX pass the check of every start, in software", "[engine][unit]") {
  if (trapped_ops() == nullptr) return;
  const test::AmxTraps traps;
  CHECK(tiles_agree(amx_int8_ops(), amx_bf16_ops()));
  CHECK(traps.executed() > 100);
  // And what is wrong does not: a product that writes nothing.
  const PackedOps nothing{.matmul = [](const MatmulArgs&) {}};
  CHECK_FALSE(tiles_agree(nothing, amx_bf16_ops()));
  CHECK_FALSE(tiles_agree(amx_int8_ops(), nothing));
  // Nor does one whose few tokens are off by a bit.
  const PackedOps depends_on_company{.matmul = [](const MatmulArgs& a) {
    amx_bf16_ops().matmul(a);
    if (a.tokens < 16) a.y[0] = std::nextafter(a.y[0], 2.0F * a.y[0]);
  }};
  CHECK_FALSE(tiles_agree(amx_int8_ops(), depends_on_company));
}

TEST_CASE("every thread has tiles of its own", "[engine][unit]") {
  if (trapped_ops() == nullptr) return;
  const DType type = GENERATE(DType::q8_0, DType::bf16);
  std::mt19937 random(46);
  const RandomTensor w(type, 40, 320, random);
  const std::vector<float> x = random_floats(37 * 320, random);
  const std::vector<float> expected = multiply(*trapped_ops(), w.view(), x);
  const Activations form = fast_activations(type);
  const std::vector<std::byte> packed = pack(*trapped_ops(), x, 320, form);
  const auto product = form == Activations::int8 ? amx_int8_ops().matmul : amx_bf16_ops().matmul;
  const test::AmxTraps traps;
  std::vector<std::vector<float>> found(3, std::vector<float>(expected.size()));
  std::vector<std::thread> threads;
  for (std::vector<float>& y : found) {
    threads.emplace_back([&, out = y.data()] {
      std::vector<float> scratch(static_cast<std::size_t>(matmul_scratch_floats(320)));
      for (int round = 0; round < 5; ++round) {
        product({.w = w.view(),
                 .row_begin = 0,
                 .row_end = 40,
                 .packed = packed.data(),
                 .tokens = 37,
                 .y = out,
                 .y_stride = 40,
                 .scratch = scratch.data()});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& y : found) CHECK(same_bits(y, expected));
}

TEST_CASE("packing costs what the contract says", "[engine][unit]") {
  const DType type = GENERATE(DType::q4_0, DType::q8_0);
  constexpr std::int64_t kCols = 128;
  constexpr std::int64_t kRows = 40;
  std::mt19937 random(43);
  const RandomTensor w(type, kRows, kCols, random);
  std::vector<float> weights(static_cast<std::size_t>(kRows * kCols));
  dequantize(type, w.view().data, kRows * kCols, weights.data());
  const std::vector<float> x = random_floats(9 * kCols, random);
  for (const Ops* ops : usable_ops()) {
    const std::vector<float> y = multiply(*ops, w.view(), x);
    for (std::int64_t i = 0; i < 9 * kRows; ++i) {
      const float* row = weights.data() + i % kRows * kCols;
      const float* values = x.data() + i / kRows * kCols;
      double exact = 0.0;
      double allowed = 0.0;
      for (std::int64_t b = 0; b < kCols; b += 32) {
        double largest = 0.0;
        double magnitude = 0.0;
        for (std::int64_t k = b; k < b + 32; ++k) {
          exact += static_cast<double>(values[k]) * row[k];
          largest = std::max(largest, std::abs(static_cast<double>(values[k])));
          magnitude += std::abs(static_cast<double>(row[k]));
        }
        allowed += (largest / 253.0 + 4e-6) * magnitude;
      }
      REQUIRE(std::abs(y[static_cast<std::size_t>(i)] - exact) <= allowed);
    }
  }
}

TEST_CASE("packed products have the same bits whatever is beside a row", "[engine][unit]") {
  const DType type = GENERATE(DType::q4_0, DType::q8_0, DType::bf16);
  constexpr std::int64_t kRows = 45;
  constexpr std::int64_t kCols = 1024;
  constexpr std::int64_t kTokens = 45;
  std::mt19937 random(44);
  const RandomTensor w(type, kRows, kCols, random);
  const std::vector<float> x = random_floats(kTokens * kCols, random);
  for (const Ops* ops : ops_for(fast_activations(type))) {
    INFO(ops->name << ' ' << dtype_name(type));
    const std::vector<float> together = multiply(*ops, w.view(), x);
    for (const std::int64_t chunk : {1, 2, 6, 7, 16, 33}) {
      std::vector<float> apart;
      for (std::int64_t t = 0; t < kTokens; t += chunk) {
        const std::int64_t end = std::min(kTokens, t + chunk);
        const auto part =
            multiply(*ops, w.view(), {x.begin() + t * kCols, x.begin() + end * kCols});
        apart.insert(apart.end(), part.begin(), part.end());
      }
      REQUIRE(same_bits(together, apart));
    }
  }
}

TEST_CASE("a value that is not finite makes the products of its row NaN", "[engine][unit]") {
  std::mt19937 random(45);
  const RandomTensor w(DType::q4_0, 5, 64, random);
  std::vector<float> x = random_floats(3 * 64, random);
  x[64 + 40] = std::numeric_limits<float>::infinity();
  for (const Ops* ops : usable_ops()) {
    const std::vector<float> y = multiply(*ops, w.view(), x);
    for (std::size_t i = 0; i < y.size(); ++i) {
      INFO(ops->name << ' ' << i);
      CHECK(std::isnan(y[i]) == (i / 5 == 1));
    }
  }
}

}  // namespace facet::engine
