// The products of int8 activations for every processor.
#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/packed_kernels.h"

namespace facet::engine {
namespace {

struct PortablePacked {
  struct Codes {  ///< Signed: the weights themselves.
    std::int8_t at[64];
  };
  struct Acc {
    std::int32_t at[16];
  };
  struct Floats {
    float at[16];
  };
  static constexpr int kPanels = 1;
  static constexpr int kTokens = 1;

  template <class F>
  static Floats each(F f) {
    Floats out;
    for (int i = 0; i < 16; ++i) out.at[i] = f(i);
    return out;
  }
  static Floats zero() { return set1(0.0F); }
  static Floats set1(float value) {
    return each([&](int) { return value; });
  }
  static Floats mul(const Floats& a, const Floats& b) {
    return each([&](int i) { return a.at[i] * b.at[i]; });
  }
  /// Rounded twice: a fused product does not exist on every processor.
  static Floats fma(const Floats& a, const Floats& b, const Floats& c) {
    return each([&](int i) { return a.at[i] * b.at[i] + c.at[i]; });
  }
  static Codes load_codes(const std::byte* from) {
    Codes out;
    std::memcpy(out.at, from, sizeof out.at);
    return out;
  }
  static void store_codes(std::byte* to, const Codes& value) {
    std::memcpy(to, value.at, sizeof value.at);
  }
  static Floats load_floats(const void* from, std::int64_t n) {
    Floats out = zero();
    std::memcpy(out.at, from, static_cast<std::size_t>(n) * sizeof(float));
    return out;
  }
  static void store_floats(void* to, std::int64_t n, const Floats& value) {
    std::memcpy(to, value.at, static_cast<std::size_t>(n) * sizeof(float));
  }
  static Acc start() { return {}; }
  template <DType D>
  static Acc dot(Acc sum, const Codes& codes, const std::byte* x) {
    std::int8_t four[4];
    std::memcpy(four, x, sizeof four);
    for (int r = 0; r < 16; ++r) {
      for (int c = 0; c < 4; ++c) sum.at[r] += codes.at[4 * r + c] * four[c];
    }
    return sum;
  }
  template <DType D>
  static Floats finish(const Acc& sum, const std::byte* /*minus_8*/) {
    return each([&](int i) { return static_cast<float>(sum.at[i]); });
  }
  template <DType D>
  static void expand(const std::byte* from, std::int64_t stride, Codes* codes, Floats& d) {
    for (std::int64_t r = 0; r < 16; ++r) {
      const std::byte* block = from + r * stride;
      std::uint16_t bits = 0;
      std::memcpy(&bits, block, sizeof bits);
      d.at[r] = half_to_float(bits);
      for (std::int64_t k = 0; k < kQuantBlock; ++k) {
        int code = 0;
        if constexpr (D == DType::q8_0) {
          code = static_cast<std::int8_t>(block[2 + k]);
        } else {
          code = (static_cast<int>(block[2 + k % 16]) >> (k < 16 ? 0 : 4) & 15) - 8;
        }
        codes[k / 4].at[4 * r + k % 4] = static_cast<std::int8_t>(code);
      }
    }
  }
};

}  // namespace

PackedOps portable_packed_ops() {
  return PackedKernels<PortablePacked>::table("int8 multiply-add, portable");
}

}  // namespace facet::engine
