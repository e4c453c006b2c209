// Matrix products of many rows: y = x W^T on bfloat16 matrix units, f32 sums. The form that every
// architecture from sm_80 on can run.
//
// A block has a tile of weight rows by tokens and goes along the columns 32 at a time, four stages
// of both sides under way by asynchronous copies. A stage's rows are 64 bytes; a lane (g, t) takes
// the 16 bytes at 16 t of row g, which are its fragments for two matrix instructions: the order of
// columns inside of one is free as long as both sides agree, and so eight lanes read 128 bytes that
// lie together, without bank conflicts and without ldmatrix.
//
// Every sum runs over the columns in one order, whatever the tiles: bits do not depend on company.
#include "engine/cuda/blas.h"
#include "engine/cuda/block.cuh"
#include "engine/cuda/prefill.h"
#include "engine/cuda/product.h"
#include "engine/cuda/wgmma.h"

#include <string>

namespace facet::engine::cuda {
namespace {

constexpr int kSlab = 32;
constexpr int kSlabBytes = kSlab * 2;
constexpr int kStages = 4;

/// Warps of (row_tiles * 16) weight rows by (token_tiles * 8) tokens, row_warps by token_warps.
template <int row_tiles_, int token_tiles_, int row_warps_, int token_warps_>
struct Shape {
  static constexpr int kRowTiles = row_tiles_;
  static constexpr int kTokenTiles = token_tiles_;
  static constexpr int kRowWarps = row_warps_;
  static constexpr int kRows = row_tiles_ * 16 * row_warps_;
  static constexpr int kTokens = token_tiles_ * 8 * token_warps_;
  static constexpr int kBlock = row_warps_ * token_warps_ * kWarp;
  static constexpr int kStageBytes = (kRows + kTokens) * kSlabBytes;
};
/// Few bytes of shared memory for each product; and enough blocks when there is little to do.
using Large = Shape<4, 8, 4, 2>;
using Small = Shape<2, 4, 2, 2>;

struct Side {
  const std::uint16_t* data = nullptr;
  std::int64_t stride = 0;
  std::int64_t count = 0;  ///< Rows; beyond them are zeros.
};

/// One side of a tile: offsets inside of it are 32 bits, which saves registers.
struct TileSide {
  const std::uint16_t* data = nullptr;
  int stride = 0;
  int count = 0;  ///< Rows that exist; at least one.
};
__device__ inline TileSide tile_of(const Side& side, std::int64_t first) {
  return {.data = side.data + first * side.stride,
          .stride = static_cast<int>(side.stride),
          .count = static_cast<int>(side.count - first)};
}

/// `rows` rows, columns [slab * kSlab, + kSlab).
template <int rows, int threads>
__device__ inline void fetch_side(const TileSide& side, int slab, unsigned char* to) {
#pragma unroll
  for (int i = static_cast<int>(threadIdx.x); i < rows * 4; i += threads) {
    const bool is_inside = i / 4 < side.count;
    const int offset = (is_inside ? i / 4 : 0) * side.stride + slab * kSlab + i % 4 * 8;
    cp_async_16(to + i * 16, side.data + offset, is_inside);
  }
}

template <class S>
__global__ __launch_bounds__(S::kBlock) void matmul_kernel(
    const Side w, const Side x, int slabs, float* y, std::int64_t y_stride) {
  grid_dependency_wait();
  grid_dependency_launch();
  unsigned char* shared = dynamic_shared<unsigned char>();
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.x) * S::kRows;
  const std::int64_t first_token = static_cast<std::int64_t>(blockIdx.y) * S::kTokens;
  const TileSide w_tile = tile_of(w, first_row);
  const TileSide x_tile = tile_of(x, first_token);
  const auto fetch = [&](int slab) {
    if (slab < slabs) {
      unsigned char* to = shared + slab % kStages * S::kStageBytes;
      fetch_side<S::kRows, S::kBlock>(w_tile, slab, to);
      fetch_side<S::kTokens, S::kBlock>(x_tile, slab, to + S::kRows * kSlabBytes);
    }
    cp_async_commit();
  };
  for (int slab = 0; slab < kStages - 1; ++slab) fetch(slab);

  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row = warp % S::kRowWarps * S::kRowTiles * 16;
  const int token = warp / S::kRowWarps * S::kTokenTiles * 8;
  float sums[S::kRowTiles][S::kTokenTiles][4] = {};
  for (int slab = 0; slab < slabs; ++slab) {
    cp_async_wait<kStages - 2>();
    __syncthreads();
    fetch(slab + kStages - 1);  // Into the stage that all were done with before the barrier.
    const unsigned char* stage = shared + slab % kStages * S::kStageBytes + lane * 16;
    uint4 low[S::kRowTiles];
    uint4 high[S::kRowTiles];
#pragma unroll
    for (int m = 0; m < S::kRowTiles; ++m) {
      low[m] = *reinterpret_cast<const uint4*>(stage + (row + 16 * m) * kSlabBytes);
      high[m] = *reinterpret_cast<const uint4*>(stage + (row + 16 * m + 8) * kSlabBytes);
    }
#pragma unroll
    for (int n = 0; n < S::kTokenTiles; ++n) {
      const uint4 b =
          *reinterpret_cast<const uint4*>(stage + (S::kRows + token + 8 * n) * kSlabBytes);
      const std::uint32_t b_first[2] = {b.x, b.y};
      const std::uint32_t b_second[2] = {b.z, b.w};
#pragma unroll
      for (int m = 0; m < S::kRowTiles; ++m) {
        const std::uint32_t a_first[4] = {low[m].x, high[m].x, low[m].y, high[m].y};
        const std::uint32_t a_second[4] = {low[m].z, high[m].z, low[m].w, high[m].w};
        mma_bf16_16x8x16(sums[m][n], a_first, b_first);
        mma_bf16_16x8x16(sums[m][n], a_second, b_second);
      }
    }
  }
#pragma unroll
  for (int n = 0; n < S::kTokenTiles; ++n) {
#pragma unroll
    for (int m = 0; m < S::kRowTiles; ++m) {
      for (int i = 0; i < 4; ++i) {
        const std::int64_t r = first_row + row + 16 * m + lane / 4 + i / 2 * 8;
        const std::int64_t t = first_token + token + 8 * n + lane % 4 * 2 + i % 2;
        if (r < w.count && t < x.count) y[t * y_stride + r] = sums[m][n][i];
      }
    }
  }
}

template <class S>
Status launch_shape(const Side& w,
                    const Side& x,
                    std::int64_t cols,
                    float* y,
                    std::int64_t y_stride,
                    const LaunchOrder& order) {
  const LaunchConfig config{
      .grid = dim3(static_cast<unsigned>((w.count + S::kRows - 1) / S::kRows),
                   static_cast<unsigned>((x.count + S::kTokens - 1) / S::kTokens)),
      .block = dim3(S::kBlock),
      .shared_bytes = static_cast<std::size_t>(kStages * S::kStageBytes),
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  return launch("matmul", matmul_kernel<S>, config, w, x, cols / kSlab, y, y_stride);
}

/// One product of bfloat16 with bfloat16.
Status multiply(const Side& w,
                const Side& x,
                std::int64_t cols,
                float* y,
                std::int64_t y_stride,
                const MatmulArgs& args,
                const LaunchOrder& order) {
  if (args.units == PromptUnits::wgmma) {
    return wgmma_matmul({.w = w.data,
                         .w_stride = w.stride,
                         .rows = w.count,
                         .x = x.data,
                         .x_stride = x.stride,
                         .tokens = x.count,
                         .cols = cols,
                         .y = y,
                         .y_stride = y_stride},
                        order);
  }
  if (args.units == PromptUnits::library && has_blas()) {
    const Status status = blas_matmul({.w = w.data,
                                       .w_stride = w.stride,
                                       .rows = w.count,
                                       .x = x.data,
                                       .x_stride = x.stride,
                                       .tokens = x.count,
                                       .cols = cols,
                                       .y = y,
                                       .y_stride = y_stride,
                                       .workspace = args.library_workspace,
                                       .workspace_bytes = args.library_workspace_bytes},
                                      order);
    // Shapes that the library has no kernel for are taken below: there, every shape is.
    if (status || status.error().code != Code::unsupported) return status;
  }
  FACET_TRY(const DeviceLimits limits, device_limits());
  const std::int64_t tiles = ((w.count + Large::kRows - 1) / Large::kRows) *
                             ((x.count + Large::kTokens - 1) / Large::kTokens);
  if (tiles >= limits.multiprocessors) {
    return launch_shape<Large>(w, x, cols, y, y_stride, order);
  }
  return launch_shape<Small>(w, x, cols, y, y_stride, order);
}

/// Rows [begin, end) of a matrix as bfloat16: where they lie, or at `scratch`.
Status bf16_rows(const PackedMatrix& w,
                 std::int64_t begin,
                 std::int64_t end,
                 std::int64_t stride,
                 std::uint16_t* scratch,
                 const LaunchOrder& order,
                 const std::uint16_t*& out) {
  if (w.layout == Layout::bf16) {
    out = reinterpret_cast<const std::uint16_t*>(w.data) + begin * stride;
    return ok();
  }
  out = scratch;
  return dequantize_rows(w, begin, end, scratch, stride, order);
}

}  // namespace

Status matmul(const MatmulArgs& args, const LaunchOrder& order) {
  const std::int64_t rows = args.row_end - args.row_begin;
  if (args.tokens == 0 || rows == 0) return ok();
  const bool is_bf16 = args.w.layout == Layout::bf16;
  if (args.row_begin % kPanelRows != 0 || args.row_end > args.w.rows ||
      args.x_stride != padded_cols(Layout::bf16, args.w.cols) ||
      (!is_bf16 && (args.scratch_rows < kPanelRows || args.scratch_rows % kPanelRows != 0))) {
    return Error{Code::invalid_argument,
                 "CUDA matmul: rows " + std::to_string(args.row_begin) + " to " +
                     std::to_string(args.row_end) + " of " + std::to_string(args.w.rows) +
                     ", x_stride " + std::to_string(args.x_stride) + ", scratch of " +
                     std::to_string(args.scratch_rows) + " rows"};
  }
  const Side x{.data = args.x, .stride = args.x_stride, .count = args.tokens};
  if (is_bf16) {
    const auto* data = reinterpret_cast<const std::uint16_t*>(args.w.data);
    const Side w{
        .data = data + args.row_begin * args.x_stride, .stride = args.x_stride, .count = rows};
    return multiply(w, x, args.x_stride, args.y, args.y_stride, args, order);
  }
  for (std::int64_t done = 0; done < rows; done += args.scratch_rows) {
    const std::int64_t left = rows - done;
    const std::int64_t count = left < args.scratch_rows ? left : args.scratch_rows;
    const std::int64_t begin = args.row_begin + done;
    FACET_TRY_STATUS(
        dequantize_rows(args.w, begin, begin + count, args.scratch, args.x_stride, order));
    const Side w{.data = args.scratch, .stride = args.x_stride, .count = count};
    FACET_TRY_STATUS(multiply(w, x, args.x_stride, args.y + done, args.y_stride, args, order));
  }
  return ok();
}

Status gate_up_rows(const GateUpRowsArgs& args, const LaunchOrder& order) {
  const std::int64_t ffn = args.gate.rows;
  const bool is_bf16 = args.gate.layout == Layout::bf16 && args.up.layout == Layout::bf16;
  if (args.up.rows != ffn || args.up.cols != args.gate.cols ||
      args.x_stride != padded_cols(Layout::bf16, args.gate.cols) ||
      args.y_stride != padded_cols(Layout::bf16, ffn) ||
      (!is_bf16 &&
       (args.scratch_rows < 2 * kPanelRows || args.scratch_rows % (2 * kPanelRows) != 0))) {
    return Error{Code::invalid_argument,
                 "CUDA gate_up_rows: " + std::to_string(ffn) + " and " +
                     std::to_string(args.up.rows) + " rows, x_stride " +
                     std::to_string(args.x_stride) + ", y_stride " + std::to_string(args.y_stride) +
                     ", scratch of " + std::to_string(args.scratch_rows) + " rows"};
  }
  if (args.tokens == 0) return ok();
  const std::int64_t stripe = is_bf16 ? ffn : args.scratch_rows / 2;
  for (std::int64_t begin = 0; begin < ffn; begin += stripe) {
    const std::int64_t end = ffn - begin < stripe ? ffn : begin + stripe;
    WgmmaArgs product{.w_stride = args.x_stride,
                      .rows = end - begin,
                      .x = args.x,
                      .x_stride = args.x_stride,
                      .tokens = args.tokens,
                      .cols = args.x_stride,
                      .y_bf16 = args.y + begin,
                      .y_stride = args.y_stride,
                      .y_cols = (end == ffn ? args.y_stride : end) - begin};
    FACET_TRY_STATUS(
        bf16_rows(args.gate, begin, end, args.x_stride, args.scratch, order, product.w));
    FACET_TRY_STATUS(bf16_rows(args.up,
                               begin,
                               end,
                               args.x_stride,
                               args.scratch + stripe * args.x_stride,
                               order,
                               product.up));
    FACET_TRY_STATUS(wgmma_matmul(product, order));
  }
  return ok();
}

}  // namespace facet::engine::cuda
