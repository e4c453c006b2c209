// The arguments of the product kernel of a decode step (product.cuh), and who launches it for each
// layout. Between decode.cc, which cuts a call into launches, and product_<layout>.cu.
#pragma once

#include "base/result.h"
#include "engine/cuda/decode.h"
#include "engine/cuda/matrix.h"
#include "engine/cuda/step.h"

#include <cstdint>

namespace facet::engine::cuda {

/// What happens to the finished sums of a panel.
enum class ProductEnd : std::uint8_t { store, gelu_mul, qkv };

/// Which of the three a part of a qkv product is.
enum class QkvRole : std::uint8_t { q, k, v };

/// A matrix of the launch.
struct ProductPart {
  const std::byte* data = nullptr;
  int rows = 0;
  int panels = 0;
  QkvRole role = QkvRole::q;
};

struct QkvTail {
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float eps = 0.0F;
  const float* cos = nullptr;
  const float* sin = nullptr;
  StepRows rows;
  LayerPages pages;
  float* q_out = nullptr;
  float* scratch = nullptr;
  std::uint32_t* counters = nullptr;
};

/// One launch: all parts have one layout and the same columns.
struct ProductArgs {
  ProductEnd end = ProductEnd::store;
  ProductPart parts[3];
  int part_count = 1;
  int items = 0;  ///< Panels of all parts; of one for gelu_mul, whose parts go together.
  int cols = 0;
  int tiles = 0;            ///< Of a panel.
  int tiles_per_slice = 0;  ///< Sums are closed, and added up in order, after so many.
  bool is_split = false;    ///< Each slice by other blocks, as a part of y of its own.
  int rows = 0;             ///< Tokens of this launch.
  int call_rows = 0;        ///< Tokens of the call, of which these are some: between parts.
  RowInput input;
  float* y = nullptr;  ///< store: (slices where split, call_rows, y_cols), else (rows, y_cols)
  int y_cols = 0;
  QkvTail qkv;
};

/// Columns after which sums are closed: what fits shared memory for 16 rows on most devices.
inline constexpr int kSliceCols = 4096;

/// Shared memory that a launch takes, to be compared with the device's limit.
std::int64_t product_shared_bytes(Layout layout, const ProductArgs& args);

/// The launch, by the kernel of the layout.
Status launch_product(Layout layout, const ProductArgs& args, const LaunchOrder& order);

/// Facts of the current device that launches depend on.
struct DeviceLimits {
  int shared_bytes_max = 0;  ///< Dynamic shared memory of one block.
  int multiprocessors = 0;
};
Result<DeviceLimits> device_limits();

Status launch_product_f32(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_f16(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_bf16(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_fp8(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q8(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q8_min(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q4(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q2_k(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q3_k(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q4_k(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q5_k(const ProductArgs& args, const LaunchOrder& order);
Status launch_product_q6_k(const ProductArgs& args, const LaunchOrder& order);

}  // namespace facet::engine::cuda
