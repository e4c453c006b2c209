// Weights out of their layouts: embedding rows, and stripes of rows as bfloat16.
#include "engine/cuda/decode.h"
#include "engine/cuda/prefill.h"
#include "engine/cuda/weights4.cuh"

namespace facet::engine::cuda {
namespace {

/// grid: (parts of a row, rows)
template <Layout layout>
__global__ void embed_kernel(const WeightsView table,
                             const std::int32_t* ids,
                             float scale,
                             float* x) {
  grid_dependency_wait();
  grid_dependency_launch();
  const int col = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (col >= table.cols) return;
  float4 v = weights4<layout>(table, ids[blockIdx.y], col);
  v = make_float4(v.x * scale, v.y * scale, v.z * scale, v.w * scale);
  store4(x + static_cast<std::int64_t>(blockIdx.y) * table.cols, col, table.cols, v);
}

/// grid: (blocks of 32 columns, panels). A warp has 8 rows by 16 columns: a row's 32 bytes of
/// output are written together.
template <Layout layout>
__global__ void expand_kernel(const WeightsView w,
                              std::int64_t begin,
                              std::int64_t end,
                              std::uint16_t* to,
                              std::int64_t stride) {
  grid_dependency_wait();
  grid_dependency_launch();
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t row =
      begin + static_cast<std::int64_t>(blockIdx.y) * 16 + warp % 2 * 8 + lane / 4;
  const int col = static_cast<int>(blockIdx.x) * 32 + warp / 2 * 16 + lane % 4 * 4;
  if (row >= end || col >= stride) return;
  uint2 out = make_uint2(0, 0);
  if (col < w.cols) {
    float4 v = weights4<layout>(w, row, col);
    if (col + 1 >= w.cols) v.y = 0.0F;
    if (col + 2 >= w.cols) v.z = 0.0F;
    if (col + 3 >= w.cols) v.w = 0.0F;
    out = make_uint2(pack_bf16(v.x, v.y), pack_bf16(v.z, v.w));
  }
  *reinterpret_cast<uint2*>(to + (row - begin) * stride + col) = out;
}

}  // namespace

Status embed_rows(const PackedMatrix& table,
                  const std::int32_t* ids,
                  std::int64_t rows,
                  float scale,
                  float* x,
                  const LaunchOrder& order) {
  if (rows == 0) return ok();
  constexpr int kBlock = 128;
  const LaunchConfig config{
      .grid = dim3(static_cast<unsigned>((table.cols + 4 * kBlock - 1) / (4 * kBlock)),
                   static_cast<unsigned>(rows)),
      .block = dim3(kBlock),
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  return with_layout(table.layout, [&]<Layout layout>() {
    return launch("embed_rows", embed_kernel<layout>, config, view_of(table), ids, scale, x);
  });
}

Status dequantize_rows(const PackedMatrix& w,
                       std::int64_t begin,
                       std::int64_t end,
                       std::uint16_t* to,
                       std::int64_t stride,
                       const LaunchOrder& order) {
  if (begin >= end) return ok();
  if (begin % kPanelRows != 0 || stride % 32 != 0 || stride < w.cols) {
    return Error{Code::invalid_argument,
                 "CUDA dequantize_rows: rows from " + std::to_string(begin) + ", stride " +
                     std::to_string(stride) + " for " + std::to_string(w.cols) + " columns"};
  }
  const LaunchConfig config{
      .grid = dim3(static_cast<unsigned>(stride / 32),
                   static_cast<unsigned>((end - begin + kPanelRows - 1) / kPanelRows)),
      .block = dim3(4 * kWarp),
      .stream = order.stream,
      .overlaps_previous = order.overlaps};
  return with_layout(w.layout, [&]<Layout layout>() {
    return launch(
        "dequantize_rows", expand_kernel<layout>, config, view_of(w), begin, end, to, stride);
  });
}

}  // namespace facet::engine::cuda
