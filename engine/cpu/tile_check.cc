#include "engine/cpu/tile_check.h"

#include <cmath>
#include <cstring>
#include <vector>

namespace facet::engine {
namespace {

// Full and cut-off tiles of rows and of tokens, more blocks than the ring of amx.cc holds,
// and few tokens, which take a way of their own.
constexpr std::int64_t kRows = 40;
constexpr std::int64_t kCols = 160;
constexpr std::int64_t kTokens = 37;
constexpr std::int64_t kTokensFew = 5;

/// Numbers in [-1, 1), always the same ones.
class Numbers {
 public:
  float next() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<float>(state_ >> 8U) * 0x1p-23F - 1.0F;
  }

 private:
  std::uint32_t state_ = 7;
};

struct Case {
  std::vector<std::byte> weights;
  TensorView w;
  std::vector<float> x;
};

Case make_case(DType type) {
  Numbers numbers;
  Case out;
  out.w = {.type = type, .rows = kRows, .cols = kCols};
  const auto block = static_cast<std::size_t>(dtype_block_bytes(type));
  out.weights.resize(static_cast<std::size_t>(out.w.bytes()));
  for (std::size_t i = 0; i < out.weights.size(); i += block) {
    for (std::size_t j = 0; j < block; ++j) {
      out.weights[i + j] = static_cast<std::byte>(static_cast<int>(127.0F * numbers.next()) & 255);
    }
    const float value = numbers.next();
    const std::uint16_t bits = type == DType::bf16 ? float_to_bf16(value) : float_to_half(value);
    std::memcpy(out.weights.data() + i, &bits, sizeof bits);
  }
  out.w.data = out.weights.data();
  out.x.resize(static_cast<std::size_t>(kTokens * kCols));
  for (float& value : out.x) value = numbers.next();
  return out;
}

/// The first `tokens` tokens. `pack` is the pack of the form.
std::vector<float> multiply(const Case& c,
                            Activations form,
                            const PackedOps& pack,
                            const PackedOps& matmul,
                            std::int64_t tokens = kTokens) {
  std::vector<std::byte> packed(static_cast<std::size_t>(packed_bytes(form, tokens, kCols)));
  pack.pack({.x = c.x.data(),
             .x_stride = kCols,
             .tokens = tokens,
             .cols = kCols,
             .end = kCols,
             .to = packed.data()});
  std::vector<float> y(static_cast<std::size_t>(tokens * kRows));
  std::vector<float> scratch(static_cast<std::size_t>(matmul_scratch_floats(kCols)));
  matmul.matmul({.w = c.w,
                 .row_begin = 0,
                 .row_end = kRows,
                 .packed = packed.data(),
                 .tokens = tokens,
                 .y = y.data(),
                 .y_stride = kRows,
                 .scratch = scratch.data()});
  return y;
}

bool int8_agrees(const PackedOps& tiles, DType type) {
  const Case c = make_case(type);
  const PackedOps vnni = avx512_vnni_ops();
  const std::vector<float> a = multiply(c, Activations::int8, vnni, tiles);
  const std::vector<float> b = multiply(c, Activations::int8, vnni, vnni);
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool bf16_agrees(const PackedOps& tiles) {
  const Case c = make_case(DType::bf16);
  const std::vector<float> y = multiply(c, Activations::bf16, avx512_bf16_ops(), tiles);
  const std::vector<float> few =
      multiply(c, Activations::bf16, avx512_bf16_ops(), tiles, kTokensFew);
  if (std::memcmp(few.data(), y.data(), few.size() * sizeof(float)) != 0) return false;
  std::vector<float> row(static_cast<std::size_t>(kCols));
  for (std::int64_t r = 0; r < kRows; ++r) {
    dequantize(DType::bf16, c.w.row(r), kCols, row.data());
    for (std::int64_t t = 0; t < kTokens; ++t) {
      double sum = 0.0;
      double size = 0.0;
      for (std::int64_t k = 0; k < kCols; ++k) {
        const float x = c.x[static_cast<std::size_t>(t * kCols + k)];
        const double product = static_cast<double>(bf16_to_float(float_to_bf16(x))) *
                               static_cast<double>(row[static_cast<std::size_t>(k)]);
        sum += product;
        size += std::abs(product);
      }
      const double off = std::abs(y[static_cast<std::size_t>(t * kRows + r)] - sum);
      if (!(off <= 1e-5 * size)) return false;
    }
  }
  return true;
}

}  // namespace

bool tiles_agree(const PackedOps& int8, const PackedOps& bf16) {
  return int8_agrees(int8, DType::q4_0) && int8_agrees(int8, DType::q8_0) && bf16_agrees(bf16);
}

}  // namespace facet::engine
