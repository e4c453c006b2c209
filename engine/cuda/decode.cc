// Calls of decode.h, cut into launches of the product kernel.
#include "engine/cuda/decode.h"

#include "engine/cuda/product.h"

#include <algorithm>
#include <limits>
#include <string>

namespace facet::engine::cuda {
namespace {

/// From here on a product of several rows is split by slices: its activations would not fit.
constexpr std::int64_t kWholeColsMax = kSliceCols + kSliceCols / 2;

Error bad_shape(const std::string& what) {
  return {Code::invalid_argument, "CUDA product: " + what};
}

/// Everything of a launch but its end and its rows.
Result<ProductArgs> product_of(std::initializer_list<const PackedMatrix*> matrices,
                               const RowInput& input,
                               int rows) {
  const PackedMatrix& first = **matrices.begin();
  if (rows < 1) return bad_shape(std::to_string(rows) + " rows");
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  ProductArgs out;
  out.cols = static_cast<int>(first.cols);
  out.tiles = static_cast<int>(padded_cols(first.layout, first.cols) / tile_cols(first.layout));
  out.tiles_per_slice = static_cast<int>(kSliceCols / tile_cols(first.layout));
  out.input = input;
  out.rows = rows;
  out.call_rows = rows;
  out.part_count = 0;
  for (const PackedMatrix* w : matrices) {
    if (w->rows < 1 || w->cols < 1 || w->rows > kMost || w->cols > kMost / 4) {
      return bad_shape("a matrix of " + std::to_string(w->rows) + " rows and " +
                       std::to_string(w->cols) + " columns");
    }
    if (w->cols != first.cols || w->layout != first.layout) {
      return bad_shape("matrices that differ in columns or layout");
    }
    const auto panels = static_cast<int>((w->rows + kPanelRows - 1) / kPanelRows);
    out.parts[out.part_count++] = {
        .data = w->data, .rows = static_cast<int>(w->rows), .panels = panels};
    out.items += panels;
  }
  return out;
}

/// Rows from `first` on.
ProductArgs rows_of(const ProductArgs& args, int first, int count) {
  ProductArgs out = args;
  const std::int64_t at = std::int64_t{first} * args.cols;
  out.rows = count;
  out.input.x += at;
  if (out.input.delta != nullptr) out.input.delta += at;
  if (out.input.x_out != nullptr) out.input.x_out += at;
  if (out.y != nullptr) out.y += std::int64_t{first} * args.y_cols;
  if (args.end != ProductEnd::qkv) return out;
  QkvTail& tail = out.qkv;
  const std::int64_t half = tail.head_dim / 2;
  tail.rows.rows = count;
  tail.rows.position += first;
  tail.rows.end += first;
  tail.rows.sequence += first;
  tail.cos += first * half;
  tail.sin += first * half;
  tail.q_out += std::int64_t{first} * tail.heads * tail.head_dim;
  tail.scratch += std::int64_t{first} * (tail.heads + 2 * tail.kv_heads) * tail.head_dim;
  return out;
}

/// As many rows at once as shared memory holds; the bits are the same for any number.
Status launch_rows(Layout layout, const ProductArgs& args, const LaunchOrder& order) {
  FACET_TRY(const DeviceLimits limits, device_limits());
  int count = std::min(args.rows, kDecodeRowsMax);
  while (count > 0 &&
         product_shared_bytes(layout, rows_of(args, 0, count)) > limits.shared_bytes_max) {
    count = count > 8 ? 8 : count / 2;
  }
  if (count == 0) {
    return bad_shape(std::to_string(args.cols) + " columns of " + std::string(layout_name(layout)) +
                     ", more than shared memory holds");
  }
  for (int first = 0; first < args.rows; first += count) {
    const int rows = std::min(count, args.rows - first);
    FACET_TRY_STATUS(launch_product(layout, rows_of(args, first, rows), order));
  }
  return ok();
}

}  // namespace

int multiply_parts(std::int64_t cols, int rows) {
  if (rows == 1 || cols <= kWholeColsMax) return 1;
  return static_cast<int>((cols + kSliceCols - 1) / kSliceCols);
}

int multiply_parts(const PackedMatrix& w, int rows) {
  return multiply_parts(w.cols, rows);
}

Status multiply_rows(
    const PackedMatrix& w, const RowInput& input, int rows, float* y, const LaunchOrder& order) {
  FACET_TRY(ProductArgs args, product_of({&w}, input, rows));
  args.y = y;
  args.y_cols = static_cast<int>(w.rows);
  args.is_split = multiply_parts(w, rows) > 1;
  return launch_rows(w.layout, args, order);
}

Status project_qkv(const QkvArgs& args, const LaunchOrder& order) {
  const PackedMatrix* matrices[] = {&args.q, &args.k, &args.v};
  const std::int64_t dim = args.pages.head_dim;
  const std::int64_t kv_width = args.pages.kv_heads * dim;
  if (dim < 2 || dim % 2 != 0 || args.q.rows != args.heads * dim || args.k.rows != kv_width ||
      args.v.rows != kv_width) {
    return bad_shape("head_dim " + std::to_string(dim) + " with matrices of " +
                     std::to_string(args.q.rows) + ", " + std::to_string(args.k.rows) + " and " +
                     std::to_string(args.v.rows) + " rows");
  }
  const QkvTail tail{.heads = args.heads,
                     .kv_heads = args.pages.kv_heads,
                     .head_dim = args.pages.head_dim,
                     .q_norm = args.q_norm,
                     .k_norm = args.k_norm,
                     .eps = args.input.eps,
                     .cos = args.cos,
                     .sin = args.sin,
                     .rows = args.rows,
                     .pages = args.pages,
                     .q_out = args.q_out,
                     .scratch = args.scratch,
                     .counters = args.counters};
  bool is_done[3] = {};
  for (int i = 0; i < 3; ++i) {
    if (is_done[i]) continue;
    // This matrix, and the later ones of its layout.
    ProductArgs launch;
    for (int j = i; j < 3; ++j) {
      if (matrices[j]->layout != matrices[i]->layout) continue;
      FACET_TRY(ProductArgs one, product_of({matrices[j]}, args.input, args.rows.rows));
      one.parts[0].role = static_cast<QkvRole>(j);
      is_done[j] = true;
      if (launch.items == 0) {
        launch = one;
        continue;
      }
      if (one.cols != launch.cols) return bad_shape("q, k and v of different columns");
      launch.parts[launch.part_count++] = one.parts[0];
      launch.items += one.items;
    }
    launch.end = ProductEnd::qkv;
    launch.qkv = tail;
    FACET_TRY_STATUS(launch_rows(matrices[i]->layout, launch, order));
  }
  return ok();
}

Status gate_up(const GateUpArgs& args, const LaunchOrder& order) {
  if (args.gate.rows != args.up.rows || args.gate.cols != args.up.cols) {
    return bad_shape("gate and up of different shapes");
  }
  if (args.gate.layout != args.up.layout) {
    if (multiply_parts(args.gate, args.rows) > 1) {
      return bad_shape("gate and up of different layouts with " + std::to_string(args.gate.cols) +
                       " columns");
    }
    const std::int64_t count = args.rows * args.gate.rows;
    FACET_TRY_STATUS(multiply_rows(args.gate, args.input, args.rows, args.y, order));
    FACET_TRY_STATUS(multiply_rows(args.up, args.input, args.rows, args.scratch, order));
    return gelu_mul_f32(args.y, args.scratch, count, order);
  }
  FACET_TRY(ProductArgs launch, product_of({&args.gate, &args.up}, args.input, args.rows));
  launch.end = ProductEnd::gelu_mul;
  launch.items = launch.parts[0].panels;
  launch.y = args.y;
  launch.y_cols = static_cast<int>(args.gate.rows);
  return launch_rows(args.gate.layout, launch, order);
}

}  // namespace facet::engine::cuda
