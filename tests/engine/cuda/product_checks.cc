// The products of a decode step, for every layout of weights.
#include "engine/cuda/decode.h"
#include "engine/cuda/prefill.h"
#include "engine/cuda/product.h"
#include "tests/engine/cuda/check_support.h"
#include "tests/engine/cuda/kv_support.h"

#include <algorithm>
#include <array>

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using cuda::ActivationForm;
using cuda::Layout;
using engine::DType;

/// h as the products round it.
std::vector<double> rounded(const float* h, std::int64_t cols, ActivationForm form) {
  std::vector<double> out(h, h + cols);
  if (form == ActivationForm::bf16) {
    for (double& value : out) {
      value = engine::bf16_to_float(engine::float_to_bf16(static_cast<float>(value)));
    }
  } else if (form == ActivationForm::f16) {
    double largest = 0.0;
    for (const double value : out) largest = std::max(largest, std::abs(value));
    const int shift = largest > 0.0 ? 14 - std::ilogb(largest) : 0;
    for (double& value : out) {
      const auto scaled = static_cast<float>(std::ldexp(value, shift));
      value = std::ldexp(engine::half_to_float(engine::float_to_half(scaled)), -shift);
    }
  } else if (form == ActivationForm::int8) {
    for (std::int64_t b = 0; b < cols; b += 32) {
      float largest = 0.0F;
      for (std::int64_t i = b; i < b + 32; ++i) largest = std::max(largest, std::abs(h[i]));
      const float inverse = largest < 1e-30F ? 0.0F : 127.0F / largest;
      const float d = largest < 1e-30F ? 0.0F : largest / 127.0F;
      for (std::int64_t i = b; i < b + 32; ++i) {
        out[static_cast<std::size_t>(i)] =
            static_cast<double>(d) * static_cast<double>(std::nearbyint(h[i] * inverse));
      }
    }
  }
  return out;
}

/// Sum of the parts, in their order, as the next kernel adds them.
std::vector<float> sum_parts(const std::vector<float>& parts, int count) {
  const std::size_t each = parts.size() / static_cast<std::size_t>(count);
  std::vector<float> out(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(each));
  for (std::size_t i = each; i < parts.size(); ++i) out[i % each] += parts[i];
  return out;
}

/// multiply_rows of plain inputs.
std::vector<float> multiply(Comparison& log,
                            const cuda::PackedMatrix& w,
                            const float* x,
                            int rows) {
  const int parts = cuda::multiply_parts(w, rows);
  auto y = poisoned(log, parts * rows * w.rows);
  log.ok(cuda::multiply_rows(w, {.x = x}, rows, y.get(), {}));
  return sum_parts(y.read(), parts);
}

/// Product of `rows` random rows against the reference; then row by row: the same bits.
void check_product(Comparison& log, const DeviceWeights& w, int rows, std::mt19937& random) {
  const std::int64_t cols = w.matrix.cols;
  const auto x = normal_floats(rows * cols, random);
  const DeviceArray<float> device_x(log, x);
  const auto y = multiply(log, w.matrix, device_x.get(), rows);
  const ActivationForm form = cuda::activation_form(w.matrix.layout);
  for (std::int64_t t = 0; t < rows && !log.has_failed(); ++t) {
    const auto h = rounded(x.data() + t * cols, cols, form);
    for (std::int64_t r = 0; r < w.matrix.rows; ++r) {
      double sum = 0.0;
      double size = 0.0;
      for (std::int64_t k = 0; k < cols; ++k) {
        const double product = h[static_cast<std::size_t>(k)] * static_cast<double>(w.row(r)[k]);
        sum += product;
        size += std::abs(product);
      }
      const auto at = static_cast<std::size_t>(t * w.matrix.rows + r);
      log.near(static_cast<double>(y[at]), sum, 1e-5 * size + 1e-30, at);
    }
  }
  for (int t = 0; t < rows && rows > 1 && !log.has_failed(); ++t) {
    const auto alone = multiply(log, w.matrix, device_x.get() + t * cols, 1);
    const auto first = y.begin() + t * w.matrix.rows;
    log.same_bits(alone, {first, first + w.matrix.rows}, "row " + std::to_string(t) + " alone");
  }
}

/// Shapes around the edges of panels, tiles and groups of tokens.
CheckOutcome check_layout(DType type, Layout layout) {
  Comparison log;
  std::mt19937 random(11);
  const std::int64_t step = engine::dtype_block_elements(type) == 1
                                ? (layout == Layout::fp8 ? 32 : 8)
                                : engine::dtype_block_elements(type);
  struct Shape {
    std::int64_t rows;
    std::int64_t steps;
    int tokens;
  };
  const std::int64_t wide = (2 * 640 + step - 1) / step;
  for (const Shape& shape : {Shape{1, 1, 1},
                             Shape{16, 2, 1},
                             Shape{17, 3, 2},
                             Shape{33, wide, 1},
                             Shape{40, 5, 8},
                             Shape{50, 4, 9},
                             Shape{64, wide / 2 + 1, 16}}) {
    const std::int64_t cols = shape.steps * step;
    log.part(std::string(layout_name(layout)) + " " + std::to_string(shape.rows) + " x " +
             std::to_string(cols) + ", " + std::to_string(shape.tokens) + " rows");
    const DeviceWeights w(log, type, layout, shape.rows, cols, random);
    check_product(log, w, shape.tokens, random);
    if (log.has_failed()) break;
  }
  return log.outcome();
}

template <DType type>
CheckOutcome check_type() {
  return check_layout(type, cuda::layout_of(type));
}
CheckOutcome check_fp8() {
  return check_layout(DType::bf16, Layout::fp8);
}

/// More columns than a slice: partial sums, and their bits.
CheckOutcome check_slices() {
  Comparison log;
  std::mt19937 random(12);
  for (const DType type : {DType::bf16, DType::q4_0}) {
    for (const std::int64_t cols : {4096 + 512, 3 * 4096 + 256}) {
      log.part(std::string(engine::dtype_name(type)) + " of " + std::to_string(cols) + " columns");
      const DeviceWeights w(log, type, 20, cols, random);
      check_product(log, w, 3, random);
    }
  }
  return log.outcome();
}

/// Rows of a matrix of which every block of a launch has several panels, one after the other.
std::int64_t rows_of_many_panels(Comparison& log) {
  const auto limits = cuda::device_limits();
  log.ok(limits ? ok() : Status(limits.error()));
  return limits ? cuda::kPanelRows * (4 * limits->multiprocessors + 3) - 5 : 1;
}

CheckOutcome check_many_panels() {
  Comparison log;
  std::mt19937 random(16);
  const std::int64_t rows = rows_of_many_panels(log);
  for (const DType type : {DType::bf16,
                           DType::q8_0,
                           DType::q4_0,
                           DType::q2_k,
                           DType::q3_k,
                           DType::q4_k,
                           DType::q6_k}) {
    log.part(std::string(engine::dtype_name(type)) + " of " + std::to_string(rows) + " rows");
    const DeviceWeights w(log, type, rows, 768, random);
    check_product(log, w, 3, random);
    if (log.has_failed()) break;
  }
  return log.outcome();
}

/// Norms and residual before the product: the same bits as residual_norm and a plain product.
CheckOutcome check_inputs() {
  Comparison log;
  std::mt19937 random(13);
  for (const DType type : {DType::f32, DType::bf16, DType::q8_0, DType::f16}) {
    for (const std::int64_t cols : {64, 1184}) {
      for (const int parts : {0, 1, 3}) {
        constexpr int kRows = 3;
        log.part(std::string(engine::dtype_name(type)) + ", " + std::to_string(cols) +
                 " columns, " + std::to_string(parts) + " parts of delta");
        const DeviceWeights w(log, type, 24, cols, random);
        const DeviceArray<float> x(log, normal_floats(kRows * cols, random));
        const DeviceArray<float> norm(log, normal_floats(cols, random));
        const DeviceArray<float> delta(log, normal_floats((parts + 1) * kRows * cols, random));
        const DeviceArray<float> delta_norm(log, normal_floats(cols, random));
        const auto x_out = poisoned(log, kRows * cols);
        const auto x_want = poisoned(log, kRows * cols);
        const auto h = poisoned(log, kRows * cols);
        cuda::RowInput input{.x = x.get(), .norm = norm.get()};
        if (parts > 0) {
          input.delta = delta.get();
          input.delta_parts = parts;
          input.delta_norm = delta_norm.get();
          input.x_out = x_want.get();
        }
        log.ok(cuda::residual_norm(input, kRows, cols, h.get(), nullptr, {}));
        const auto y = poisoned(log, kRows * w.matrix.rows);
        if (parts > 0) input.x_out = x_out.get();
        log.ok(cuda::multiply_rows(w.matrix, input, kRows, y.get(), {}));
        log.same_bits(y.read(), multiply(log, w.matrix, h.get(), kRows), "product");
        if (parts > 0) log.same_bits(x_out.read(), x_want.read(), "x_out");
        if (log.has_failed()) return log.outcome();
      }
    }
  }
  return log.outcome();
}

struct GateUpShape {
  DType gate;
  DType up;
  std::int64_t ffn;
  int rows;
};

/// gate_up against the products of its matrices.
void check_gate_up_shape(Comparison& log, const GateUpShape& shape, std::mt19937& random) {
  constexpr std::int64_t kCols = 512;
  log.part(std::string(engine::dtype_name(shape.gate)) + " and " +
           std::string(engine::dtype_name(shape.up)) + " of " + std::to_string(shape.ffn) +
           " rows, " + std::to_string(shape.rows) + " tokens");
  const DeviceWeights gate(log, shape.gate, shape.ffn, kCols, random);
  const DeviceWeights up(log, shape.up, shape.ffn, kCols, random);
  auto values = normal_floats(shape.rows * kCols, random);
  for (float& value : values) value *= 0.1F;
  const DeviceArray<float> x(log, values);
  const auto y = poisoned(log, shape.rows * shape.ffn);
  const auto scratch = poisoned(log, shape.rows * shape.ffn);
  log.ok(cuda::gate_up({.gate = gate.matrix,
                        .up = up.matrix,
                        .input = {.x = x.get()},
                        .rows = shape.rows,
                        .y = y.get(),
                        .scratch = scratch.get()},
                       {}));
  const auto got = y.read();
  const auto g = multiply(log, gate.matrix, x.get(), shape.rows);
  const auto u = multiply(log, up.matrix, x.get(), shape.rows);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double a = static_cast<double>(g[i]);
    const double inner = std::sqrt(2.0 / M_PI) * (a + 0.044715 * a * a * a);
    const double want = a / (1.0 + std::exp(-2.0 * inner)) * static_cast<double>(u[i]);
    const double allowed = 4e-6 * std::abs(a * static_cast<double>(u[i])) + 1e-30;
    log.near(static_cast<double>(got[i]), want, allowed, i);
  }
}

CheckOutcome check_gate_up() {
  Comparison log;
  std::mt19937 random(14);
  for (const int rows : {1, 5, 12}) {
    for (const GateUpShape& shape : {GateUpShape{DType::bf16, DType::bf16, 40, rows},
                                     GateUpShape{DType::q4_0, DType::q4_0, 40, rows},
                                     GateUpShape{DType::q4_k, DType::q4_k, 40, rows},
                                     GateUpShape{DType::q4_k, DType::q6_k, 40, rows}}) {
      check_gate_up_shape(log, shape, random);
    }
  }
  const std::int64_t many = rows_of_many_panels(log);
  check_gate_up_shape(log, {DType::bf16, DType::bf16, many, 1}, random);
  check_gate_up_shape(log, {DType::q4_0, DType::q4_0, many, 2}, random);
  return log.outcome();
}

/// What can be different in project_qkv.
struct QkvShape {
  DType type;
  DType v_type;
  int heads;
  int kv_heads;
  int head_dim;
  int rows;
  engine::KvType kv_type;
};

/// project_qkv: the bits of the plain products followed by finish_qkv.
void check_qkv_shape(Comparison& log, const QkvShape& shape, std::mt19937& random) {
  constexpr std::int64_t kHidden = 256;
  const std::int64_t q_width = std::int64_t{shape.heads} * shape.head_dim;
  const std::int64_t kv_width = std::int64_t{shape.kv_heads} * shape.head_dim;
  const std::int64_t half = shape.head_dim / 2;
  const DeviceWeights q(log, shape.type, q_width, kHidden, random);
  const DeviceWeights k(log, shape.type, kv_width, kHidden, random);
  const DeviceWeights v(log, shape.v_type, kv_width, kHidden, random);
  const DeviceArray<float> x(log, normal_floats(shape.rows * kHidden, random));
  const DeviceArray<float> q_norm(log, normal_floats(shape.head_dim, random));
  const DeviceArray<float> k_norm(log, normal_floats(shape.head_dim, random));
  const DeviceArray<float> cos(log, normal_floats(shape.rows * half, random));
  const DeviceArray<float> sin(log, normal_floats(shape.rows * half, random));
  PagedSequences got(log, shape.kv_type, shape.kv_heads, shape.head_dim, 3, 200);
  PagedSequences want(log, shape.kv_type, shape.kv_heads, shape.head_dim, 3, 200);
  StepTable step(log);
  for (int row = 0; row < shape.rows; ++row) {
    const int position = 130 + 3 * row;
    step.add({.position = position, .end = position + 1, .sequence = row % 3});
  }
  const cuda::StepRows rows = step.upload();
  const auto q_out = poisoned(log, shape.rows * q_width);
  const auto q_want = poisoned(log, shape.rows * q_width);
  const auto scratch = poisoned(log, shape.rows * (q_width + 2 * kv_width));
  const auto heads = static_cast<std::size_t>(shape.heads + 2 * shape.kv_heads);
  const DeviceArray<std::uint32_t> counters(log, std::vector<std::uint32_t>(heads));
  log.ok(cuda::project_qkv({.q = q.matrix,
                            .k = k.matrix,
                            .v = v.matrix,
                            .input = {.x = x.get()},
                            .heads = shape.heads,
                            .q_norm = q_norm.get(),
                            .k_norm = k_norm.get(),
                            .cos = cos.get(),
                            .sin = sin.get(),
                            .rows = rows,
                            .pages = got.layer(),
                            .q_out = q_out.get(),
                            .scratch = scratch.get(),
                            .counters = counters.get()},
                           {}));
  const DeviceArray<float> q_sums(log, multiply(log, q.matrix, x.get(), shape.rows));
  const DeviceArray<float> k_sums(log, multiply(log, k.matrix, x.get(), shape.rows));
  const DeviceArray<float> v_sums(log, multiply(log, v.matrix, x.get(), shape.rows));
  log.ok(cuda::finish_qkv({.q = q_sums.get(),
                           .k = k_sums.get(),
                           .v = v_sums.get(),
                           .q_stride = q_width,
                           .kv_stride = kv_width,
                           .heads = shape.heads,
                           .q_norm = q_norm.get(),
                           .k_norm = k_norm.get(),
                           .cos = cos.get(),
                           .sin = sin.get(),
                           .rows = rows,
                           .pages = want.layer(),
                           .q_out = q_want.get()},
                          {}));
  log.same_bits(q_out.read(), q_want.read(), "q");
  log.same_bits(got.read(), want.read(), "pages");
  log.same_bits(counters.read(), std::vector<std::uint32_t>(heads), "counters");
}

CheckOutcome check_qkv() {
  Comparison log;
  std::mt19937 random(15);
  using engine::KvType;
  for (const QkvShape& shape : {QkvShape{DType::bf16, DType::bf16, 4, 2, 64, 1, KvType::bf16},
                                QkvShape{DType::bf16, DType::bf16, 2, 1, 256, 3, KvType::f32},
                                QkvShape{DType::q4_0, DType::q4_0, 3, 1, 32, 16, KvType::bf16},
                                QkvShape{DType::q4_k, DType::q6_k, 2, 2, 128, 9, KvType::bf16},
                                QkvShape{DType::q2_k, DType::q3_k, 2, 2, 128, 3, KvType::bf16},
                                // Heads that do not fill panels.
                                QkvShape{DType::q8_0, DType::q8_0, 6, 3, 8, 2, KvType::f32},
                                QkvShape{DType::f32, DType::f32, 5, 5, 20, 4, KvType::bf16},
                                QkvShape{DType::bf16, DType::bf16, 4, 2, 64, 5, KvType::int8},
                                QkvShape{DType::q4_0, DType::q4_0, 2, 1, 12, 2, KvType::int8},
                                QkvShape{DType::bf16, DType::bf16, 4, 2, 64, 5, KvType::fp8},
                                QkvShape{DType::q4_0, DType::q4_0, 2, 1, 12, 2, KvType::fp8}}) {
    log.part(std::string(engine::dtype_name(shape.type)) + ", " + std::to_string(shape.heads) +
             " heads of " + std::to_string(shape.head_dim) + ", " + std::to_string(shape.rows) +
             " rows");
    check_qkv_shape(log, shape, random);
    if (log.has_failed()) break;
  }
  return log.outcome();
}

}  // namespace

std::vector<KernelCheck> product_checks() {
  return {{"products of F32", check_type<DType::f32>},
          {"products of F16", check_type<DType::f16>},
          {"products of BF16", check_type<DType::bf16>},
          {"products of FP8", check_fp8},
          {"products of Q8_0", check_type<DType::q8_0>},
          {"products of Q4_0", check_type<DType::q4_0>},
          {"products of Q4_1", check_type<DType::q4_1>},
          {"products of Q5_0", check_type<DType::q5_0>},
          {"products of Q5_1", check_type<DType::q5_1>},
          {"products of IQ4_NL", check_type<DType::iq4_nl>},
          {"products of Q2_K", check_type<DType::q2_k>},
          {"products of Q3_K", check_type<DType::q3_k>},
          {"products of Q4_K", check_type<DType::q4_k>},
          {"products of Q5_K", check_type<DType::q5_k>},
          {"products of Q6_K", check_type<DType::q6_k>},
          {"products of many columns, in slices", check_slices},
          {"products with several panels to a block", check_many_panels},
          {"norms and residual before a product", check_inputs},
          {"gate and up", check_gate_up},
          {"Q K V with norm, rotation and pages", check_qkv}};
}

}  // namespace facet::test
