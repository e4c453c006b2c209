// How the weights of each type become vectors of floats, written once over the vector type V of
// kernels.h, which explains V. The obvious form of the same is engine/model/quantised.h; both give
// the same floats, bit for bit.
//
// A row is taken in steps: kWidth columns for the types without blocks, 32 for the others, so that
// what a block says about all of them is read once. columns<D>(row, k) prepares the step at column
// k, a multiple of kStep<D>; its at(i) gives the weights of columns k + i, i + 1, ....
#pragma once

#include "engine/model/quantised.h"
#include "engine/model/tensor.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace facet::engine {

template <class V>
struct Weights {
  using Reg = typename V::Reg;
  static constexpr std::int64_t kWidth = V::kWidth;
  template <DType D>
  static constexpr bool kHasBlocks = D != DType::f32&& D != DType::f16&& D != DType::bf16;
  template <DType D>
  static constexpr bool kIsDirect =
      D == DType::q8_0 || D == DType::q4_0 || D == DType::q4_1 || D == DType::iq4_nl;
  template <DType D>
  static constexpr std::int64_t kStep = kHasBlocks<D> ? kQuantBlock : kWidth;

  /// Types without blocks.
  template <DType D>
  struct Plain {
    static constexpr std::int64_t kSize = D == DType::f32 ? 4 : 2;
    const std::byte* from;
    explicit Plain(const std::byte* row, std::int64_t k) : from(row + kSize * k) {}
    [[nodiscard]] Reg at(std::int64_t /*i*/) const {
      if constexpr (D == DType::f32) return V::load(from);
      if constexpr (D == DType::f16) return V::from_half(from);
      if constexpr (D == DType::bf16) return V::from_bf16(from);
    }
  };

  /// Q8_0, Q4_0, Q4_1 and IQ4_NL: straight from the block.
  template <DType D>
  struct Direct {
    const std::byte* block;
    Reg scale;
    explicit Direct(const std::byte* row, std::int64_t k)
        : block(row + k / kQuantBlock * kBytes), scale(V::set1(V::half(block))) {}
    [[nodiscard]] Reg at(std::int64_t i) const {
      if constexpr (D == DType::q8_0) return V::mul(scale, V::from_int8(block + 2 + i));
      if constexpr (D == DType::q4_0) return V::mul(scale, V::from_nibbles(block + 2, i));
      if constexpr (D == DType::iq4_nl) {
        return V::mul(scale, V::from_levels(block + 2, i, kIq4Values));
      }
      if constexpr (D == DType::q4_1) {
        const Reg q = V::add(V::from_nibbles(block + 4, i), V::set1(8.0F));  // Exact.
        return V::add(V::mul(scale, q), V::set1(V::half(block + 2)));
      }
    }

   private:
    static constexpr std::int64_t kBytes = D == DType::q8_0 ? 34 : D == DType::q4_1 ? 20 : 18;
  };

  /// All other types: the integers of 32 columns are laid out as bytes first. Columns [0, 16) and
  /// [16, 32) have a scale each, and those with kMin a minimum, which is added for Q5_1 and
  /// subtracted for the others.
  template <DType D>
  struct Unpacked {
    std::byte q[kQuantBlock];
    float scale[2];
    float min[2] = {};
    static constexpr bool kMin =
        D == DType::q5_1 || D == DType::q2_k || D == DType::q4_k || D == DType::q5_k;

    explicit Unpacked(const std::byte* row, std::int64_t k) {
      if constexpr (D == DType::q5_0) unpack_q5_0(row + k / kQuantBlock * 22, *this);
      if constexpr (D == DType::q5_1) unpack_q5_1(row + k / kQuantBlock * 24, *this);
      const std::int64_t group = k % kSuperBlock / 32;
      if constexpr (D == DType::q2_k) unpack_q2_k(row + k / kSuperBlock * 84, group, *this);
      if constexpr (D == DType::q3_k) unpack_q3_k(row + k / kSuperBlock * 110, group, *this);
      if constexpr (D == DType::q4_k) unpack_q4_k(row + k / kSuperBlock * 144, group, *this);
      if constexpr (D == DType::q5_k) unpack_q5_k(row + k / kSuperBlock * 176, group, *this);
      if constexpr (D == DType::q6_k) unpack_q6_k(row + k / kSuperBlock * 210, group, *this);
    }
    [[nodiscard]] Reg at(std::int64_t i) const {
      const Reg product = V::mul(V::set1(scale[i / 16]), V::from_int8(q + i));
      if constexpr (!kMin) return product;
      const Reg minimum = V::set1(min[i / 16]);
      return D == DType::q5_1 ? V::add(product, minimum) : V::sub(product, minimum);
    }
  };

  template <DType D>
  static auto columns(const std::byte* row, std::int64_t k) {
    if constexpr (!kHasBlocks<D>) {
      return Plain<D>(row, k);
    } else if constexpr (kIsDirect<D>) {
      return Direct<D>(row, k);
    } else {
      return Unpacked<D>(row, k);
    }
  }

  /// The last n < kWidth weights of a row of a type without blocks, padded with zeros.
  template <DType D>
  static Reg part(const std::byte* row, std::int64_t k, std::int64_t n) {
    static_assert(!kHasBlocks<D>);
    constexpr std::int64_t kSize = Plain<D>::kSize;
    std::byte part[4 * static_cast<std::size_t>(kWidth)] = {};
    std::memcpy(part, row + kSize * k, static_cast<std::size_t>(n * kSize));
    return Plain<D>(part, 0).at(0);
  }

 private:
  static std::byte byte_of(int value) { return static_cast<std::byte>(value & 255); }

  /// The integers of a Q5 block, eight to a word (files and all machines we build for are
  /// little-endian). `set` is or-ed to the nibbles whose fifth bit is set, `clear` to the others:
  /// 16 and 0 give q; 0 and 0xF0 give q - 16 in two's complement.
  static void fifths(const std::byte* nibbles,
                     const std::byte* bits,
                     std::uint64_t set,
                     std::uint64_t clear,
                     std::byte* to) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    for (int word = 0; word < 4; ++word) {
      std::uint64_t packed = 0;
      std::memcpy(&packed, nibbles + 8 * (word % 2), sizeof packed);
      const std::uint64_t low = packed >> (word < 2 ? 0U : 4U) & (kOnes * 15U);
      // Byte i of `picked` is not zero when bit i is set; then one there, without carries.
      const std::uint64_t picked =
          (static_cast<std::uint64_t>(bits[word]) * kOnes) & 0x8040201008040201U;
      const std::uint64_t is_set = (picked + kOnes * 127U) >> 7U & kOnes;
      const std::uint64_t out = low | is_set * set | (is_set ^ kOnes) * clear;
      std::memcpy(to + 8 * word, &out, sizeof out);
    }
  }

  static void unpack_q5_0(const std::byte* block, Unpacked<DType::q5_0>& to) {
    fifths(block + 6, block + 2, 0, 0xF0, to.q);
    to.scale[0] = to.scale[1] = V::half(block);
  }
  static void unpack_q5_1(const std::byte* block, Unpacked<DType::q5_1>& to) {
    fifths(block + 8, block + 4, 16, 0, to.q);
    to.scale[0] = to.scale[1] = V::half(block);
    to.min[0] = to.min[1] = V::half(block + 2);
  }
  static void unpack_q2_k(const std::byte* block, std::int64_t group, Unpacked<DType::q2_k>& to) {
    const std::byte* from = block + 16 + 32 * (group / 4);
    const auto shift = static_cast<int>(2 * (group % 4));
    for (int i = 0; i < 32; ++i) to.q[i] = byte_of(static_cast<int>(from[i]) >> shift & 3);
    for (int half = 0; half < 2; ++half) {
      const auto k = static_cast<int>(block[2 * group + half]);
      to.scale[half] = V::half(block + 80) * static_cast<float>(k & 15);
      to.min[half] = V::half(block + 82) * static_cast<float>(k >> 4);
    }
  }
  /// See q3_k_scale, and k_scales below.
  static void unpack_q3_k(const std::byte* block, std::int64_t group, Unpacked<DType::q3_k>& to) {
    const std::byte* from = block + 32 + 32 * (group / 4);
    const auto shift = static_cast<int>(2 * (group % 4));
    const auto bit = static_cast<int>(group);
    for (int i = 0; i < 32; ++i) {
      const int low = static_cast<int>(from[i]) >> shift & 3;
      to.q[i] = byte_of((low | (static_cast<int>(block[i]) >> bit & 1) << 2) - 4);
    }
    const auto at = [block](std::int64_t i) { return static_cast<int>(block[96 + i]); };
    for (int half = 0; half < 2; ++half) {
      const std::int64_t index = 2 * group + half;
      const int low = at(index % 8) >> (index < 8 ? 0 : 4) & 15;
      const int high = at(8 + index % 4) >> (2 * (index / 4)) & 3;
      to.scale[half] = V::half(block + 108) * static_cast<float>((low | high << 4) - 32);
    }
  }
  /// See k_scale: its code must not be called from here, nor this one from elsewhere (kernels.h).
  template <DType D>
  static void k_scales(const std::byte* block, std::int64_t group, Unpacked<D>& to) {
    const auto at = [&](std::int64_t i) { return static_cast<int>(block[4 + i]); };
    const bool early = group < 4;
    const int sc = early ? at(group) & 63 : (at(group + 4) & 15) | at(group - 4) >> 6 << 4;
    const int m = early ? at(group + 4) & 63 : at(group + 4) >> 4 | at(group) >> 6 << 4;
    to.scale[0] = to.scale[1] = V::half(block) * static_cast<float>(sc);
    to.min[0] = to.min[1] = V::half(block + 2) * static_cast<float>(m);
  }
  static void unpack_q4_k(const std::byte* block, std::int64_t group, Unpacked<DType::q4_k>& to) {
    const std::byte* from = block + 16 + 32 * (group / 2);
    const int shift = group % 2 == 0 ? 0 : 4;
    for (int i = 0; i < 32; ++i) to.q[i] = byte_of(static_cast<int>(from[i]) >> shift & 15);
    k_scales(block, group, to);
  }
  static void unpack_q5_k(const std::byte* block, std::int64_t group, Unpacked<DType::q5_k>& to) {
    const std::byte* from = block + 48 + 32 * (group / 2);
    const std::byte* bits = block + 16;
    const int shift = group % 2 == 0 ? 0 : 4;
    const auto bit = static_cast<int>(group);
    for (int i = 0; i < 32; ++i) {
      const int low = static_cast<int>(from[i]) >> shift & 15;
      to.q[i] = byte_of(low | (static_cast<int>(bits[i]) >> bit & 1) << 4);
    }
    k_scales(block, group, to);
  }
  static void unpack_q6_k(const std::byte* block, std::int64_t group, Unpacked<DType::q6_k>& to) {
    const std::byte* low = block + 64 * (group / 4) + 32 * (group % 2);
    const std::byte* high = block + 128 + 32 * (group / 4);
    const int low_shift = group % 4 < 2 ? 0 : 4;
    const auto high_shift = static_cast<int>(2 * (group % 4));
    for (int i = 0; i < 32; ++i) {
      const int nibble = static_cast<int>(low[i]) >> low_shift & 15;
      to.q[i] = byte_of((nibble | (static_cast<int>(high[i]) >> high_shift & 3) << 4) - 32);
    }
    const float d = V::half(block + 208);
    for (int half = 0; half < 2; ++half) {
      const auto sc = static_cast<std::int8_t>(block[192 + 2 * group + half]);
      to.scale[half] = d * static_cast<float>(sc);
    }
  }
};

}  // namespace facet::engine
