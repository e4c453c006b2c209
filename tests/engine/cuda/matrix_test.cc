// Weights in the layouts of the CUDA kernels: every one comes back.
#include "engine/cuda/matrix.h"

#include "tests/support/catch.h"
#include "tests/support/random_tensors.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace {

namespace cuda = facet::engine::cuda;
using cuda::Layout;
using facet::engine::DType;
using facet::engine::float_to_fp8;
using facet::engine::fp8_to_float;
using facet::test::RandomTensor;

TEST_CASE("every weight of every type comes back from its layout, bit for bit", "[cuda]") {
  std::mt19937 random(1);
  for (const DType type : facet::engine::dtypes()) {
    const std::int64_t block = facet::engine::dtype_block_elements(type);
    for (const std::int64_t rows : {1, 16, 23}) {
      for (const std::int64_t blocks : {1, 3, 6}) {
        const std::int64_t cols = block == 1 ? blocks * 37 : blocks * block;
        const RandomTensor from(type, rows, cols, random);
        const Layout layout = cuda::layout_of(type);
        const auto size = static_cast<std::size_t>(cuda::matrix_bytes(layout, rows, cols));
        std::vector<std::byte> packed(size, std::byte{0xFF});
        // In two calls, as threads would.
        const std::int64_t middle = rows / 2 / 16 * 16;
        cuda::repack(from.view(), layout, middle, rows, packed.data());
        cuda::repack(from.view(), layout, 0, middle, packed.data());
        const cuda::PackedMatrix w{
            .layout = layout, .rows = rows, .cols = cols, .data = packed.data()};
        for (std::int64_t row = 0; row < rows; ++row) {
          std::vector<float> got(static_cast<std::size_t>(cols), 7.0F);
          std::vector<float> want(static_cast<std::size_t>(cols));
          cuda::unpack_row(w, row, got.data());
          facet::engine::dequantize(type, from.view().row(row), cols, want.data());
          INFO(dtype_name(type) << ", row " << row << " of " << rows << " x " << cols);
          REQUIRE(std::memcmp(got.data(), want.data(), got.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

TEST_CASE("quantised layouts are no larger than the file, but for padding", "[cuda]") {
  for (const DType type : facet::engine::dtypes()) {
    const Layout layout = cuda::layout_of(type);
    const std::int64_t bytes = cuda::matrix_bytes(layout, 4096, 3840);
    const std::int64_t in_file = 4096 * *facet::engine::dtype_row_bytes(type, 3840);
    INFO(dtype_name(type));
    if (type == DType::q5_0 || type == DType::q5_1 || type == DType::iq4_nl ||
        type == DType::q4_1) {
      CHECK(bytes <= 4096 * 3840 / 32 * 36);  // These are kept as bytes.
    } else {
      CHECK(bytes == in_file);
    }
  }
}

TEST_CASE("FP8 takes every one of its values back, and rounds half to even", "[cuda]") {
  for (int bits = 0; bits < 256; ++bits) {
    const auto code = static_cast<std::uint8_t>(bits);
    const float value = fp8_to_float(code);
    if (std::isnan(value)) continue;
    REQUIRE(float_to_fp8(value) == code);
    // Halfway to the next larger magnitude: to the even one.
    const auto next = static_cast<std::uint8_t>(code + 1);
    const float above = fp8_to_float(next);
    if (std::isnan(above) || (code & 0x7F) == 0x7F) continue;
    const float middle = (value + above) / 2.0F;
    REQUIRE(float_to_fp8(middle) == (code % 2 == 0 ? code : next));
  }
  CHECK(fp8_to_float(0x7E) == 448.0F);
  CHECK(fp8_to_float(0x01) == 0x1p-9F);
  CHECK(float_to_fp8(1e9F) == 0x7E);
  CHECK(float_to_fp8(-std::numeric_limits<float>::infinity()) == 0xFE);
  CHECK(std::isnan(fp8_to_float(float_to_fp8(std::nanf("")))));
}

TEST_CASE("FP8 weights are off by at most a sixteenth, bfloat16 ones by 2^-8", "[cuda]") {
  std::mt19937 random(2);
  const RandomTensor from(DType::f32, 5, 70, random);
  for (const Layout layout : {Layout::fp8, Layout::bf16}) {
    std::vector<std::byte> packed(static_cast<std::size_t>(cuda::matrix_bytes(layout, 5, 70)));
    cuda::repack(from.view(), layout, 0, 5, packed.data());
    const cuda::PackedMatrix w{.layout = layout, .rows = 5, .cols = 70, .data = packed.data()};
    for (std::int64_t row = 0; row < 5; ++row) {
      float got[70];
      float want[70];
      cuda::unpack_row(w, row, got);
      facet::engine::dequantize(DType::f32, from.view().row(row), 70, want);
      for (int i = 0; i < 70; ++i) {
        // FP8 below 2^-6 of its range has steps of 2^-9; the largest weight of a row is 448 steps.
        const float share = layout == Layout::fp8 ? 0x1p-4F : 0x1p-8F;
        const float floor = layout == Layout::fp8 ? 1.0F / 448.0F * 0x1p-10F : 0.0F;
        CHECK(std::abs(got[i] - want[i]) <= std::abs(want[i]) * share + floor);
      }
    }
  }
}

}  // namespace
