// Products and attention of steps of many rows.
#include "engine/cuda/blas.h"
#include "engine/cuda/prefill.h"
#include "engine/cuda/product.h"
#include "engine/cuda/wgmma.h"
#include "tests/engine/cuda/check_support.h"
#include "tests/engine/cuda/kv_support.h"

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using cuda::Layout;
using engine::DType;
using engine::KvType;

/// Values that bfloat16 holds, and their bits in rows of `stride`.
struct Bfloats {
  Bfloats(std::int64_t rows, std::int64_t cols, std::int64_t stride, std::mt19937& random)
      : values(normal_floats(rows * cols, random)),
        bits(static_cast<std::size_t>(rows * stride), 0) {
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      float& value = values[static_cast<std::size_t>(i)];
      const std::uint16_t rounded = engine::float_to_bf16(value);
      value = engine::bf16_to_float(rounded);
      bits[static_cast<std::size_t>(i / cols * stride + i % cols)] = rounded;
    }
  }
  std::vector<float> values;
  std::vector<std::uint16_t> bits;
};

struct MatmulShape {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t tokens;
  std::int64_t row_begin;
  std::int64_t scratch_rows;
  cuda::PromptUnits units = cuda::PromptUnits::mma;
};

void check_matmul_shape(Comparison& log,
                        DType type,
                        const MatmulShape& shape,
                        std::mt19937& random) {
  const DeviceWeights w(log, type, shape.rows, shape.cols, random);
  const std::int64_t stride = cuda::padded_cols(Layout::bf16, shape.cols);
  const Bfloats x(shape.tokens, shape.cols, stride, random);
  const DeviceArray<std::uint16_t> device_x(log, x.bits);
  const DeviceArray<std::uint16_t> scratch(
      log,
      std::vector<std::uint16_t>(static_cast<std::size_t>(shape.scratch_rows * stride), 0xFFFF));
  const std::int64_t rows = shape.rows - shape.row_begin;
  const std::int64_t y_stride = rows + 3;
  const auto y = poisoned(log, shape.tokens * y_stride);
  log.ok(cuda::matmul({.w = w.matrix,
                       .row_begin = shape.row_begin,
                       .row_end = shape.rows,
                       .x = device_x.get(),
                       .x_stride = stride,
                       .tokens = shape.tokens,
                       .y = y.get(),
                       .y_stride = y_stride,
                       .scratch = scratch.get(),
                       .scratch_rows = shape.scratch_rows,
                       .units = shape.units},
                      {}));
  const auto got = y.read();
  const double allowed = type == DType::bf16 ? 1e-5 : 0x1p-8 + 1e-5;
  for (std::int64_t t = 0; t < shape.tokens && !log.has_failed(); ++t) {
    for (std::int64_t r = 0; r < rows; ++r) {
      double sum = 0.0;
      double size = 0.0;
      for (std::int64_t k = 0; k < shape.cols; ++k) {
        const double product =
            static_cast<double>(x.values[static_cast<std::size_t>(t * shape.cols + k)]) *
            static_cast<double>(w.row(shape.row_begin + r)[k]);
        sum += product;
        size += std::abs(product);
      }
      const auto at = static_cast<std::size_t>(t * y_stride + r);
      log.near(static_cast<double>(got[at]), sum, allowed * size + 1e-30, at);
    }
    for (std::int64_t r = rows; r < y_stride; ++r) {
      log.that(std::isnan(got[static_cast<std::size_t>(t * y_stride + r)]), "wrote beyond a row");
    }
  }
}

CheckOutcome check_matmul() {
  Comparison log;
  std::mt19937 random(41);
  for (const MatmulShape& shape : {MatmulShape{1, 64, 1, 0, 16},
                                   MatmulShape{70, 96, 65, 0, 16},
                                   MatmulShape{200, 32, 17, 48, 64},
                                   MatmulShape{600, 160, 300, 0, 512}}) {
    for (const DType type : {DType::bf16, DType::q4_0}) {
      log.part(std::string(engine::dtype_name(type)) + " " + std::to_string(shape.rows) + " x " +
               std::to_string(shape.cols) + ", " + std::to_string(shape.tokens) + " tokens");
      check_matmul_shape(log, type, shape, random);
      if (log.has_failed()) return log.outcome();
    }
  }
  return log.outcome();
}

/// Shapes that fill the device with the large tiles, whatever it is.
CheckOutcome check_large_tiles() {
  Comparison log;
  std::mt19937 random(45);
  const auto limits = cuda::device_limits();
  if (!limits) return {.failure = limits.error().message};
  const auto side = static_cast<std::int64_t>(std::ceil(std::sqrt(limits->multiprocessors)));
  log.part(std::to_string(side) + " by " + std::to_string(side) + " tiles");
  check_matmul_shape(log, DType::bf16, {256 * side - 56, 96, 128 * side - 20, 0, 16}, random);
  return log.outcome();
}

/// cuBLASLt, where the build has it.
CheckOutcome check_library() {
  Comparison log;
  std::mt19937 random(44);
  for (const MatmulShape& shape : {MatmulShape{600, 160, 300, 0, 512, cuda::PromptUnits::library},
                                   MatmulShape{256, 512, 17, 0, 64, cuda::PromptUnits::library}}) {
    if (!cuda::has_blas()) break;
    for (const DType type : {DType::bf16, DType::q4_0}) {
      log.part(std::string(engine::dtype_name(type)) + " " + std::to_string(shape.rows) + " x " +
               std::to_string(shape.cols) + ", " + std::to_string(shape.tokens) + " tokens");
      check_matmul_shape(log, type, shape, random);
    }
  }
  return log.outcome();
}

struct WgmmaShape {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t tokens;
  std::int64_t y_extra;  ///< Of the stride, beyond the columns.
};

/// A dot product, and the sum of the sizes of what it adds, of which its error is a share.
struct Dot {
  double sum = 0.0;
  double size = 0.0;
};
Dot dot(const Bfloats& x, std::int64_t t, const Bfloats& w, std::int64_t r, std::int64_t cols) {
  Dot out;
  for (std::int64_t k = 0; k < cols; ++k) {
    const double product = static_cast<double>(x.values[static_cast<std::size_t>(t * cols + k)]) *
                           static_cast<double>(w.values[static_cast<std::size_t>(r * cols + k)]);
    out.sum += product;
    out.size += std::abs(product);
  }
  return out;
}

void check_wgmma_store(Comparison& log, const WgmmaShape& shape, std::mt19937& random) {
  const std::int64_t stride = cuda::padded_cols(Layout::bf16, shape.cols);
  const Bfloats w(shape.rows, shape.cols, stride, random);
  const Bfloats x(shape.tokens, shape.cols, stride, random);
  const DeviceArray<std::uint16_t> device_w(log, w.bits);
  const DeviceArray<std::uint16_t> device_x(log, x.bits);
  const std::int64_t y_stride = shape.rows + shape.y_extra;
  const auto y = poisoned(log, shape.tokens * y_stride);
  log.ok(cuda::wgmma_matmul({.w = device_w.get(),
                             .w_stride = stride,
                             .rows = shape.rows,
                             .x = device_x.get(),
                             .x_stride = stride,
                             .tokens = shape.tokens,
                             .cols = stride,
                             .y = y.get(),
                             .y_stride = y_stride},
                            {}));
  const auto got = y.read();
  for (std::int64_t t = 0; t < shape.tokens && !log.has_failed(); ++t) {
    for (std::int64_t r = 0; r < y_stride; ++r) {
      const auto at = static_cast<std::size_t>(t * y_stride + r);
      if (r >= shape.rows) {
        log.that(std::isnan(got[at]), "wrote beyond a row");
        continue;
      }
      const Dot expected = dot(x, t, w, r, shape.cols);
      log.near(static_cast<double>(got[at]), expected.sum, 1e-5 * expected.size + 1e-30, at);
    }
  }
}

void check_wgmma_gelu(Comparison& log, const WgmmaShape& shape, std::mt19937& random) {
  const std::int64_t stride = cuda::padded_cols(Layout::bf16, shape.cols);
  const Bfloats gate(shape.rows, shape.cols, stride, random);
  const Bfloats up(shape.rows, shape.cols, stride, random);
  const Bfloats x(shape.tokens, shape.cols, stride, random);
  const DeviceArray<std::uint16_t> device_gate(log, gate.bits);
  const DeviceArray<std::uint16_t> device_up(log, up.bits);
  const DeviceArray<std::uint16_t> device_x(log, x.bits);
  const std::int64_t y_cols = cuda::padded_cols(Layout::bf16, shape.rows);
  const std::int64_t y_stride = y_cols + 8;
  const DeviceArray<std::uint16_t> y(
      log, std::vector<std::uint16_t>(static_cast<std::size_t>(shape.tokens * y_stride), 0xFFFF));
  log.ok(cuda::wgmma_matmul({.w = device_gate.get(),
                             .up = device_up.get(),
                             .w_stride = stride,
                             .rows = shape.rows,
                             .x = device_x.get(),
                             .x_stride = stride,
                             .tokens = shape.tokens,
                             .cols = stride,
                             .y_bf16 = y.get(),
                             .y_stride = y_stride,
                             .y_cols = y_cols},
                            {}));
  const auto got = y.read();
  for (std::int64_t t = 0; t < shape.tokens && !log.has_failed(); ++t) {
    for (std::int64_t r = 0; r < y_stride; ++r) {
      const auto at = static_cast<std::size_t>(t * y_stride + r);
      if (r >= shape.rows) {
        log.that(got[at] == (r < y_cols ? 0 : 0xFFFF), "columns behind the product");
        continue;
      }
      const Dot gate_dot = dot(x, t, gate, r, shape.cols);
      const Dot up_dot = dot(x, t, up, r, shape.cols);
      const double g = gate_dot.sum;
      const double u = up_dot.sum;
      const double gelu =
          0.5 * g * (1.0 + std::tanh(0.7978845608028654 * (g + 0.044715 * g * g * g)));
      // The slope of gelu is below 1.13; what is rounded to bfloat16 is off by 2^-8 at most.
      const double sums = 1.2e-5 * (gate_dot.size * std::abs(u) + up_dot.size * std::abs(gelu));
      log.near(static_cast<double>(engine::bf16_to_float(got[at])),
               gelu * u,
               0x1p-8 * std::abs(gelu * u) + sums + 4e-6 * std::abs(g * u) + 1e-30,
               at);
    }
  }
}

/// gate_up_rows in stripes of a small scratch against matmul and gelu_mul, the same units: the sums
/// are the same, so the bits are.
void check_gate_up_rows(Comparison& log, DType gate_type, DType up_type, std::mt19937& random) {
  constexpr std::int64_t kFfn = 150;
  constexpr std::int64_t kHidden = 256;
  constexpr std::int64_t kTokens = 37;
  constexpr std::int64_t kScratchRows = 96;
  const DeviceWeights gate(log, gate_type, kFfn, kHidden, random);
  const DeviceWeights up(log, up_type, kFfn, kHidden, random);
  const Bfloats x(kTokens, kHidden, kHidden, random);
  const DeviceArray<std::uint16_t> device_x(log, x.bits);
  const DeviceArray<std::uint16_t> scratch(
      log, std::vector<std::uint16_t>(kScratchRows * kHidden, 0xFFFF));
  const std::int64_t y_stride = cuda::padded_cols(Layout::bf16, kFfn);
  const std::vector<std::uint16_t> poison(static_cast<std::size_t>(kTokens * y_stride), 0xFFFF);
  const DeviceArray<std::uint16_t> fused(log, poison);
  const DeviceArray<std::uint16_t> apart(log, poison);
  log.ok(cuda::gate_up_rows({.gate = gate.matrix,
                             .up = up.matrix,
                             .x = device_x.get(),
                             .x_stride = kHidden,
                             .tokens = kTokens,
                             .y = fused.get(),
                             .y_stride = y_stride,
                             .scratch = scratch.get(),
                             .scratch_rows = kScratchRows},
                            {}));
  const auto products = poisoned(log, 2 * kTokens * kFfn);
  for (const auto* w : {&gate, &up}) {
    log.ok(cuda::matmul({.w = w->matrix,
                         .row_end = kFfn,
                         .x = device_x.get(),
                         .x_stride = kHidden,
                         .tokens = kTokens,
                         .y = products.get() + (w == &up ? kTokens * kFfn : 0),
                         .y_stride = kFfn,
                         .scratch = scratch.get(),
                         .scratch_rows = kScratchRows,
                         .units = cuda::PromptUnits::wgmma},
                        {}));
  }
  log.ok(cuda::gelu_mul(products.get(),
                        products.get() + kTokens * kFfn,
                        kTokens,
                        kFfn,
                        kFfn,
                        apart.get(),
                        y_stride,
                        {}));
  log.that(fused.read() == apart.read(), "gate_up_rows gives other bits than its parts");
}

/// Hopper's own units, where the device and the build have them; the emulated device does.
CheckOutcome check_wgmma() {
  Comparison log;
  std::mt19937 random(46);
  const auto is_there = cuda::has_wgmma();
  if (!is_there) return {.failure = is_there.error().message};
  if (!*is_there) return log.outcome();
  for (const WgmmaShape& shape : {WgmmaShape{1, 32, 1, 0},
                                  WgmmaShape{256, 64, 128, 0},
                                  WgmmaShape{70, 96, 65, 3},
                                  WgmmaShape{300, 416, 140, 2}}) {
    log.part(std::to_string(shape.rows) + " x " + std::to_string(shape.cols) + ", " +
             std::to_string(shape.tokens) + " tokens");
    check_wgmma_store(log, shape, random);
    check_wgmma_gelu(log, shape, random);
    if (log.has_failed()) break;
  }
  log.part("gate and up in stripes");
  check_gate_up_rows(log, DType::q4_0, DType::q4_0, random);
  check_gate_up_rows(log, DType::bf16, DType::bf16, random);
  check_gate_up_rows(log, DType::q8_0, DType::bf16, random);
  return log.outcome();
}

CheckOutcome check_matmul_types() {
  Comparison log;
  std::mt19937 random(42);
  for (const DType type : engine::dtypes()) {
    const std::int64_t cols = engine::dtype_block_elements(type) == 1 ? 50 : 256;
    log.part(std::string(engine::dtype_name(type)));
    check_matmul_shape(log, type, {40, cols, 20, 16, 16}, random);
    if (log.has_failed()) break;
  }
  return log.outcome();
}

/// A run of rows of one sequence: text, or an image when `span` is positive (all its rows end
/// there).
struct Run {
  int sequence;
  int position;
  int tokens;
  bool is_image;
};

struct FlashShape {
  int heads;
  int kv_heads;
  int head_dim;
  KvType type;
  int window;
  bool causal;
};

void check_flash_shape(Comparison& log, const FlashShape& shape, int splits, std::mt19937& random) {
  log.part(std::to_string(splits) + " splits, " + std::to_string(shape.heads) + " heads on " +
           std::to_string(shape.kv_heads) + " of " + std::to_string(shape.head_dim) + ", " +
           std::string(engine::kv_type_name(shape.type)) + ", window " +
           std::to_string(shape.window));
  PagedSequences pages(log, shape.type, shape.kv_heads, shape.head_dim, 3, 400);
  pages.fill(random);
  const int tokens_max = cuda::flash_tile_tokens(shape.heads, shape.kv_heads, shape.head_dim);
  StepTable step(log);
  std::vector<cuda::AttentionTile> tiles;
  const int later = shape.window > 0 ? 128 + shape.window : 260;
  // Sequences 1 and 2 have lost their first pages; without a window all is needed.
  const int moved = shape.window > 0 ? 2 : 0;
  for (const Run& run : {Run{0, 0, 75, false},
                         Run{0, 75, 40, true},
                         Run{0, 115, 3, false},
                         Run{moved, later, 1, false},
                         Run{moved, later + 60, 33, false}}) {
    const int end = run.position + run.tokens;
    for (int t = 0; t < run.tokens; t += tokens_max) {
      tiles.push_back({.row = static_cast<std::int32_t>(step.rows.size()) + t,
                       .rows = std::min(tokens_max, run.tokens - t),
                       .sequence = run.sequence,
                       .position = run.position + t,
                       .end_max = end});
    }
    for (int t = 0; t < run.tokens; ++t) {
      const int position = run.position + t;
      const bool sees_all = run.is_image || !shape.causal;
      step.add(
          {.position = position, .end = sees_all ? end : position + 1, .sequence = run.sequence});
    }
  }
  const auto rows = static_cast<std::int64_t>(step.rows.size());
  const std::int64_t width = std::int64_t{shape.heads} * shape.head_dim;
  const Bfloats q(rows, width, width, random);
  const DeviceArray<std::uint16_t> device_q(log, q.bits);
  const DeviceArray<cuda::AttentionTile> device_tiles(log, tiles);
  const DeviceArray<std::uint16_t> out(log, std::vector<std::uint16_t>(q.bits.size(), 0xFFFF));
  const float scale = 2.0F / std::sqrt(static_cast<float>(shape.head_dim));
  const int count = static_cast<int>(tiles.size());
  auto scratch =
      poisoned(log, cuda::flash_scratch_floats(count, shape.kv_heads, shape.head_dim, splits));
  log.ok(cuda::flash_attend({.q = device_q.get(),
                             .heads = shape.heads,
                             .rows = step.upload(),
                             .tiles = device_tiles.get(),
                             .tile_count = count,
                             .pages = pages.layer(),
                             .span = {.window = shape.window, .causal = shape.causal},
                             .scale = scale,
                             .out = out.get(),
                             .splits = splits,
                             .scratch = scratch.get()},
                            {}));
  const auto got = out.read();
  near_reference_attention(
      log, shape, pages, step, q.values.data(), scale, 1e-2, [&](std::size_t i) {
        return static_cast<double>(engine::bf16_to_float(got[i]));
      });
}

CheckOutcome check_flash() {
  Comparison log;
  std::mt19937 random(43);
  for (const FlashShape& shape : {FlashShape{4, 2, 256, KvType::bf16, 0, true},
                                  FlashShape{2, 1, 256, KvType::f32, 70, true},
                                  FlashShape{2, 2, 128, KvType::bf16, 64, true},
                                  FlashShape{4, 1, 64, KvType::bf16, 33, false},
                                  FlashShape{3, 1, 64, KvType::f32, 0, false},
                                  FlashShape{2, 1, 256, KvType::int8, 90, true},
                                  FlashShape{2, 1, 256, KvType::fp8, 90, true},
                                  FlashShape{2, 2, 64, KvType::fp8, 0, false}}) {
    // 400 positions are two parts at most, where no window makes them one.
    for (const int splits : {1, 2, 5}) check_flash_shape(log, shape, splits, random);
    if (log.has_failed()) break;
  }
  return log.outcome();
}

}  // namespace

std::vector<KernelCheck> prefill_checks() {
  return {{"products of many rows", check_matmul},
          {"products of many rows, in large tiles", check_large_tiles},
          {"products of many rows by cuBLASLt, where it is there", check_library},
          {"products of many rows, every type", check_matmul_types},
          {"products of many rows by wgmma, where it is there", check_wgmma},
          {"flash attention", check_flash}};
}

}  // namespace facet::test
