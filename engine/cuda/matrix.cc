#include "engine/cuda/matrix.h"

#include "base/check.h"
#include "engine/model/quantised.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace facet::engine::cuda {
namespace {

constexpr std::int64_t kBlock = 32;

/// The row-major layouts.
std::int64_t element_bytes(Layout layout) {
  return layout == Layout::f32 ? 4 : layout == Layout::fp8 ? 1 : 2;
}

/// Quantised weights of one row, as many as a tile has columns: codes as the layout stores them.
struct Codes {
  std::array<std::uint8_t, kSuperBlock> code{};
  std::array<std::uint16_t, 4> d{};    ///< Per block; of the K layouts only d[0], and not all.
  std::array<std::uint16_t, 4> m{};    ///< Likewise.
  std::array<std::byte, 16> header{};  ///< K layouts: the bytes of scales, perhaps behind d, dmin.
};

std::uint16_t u16_at(const std::byte* from) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return bits;
}

int byte_at(const std::byte* from, std::int64_t i) {
  return static_cast<int>(from[i]);
}

std::uint8_t nibble_at(const std::byte* from, std::int64_t i) {
  return static_cast<std::uint8_t>(i < 16 ? byte_at(from, i) & 15 : byte_at(from, i - 16) >> 4);
}

/// Block b of 32 weights of the types that have a scale for each.
void read_block(DType type, const std::byte* from, std::int64_t b, Codes& to) {
  const auto at = static_cast<std::size_t>(b);
  std::uint8_t* code = to.code.data() + b * kBlock;
  to.d[at] = u16_at(from);
  const bool has_min = type == DType::q4_1 || type == DType::q5_1;
  if (has_min) to.m[at] = u16_at(from + 2);
  const std::byte* rest = from + (has_min ? 4 : 2);
  for (std::int64_t i = 0; i < kBlock; ++i) {
    if (type == DType::q8_0) {
      code[i] = static_cast<std::uint8_t>(rest[i]);
    } else if (type == DType::q5_0 || type == DType::q5_1) {
      const int fifth = (byte_at(rest, i / 8) >> (i % 8) & 1) << 4;
      const int value = nibble_at(rest + 4, i) | fifth;
      code[i] = static_cast<std::uint8_t>(has_min ? value : value - 16);
    } else if (type == DType::iq4_nl) {
      code[i] = static_cast<std::uint8_t>(kIq4Values[nibble_at(rest, i)]);
    } else {
      code[i] = nibble_at(rest, i);
    }
  }
}

/// The code of element i of group g of 32 in a block of 256.
int super_code(DType type, const std::byte* from, std::int64_t g, std::int64_t i) {
  const auto pair = [&](std::int64_t at) {
    return byte_at(from, at + 32 * (g / 4) + i) >> (2 * (g % 4)) & 3;
  };
  const auto nibble = [&](std::int64_t at) {
    return byte_at(from, at + 32 * (g / 2) + i) >> (4 * (g % 2)) & 15;
  };
  const auto bit = [&](std::int64_t at) { return byte_at(from, at + i) >> g & 1; };
  switch (type) {
    case DType::q2_k:
      return pair(16);
    case DType::q3_k:
      return pair(32) | bit(0) << 2;
    case DType::q4_k:
      return nibble(16);
    case DType::q5_k:
      return nibble(48) | bit(16) << 4;
    default:
      break;
  }
  const int low = byte_at(from, 64 * (g / 4) + 32 * (g % 2) + i) >> (g % 4 < 2 ? 0 : 4) & 15;
  return low | pair(128) << 4;
}

void read_super_block(DType type, const std::byte* from, Codes& to) {
  for (std::int64_t g = 0; g < 8; ++g) {
    for (std::int64_t i = 0; i < kBlock; ++i) {
      to.code[static_cast<std::size_t>(g * kBlock + i)] =
          static_cast<std::uint8_t>(super_code(type, from, g, i));
    }
  }
  const int scales = type == DType::q6_k ? 192 : type == DType::q3_k ? 96 : 0;
  std::memcpy(to.header.data(), from + scales, type == DType::q3_k ? 12 : 16);
  if (type == DType::q2_k) to.m[0] = u16_at(from + 82);
  const int d = type == DType::q2_k ? 80 : type == DType::q3_k ? 108 : 208;
  if (type != DType::q4_k && type != DType::q5_k) to.d[0] = u16_at(from + d);
}

/// Where the parts of a tile lie.
struct Place {
  Layout layout;
  std::int64_t row;  ///< In the panel.

  [[nodiscard]] std::int64_t blocks() const { return tile_cols(layout) / kBlock; }
  [[nodiscard]] bool has_bytes() const { return layout == Layout::q8 || layout == Layout::q8_min; }
  /// The lane that holds columns 4t .. 4t + 3.
  [[nodiscard]] std::int64_t lane(std::int64_t t) const { return 4 * (row % 8) + t; }
  [[nodiscard]] bool has_nibbles() const {
    return !has_bytes() && layout != Layout::q2_k && layout != Layout::q3_k;
  }
  /// Whether a block of 256 has a scale (q2_k: and a minimum) for each 16 columns.
  [[nodiscard]] bool has_16() const {
    return layout == Layout::q2_k || layout == Layout::q3_k || layout == Layout::q6_k;
  }
  [[nodiscard]] bool has_bits() const { return layout == Layout::q3_k || layout == Layout::q5_k; }
  /// Byte of column i of block b: the code, or the nibbles of i and i + 16 for i < 16.
  [[nodiscard]] std::int64_t code(std::int64_t b, std::int64_t i) const {
    const std::int64_t t = i % 16 / 4;
    if (!has_bytes()) return b * 256 + lane(t) * 8 + row / 8 * 4 + i % 4;
    return b * 512 + lane(t) * 16 + row / 8 * 8 + i / 16 * 4 + i % 4;
  }
  [[nodiscard]] std::int64_t codes_bytes() const {
    return has_bytes() ? blocks() * 512 : has_nibbles() ? blocks() * 256 : 0;
  }
  /// Byte of column i in a plane of pairs or bits: the register of the fragment, then its byte.
  [[nodiscard]] std::int64_t in_plane(std::int64_t i) const {
    return lane(i % 16 / 4) * 16 + (row / 8 + i / 16 * 2) * 4 + i % 4;
  }
  /// Rows g and g + 8 are neighbours in tables of one entry per row.
  [[nodiscard]] std::int64_t pair() const { return row % 8 * 2 + row / 8; }
  [[nodiscard]] std::int64_t scale(std::int64_t b) const {
    const std::int64_t each = has_min() ? 4 : 2;
    if (has_16()) return headers() + kPanelRows * header_bytes() + pair() * each;
    return codes_bytes() + (b * kPanelRows + pair()) * each;
  }
  /// Whether d is followed by m or dmin.
  [[nodiscard]] bool has_min() const { return layout == Layout::q8_min || layout == Layout::q2_k; }
  [[nodiscard]] std::int64_t headers() const {
    return codes_bytes() + (has_16() ? 1024 : 0) + (layout == Layout::q3_k ? 512 : 0);
  }
  [[nodiscard]] std::int64_t header_bytes() const { return layout == Layout::q3_k ? 12 : 16; }
  [[nodiscard]] std::int64_t header() const { return headers() + row * header_bytes(); }
  [[nodiscard]] std::int64_t pairs(std::int64_t b) const { return codes_bytes() + b / 4 * 512; }
  [[nodiscard]] std::int64_t bits() const {
    return layout == Layout::q3_k ? 1024 : codes_bytes() + 256;
  }
};

void put_u16(std::byte* to, std::uint16_t bits) {
  std::memcpy(to, &bits, sizeof bits);
}

/// One row of a tile whose bytes are zero.
void write_row(const Place& place, const Codes& from, std::byte* tile) {
  for (std::int64_t b = 0; b < place.blocks(); ++b) {
    const std::uint8_t* code = from.code.data() + b * kBlock;
    for (std::int64_t i = 0; i < kBlock; ++i) {
      if (place.has_bytes()) {
        tile[place.code(b, i)] = static_cast<std::byte>(code[i]);
        continue;
      }
      int rest = code[i];  // What is not stored yet: first nibbles, then pairs, then single bits.
      if (place.has_nibbles()) {
        tile[place.code(b, i)] |= static_cast<std::byte>((rest & 15) << (i < 16 ? 0 : 4));
        rest >>= 4;
      }
      if (place.has_16()) {
        tile[place.pairs(b) + place.in_plane(i)] |=
            static_cast<std::byte>((rest & 3) << (2 * (b % 4)));
        rest >>= 2;
      }
      if (place.has_bits()) {
        tile[place.bits() + place.in_plane(i)] |= static_cast<std::byte>(rest << b);
      }
    }
    if (place.blocks() > 4) continue;
    put_u16(tile + place.scale(b), from.d[static_cast<std::size_t>(b)]);
    if (place.has_min()) put_u16(tile + place.scale(b) + 2, from.m[static_cast<std::size_t>(b)]);
  }
  if (place.blocks() < 8) return;
  std::memcpy(
      tile + place.header(), from.header.data(), static_cast<std::size_t>(place.header_bytes()));
  if (place.has_16()) put_u16(tile + place.scale(0), from.d[0]);
  if (place.layout == Layout::q2_k) put_u16(tile + place.scale(0) + 2, from.m[0]);
}

std::uint8_t read_code(const Place& place, const std::byte* tile, std::int64_t b, std::int64_t i) {
  if (place.has_bytes()) return static_cast<std::uint8_t>(tile[place.code(b, i)]);
  int code = 0;
  int width = 0;
  if (place.has_nibbles()) {
    code = byte_at(tile, place.code(b, i)) >> (i < 16 ? 0 : 4) & 15;
    width = 4;
  }
  if (place.has_16()) {
    code |= (byte_at(tile, place.pairs(b) + place.in_plane(i)) >> (2 * (b % 4)) & 3) << width;
    width += 2;
  }
  if (place.has_bits()) {
    code |= (byte_at(tile, place.bits() + place.in_plane(i)) >> b & 1) << width;
  }
  return static_cast<std::uint8_t>(code);
}

/// Block b of a row as floats, rounded step by step as dequantize does.
void read_row(const Place& place, const std::byte* tile, std::int64_t b, float* to) {
  const Layout layout = place.layout;
  const std::byte* header = tile + place.header();
  const bool is_super = layout == Layout::q4_k || layout == Layout::q5_k;
  const std::byte* halves = is_super ? header : tile + place.scale(b);
  const float d = half_to_float(u16_at(halves));
  const bool has_minimum = is_super || place.has_min();
  const float m = has_minimum ? half_to_float(u16_at(halves + 2)) : 0.0F;
  const int offset = layout == Layout::q4     ? 8
                     : layout == Layout::q3_k ? 4
                     : layout == Layout::q6_k ? 32
                                              : 0;
  for (std::int64_t i = 0; i < kBlock; ++i) {
    const std::uint8_t code = read_code(place, tile, b, i);
    const int value = layout == Layout::q8 ? static_cast<std::int8_t>(code) : code - offset;
    float scale = d;
    float minimum = m;
    if (is_super) {
      const KScale k = k_scale(header + 4, b);
      scale = d * static_cast<float>(k.scale);
      minimum = -(m * static_cast<float>(k.min));
    } else if (layout == Layout::q2_k) {
      const int k = byte_at(header, 2 * b + i / 16);
      scale = d * static_cast<float>(k & 15);
      minimum = -(m * static_cast<float>(k >> 4));
    } else if (layout == Layout::q3_k) {
      scale = d * static_cast<float>(q3_k_scale(header, 2 * b + i / 16));
    } else if (layout == Layout::q6_k) {
      scale = d * static_cast<float>(static_cast<std::int8_t>(header[2 * b + i / 16]));
    }
    to[i] = scale * static_cast<float>(value);
    if (has_minimum) to[i] += minimum;
  }
}

/// Row `row` of a matrix as it is stored row by row.
void write_plain_row(const TensorView& from,
                     Layout to,
                     std::int64_t row,
                     std::vector<float>& values,
                     std::byte* out) {
  const std::int64_t stride = padded_cols(to, from.cols) * element_bytes(to);
  std::byte* at = out + row * stride;
  std::memset(at, 0, static_cast<std::size_t>(stride));
  if (layout_of(from.type) == to) {
    std::memcpy(at, from.row(row), static_cast<std::size_t>(from.row_bytes()));
    return;
  }
  values.resize(static_cast<std::size_t>(from.cols));
  dequantize(from.type, from.row(row), from.cols, values.data());
  if (to == Layout::bf16) {
    for (std::size_t i = 0; i < values.size(); ++i) put_u16(at + 2 * i, float_to_bf16(values[i]));
    return;
  }
  float largest = 0.0F;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  const float scale = largest / 448.0F;
  for (std::size_t i = 0; i < values.size(); ++i) {
    at[i] = static_cast<std::byte>(float_to_fp8(scale > 0.0F ? values[i] / scale : 0.0F));
  }
  std::memcpy(out + from.rows * stride + row * 4, &scale, sizeof scale);
}

}  // namespace

std::string_view layout_name(Layout layout) {
  constexpr std::string_view kNames[] = {
      "f32", "f16", "bf16", "fp8", "q8", "q8_min", "q4", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"};
  return kNames[static_cast<std::size_t>(layout)];
}

Layout layout_of(DType type) {
  switch (type) {
    case DType::f32:
      return Layout::f32;
    case DType::f16:
      return Layout::f16;
    case DType::bf16:
      return Layout::bf16;
    case DType::q8_0:
    case DType::q5_0:
    case DType::iq4_nl:
      return Layout::q8;
    case DType::q4_1:
    case DType::q5_1:
      return Layout::q8_min;
    case DType::q4_0:
      return Layout::q4;
    case DType::q2_k:
      return Layout::q2_k;
    case DType::q3_k:
      return Layout::q3_k;
    case DType::q4_k:
      return Layout::q4_k;
    case DType::q5_k:
      return Layout::q5_k;
    case DType::q6_k:
      return Layout::q6_k;
  }
  FACET_CHECK(false);
}

std::int64_t matrix_bytes(Layout layout, std::int64_t rows, std::int64_t cols) {
  const std::int64_t padded = padded_cols(layout, cols);
  if (is_tiled(layout)) {
    return (rows + kPanelRows - 1) / kPanelRows * (padded / tile_cols(layout)) * tile_bytes(layout);
  }
  return rows * padded * element_bytes(layout) + (layout == Layout::fp8 ? rows * 4 : 0);
}

void repack(
    const TensorView& from, Layout to, std::int64_t begin, std::int64_t end, std::byte* out) {
  FACET_CHECK(begin % kPanelRows == 0 && end <= from.rows);
  FACET_CHECK(to == layout_of(from.type) || to == Layout::bf16 || to == Layout::fp8);
  if (!is_tiled(to)) {
    std::vector<float> values;
    for (std::int64_t row = begin; row < end; ++row) write_plain_row(from, to, row, values, out);
    return;
  }
  const std::int64_t tiles = padded_cols(to, from.cols) / tile_cols(to);
  const std::int64_t each = dtype_block_elements(from.type);
  for (std::int64_t row = begin; row < end; ++row) {
    const Place place{.layout = to, .row = row % kPanelRows};
    std::byte* panel = out + row / kPanelRows * tiles * tile_bytes(to);
    if (place.row == 0) std::memset(panel, 0, static_cast<std::size_t>(tiles * tile_bytes(to)));
    const std::byte* block = from.row(row);
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      Codes codes;
      // What is not there has scale 0, and code 0 in every layout.
      for (std::int64_t at = 0; at < tile_cols(to); at += each) {
        if (tile * tile_cols(to) + at >= from.cols) break;
        if (each == kBlock) read_block(from.type, block, at / kBlock, codes);
        if (each == kSuperBlock) read_super_block(from.type, block, codes);
        block += dtype_block_bytes(from.type);
      }
      write_row(place, codes, panel + tile * tile_bytes(to));
    }
  }
}

void unpack_row(const PackedMatrix& w, std::int64_t row, float* to) {
  const std::int64_t padded = padded_cols(w.layout, w.cols);
  if (!is_tiled(w.layout)) {
    const std::byte* at = w.data + row * padded * element_bytes(w.layout);
    if (w.layout == Layout::fp8) {
      float scale = 0.0F;
      std::memcpy(&scale, w.data + w.rows * padded + row * 4, sizeof scale);
      for (std::int64_t i = 0; i < w.cols; ++i) {
        to[i] = fp8_to_float(static_cast<std::uint8_t>(at[i])) * scale;
      }
      return;
    }
    const DType type = w.layout == Layout::f32   ? DType::f32
                       : w.layout == Layout::f16 ? DType::f16
                                                 : DType::bf16;
    dequantize(type, at, w.cols, to);
    return;
  }
  const Place place{.layout = w.layout, .row = row % kPanelRows};
  const std::int64_t tiles = padded / tile_cols(w.layout);
  const std::byte* panel = w.data + row / kPanelRows * tiles * tile_bytes(w.layout);
  for (std::int64_t at = 0; at < w.cols; at += kBlock) {
    float block[kBlock];
    const std::byte* tile = panel + at / tile_cols(w.layout) * tile_bytes(w.layout);
    read_row(place, tile, at % tile_cols(w.layout) / kBlock, block);
    std::copy_n(block, std::min(kBlock, w.cols - at), to + at);
  }
}

}  // namespace facet::engine::cuda
