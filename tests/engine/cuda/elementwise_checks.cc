// What lies between the products, against engine/reference.
#include "engine/cuda/decode.h"
#include "engine/cuda/prefill.h"
#include "engine/ops.h"
#include "engine/reference/ops.h"
#include "tests/engine/cuda/check_support.h"
#include "tests/engine/cuda/kv_support.h"

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using cuda::Layout;
using engine::DType;

double near_norm(float want) {
  return 4e-6 * std::abs(static_cast<double>(want)) + 1e-7;
}

CheckOutcome check_residual_norm() {
  Comparison log;
  std::mt19937 random(31);
  const engine::Ops& ops = engine::reference_ops();
  for (const std::int64_t cols : {1, 30, 640, 1157, 3840}) {
    constexpr std::int64_t kRows = 3;
    log.part(std::to_string(cols) + " columns");
    const auto x = normal_floats(kRows * cols, random);
    const auto delta = normal_floats(2 * kRows * cols, random);
    const auto norm = normal_floats(cols, random);
    const auto delta_norm = normal_floats(cols, random);
    const DeviceArray<float> dx(log, x);
    const DeviceArray<float> dd(log, delta);
    const DeviceArray<float> dn(log, norm);
    const DeviceArray<float> ddn(log, delta_norm);
    const auto x_out = poisoned(log, kRows * cols);
    const auto h = poisoned(log, kRows * cols);
    const std::int64_t stride = cuda::padded_cols(Layout::bf16, cols);
    const DeviceArray<std::uint16_t> h_bf16(
        log, std::vector<std::uint16_t>(static_cast<std::size_t>(kRows * stride), 0xFFFF));
    log.ok(cuda::residual_norm({.x = dx.get(),
                                .norm = dn.get(),
                                .delta = dd.get(),
                                .delta_parts = 2,
                                .delta_norm = ddn.get(),
                                .x_out = x_out.get()},
                               kRows,
                               cols,
                               h.get(),
                               h_bf16.get(),
                               {}));
    std::vector<float> added(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) added[i] = delta[i] + delta[i + x.size()];
    std::vector<float> want_x(x.size());
    ops.rms_norm(added.data(), delta_norm.data(), 1e-6F, kRows, cols, want_x.data());
    ops.add(want_x.data(), x.data(), kRows * cols);
    const auto got_x = x_out.read();
    const auto got_h = h.read();
    const auto got_bf16 = h_bf16.read();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double size =
          std::abs(static_cast<double>(want_x[i])) + std::abs(static_cast<double>(x[i]));
      log.near(
          static_cast<double>(got_x[i]), static_cast<double>(want_x[i]), 4e-6 * size + 1e-6, i);
    }
    // h against the norm of the x' that the device has.
    std::vector<float> want_h(x.size());
    ops.rms_norm(got_x.data(), norm.data(), 1e-6F, kRows, cols, want_h.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      log.near(
          static_cast<double>(got_h[i]), static_cast<double>(want_h[i]), near_norm(want_h[i]), i);
    }
    for (std::int64_t i = 0; i < kRows * stride; ++i) {
      const std::int64_t col = i % stride;
      const float value =
          col < cols ? got_h[static_cast<std::size_t>(i / stride * cols + col)] : 0.0F;
      log.that(got_bf16[static_cast<std::size_t>(i)] == engine::float_to_bf16(value),
               "bfloat16 element " + std::to_string(i));
    }
  }
  return log.outcome();
}

CheckOutcome check_rope_table() {
  Comparison log;
  log.part("rope_table");
  constexpr std::int64_t kHalf = 20;
  const std::vector<std::int32_t> position = {0, 1, 63, 1000, 131071};
  const auto rows = static_cast<std::int64_t>(position.size());
  std::vector<float> frequencies;
  for (std::int64_t j = 0; j < kHalf; ++j) {
    const auto power =
        static_cast<float>(std::pow(1e4, 2.0 * static_cast<double>(j) / (2 * kHalf)));
    frequencies.push_back(1.0F / power);
  }
  const DeviceArray<std::int32_t> dp(log, position);
  const DeviceArray<float> df(log, frequencies);
  const auto cos = poisoned(log, rows * kHalf);
  const auto sin = poisoned(log, rows * kHalf);
  log.ok(cuda::rope_table(dp.get(), rows, df.get(), kHalf, cos.get(), sin.get(), {}));
  const auto got_cos = cos.read();
  const auto got_sin = sin.read();
  for (std::size_t i = 0; i < got_cos.size(); ++i) {
    const float angle = static_cast<float>(position[i / kHalf]) * frequencies[i % kHalf];
    log.near(static_cast<double>(got_cos[i]), std::cos(static_cast<double>(angle)), 2e-7, i);
    log.near(static_cast<double>(got_sin[i]), std::sin(static_cast<double>(angle)), 2e-7, i);
  }
  return log.outcome();
}

/// Embedding rows and bfloat16 stripes of every type.
CheckOutcome check_expand() {
  Comparison log;
  std::mt19937 random(32);
  for (const DType type : engine::dtypes()) {
    log.part(std::string(engine::dtype_name(type)));
    const std::int64_t block = engine::dtype_block_elements(type);
    const std::int64_t cols = block == 1 ? 75 : block == 32 ? 5 * 32 : 2 * 256;
    constexpr std::int64_t kRows = 39;
    const DeviceWeights w(log, type, kRows, cols, random);
    const std::vector<std::int32_t> ids = {38, 0, 17, 17, 9};
    const DeviceArray<std::int32_t> device_ids(log, ids);
    const auto x = poisoned(log, static_cast<std::int64_t>(ids.size()) * cols);
    log.ok(cuda::embed_rows(
        w.matrix, device_ids.get(), static_cast<std::int64_t>(ids.size()), 1.5F, x.get(), {}));
    std::vector<float> want;
    for (const std::int32_t id : ids) {
      for (std::int64_t k = 0; k < cols; ++k) want.push_back(w.row(id)[k] * 1.5F);
    }
    log.same_bits(x.read(), want, "embed_rows");

    const std::int64_t stride = cuda::padded_cols(Layout::bf16, cols);
    constexpr std::int64_t kBegin = 16;
    const DeviceArray<std::uint16_t> stripe(
        log,
        std::vector<std::uint16_t>(static_cast<std::size_t>((kRows - kBegin) * stride), 0xFFFF));
    log.ok(cuda::dequantize_rows(w.matrix, kBegin, kRows, stripe.get(), stride, {}));
    std::vector<std::uint16_t> bits;
    for (std::int64_t r = kBegin; r < kRows; ++r) {
      for (std::int64_t k = 0; k < stride; ++k) {
        bits.push_back(k < cols ? engine::float_to_bf16(w.row(r)[k]) : std::uint16_t{0});
      }
    }
    log.same_bits(stripe.read(), bits, "dequantize_rows");
    if (log.has_failed()) break;
  }
  return log.outcome();
}

CheckOutcome check_gelu() {
  Comparison log;
  log.part("gelu_mul");
  std::mt19937 random(33);
  constexpr std::int64_t kRows = 3;
  constexpr std::int64_t kCols = 45;
  constexpr std::int64_t kStrideIn = 50;
  constexpr std::int64_t kStrideOut = 64;
  auto gate = normal_floats(kRows * kStrideIn, random);
  for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= static_cast<float>(i % 7);
  const auto up = normal_floats(kRows * kStrideIn, random);
  const DeviceArray<float> dg(log, gate);
  const DeviceArray<float> du(log, up);
  std::vector<float> want(gate.size());
  engine::reference_ops().gelu_mul(
      gate.data(), up.data(), static_cast<std::int64_t>(gate.size()), want.data());
  const DeviceArray<std::uint16_t> y(
      log, std::vector<std::uint16_t>(kRows * kStrideOut, std::uint16_t{0xFFFF}));
  log.ok(cuda::gelu_mul(dg.get(), du.get(), kRows, kCols, kStrideIn, y.get(), kStrideOut, {}));
  log.ok(cuda::gelu_mul_f32(dg.get(), du.get(), static_cast<std::int64_t>(gate.size()), {}));
  const auto got = dg.read();
  const auto bits = y.read();
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const auto product = static_cast<double>(gate[i]) * static_cast<double>(up[i]);
    const double allowed = 4e-6 * std::abs(product) + 1e-30;
    log.near(static_cast<double>(got[i]), static_cast<double>(want[i]), allowed, i);
  }
  for (std::int64_t i = 0; i < kRows * kStrideOut; ++i) {
    const std::int64_t col = i % kStrideOut;
    const auto at = static_cast<std::size_t>(i / kStrideOut * kStrideIn + col);
    const float value = col < kCols ? got[at] : 0.0F;
    log.that(bits[static_cast<std::size_t>(i)] == engine::float_to_bf16(value),
             "bfloat16 element " + std::to_string(i));
  }
  return log.outcome();
}

/// finish_qkv against the norm and rotation of the reference, and what the pages then hold.
CheckOutcome check_finish_qkv() {
  Comparison log;
  std::mt19937 random(34);
  const engine::Ops& ops = engine::reference_ops();
  constexpr int kRows = 5;  // The last one is padding.
  constexpr int kHeads = 3;
  for (const std::int64_t dim : {6, 64, 256}) {
    log.part("head_dim " + std::to_string(dim));
    const std::int64_t half = dim / 2;
    const std::int64_t q_stride = kHeads * dim + 5;
    auto q = normal_floats(kRows * q_stride, random);
    auto k = normal_floats(kRows * dim, random);
    const auto v = normal_floats(kRows * dim, random);
    const auto q_norm = normal_floats(dim, random);
    const auto k_norm = normal_floats(dim, random);
    const auto cos = normal_floats(kRows * half, random);
    const auto sin = normal_floats(kRows * half, random);
    const DeviceArray<float> arrays[] = {
        {log, q}, {log, k}, {log, v}, {log, q_norm}, {log, k_norm}, {log, cos}, {log, sin}};
    PagedSequences pages(log, engine::KvType::f32, 1, static_cast<int>(dim), 1, 200);
    PagedSequences want_pages(log, engine::KvType::f32, 1, static_cast<int>(dim), 1, 200);
    StepTable step(log);
    for (int row = 0; row < kRows; ++row) {
      step.add({.position = 62 + row, .end = 63 + row, .sequence = 0});
    }
    step.rows.back() = {.position = 0, .end = 0, .sequence = 0};
    const auto q_out = poisoned(log, kRows * kHeads * dim);
    cuda::FinishQkvArgs args{.q = arrays[0].get(),
                             .k = arrays[1].get(),
                             .v = arrays[2].get(),
                             .q_stride = q_stride,
                             .kv_stride = dim,
                             .heads = kHeads,
                             .q_norm = arrays[3].get(),
                             .k_norm = arrays[4].get(),
                             .cos = arrays[5].get(),
                             .sin = arrays[6].get(),
                             .rows = step.upload(),
                             .pages = pages.layer(),
                             .q_out = q_out.get()};
    log.ok(cuda::finish_qkv(args, {}));
    const auto got = q_out.read();
    const auto stored = pages.read_floats();
    const auto compare = [&](const float* sums, const float* norm, int row, auto value_at) {
      std::vector<float> want(sums, sums + dim);
      ops.rms_norm(want.data(), norm, 1e-6F, 1, dim, want.data());
      const std::vector<float> normed = want;
      ops.rope(want.data(), cos.data() + row * half, sin.data() + row * half, 1, 1, dim);
      for (std::int64_t i = 0; i < dim; ++i) {
        const auto a = static_cast<std::size_t>(i % half);
        const double size =
            std::abs(static_cast<double>(normed[a])) +
            std::abs(static_cast<double>(normed[a + static_cast<std::size_t>(half)]));
        log.near(static_cast<double>(value_at(i)),
                 static_cast<double>(want[static_cast<std::size_t>(i)]),
                 2e-5 * size + 1e-6,
                 static_cast<std::size_t>(i));
      }
    };
    for (int row = 0; row < kRows; ++row) {
      for (int head = 0; head < kHeads; ++head) {
        compare(q.data() + row * q_stride + head * dim, q_norm.data(), row, [&](std::int64_t i) {
          return got[static_cast<std::size_t>((row * kHeads + head) * dim + i)];
        });
      }
      if (row + 1 == kRows) {
        for (std::int64_t i = 0; i < 2 * dim; ++i) {
          const float value = stored[pages.index(0, 0, static_cast<int>(i / dim), i % dim)];
          log.that(std::isnan(value), "padding was stored");
        }
        continue;
      }
      compare(k.data() + row * dim, k_norm.data(), row, [&](std::int64_t i) {
        return stored[pages.index(0, 62 + row, 0, i)];
      });
      for (std::int64_t i = 0; i < dim; ++i) {
        log.that(
            stored[pages.index(0, 62 + row, 1, i)] == v[static_cast<std::size_t>(row * dim + i)],
            "value " + std::to_string(i));
      }
    }
  }
  return log.outcome();
}

/// Values reach the pages as the host's kv_store_head writes them, in every type of cache.
CheckOutcome check_stored_rows() {
  Comparison log;
  std::mt19937 random(36);
  constexpr int kRows = 12;
  constexpr int kKvHeads = 2;
  constexpr int kDim = 64;
  constexpr std::int64_t kWidth = kKvHeads * kDim;
  auto v = normal_floats(kRows * kWidth, random);
  for (std::size_t i = 0; i < v.size(); ++i) {
    const std::size_t row = i / kWidth;
    if (row == 1) v[i] = 0.0F;
    if (row == 2) v[i] *= 1e-38F;
    if (row == 3) v[i] *= std::exp2(static_cast<float>(i % 40) - 30.0F);  // Of every size.
    if (row == 4) v[i] *= 1e30F;
  }
  const std::vector<float> ones(static_cast<std::size_t>(kRows * kWidth), 1.0F);
  const DeviceArray<float> device_v(log, v);
  const DeviceArray<float> device_ones(log, ones);
  for (const engine::KvType type : engine::kKvTypes) {
    log.part(std::string(engine::kv_type_name(type)));
    const PagedSequences pages(log, type, kKvHeads, kDim, 1, engine::kPageTokens);
    StepTable step(log);
    for (int row = 0; row < kRows; ++row) {
      step.add({.position = row, .end = row + 1, .sequence = 0});
    }
    log.ok(cuda::finish_qkv({.q = device_ones.get(),
                             .k = device_ones.get(),
                             .v = device_v.get(),
                             .q_stride = kWidth,
                             .kv_stride = kWidth,
                             .heads = kKvHeads,
                             .q_norm = device_ones.get(),
                             .k_norm = device_ones.get(),
                             .cos = device_ones.get(),
                             .sin = device_ones.get(),
                             .rows = step.upload(),
                             .pages = pages.layer()},
                            {}));
    const auto bits = pages.read();
    const std::int64_t row_bytes = engine::kv_row_bytes(type, kKvHeads, kDim);
    for (std::int64_t row = 0; row < kRows; ++row) {
      std::vector<std::uint16_t> want(static_cast<std::size_t>(row_bytes / 2));
      for (int head = 0; head < kKvHeads; ++head) {
        const float* const from = v.data() + row * kWidth + head * kDim;
        engine::kv_store_head(type, from, kDim, head, want.data(), kKvHeads);
      }
      const auto* const at = bits.data() + (engine::kPageTokens + row) * row_bytes / 2;
      log.same_bits({at, at + want.size()}, want, "row " + std::to_string(row));
    }
  }
  return log.outcome();
}

CheckOutcome check_mean() {
  Comparison log;
  log.part("mean_pool");
  std::mt19937 random(35);
  constexpr std::int64_t kTokens = 37;
  constexpr std::int64_t kDim = 300;
  const auto x = normal_floats(kTokens * kDim, random);
  const DeviceArray<float> dx(log, x);
  const auto y = poisoned(log, kDim);
  log.ok(cuda::mean_pool(dx.get(), kTokens, kDim, y.get(), {}));
  std::vector<float> want(kDim);
  engine::mean_pool(x.data(), kTokens, kDim, want.data());
  log.same_bits(y.read(), want, "mean");
  return log.outcome();
}

}  // namespace

std::vector<KernelCheck> elementwise_checks() {
  return {{"residual and norm", check_residual_norm},
          {"rotary table", check_rope_table},
          {"embedding rows and bfloat16 stripes", check_expand},
          {"gated GELU", check_gelu},
          {"norm, rotation and pages after Q K V", check_finish_qkv},
          {"values in the pages, bit for bit the host's", check_stored_rows},
          {"mean over tokens", check_mean}};
}

}  // namespace facet::test
