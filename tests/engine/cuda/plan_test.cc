// What fits a device, from shapes alone: the plan of real models, and that it is what is taken.
#include "engine/cuda/plan.h"

#include "engine/cuda/backend.h"
#include "engine/cuda/page_pool.h"
#include "engine/device.h"
#include "engine/kv/cache.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/memory_model.h"

#include <deque>

namespace facet::engine {
namespace {

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

struct Shapes {
  ModelConfig config;
  ModelWeights weights;  ///< Shapes without data.
};

/// Gemma 3 as its config.json says it, without weights.
Shapes gemma3(int layers, int hidden, int heads, int kv_heads, int ffn, int window, DType type) {
  Shapes out;
  out.config = {.hidden = hidden, .vocabulary = 262144, .context_tokens_max = 131072};
  // The planner does not look behind the pointers; they only must not say "none".
  static const std::byte kSomething{};
  const auto matrix = [&](std::int64_t rows, std::int64_t cols) {
    return TensorView{.type = type, .rows = rows, .cols = cols, .data = &kSomething};
  };
  out.weights.embedding = matrix(262144, hidden);
  const std::int64_t q = std::int64_t{256} * heads;
  const std::int64_t kv = std::int64_t{256} * kv_heads;
  for (int l = 0; l < layers; ++l) {
    const bool global = l % 6 == 5;
    out.config.layers.push_back({.heads = heads,
                                 .kv_heads = kv_heads,
                                 .head_dim = 256,
                                 .ffn = ffn,
                                 .window = global ? 0 : window,
                                 .rope_theta = global ? 1e6 : 1e4,
                                 .rope_divisor = global ? 8.0 : 1.0});
    out.weights.layers.push_back({.q = matrix(q, hidden),
                                  .k = matrix(kv, hidden),
                                  .v = matrix(kv, hidden),
                                  .o = matrix(hidden, q),
                                  .gate = matrix(ffn, hidden),
                                  .up = matrix(ffn, hidden),
                                  .down = matrix(hidden, ffn)});
  }
  return out;
}

Shapes gemma3_12b(DType type) {
  return gemma3(48, 3840, 16, 8, 15360, 1024, type);
}

}  // namespace

TEST_CASE("devices are named cpu, cuda, cuda:N or auto", "[cuda]") {
  for (const char* name : {"", "cpu"}) CHECK(!parse_device(name)->is_cuda);
  CHECK(parse_device("cuda")->index == 0);
  CHECK(!parse_device("cuda")->falls_back);
  CHECK(parse_device("cuda:9")->index == 9);
  CHECK(parse_device("auto")->is_cuda);
  CHECK(parse_device("auto")->falls_back);
  for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:64", "cuda:1 ", "CUDA"}) {
    const auto choice = parse_device(name);
    REQUIRE(!choice.has_value());
    CHECK(choice.error().code == Code::invalid_argument);
    CHECK(choice.error().message.find(name) != std::string::npos);
  }
}

TEST_CASE("Gemma 3 12B in 4 bits with 32K of context fits 12 GB", "[cuda]") {
  const Shapes model = gemma3_12b(DType::q4_0);
  const cuda::PlanOptions options{.context_tokens_max = 32768, .rows_max = 2080};
  const cuda::MemoryPlan plan = cuda::plan_needs(model.config, model.weights, options);
  // 11.77e9 parameters at 4.5 bits are 6.17 GiB.
  CHECK(plan.weight_bytes > 6 * kGiB);
  CHECK(plan.weight_bytes < 7 * kGiB);
  // 8 global layers with 32,768 positions of 8,192 bytes, 40 windows of 50 pages.
  CHECK(plan.sequence_bytes > 3 * kGiB);
  CHECK(plan.sequence_bytes < 4 * kGiB);
  CHECK(plan.device_bytes_min() <= std::int64_t{12} * 1000 * 1000 * 1000);
  CHECK(cuda::context_that_fits(model.config, model.weights, options, 12 * kGiB) >= 32768);
  const auto planned = cuda::plan_memory(model.config, model.weights, options, 12 * kGiB);
  REQUIRE(planned.has_value());
  CHECK(planned->page_bytes >= planned->sequence_bytes);
  CHECK(planned->pool_bytes() + cuda::kDriverBytes <= 12 * kGiB);
}

TEST_CASE("logits of 128 sequences lie where a layer's arrays lay", "[cuda]") {
  const cuda::PlanOptions options{.context_tokens_max = 32768, .rows_max = 2080};
  const auto layout = [&](const Shapes& model) {
    return cuda::lay_out(cuda::workspace_shape(model.config, model.weights, options));
  };
  const auto of_12b = layout(gemma3_12b(DType::bf16));
  CHECK(of_12b.logits.bytes == std::int64_t{128} * 262144 * 4);
  CHECK(of_12b.logits.offset == of_12b.wide.offset);
  CHECK(of_12b.wide.bytes == std::int64_t{2080} * 2 * 15360 * 4);
  CHECK(of_12b.candidates.scratch.bytes <= of_12b.wide16.bytes);
  // The layers of a small model are narrower than that.
  const auto of_1b = layout(gemma3(26, 1152, 4, 1, 6912, 512, DType::bf16));
  CHECK(of_1b.wide.bytes == of_1b.logits.bytes);
  // Fewer rows are fewer logits.
  cuda::PlanOptions narrow = options;
  narrow.rows_max = 40;
  const Shapes model = gemma3_12b(DType::bf16);
  CHECK(cuda::lay_out(cuda::workspace_shape(model.config, model.weights, narrow)).logits.bytes ==
        std::int64_t{40} * 262144 * 4);
}

TEST_CASE("what does not fit is refused by its parts, with what would", "[cuda]") {
  const Shapes model = gemma3_12b(DType::bf16);
  const cuda::PlanOptions options{.context_tokens_max = 131072, .rows_max = 2080};
  const auto plan = cuda::plan_memory(model.config, model.weights, options, 20 * kGiB);
  REQUIRE(!plan.has_value());
  CHECK(plan.error().code == Code::unavailable);
  const std::string& text = plan.error().message;
  INFO(text);
  CHECK(text.find("MiB of weights") != std::string::npos);
  CHECK(text.find("keys and values for 131072 tokens") != std::string::npos);
  // The weights alone are 22 GiB.
  CHECK(text.find("use weights of fewer bits") != std::string::npos);
  const auto more = cuda::plan_memory(model.config, model.weights, options, 28 * kGiB);
  REQUIRE(!more.has_value());
  INFO(more.error().message);
  CHECK(more.error().message.find("a context of ") != std::string::npos);
  const std::int64_t context =
      cuda::context_that_fits(model.config, model.weights, options, 28 * kGiB);
  cuda::PlanOptions fitting = options;
  fitting.context_tokens_max = context;
  CHECK(cuda::plan_memory(model.config, model.weights, fitting, 28 * kGiB).has_value());
  fitting.context_tokens_max = context + 1024;
  CHECK(!cuda::plan_memory(model.config, model.weights, fitting, 28 * kGiB).has_value());
}

TEST_CASE("the whole context fits although it is no multiple of 1024", "[cuda]") {
  Shapes model = gemma3_12b(DType::q4_0);
  for (const std::int64_t context : {777, 2500}) {
    model.config.context_tokens_max = context;
    const cuda::PlanOptions options{.context_tokens_max = context, .rows_max = 2080};
    CHECK(cuda::context_that_fits(model.config, model.weights, options, 80 * kGiB) == context);
    CHECK(cuda::context_that_fits(model.config, model.weights, options, kGiB) == 0);
  }
}

TEST_CASE("a bigger device gets pages for more sequences, up to four and the prefixes", "[cuda]") {
  const Shapes model = gemma3_12b(DType::q4_0);
  const cuda::PlanOptions options{
      .context_tokens_max = 32768, .rows_max = 2080, .prefix_bytes_max = kGiB};
  const auto small = cuda::plan_memory(model.config, model.weights, options, 14 * kGiB);
  const auto large = cuda::plan_memory(model.config, model.weights, options, 80 * kGiB);
  REQUIRE(small.has_value());
  REQUIRE(large.has_value());
  CHECK(small->page_bytes > small->sequence_bytes);
  CHECK(small->pool_bytes() + cuda::kDriverBytes <= 14 * kGiB);
  CHECK(large->page_bytes == 4 * large->sequence_bytes + kGiB);
}

TEST_CASE("the vision tower is on the device where it fits beside what text needs", "[cuda]") {
  const Shapes model = gemma3_12b(DType::q4_0);
  const VisionConfig tower{.text_hidden = 3840};
  const cuda::PlanOptions options{.context_tokens_max = 32768, .rows_max = 2080, .vision = &tower};
  const std::int64_t vision = cuda::plan_vision_bytes(options);
  // 0.42e9 parameters as bf16 are 0.78 GiB.
  CHECK(vision > kGiB * 9 / 10);
  CHECK(vision < kGiB * 11 / 10);
  const std::int64_t text =
      cuda::plan_needs(model.config, model.weights, options).device_bytes_min();
  const auto plan = [&](std::int64_t bytes) {
    return *cuda::plan_memory(model.config, model.weights, options, bytes);
  };
  CHECK(plan(text).vision_bytes == 0);
  CHECK(plan(text + vision - 1).vision_bytes == 0);
  CHECK(plan(text + vision).vision_bytes == vision);
  CHECK(plan(text + vision).pool_bytes() + cuda::kDriverBytes <= text + vision);
  CHECK(plan(2 * text + vision).page_bytes > plan(text + vision).page_bytes);
  const VisionConfig wide{.hidden = 2 * 264, .heads = 2, .text_hidden = 3840};
  CHECK(cuda::plan_vision_bytes({.vision = &wide}) == 0);
}

TEST_CASE("one sequence that fills the context finds its pages, in chunks of any size", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = test::make_memory_model({.layers = 4, .window = 70, .seed = 5});
  for (const std::int64_t rows : {1, 64, 100}) {
    const cuda::PlanOptions options{.context_tokens_max = 1000, .rows_max = rows};
    const std::int64_t bytes = cuda::plan_sequence_bytes(model.config, options, 1000);
    auto work = std::make_shared<cuda::DeviceWork>();
    std::shared_ptr<std::byte[]> memory(new std::byte[static_cast<std::size_t>(bytes)]);
    cuda::PagePool pool(memory, bytes, work);
    KvCache cache(model.config.layers, KvType::bf16, pool);
    for (std::int64_t at = 0; at < 1000; at += rows) {
      const std::int64_t count = std::min<std::int64_t>(rows, 1000 - at);
      INFO(rows << " rows, at " << at);
      REQUIRE(cache.reserve(count).has_value());
      cache.commit(count);
    }
    cache.clear();
    CHECK(pool.free_bytes() == bytes);
  }
}

TEST_CASE("ranges of pages are given back and joined in any order", "[cuda]") {
  cuda::PageRanges ranges(64 * 256);
  std::mt19937 random(7);
  std::deque<std::pair<std::int64_t, std::int64_t>> taken;
  std::vector<bool> used(64);
  for (int round = 0; round < 2000; ++round) {
    const std::int64_t pieces = 1 + static_cast<std::int64_t>(random() % 5U);
    const std::int64_t at = random() % 2U == 0 ? ranges.take(pieces * 256 - 3) : -1;
    if (at >= 0) {
      for (std::int64_t i = 0; i < pieces; ++i) {
        REQUIRE(!used[static_cast<std::size_t>(at / 256 + i)]);
        used[static_cast<std::size_t>(at / 256 + i)] = true;
      }
      taken.emplace_back(at, pieces);
    } else if (!taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      const auto [offset, length] = taken.back();
      taken.pop_back();
      ranges.give_back(offset, length * 256 - 3);
      for (std::int64_t i = 0; i < length; ++i)
        used[static_cast<std::size_t>(offset / 256 + i)] = false;
    }
  }
  for (const auto& [offset, length] : taken) ranges.give_back(offset, length * 256);
  CHECK(ranges.free_bytes() == 64 * 256);
  CHECK(ranges.take(64 * 256) == 0);
  CHECK(ranges.take(1) == -1);
}

TEST_CASE("a backend takes what was planned, and gives it back", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = test::make_memory_model({.layers = 3, .seed = 6});
  ThreadPool pool(1);
  {
    const auto backend = cuda::CudaBackend::create(
        model.config,
        model.weights,
        {.plan = {.context_tokens_max = 256, .rows_max = 64, .prefix_bytes_max = 1 << 20}},
        pool);
    REQUIRE(backend.has_value());
    const auto taken = static_cast<std::int64_t>(cuda_on_cpu::counts().allocated_bytes);
    CHECK(taken >= (*backend)->plan().pool_bytes());
    CHECK(taken - (*backend)->plan().pool_bytes() < 4096);
    CHECK(cuda_on_cpu::counts().allocations == 1);
  }
  CHECK(cuda_on_cpu::counts().allocated_bytes == 0);
}

}  // namespace facet::engine
