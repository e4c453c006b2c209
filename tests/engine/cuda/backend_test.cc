// The whole CUDA backend on the emulated device: its forward pass against the scalar reference, cut
// in every way, alone and in company, recorded and not; and what happens when memory or device
// fail.
#include "engine/cuda/backend.h"

#include "engine/reference/forward.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/memory_model.h"
#include "tests/support/steps.h"

#include <algorithm>
#include <cmath>

namespace facet::engine {
namespace {

using cuda::BackendOptions;
using cuda::CudaBackend;
using test::make_memory_model;
using test::random_ids;

std::unique_ptr<CudaBackend> make_backend(const RuntimeModel& model, BackendOptions options = {}) {
  if (options.plan.context_tokens_max == 0) options.plan.context_tokens_max = 512;
  if (options.plan.rows_max == 0) options.plan.rows_max = 64;
  ThreadPool pool(2);
  auto backend = CudaBackend::create(model.config, model.weights, options, pool);
  INFO((backend ? "" : backend.error().message));
  REQUIRE(backend.has_value());
  return *std::move(backend);
}

KvCache make_cache(const RuntimeModel& model, CudaBackend& backend, KvType type) {
  return KvCache(model.config.layers, type, backend.page_memory());
}

/// Logits after each of `ids`, handed in `chunk` at a time.
std::vector<float> all_logits(const RuntimeModel& model,
                              CudaBackend& backend,
                              std::span<const TokenId> ids,
                              std::size_t chunk,
                              KvType type) {
  KvCache cache = make_cache(model, backend, type);
  const auto vocabulary = static_cast<std::size_t>(model.config.vocabulary);
  std::vector<float> out(ids.size() * vocabulary);
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    const std::size_t count = std::min(chunk, ids.size() - at);
    test::append(backend,
                 ids.subspan(at, count),
                 cache,
                 std::span(out).subspan(at * vocabulary, count * vocabulary));
  }
  return out;
}

/// Root of the squared differences over that of the squares.
template <class A, class B>
double distance(const A& a, const B& b) {
  REQUIRE(a.size() == b.size());
  double wrong = 0.0;
  double all = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    wrong += difference * difference;
    all += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(wrong / all);
}

struct Case {
  const char* name;
  test::MemoryModelOptions model;
  KvType kv_type;
  double decode;  ///< Largest distance from the reference for steps of few rows,
  double prompt;  ///< and of many.
};

// What rounding costs: bf16 caches and activations 2^-9 each, int8 activations 1/254 of a block's
// largest; a few layers add up to about one percent.
const Case kCases[] = {
    {"f32", {.type = DType::f32, .layers = 3, .seed = 21}, KvType::f32, 2e-5, 0.02},
    {"f16", {.type = DType::f16, .layers = 3, .seed = 21}, KvType::f32, 2e-3, 0.02},
    {"bf16", {.type = DType::bf16, .layers = 3, .seed = 21}, KvType::bf16, 0.02, 0.02},
    {"q8_0", {.type = DType::q8_0, .layers = 3, .seed = 21}, KvType::bf16, 0.03, 0.02},
    {"q4_0", {.type = DType::q4_0, .layers = 3, .seed = 21}, KvType::bf16, 0.03, 0.02},
    {"q2_k", {.type = DType::q2_k, .layers = 3, .seed = 21}, KvType::bf16, 0.03, 0.02},
    {"q3_k", {.type = DType::q3_k, .layers = 3, .seed = 21}, KvType::bf16, 0.03, 0.02},
    {"q4_k", {.type = DType::q4_k, .layers = 3, .seed = 21}, KvType::bf16, 0.03, 0.02},
    {"q6_k", {.type = DType::q6_k, .layers = 3, .seed = 21}, KvType::bf16, 0.03, 0.02},
    {"int8 cache", {.type = DType::bf16, .layers = 3, .seed = 21}, KvType::int8, 0.03, 0.03},
    {"fp8 cache", {.type = DType::bf16, .layers = 3, .seed = 21}, KvType::fp8, 0.05, 0.05},
    {"1B-like",
     {.type = DType::bf16,
      .layers = 3,
      .seed = 22,
      .heads = 4,
      .kv_heads = 1,
      .head_dim = 256,
      .hidden = 128,
      .ffn = 192},
     KvType::bf16,
     0.02,
     0.02},
    {"27B-like",
     {.type = DType::q4_0,
      .layers = 3,
      .seed = 23,
      .heads = 8,
      .kv_heads = 4,
      .head_dim = 128,
      .hidden = 192,
      .ffn = 320},
     KvType::bf16,
     0.03,
     0.02},
};
constexpr int kCaseCount = static_cast<int>(std::size(kCases));

/// A step of one sequence each, one token each.
Status step_together(CudaBackend& backend,
                     std::span<KvCache> caches,
                     std::span<const TokenId> ids,
                     std::span<float> logits) {
  std::vector<StepItem> items;
  const std::size_t vocabulary = logits.size() / caches.size();
  for (std::size_t i = 0; i < caches.size(); ++i) {
    items.push_back({.cache = &caches[i],
                     .ids = ids.subspan(i, 1),
                     .logits = logits.subspan(i * vocabulary, vocabulary)});
  }
  return backend.step(items);
}

}  // namespace

TEST_CASE("steps of few rows on a device agree with the scalar reference", "[cuda]") {
  cuda_on_cpu::reset();
  const Case& c = kCases[static_cast<std::size_t>(GENERATE(range(0, kCaseCount)))];
  const RuntimeModel model = make_memory_model(c.model);
  std::mt19937 random(22);
  const std::vector<TokenId> ids = random_ids(18, random);
  const std::vector<double> expected = reference_logits(model.config, model.weights, ids);
  const auto backend = make_backend(model, {.plan = {.kv_type = c.kv_type}});
  for (const std::size_t chunk : {5U, 16U}) {
    const auto logits = all_logits(model, *backend, ids, chunk, c.kv_type);
    INFO(c.name << " in chunks of " << chunk);
    CHECK(distance(logits, expected) < c.decode);
  }
  CHECK(backend->stats().recorded == 4);  // 5, 3, 16 and 2 rows.
}

TEST_CASE("steps of many rows on a device agree with the scalar reference", "[cuda]") {
  cuda_on_cpu::reset();
  const Case& c = kCases[static_cast<std::size_t>(GENERATE(range(0, kCaseCount)))];
  const RuntimeModel model = make_memory_model(c.model);
  std::mt19937 random(23);
  const std::vector<TokenId> ids = random_ids(85, random);
  const std::vector<double> expected = reference_logits(model.config, model.weights, ids);
  const auto backend = make_backend(model, {.plan = {.kv_type = c.kv_type}});
  const auto logits = all_logits(model, *backend, ids, 40, c.kv_type);  // 40, 40 and 5.
  INFO(c.name);
  CHECK(distance(logits, expected) < std::max(c.decode, c.prompt));
  CHECK(backend->stats().passes == 3);
}

TEST_CASE("rows beyond one pass are cut into several", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.layers = 3, .seed = 24});
  std::mt19937 random(24);
  const std::vector<TokenId> ids = random_ids(70, random);
  const std::vector<double> expected = reference_logits(model.config, model.weights, ids);
  const auto backend = make_backend(model, {.plan = {.rows_max = 32, .kv_type = KvType::f32}});
  CHECK(distance(all_logits(model, *backend, ids, 70, KvType::f32), expected) < 0.02);
  CHECK(backend->stats().passes == 3);
}

TEST_CASE("a deterministic backend gives the same bits however a text is cut", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::q4_0, .layers = 3, .seed = 25});
  std::mt19937 random(25);
  const std::vector<TokenId> ids = random_ids(70, random);
  const auto backend = make_backend(model, {.is_deterministic = true});
  const auto expected = all_logits(model, *backend, ids, 70, KvType::bf16);
  for (const std::size_t chunk : {7U, 33U}) {
    INFO("chunks of " << chunk);
    CHECK(all_logits(model, *backend, ids, chunk, KvType::bf16) == expected);
  }
}

TEST_CASE("a recorded step gives the bits of its launches one by one", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::q8_0, .layers = 3, .seed = 26});
  std::mt19937 random(26);
  const std::vector<TokenId> ids = random_ids(12, random);
  const auto recorded = make_backend(model);
  const auto eager = make_backend(model, {.with_graphs = false});
  for (const std::size_t chunk : {1U, 4U}) {
    CHECK(all_logits(model, *recorded, ids, chunk, KvType::bf16) ==
          all_logits(model, *eager, ids, chunk, KvType::bf16));
  }
  CHECK(recorded->stats().recorded == 2);
  CHECK(recorded->stats().replayed == 15);
  CHECK(eager->stats().replayed == 0);
  // A token is one launch and one wait.
  KvCache cache = make_cache(model, *recorded, KvType::bf16);
  std::vector<float> logits(static_cast<std::size_t>(model.config.vocabulary));
  test::append(*recorded, std::span(ids).first(1), cache, logits);
  const auto before = cuda_on_cpu::counts();
  test::append(*recorded, std::span(ids).first(1), cache, logits);
  const auto after = cuda_on_cpu::counts();
  CHECK(after.launches - before.launches == 1);
  CHECK(after.synchronisations - before.synchronisations == 1);
  CHECK(after.allocations == before.allocations);
  // 5 launches a layer, one for the tokens, one for each kind of angles, one for the logits.
  CHECK(after.kernels - before.kernels <= 5 * 3 + 1 + 2 + 1);
}

TEST_CASE("a step in company gives the bits of the step alone", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 3, .seed = 27});
  std::mt19937 random(27);
  const auto backend = make_backend(model);
  const auto vocabulary = static_cast<std::size_t>(model.config.vocabulary);
  constexpr std::size_t kSequences = 5;
  std::vector<KvCache> alone;
  std::vector<KvCache> together;
  for (std::size_t i = 0; i < kSequences; ++i) {
    alone.push_back(make_cache(model, *backend, KvType::bf16));
    test::append(*backend, random_ids(3 * i + 1, random), alone.back(), {});
    together.push_back(alone.back().fork());
  }
  for (int round = 0; round < 3; ++round) {
    const std::vector<TokenId> ids = random_ids(kSequences, random);
    std::vector<float> expected(kSequences * vocabulary);
    std::vector<float> logits(expected.size());
    for (std::size_t i = 0; i < kSequences; ++i) {
      const auto part = std::span(expected).subspan(i * vocabulary, vocabulary);
      test::append(*backend, std::span(ids).subspan(i, 1), alone[i], part);
    }
    REQUIRE(step_together(*backend, together, ids, logits).has_value());
    CHECK(logits == expected);
  }
}

TEST_CASE("prompts and decoding sequences share a pass", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.layers = 3, .seed = 28});
  std::mt19937 random(28);
  const auto backend = make_backend(model, {.plan = {.kv_type = KvType::f32}});
  const auto vocabulary = static_cast<std::size_t>(model.config.vocabulary);
  const std::vector<TokenId> first = random_ids(30, random);
  const std::vector<TokenId> second = random_ids(40, random);
  KvCache a = make_cache(model, *backend, KvType::f32);
  KvCache b = make_cache(model, *backend, KvType::f32);
  test::append(*backend, std::span(first).first(29), a, {});
  std::vector<float> logits_a(vocabulary);
  std::vector<float> logits_b(vocabulary);
  const StepItem items[] = {
      {.cache = &a, .ids = std::span(first).last(1), .logits = logits_a},
      {.cache = &b, .ids = second, .logits = logits_b},
  };
  REQUIRE(backend->step(items).has_value());
  CHECK(backend->stats().passes == 2);
  for (const auto& [ids, logits] : {std::pair(&first, &logits_a), std::pair(&second, &logits_b)}) {
    const auto expected = reference_logits(model.config, model.weights, *ids);
    const std::span last = std::span(expected).last(vocabulary);
    CHECK(distance(*logits, std::vector<double>(last.begin(), last.end())) < 0.02);
  }
}

TEST_CASE("an embedder on a device agrees with the scalar reference", "[cuda]") {
  cuda_on_cpu::reset();
  const DType type = GENERATE(DType::f32, DType::bf16, DType::q8_0);
  const RuntimeModel model =
      make_memory_model({.type = type, .layers = 3, .is_embedder = true, .seed = 25});
  const auto backend = make_backend(model, {.plan = {.context_tokens_max = 100}});
  std::mt19937 random(26);
  for (const std::size_t count : {1U, 5U, 33U, 100U}) {
    const std::vector<TokenId> ids = random_ids(count, random);
    const auto expected = reference_embedding(model.config, model.weights, ids);
    const auto vector = backend->embed(ids);
    REQUIRE(vector.has_value());
    INFO(dtype_name(type) << ", " << count << " tokens");
    CHECK(distance(*vector, expected) < 0.02);
  }
  const auto too_long = backend->embed(random_ids(101, random));
  REQUIRE(!too_long.has_value());
  CHECK(too_long.error().code == Code::limit_exceeded);
}

TEST_CASE("threads in any order give the same bits", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::q4_0, .layers = 2, .seed = 29});
  std::mt19937 random(29);
  const std::vector<TokenId> ids = random_ids(20, random);
  const auto backend = make_backend(model);
  const auto few = all_logits(model, *backend, std::span(ids).first(3), 3, KvType::bf16);
  const auto many = all_logits(model, *backend, ids, 20, KvType::bf16);
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    cuda_on_cpu::set_order(seed);
    CHECK(all_logits(model, *backend, std::span(ids).first(3), 3, KvType::bf16) == few);
    CHECK(all_logits(model, *backend, ids, 20, KvType::bf16) == many);
  }
  cuda_on_cpu::set_order(0);
}

TEST_CASE("fp8 weights made at load cost a few percent", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 3, .seed = 30});
  std::mt19937 random(30);
  const std::vector<TokenId> ids = random_ids(30, random);
  const auto expected = reference_logits(model.config, model.weights, ids);
  const auto backend = make_backend(model, {.plan = {.weights = cuda::WeightForm::fp8}});
  for (const std::size_t chunk : {6U, 30U}) {
    const double cost = distance(all_logits(model, *backend, ids, chunk, KvType::bf16), expected);
    CHECK(cost < 0.08);
    CHECK(cost > 0.005);
  }
}

TEST_CASE("rows of the embedding beyond the vocabulary are no logits", "[cuda]") {
  cuda_on_cpu::reset();
  RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 32});
  model.config.vocabulary = 50;
  std::mt19937 random(32);
  std::vector<TokenId> ids = random_ids(20, random);
  for (TokenId& id : ids) id %= 50;
  const auto expected = reference_logits(model.config, model.weights, ids);
  const auto form = GENERATE(cuda::WeightForm::stored, cuda::WeightForm::fp8);
  const auto backend = make_backend(model, {.plan = {.weights = form}});
  for (const std::size_t chunk : {5U, 20U}) {
    CHECK(distance(all_logits(model, *backend, ids, chunk, KvType::bf16), expected) < 0.08);
  }
}

TEST_CASE("a device without room for pages fails a step before it begins", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.layers = 3});
  const auto backend = make_backend(model, {.plan = {.context_tokens_max = 128}});
  std::mt19937 random(31);
  // The pool has room for four sequences that fill the context.
  std::vector<KvCache> caches;
  Status status = ok();
  while (status) {
    REQUIRE(caches.size() < 40);
    caches.push_back(make_cache(model, *backend, KvType::bf16));
    const std::vector<TokenId> ids = random_ids(60, random);
    const StepItem item{.cache = &caches.back(), .ids = ids};
    const auto passes = backend->stats().passes;
    status = backend->step(std::span(&item, 1));
    if (!status) CHECK(backend->stats().passes == passes);
  }
  CHECK(status.error().code == Code::limit_exceeded);
  CHECK(caches.back().size() == 0);
  CHECK(caches.size() > 4);
  // Room that is given back serves again.
  caches.erase(caches.begin(), caches.begin() + 2);
  const std::vector<TokenId> ids = random_ids(60, random);
  const StepItem item{.cache = &caches.back(), .ids = ids};
  CHECK(backend->step(std::span(&item, 1)).has_value());
}

TEST_CASE("a device that fails ends the backend with an error, never a hang", "[cuda]") {
  const RuntimeModel model = make_memory_model({.layers = 2});
  const std::vector<TokenId> ids = {1, 2, 3};
  for (const int launches_before : {0, 7}) {
    cuda_on_cpu::reset();
    const auto backend = make_backend(model);
    KvCache cache = make_cache(model, *backend, KvType::bf16);
    cuda_on_cpu::break_kernel(cudaErrorIllegalAddress, launches_before);
    const StepItem item{.cache = &cache, .ids = ids};
    const Status status = backend->step(std::span(&item, 1));
    REQUIRE(!status.has_value());
    CHECK(status.error().code == Code::unavailable);
    CHECK(status.error().message.find("illegal memory access") != std::string::npos);
    CHECK(status.error().message.find("load the model again") != std::string::npos);
    CHECK(cache.size() == 0);
    const Status again = backend->step(std::span(&item, 1));
    REQUIRE(!again.has_value());
    CHECK(again.error().message == status.error().message);
    std::vector<std::byte> page(64);
    CHECK(!backend->page_memory().read(page, nullptr).has_value());
  }
  cuda_on_cpu::reset();
}

TEST_CASE("loading fails by name at every call that can fail", "[cuda]") {
  const RuntimeModel model = make_memory_model({.layers = 2});
  ThreadPool pool(1);
  const BackendOptions options{.plan = {.context_tokens_max = 128, .rows_max = 64}};
  for (const char* name : {"cudaMalloc",
                           "cudaMallocHost",
                           "cudaMemcpyAsync",
                           "cudaMemsetAsync",
                           "cudaStreamSynchronize",
                           "cudaStreamCreateWithFlags",
                           "cudaEventCreateWithFlags",
                           "cudaMemGetInfo",
                           "cudaSetDevice",
                           "cudaGetDeviceProperties",
                           "cudaGetDeviceCount"}) {
    cuda_on_cpu::reset();
    cuda_on_cpu::fail_call(name, cudaErrorMemoryAllocation);
    const auto backend = CudaBackend::create(model.config, model.weights, options, pool);
    INFO(name);
    REQUIRE(!backend.has_value());
    CHECK(backend.error().code == Code::unavailable);
    CHECK(backend.error().message.find("out of memory") != std::string::npos);
    CHECK(cuda_on_cpu::counts().allocated_bytes == 0);
  }
  cuda_on_cpu::reset();
}

TEST_CASE("devices that cannot serve are refused with what to do", "[cuda]") {
  const RuntimeModel model = make_memory_model({.layers = 2});
  ThreadPool pool(1);
  const auto refusal = [&](const cuda_on_cpu::Device& device, int index = 0) {
    cuda_on_cpu::reset(device);
    const auto backend =
        CudaBackend::create(model.config,
                            model.weights,
                            {.device = index, .plan = {.context_tokens_max = 128, .rows_max = 64}},
                            pool);
    REQUIRE(!backend.has_value());
    CHECK(backend.error().code == Code::unavailable);
    return backend.error().message;
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(has(refusal({.driver_version = 0}), "no CUDA driver is installed"));
  CHECK(has(refusal({.driver_version = 12020}), "is for CUDA 12.2, this build needs 13.0"));
  CHECK(has(refusal({.count = 0}), "no CUDA device"));
  CHECK(has(refusal({}, 9), "no device cuda:9: this machine has cuda:0 only"));
  CHECK(has(refusal({.count = 4}, 9), "cuda:0 to cuda:3"));
  CHECK(has(refusal({.major = 7, .minor = 5}), "compute capability 7.5) is too old"));
  CHECK(has(refusal({.has_kernel_image = false}), "no kernels for cuda:0"));
  CHECK(has(refusal({.has_kernel_image = false, .says_invalid_function = true}),
            "no kernels for cuda:0"));
  CHECK(has(refusal({.is_busy = true}), "is busy"));
  CHECK(has(refusal({.memory_bytes = std::size_t{600} << 20}), "too little memory"));
  cuda_on_cpu::reset();
}

}  // namespace facet::engine
