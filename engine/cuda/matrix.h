// Weight matrices as the CUDA kernels read them: which layouts there are, what is in their bytes,
// and how a matrix of a model file becomes one. Plain C++; runs on the host.
//
// The quantised layouts hold a panel of 16 rows as tiles that follow each other along the columns.
// A tile is contiguous, and lies as the lanes of a warp want it for mma.m16n8k32 (lane = 4 g + t
// has rows g and g + 8), so that a warp reads it with consecutive 128-bit loads. With b a block of
// 32 columns, and "bytes of (g, t, b)" those of columns 4t .. 4t + 3 and 16 + 4t .. 16 + 4t + 3:
//
//   layout   types                 columns  bytes  bytes of a tile
//   q8       Q8_0, Q5_0, IQ4_NL         64   1088  per lane 16 B: per b row g: 8 B; then row g + 8
//                                                  (block 0: 512 B, block 1: 512 B); then per block
//                                                  and row a half d
//   q8_min   Q4_1, Q5_1                 64   1152  as q8; then per block and row halves d and m
//   q4       Q4_0                      128   1152  per block 8 B a lane (nibbles); then per block
//                                                  and row a half d
//   q2_k     Q2_K                      256   1344  per lane 32 B of pairs; per row the 16 bytes of
//                                                  scales as they are in the file; per row halves d
//                                                  and dmin
//   q3_k     Q3_K                      256   1760  per lane 32 B of pairs; per lane 16 B of third
//                                                  bits; per row the 12 bytes of scales as they are
//                                                  in the file; per row a half d
//   q4_k     Q4_K                      256   2304  as q4, 8 blocks; then per row the 16 bytes of
//                                                  d, dmin and scales as they are in the file
//   q5_k     Q5_K                      256   2816  as q4_k; then per lane 16 B of fifth bits
//   q6_k     Q6_K                      256   3360  low nibbles as q4; per lane 32 B of high pairs;
//                                                  per row 16 int8 scales; per row a half d
//
// Planes of pairs are two of 512 bytes, for blocks 0 to 3 and 4 to 7: block b is pair b % 4 of each
// byte. A plane of single bits has block b as bit b. A lane's 16 bytes of a plane are the four
// registers of the fragment: columns 4t .. of rows g and g + 8, then columns 16 + 4t ...
//
// Nothing is rounded: unpack_row gives what dequantize gives. The others are row-major, with rows
// padded to padded_cols: f32, f16, bf16 as they are, fp8 (E4M3) with one f32 scale per row, which
// all follow the last row. Padding is zeros; the rows of a panel that do not exist are zeros.
#pragma once

#include "engine/model/tensor.h"
#include "engine/ops.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace facet::engine::cuda {

enum class Layout : std::uint8_t {
  f32,
  f16,
  bf16,
  fp8,
  q8,
  q8_min,
  q4,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k
};

/// Rows of a panel: what one warp multiplies at a time.
inline constexpr std::int64_t kPanelRows = 16;

/// "bf16", "q4_k", ...
std::string_view layout_name(Layout layout);

/// The layout that holds weights of `type` exactly.
Layout layout_of(DType type);

/// Columns of a tile, and its bytes for 16 rows; for row-major layouts what a warp reads at a time.
constexpr std::int64_t tile_cols(Layout layout) {
  switch (layout) {
    case Layout::f32:
      return 16;
    case Layout::f16:
    case Layout::bf16:
      return 32;
    case Layout::fp8:
    case Layout::q8:
    case Layout::q8_min:
      return 64;
    case Layout::q4:
      return 128;
    default:
      return 256;
  }
}
constexpr std::int64_t tile_bytes(Layout layout) {
  switch (layout) {
    case Layout::q8:
      return 1088;
    case Layout::q8_min:
    case Layout::q4:
      return 1152;
    case Layout::q2_k:
      return 1344;
    case Layout::q3_k:
      return 1760;
    case Layout::q4_k:
      return 2304;
    case Layout::q5_k:
      return 2816;
    case Layout::q6_k:
      return 3360;
    default:
      return 1024;
  }
}
constexpr bool is_tiled(Layout layout) {
  return layout >= Layout::q8;
}

/// Columns as stored. Row-major layouts are padded to 64, so that rows are aligned for every use.
constexpr std::int64_t padded_cols(Layout layout, std::int64_t cols) {
  const std::int64_t step = is_tiled(layout) ? tile_cols(layout) : 64;
  return (cols + step - 1) / step * step;
}

/// Bytes of a matrix in device memory.
std::int64_t matrix_bytes(Layout layout, std::int64_t rows, std::int64_t cols);

/// A matrix in device memory (or, for unpack_row, on the host). A plain value.
struct PackedMatrix {
  Layout layout = Layout::bf16;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::byte* data = nullptr;  ///< Aligned to 16 bytes.
};

/// `from` in the layout `to` at `out` (matrix_bytes). `to` is layout_of(from.type), which is exact,
/// or bf16 or fp8, which round every weight to nearest even (fp8 after division by max |w| / 448 of
/// its row). Rows [begin, end) only, where begin is a multiple of kPanelRows, so that threads can
/// share the work; other bytes stay as they are.
void repack(
    const TensorView& from, Layout to, std::int64_t begin, std::int64_t end, std::byte* out);

/// Row `row` of a packed matrix in host memory as floats: the obvious form. to: (cols).
void unpack_row(const PackedMatrix& w, std::int64_t row, float* to);

}  // namespace facet::engine::cuda
