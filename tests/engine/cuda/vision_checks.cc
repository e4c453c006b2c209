// The vision tower on a device against the scalar reference, and its own launches.
#include "engine/cuda/vision.h"
#include "engine/cuda/vision_kernels.h"
#include "engine/reference/vision.h"
#include "tests/engine/cuda/check_support.h"
#include "tests/support/random_tower.h"

namespace facet::test {
namespace {

namespace cuda = engine::cuda;
using engine::DType;
using engine::VisionConfig;

/// The soft tokens of a tower on the device; empty where that failed.
std::vector<float> encode(Comparison& log, const RandomTower& tower, int times = 1) {
  cuda::DeviceWork work;
  auto queue = cuda::WorkQueue::create();
  log.ok(queue ? ok() : Status(queue.error()));
  if (!queue) return {};
  work.queue = *std::move(queue);
  const auto bytes = static_cast<std::size_t>(cuda::lay_out_vision(tower.config).bytes);
  // Poisoned: what nobody writes shows up.
  const DeviceArray<std::byte> memory(log, std::vector<std::byte>(bytes, std::byte{0xFF}));
  engine::ThreadPool pool(2);
  auto made = cuda::VisionTower::create(
      tower.config, tower.weights, memory.get(), engine::cuda::PromptUnits::library, pool, work);
  log.ok(made ? ok() : Status(made.error()));
  if (!made) return {};
  std::vector<float> out;
  for (int time = 0; time < times; ++time) {
    auto tokens = made->encode(tower.pixels);
    log.ok(tokens ? ok() : Status(tokens.error()));
    if (!tokens) return {};
    if (time > 0) log.same_bits(*tokens, out, "tokens of the same pixels");
    out = *std::move(tokens);
  }
  return out;
}

void compare(Comparison& log, const RandomTower& tower, int times = 1) {
  const std::vector<double> wanted =
      engine::reference_soft_tokens(tower.config, tower.weights, tower.pixels);
  const std::vector<float> got = encode(log, tower, times);
  if (log.has_failed()) return;
  if (got.size() != wanted.size()) return log.fail("not as many values as expected");
  double wrong = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    wrong += (double{got[i]} - wanted[i]) * (double{got[i]} - wanted[i]);
    all += wanted[i] * wanted[i];
  }
  log.near(std::sqrt(wrong / all), 0.0, 2e-2, 0);
}

CheckOutcome check_towers() {
  Comparison log;
  struct Case {
    const char* name;
    VisionConfig config;
    DType type;
  };
  const Case cases[] = {{"one patch",
                         {.image_size = 3,
                          .patch = 3,
                          .hidden = 8,
                          .layers = 1,
                          .heads = 1,
                          .ffn = 4,
                          .image_tokens = 1,
                          .text_hidden = 5},
                         DType::f32},
                        {"81 patches, odd widths",
                         {.image_size = 45,
                          .patch = 5,
                          .hidden = 33,
                          .layers = 2,
                          .heads = 3,
                          .ffn = 19,
                          .image_tokens = 9,
                          .text_hidden = 17},
                         DType::f16},
                        {"heads of 72, as SigLIP's",
                         {.image_size = 60,
                          .patch = 5,
                          .hidden = 144,
                          .layers = 2,
                          .heads = 2,
                          .ffn = 65,
                          .image_tokens = 16,
                          .text_hidden = 64},
                         DType::bf16},
                        {"8-bit weights",
                         {.image_size = 32,
                          .patch = 4,
                          .hidden = 64,
                          .layers = 1,
                          .heads = 2,
                          .ffn = 96,
                          .image_tokens = 64,
                          .text_hidden = 31},
                         DType::q8_0}};
  unsigned seed = 81;
  for (const Case& given : cases) {
    log.part(given.name);
    // The first one twice: nothing may be left of an earlier picture.
    compare(log, RandomTower(given.config, given.type, seed), seed == 81 ? 2 : 1);
    ++seed;
    if (log.has_failed()) break;
  }
  return log.outcome();
}

CheckOutcome check_layer_norm() {
  Comparison log;
  std::mt19937 random(85);
  for (const std::int64_t cols : {1, 33, 256, 1152}) {
    log.part(std::to_string(cols) + " columns");
    constexpr std::int64_t kRows = 3;
    constexpr float kEps = 1e-5F;
    const std::int64_t stride = (cols + 63) / 64 * 64;
    auto x = normal_floats(kRows * cols, random);
    for (float& value : x) value += 5.0F;  // A mean that is large beside the rest.
    const auto w = normal_floats(cols, random);
    const auto b = normal_floats(cols, random);
    const DeviceArray<float> device_x(log, x);
    const DeviceArray<float> device_w(log, w);
    const DeviceArray<float> device_b(log, b);
    const auto y = poisoned(log, kRows * cols);
    const DeviceArray<std::uint16_t> y16(
        log, std::vector<std::uint16_t>(static_cast<std::size_t>(kRows * stride), 0xFFFF));
    log.ok(cuda::layer_norm({.x = device_x.get(),
                             .w = device_w.get(),
                             .b = device_b.get(),
                             .eps = kEps,
                             .rows = kRows,
                             .cols = cols,
                             .y = y.get(),
                             .y_bf16 = y16.get(),
                             .bf16_stride = stride},
                            {}));
    const auto got = y.read();
    const auto bits = y16.read();
    for (std::int64_t r = 0; r < kRows && !log.has_failed(); ++r) {
      const std::span row =
          std::span(x).subspan(static_cast<std::size_t>(r * cols), static_cast<std::size_t>(cols));
      double mean = 0.0;
      for (const float value : row) mean += double{value} / static_cast<double>(cols);
      double variance = 0.0;
      for (const float value : row) {
        variance += (value - mean) * (value - mean) / static_cast<double>(cols);
      }
      for (std::int64_t i = 0; i < stride; ++i) {
        const auto at = static_cast<std::size_t>(r * cols + i);
        const std::uint16_t stored = bits[static_cast<std::size_t>(r * stride + i)];
        if (i >= cols) {
          log.that(stored == 0, "no zeros behind a row");
          continue;
        }
        const auto c = static_cast<std::size_t>(i);
        const double want = (row[c] - mean) / std::sqrt(variance + double{kEps}) * double{w[c]};
        // The mean of 5 costs digits where a single value is the whole row.
        const double scale = cols == 1 ? 100.0 : 4.0;
        log.near(double{got[at]}, want + double{b[c]}, 4e-6 * scale, at);
        log.that(stored == engine::float_to_bf16(got[at]), "bfloat16 is not the rounded value");
      }
    }
  }
  return log.outcome();
}

}  // namespace

std::vector<KernelCheck> vision_checks() {
  return {{"vision: layer norm", check_layer_norm}, {"vision: towers", check_towers}};
}

}  // namespace facet::test
