// The path for every processor: arrays of eight floats that the compiler maps to what it may use.
#include "engine/cpu/instruction_sets.h"
#include "engine/cpu/kernels.h"

namespace facet::engine {
namespace {

struct Portable {
  static constexpr int kWidth = 8;
  static constexpr int kRows = 2;
  static constexpr int kTokens = 2;
  static constexpr int kDecodeRows = 2;
  static constexpr int kQueries = 1;
  static constexpr int kValueRegs = 1;
  /// Expanding weights costs more than a pass over scratch here, so one path serves all shapes.
  static constexpr bool kFused = false;

  struct Reg {
    float lane[kWidth];
  };

  template <class F>
  static Reg each(F f) {
    Reg out;
    for (int i = 0; i < kWidth; ++i) out.lane[i] = f(i);
    return out;
  }

  static Reg zero() { return set1(0.0F); }
  static Reg set1(float value) {
    return each([&](int) { return value; });
  }
  static Reg load(const void* from) {
    Reg out;
    std::memcpy(out.lane, from, sizeof out.lane);
    return out;
  }
  static void keep(Reg& value) { asm volatile("" : "+m"(value)); }
  static void store(float* to, Reg value) { std::memcpy(to, value.lane, sizeof value.lane); }
  static Reg add(Reg a, Reg b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static Reg sub(Reg a, Reg b) {
    return each([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static Reg mul(Reg a, Reg b) {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static Reg div(Reg a, Reg b) {
    return each([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  /// Rounded twice: a fused product does not exist on every processor.
  static Reg fma(Reg a, Reg b, Reg c) {
    return each([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
  }
  /// b where either is NaN.
  static Reg max(Reg a, Reg b) {
    return each([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Reg min(Reg a, Reg b) {
    return each([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static float sum(Reg a) {
    const float low = (a.lane[0] + a.lane[4]) + (a.lane[2] + a.lane[6]);
    const float high = (a.lane[1] + a.lane[5]) + (a.lane[3] + a.lane[7]);
    return low + high;
  }
  static void sum4(Reg a, Reg b, Reg c, Reg d, float* to) {
    to[0] = sum(a);
    to[1] = sum(b);
    to[2] = sum(c);
    to[3] = sum(d);
  }
  static float top(Reg a) {
    float best = a.lane[0];
    for (const float value : a.lane) best = value > best ? value : best;
    return best;
  }

  /// 2^n as float, n being the low bits of `shifted` (see Kernels::exp).
  static Reg exp2_bits(Reg shifted) {
    std::uint32_t bits[kWidth];
    std::memcpy(bits, shifted.lane, sizeof bits);
    for (std::uint32_t& value : bits) value = (value << 23U) + 0x3F800000U;
    return load(bits);
  }
  static float half(const std::byte* from) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    return half_to_float(bits);
  }
  static Reg from_half(const std::byte* from) {
    return each([&](int i) { return half(from + 2 * i); });
  }
  static Reg from_bf16(const std::byte* from) {
    return each([&](int i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, from + 2 * i, sizeof bits);
      return bf16_to_float(bits);
    });
  }
  static Reg from_int8(const std::byte* from) {
    return each([&](int i) { return static_cast<float>(static_cast<std::int8_t>(from[i])); });
  }
  /// Elements [first, first + 8) of a q4_0 block, less 8; first is 0, 8, 16 or 24.
  static Reg from_nibbles(const std::byte* from, std::int64_t first) {
    const int shift = first >= 16 ? 4 : 0;
    return each([&](int i) {
      return static_cast<float>((static_cast<int>(from[first % 16 + i]) >> shift & 15) - 8);
    });
  }
  /// levels[nibble] of the same nibbles; 16 levels.
  static Reg from_levels(const std::byte* from, std::int64_t first, const std::int8_t* levels) {
    const int shift = first >= 16 ? 4 : 0;
    return each([&](int i) {
      return static_cast<float>(levels[static_cast<int>(from[first % 16 + i]) >> shift & 15]);
    });
  }
};

constexpr Ops kPortable = Kernels<Portable>::table("portable");

}  // namespace

const Ops* portable_ops() {
  return &kPortable;
}

}  // namespace facet::engine
