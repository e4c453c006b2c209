// Attention of a decode step against softmax in double.
#include "engine/cuda/decode.h"
#include "tests/engine/cuda/check_support.h"
#include "tests/engine/cuda/kv_support.h"

#include <algorithm>

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using engine::KvType;

struct Shape {
  int heads;
  int kv_heads;
  int head_dim;
  KvType type;
  int window;
  bool causal;
  int splits;
};

std::string words_of(const Shape& s) {
  return std::to_string(s.heads) + " heads on " + std::to_string(s.kv_heads) + " of " +
         std::to_string(s.head_dim) + ", " + std::string(engine::kv_type_name(s.type)) +
         ", window " + std::to_string(s.window) + ", " + std::to_string(s.splits) + " splits";
}

std::vector<float> run(Comparison& log,
                       const Shape& shape,
                       const cuda::LayerPages& pages,
                       StepTable& step,
                       const float* q,
                       float scale) {
  const auto rows = static_cast<int>(step.rows.size());
  const auto out = poisoned(log, std::int64_t{rows} * shape.heads * shape.head_dim);
  const auto scratch =
      poisoned(log, cuda::attend_scratch_floats(rows, shape.heads, shape.head_dim, shape.splits));
  const auto counts = static_cast<std::size_t>(rows * shape.heads);
  const DeviceArray<std::uint32_t> counters(log, std::vector<std::uint32_t>(counts));
  log.ok(cuda::attend({.q = q,
                       .heads = shape.heads,
                       .rows = step.upload(),
                       .pages = pages,
                       .span = {.window = shape.window, .causal = shape.causal},
                       .scale = scale,
                       .splits = shape.splits,
                       .out = out.get(),
                       .scratch = scratch.get(),
                       .counters = counters.get()},
                      {}));
  auto got = out.read();
  log.same_bits(counters.read(), std::vector<std::uint32_t>(counts), "counters");
  return got;
}

void check_shape(Comparison& log, const Shape& shape, std::mt19937& random) {
  log.part(words_of(shape));
  constexpr std::int64_t kPositions = 450;
  PagedSequences pages(log, shape.type, shape.kv_heads, shape.head_dim, 3, kPositions);
  pages.fill(random);
  StepTable step(log);
  // Sequence 0 has its first page; the others begin where a window could.
  step.add({.position = 0, .end = 1, .sequence = 0});
  step.add({.position = 31, .end = 32, .sequence = 0});
  step.add({.position = 64, .end = 65, .sequence = 0});
  step.add({.position = 100, .end = 140, .sequence = 0});
  step.add({.position = 449, .end = 450, .sequence = 0});
  if (shape.window > 0 && shape.window <= 200) {
    step.add({.position = 64 + shape.window, .end = 65 + shape.window, .sequence = 1});
    step.add({.position = 130 + shape.window, .end = 137 + shape.window, .sequence = 2});
  }
  const auto rows = static_cast<std::int64_t>(step.rows.size());
  const std::int64_t width = std::int64_t{shape.heads} * shape.head_dim;
  const auto q = normal_floats(rows * width, random);
  const DeviceArray<float> device_q(log, q);
  const float scale = 2.0F / std::sqrt(static_cast<float>(shape.head_dim));
  const auto got = run(log, shape, pages.layer(), step, device_q.get(), scale);
  near_reference_attention(log, shape, pages, step, q.data(), scale, 2e-4, [&](std::size_t i) {
    return static_cast<double>(got[i]);
  });
  // Alone: the same bits.
  for (std::int64_t row = 0; row < rows && !log.has_failed(); ++row) {
    StepTable one(log);
    one.add(step.rows[static_cast<std::size_t>(row)]);
    const auto alone = run(log, shape, pages.layer(), one, device_q.get() + row * width, scale);
    const auto first = got.begin() + row * width;
    log.same_bits(alone, {first, first + width}, "row " + std::to_string(row) + " alone");
  }
}

CheckOutcome check_shapes(std::initializer_list<Shape> shapes, unsigned seed) {
  Comparison log;
  std::mt19937 random(seed);
  for (const Shape& shape : shapes) {
    check_shape(log, shape, random);
    if (log.has_failed()) break;
  }
  return log.outcome();
}

CheckOutcome check_bf16() {
  return check_shapes({{4, 2, 256, KvType::bf16, 0, true, 1},
                       {4, 2, 256, KvType::bf16, 0, true, 5},
                       {4, 1, 256, KvType::bf16, 100, true, 16},
                       {2, 2, 128, KvType::bf16, 64, true, 3},
                       {3, 1, 64, KvType::bf16, 0, true, 2},
                       {8, 1, 32, KvType::bf16, 0, false, 4}},
                      21);
}
CheckOutcome check_f32() {
  return check_shapes({{2, 1, 256, KvType::f32, 0, true, 4},
                       {4, 4, 64, KvType::f32, 129, true, 2},
                       {4, 2, 128, KvType::f32, 70, false, 3}},
                      22);
}
CheckOutcome check_fp8() {
  return check_shapes({{4, 2, 256, KvType::fp8, 0, true, 5},
                       {4, 1, 256, KvType::fp8, 100, true, 16},
                       {2, 2, 64, KvType::fp8, 0, false, 2},
                       {3, 3, 12, KvType::fp8, 0, true, 2}},
                      25);
}

CheckOutcome check_int8() {
  return check_shapes({{4, 2, 256, KvType::int8, 0, true, 5},
                       {4, 1, 256, KvType::int8, 100, true, 16},
                       {2, 2, 64, KvType::int8, 0, false, 2},
                       {3, 3, 12, KvType::int8, 0, true, 2}},
                      24);
}
/// Heads that no matrix instruction fits, and more of them than a block takes.
CheckOutcome check_odd() {
  return check_shapes({{2, 1, 8, KvType::bf16, 0, true, 3},
                       {3, 3, 20, KvType::bf16, 40, true, 2},
                       {2, 2, 6, KvType::f32, 0, true, 2},
                       {12, 1, 96, KvType::bf16, 0, true, 2},
                       {2, 1, 250, KvType::f32, 90, false, 1}},
                      23);
}

/// A row that pads a step sees nothing, wherever its tables point; the others are as without it.
CheckOutcome check_padding() {
  Comparison log;
  std::mt19937 random(26);
  for (const int splits : {1, 4}) {
    const Shape shape{4, 2, 64, KvType::bf16, 0, true, splits};
    log.part(words_of(shape));
    PagedSequences pages(log, shape.type, shape.kv_heads, shape.head_dim, 1, 200);
    pages.fill(random);
    constexpr std::int64_t kWidth = 4 * 64;
    const auto q = normal_floats(2 * kWidth, random);
    const DeviceArray<float> device_q(log, q);
    StepTable alone(log);
    alone.add({.position = 150, .end = 151, .sequence = 0});
    const auto expected = run(log, shape, pages.layer(), alone, device_q.get(), 0.2F);
    StepTable padded(log);
    padded.add({.position = 150, .end = 151, .sequence = 0});
    padded.add({.position = 0, .end = 0, .sequence = 0});
    const auto got = run(log, shape, pages.layer(), padded, device_q.get(), 0.2F);
    log.same_bits({got.begin(), got.begin() + kWidth}, expected, "the row beside padding");
    for (std::size_t i = kWidth; i < got.size(); ++i) {
      log.that(std::isnan(got[i]), "something was written for the padding");
    }
  }
  return log.outcome();
}

/// As many blocks as the device likes, within what the scratch of decode holds.
CheckOutcome check_splits_of_batch() {
  Comparison log;
  for (const int multiprocessors : {1, 80, 132, 1000}) {
    for (const int kv_heads : {1, 4, 8, 16}) {
      for (int rows = 17; rows <= 128; ++rows) {
        const int splits = cuda::attend_splits_of_batch(rows, kv_heads, multiprocessors);
        log.that(splits >= 1 && splits <= cuda::kSplitsMax, "splits beyond kSplitsMax");
        log.that(rows * splits <= cuda::kDecodeRowsMax * cuda::kSplitsMax, "splits beyond scratch");
      }
    }
  }
  return log.outcome();
}

}  // namespace

std::vector<KernelCheck> attend_checks() {
  return {{"attention of a step, bf16 cache", check_bf16},
          {"attention of a step, f32 cache", check_f32},
          {"attention of a step, int8 cache", check_int8},
          {"attention of a step, fp8 cache", check_fp8},
          {"attention of a step, odd heads", check_odd},
          {"attention of a step, rows that pad it", check_padding},
          {"attention of a step, splits of many rows", check_splits_of_batch}};
}

}  // namespace facet::test
