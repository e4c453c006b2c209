#include "engine/model/quantised.h"

#include <cstring>

namespace facet::engine {
namespace {

float half_at(const std::byte* from) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return half_to_float(bits);
}

int byte_at(const std::byte* from, int index) {
  return static_cast<int>(from[index]);
}

/// Nibble of element i of a block of 32 whose nibbles lie at `from`.
int nibble(const std::byte* from, int i) {
  return i < 16 ? byte_at(from, i) & 15 : byte_at(from, i - 16) >> 4;
}

/// Fifth bit of element i, as 16 or 0.
int fifth(const std::byte* bits, int i) {
  return (byte_at(bits, i / 8) >> (i % 8) & 1) << 4;
}

/// Q4_K and Q5_K: element l of group g without its fifth bit.
int group_nibble(const std::byte* from, int g, int l) {
  const int packed = byte_at(from, 32 * (g / 2) + l);
  return g % 2 == 0 ? packed & 15 : packed >> 4;
}

}  // namespace

KScale k_scale(const std::byte* packed, std::int64_t group) {
  const auto at = [packed](std::int64_t i) { return static_cast<unsigned>(packed[i]); };
  if (group < 4) {
    return {static_cast<std::uint8_t>(at(group) & 63U),
            static_cast<std::uint8_t>(at(group + 4) & 63U)};
  }
  return {static_cast<std::uint8_t>((at(group + 4) & 15U) | (at(group - 4) >> 6U << 4U)),
          static_cast<std::uint8_t>((at(group + 4) >> 4U) | (at(group) >> 6U << 4U))};
}

std::int8_t q3_k_scale(const std::byte* packed, std::int64_t index) {
  const auto at = [packed](std::int64_t i) { return static_cast<int>(packed[i]); };
  const int low = index < 8 ? at(index) & 15 : at(index - 8) >> 4;
  const int high = at(8 + index % 4) >> (2 * (index / 4)) & 3;
  return static_cast<std::int8_t>((low | high << 4) - 32);
}

void dequantize_q8_0(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    to[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
  }
}

void dequantize_q4_0(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) to[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

void dequantize_q4_1(const std::byte* block, float* to) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  for (int i = 0; i < 32; ++i) to[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
}

void dequantize_q5_0(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) {
    const int q = nibble(block + 6, i) | fifth(block + 2, i);
    to[i] = d * static_cast<float>(q - 16);
  }
}

void dequantize_q5_1(const std::byte* block, float* to) {
  const float d = half_at(block);
  const float m = half_at(block + 2);
  for (int i = 0; i < 32; ++i) {
    const int q = nibble(block + 8, i) | fifth(block + 4, i);
    to[i] = d * static_cast<float>(q) + m;
  }
}

void dequantize_iq4_nl(const std::byte* block, float* to) {
  const float d = half_at(block);
  for (int i = 0; i < 32; ++i) to[i] = d * static_cast<float>(kIq4Values[nibble(block + 2, i)]);
}

void dequantize_q2_k(const std::byte* block, float* to) {
  const float d = half_at(block + 80);
  const float dmin = half_at(block + 82);
  for (int g = 0; g < 8; ++g) {
    for (int l = 0; l < 32; ++l) {
      const int k = byte_at(block, 2 * g + l / 16);
      const float scale = d * static_cast<float>(k & 15);
      const float min = dmin * static_cast<float>(k >> 4);
      const int q = byte_at(block, 16 + 32 * (g / 4) + l) >> (2 * (g % 4)) & 3;
      *to++ = scale * static_cast<float>(q) - min;
    }
  }
}

void dequantize_q3_k(const std::byte* block, float* to) {
  const float d = half_at(block + 108);
  for (int g = 0; g < 8; ++g) {
    for (int l = 0; l < 32; ++l) {
      const float scale = d * static_cast<float>(q3_k_scale(block + 96, 2 * g + l / 16));
      const int low = byte_at(block, 32 + 32 * (g / 4) + l) >> (2 * (g % 4)) & 3;
      const int q = low | (byte_at(block, l) >> g & 1) << 2;
      *to++ = scale * static_cast<float>(q - 4);
    }
  }
}

void dequantize_q4_k(const std::byte* block, float* to) {
  const float d = half_at(block);
  const float dmin = half_at(block + 2);
  for (int g = 0; g < 8; ++g) {
    const KScale k = k_scale(block + 4, g);
    const float scale = d * static_cast<float>(k.scale);
    const float min = dmin * static_cast<float>(k.min);
    for (int l = 0; l < 32; ++l) {
      *to++ = scale * static_cast<float>(group_nibble(block + 16, g, l)) - min;
    }
  }
}

void dequantize_q5_k(const std::byte* block, float* to) {
  const float d = half_at(block);
  const float dmin = half_at(block + 2);
  for (int g = 0; g < 8; ++g) {
    const KScale k = k_scale(block + 4, g);
    const float scale = d * static_cast<float>(k.scale);
    const float min = dmin * static_cast<float>(k.min);
    for (int l = 0; l < 32; ++l) {
      const int q = group_nibble(block + 48, g, l) | (byte_at(block + 16, l) >> g & 1) << 4;
      *to++ = scale * static_cast<float>(q) - min;
    }
  }
}

void dequantize_q6_k(const std::byte* block, float* to) {
  const float d = half_at(block + 208);
  for (int g = 0; g < 8; ++g) {
    const std::byte* low = &block[64 * (g / 4) + 32 * (g % 2)];
    const std::byte* high = &block[128 + 32 * (g / 4)];
    const int low_shift = g % 4 < 2 ? 0 : 4;
    const int high_shift = 2 * (g % 4);
    for (int l = 0; l < 32; ++l) {
      const auto sc = static_cast<std::int8_t>(block[192 + 2 * g + l / 16]);
      const int q = (byte_at(low, l) >> low_shift & 15) | (byte_at(high, l) >> high_shift & 3) << 4;
      *to++ = d * static_cast<float>(sc) * static_cast<float>(q - 32);
    }
  }
}

}  // namespace facet::engine
