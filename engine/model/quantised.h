// The quantised blocks of GGUF files, little-endian, d, m and dmin being halves:
//
//   type    elements  bytes  layout                                      value of element i
//   Q8_0          32     34  d, 32 int8 q                                d q
//   Q4_0          32     18  d, 16 bytes of nibbles                      d (q - 8)
//   Q4_1          32     20  d, m, 16 bytes of nibbles                   d q + m
//   Q5_0          32     22  d, 32 fifth bits, 16 bytes of nibbles       d (q - 16)
//   Q5_1          32     24  d, m, 32 fifth bits, 16 bytes of nibbles    d q + m
//   IQ4_NL        32     18  d, 16 bytes of nibbles                      d kIq4Values[q]
//   Q2_K         256     84  16 bytes of nibbles (sc low, m high), 64    d sc q - dmin m
//                            bytes of pairs, d, dmin
//   Q3_K         256    110  32 bytes of third bits, 64 bytes of pairs,  d sc (q - 4)
//                            12 bytes of scales, d
//   Q4_K         256    144  d, dmin, 12 bytes of scales, 128 nibbles    d sc q - dmin m
//   Q5_K         256    176  as Q4_K, 32 bytes of fifth bits before      d sc q - dmin m
//                            the nibbles
//   Q6_K         256    210  128 bytes of low nibbles, 64 bytes of       d sc (q - 32)
//                            high pairs, 16 int8 sc, d
//
// Blocks of 32: byte j holds element j in its low and element j + 16 in its high nibble; fifth bit
// i belongs to element i. Q4_K and Q5_K: group g of 32 elements has its own 6-bit sc and m (see
// k_scale) and lies in the low (even g) or high (odd g) nibbles of bytes [32 (g / 2), + 32); its
// fifth bits are bit g of the 32 bytes. Q6_K: each half of 128 elements has 64 nibble bytes, 32
// pair bytes and 8 scales; group g of 32 in it lies in the low (g < 2) or high nibbles of bytes
// [32 (g % 2), + 32), pair g of the 32 pair bytes, with one scale per 16 elements. Q2_K and Q3_K:
// one scale per 16 elements too, and each half of 128 elements has 32 pair bytes, group g of 32 in
// it being pair g of them; the third bit of Q3_K is bit g of the 32 bytes, g counting to 7. The
// scales of Q3_K are 6 bits, 32 too large: see q3_k_scale.
// Source: ggml's block definitions; tests/oracle/gguf_blocks.json is from its Python twin.
#pragma once

#include "engine/model/tensor.h"

#include <cstddef>
#include <cstdint>

namespace facet::engine {

/// The 16 levels of IQ4_NL.
inline constexpr std::int8_t kIq4Values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// Scale and minimum of group `group` (0 to 7) out of the 12 packed bytes of Q4_K and Q5_K: the
/// first four groups use the low six bits of bytes 0 to 3 and 4 to 7, the others a nibble of bytes
/// 8 to 11 below the top bits of the same.
struct KScale {
  std::uint8_t scale;
  std::uint8_t min;
};
KScale k_scale(const std::byte* packed, std::int64_t group);

/// Scale `index` (0 to 15) out of the 12 packed bytes of Q3_K: a nibble of the first eight bytes
/// (low for the first eight scales) below a pair of the last four. -32 to 31.
std::int8_t q3_k_scale(const std::byte* packed, std::int64_t index);

/// One block as floats: the obvious form, and the oracle of the kernels. `to` holds the elements of
/// one block. Products and sums are rounded one by one in the order of the table above.
using DequantizeBlock = void (*)(const std::byte* block, float* to);
void dequantize_q8_0(const std::byte* block, float* to);
void dequantize_q4_0(const std::byte* block, float* to);
void dequantize_q4_1(const std::byte* block, float* to);
void dequantize_q5_0(const std::byte* block, float* to);
void dequantize_q5_1(const std::byte* block, float* to);
void dequantize_iq4_nl(const std::byte* block, float* to);
void dequantize_q2_k(const std::byte* block, float* to);
void dequantize_q3_k(const std::byte* block, float* to);
void dequantize_q4_k(const std::byte* block, float* to);
void dequantize_q5_k(const std::byte* block, float* to);
void dequantize_q6_k(const std::byte* block, float* to);

}  // namespace facet::engine
