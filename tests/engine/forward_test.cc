#include "engine/cpu/forward.h"

#include "engine/cpu/instruction_sets.h"
#include "engine/reference/forward.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"
#include "tests/support/steps.h"

#include <atomic>
#include <cmath>
#include <thread>

namespace facet::engine {
namespace {

using test::make_memory_model;
using test::MemoryModelOptions;
using test::random_ids;

std::vector<float> logits_of(const RuntimeModel& model,
                             const Ops& ops,
                             std::span<const TokenId> ids,
                             std::size_t chunk,
                             int threads,
                             const ForwardOptions& options = {}) {
  ThreadPool pool(threads);
  Forward forward(model.config, model.weights, ops, pool, options);
  KvCache cache(model.config.layers);
  std::vector<float> logits(static_cast<std::size_t>(model.config.vocabulary));
  while (!ids.empty()) {
    const std::size_t count = std::min(chunk, ids.size());
    test::append(forward, ids.first(count), cache, logits);
    ids = ids.subspan(count);
  }
  return logits;
}

}  // namespace

TEST_CASE("the forward pass agrees with the scalar reference", "[engine][unit]") {
  // Logits are about 10 in size here; every op keeps its tolerance of a few 1e-6 relative.
  constexpr double kTolerance = 2e-4;
  const DType type = GENERATE(from_range(dtypes().begin(), dtypes().end()));
  const RuntimeModel model = make_memory_model({.type = type, .layers = 7, .seed = 21});
  std::mt19937 random(22);
  const std::vector<TokenId> ids = random_ids(23, random);
  const std::vector<double> expected = reference_logits(model.config, model.weights, ids);
  const auto vocabulary = static_cast<std::size_t>(model.config.vocabulary);
  for (const Ops* ops : usable_ops()) {
    for (const std::size_t count : {1U, 2U, 6U, 23U}) {
      const auto logits = logits_of(model, *ops, std::span(ids).first(count), 64, 1);
      for (std::size_t i = 0; i < vocabulary; ++i) {
        INFO(ops->name << ' ' << dtype_name(type) << " after " << count << ", logit " << i);
        REQUIRE(std::abs(logits[i] - expected[(count - 1) * vocabulary + i]) < kTolerance);
      }
    }
  }
}

TEST_CASE("packed activations cost less than three percent of the logits", "[engine][unit]") {
  const DType type = GENERATE(DType::q8_0, DType::q4_0);
  const RuntimeModel model = make_memory_model({.type = type, .layers = 7, .seed = 21});
  std::mt19937 random(22);
  const std::vector<TokenId> ids = random_ids(23, random);
  const std::vector<double> expected = reference_logits(model.config, model.weights, ids);
  const auto vocabulary = static_cast<std::size_t>(model.config.vocabulary);
  const double* last = expected.data() + (ids.size() - 1) * vocabulary;
  for (const Ops* ops : usable_ops()) {
    const auto logits = logits_of(model, *ops, ids, 64, 1, {.float_activations = false});
    double wrong = 0.0;
    double all = 0.0;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      wrong += (logits[i] - last[i]) * (logits[i] - last[i]);
      all += last[i] * last[i];
    }
    INFO(ops->name << ' ' << dtype_name(type) << ' ' << std::sqrt(wrong / all));
    CHECK(std::sqrt(wrong / all) < 0.03);
    CHECK(wrong > 0.0);  // They are packed.
  }
}

TEST_CASE("logits have the same bits for every chunk size and thread count", "[engine][unit]") {
  const DType type = GENERATE(DType::f32, DType::bf16, DType::q8_0, DType::q4_0, DType::q5_1);
  const ForwardOptions options{.float_activations = GENERATE(true, false)};
  const RuntimeModel model = make_memory_model({.type = type, .seed = 23});
  std::mt19937 random(24);
  const std::vector<TokenId> ids = random_ids(150, random);
  for (const Ops* ops : usable_ops()) {
    const auto expected = logits_of(model, *ops, ids, 64, 1, options);
    for (const std::size_t chunk : {1U, 3U, 7U, 64U, 150U}) {
      for (const int threads : {1, 2, 3}) {
        INFO(ops->name << ' ' << dtype_name(type) << " chunk " << chunk << " threads " << threads);
        REQUIRE(logits_of(model, *ops, ids, chunk, threads, options) == expected);
      }
    }
  }
}

TEST_CASE("the embedder agrees with the scalar reference", "[engine][unit]") {
  const DType type = GENERATE(DType::f32, DType::q8_0);
  const RuntimeModel model =
      make_memory_model({.type = type, .layers = 3, .is_embedder = true, .seed = 25});
  std::mt19937 random(26);
  for (const std::size_t count : {1U, 4U, 5U, 33U, 100U}) {
    const std::vector<TokenId> ids = random_ids(count, random);
    const std::vector<double> expected = reference_embedding(model.config, model.weights, ids);
    for (const Ops* ops : usable_ops()) {
      ThreadPool pool(2);
      Forward forward(model.config, model.weights, *ops, pool);
      const std::vector<float> vector = forward.embed(ids).value();
      REQUIRE(vector.size() == expected.size());
      for (std::size_t i = 0; i < vector.size(); ++i) {
        INFO(ops->name << ' ' << count << " tokens, component " << i);
        REQUIRE(std::abs(vector[i] - expected[i]) < 2e-6);
      }
    }
  }
}

TEST_CASE("an embedder reads to both sides, a generator only back", "[engine][unit]") {
  const RuntimeModel embedder = make_memory_model({.layers = 1, .is_embedder = true});
  std::vector<TokenId> ids = {5, 6, 7, 8};
  const auto before = reference_embedding(embedder.config, embedder.weights, ids);
  const RuntimeModel generator = make_memory_model({.layers = 3});
  const auto logits = reference_logits(generator.config, generator.weights, ids);
  ids.back() = 9;
  const auto changed = reference_logits(generator.config, generator.weights, ids);
  const std::size_t last = 3 * 70;
  CHECK(std::equal(logits.begin(), logits.begin() + last, changed.begin()));
  CHECK(!std::equal(logits.begin() + last, logits.end(), changed.begin() + last));
  CHECK(before != reference_embedding(embedder.config, embedder.weights, ids));
}

TEST_CASE("sliding layers keep their window, not the context", "[engine][unit]") {
  const RuntimeModel model = make_memory_model({.layers = 2, .window = 10});
  ThreadPool pool(1);
  Forward forward(model.config, model.weights, *portable_ops(), pool);
  KvCache cache(model.config.layers);
  constexpr std::size_t kChunk = 32;
  const std::int64_t bound = 2 * kv_ring_bytes_max(model.config.layers[0], kChunk, KvType::f32);
  // (10 - 1 + 64 + 32) positions are 2 pages, and one more for the cut ones: 3 pages of 64
  // positions with 2 * 2 * 16 floats, in 2 layers.
  CHECK(bound == 2 * 3 * 64 * 64 * 4);
  std::mt19937 random(27);
  for (int chunk = 0; chunk < 40; ++chunk) {
    test::append(forward, random_ids(kChunk, random), cache, {});
    REQUIRE(cache.bytes() <= bound);
  }
  CHECK(cache.size() == 40 * 32);
}

TEST_CASE("global layers keep every token", "[engine][unit]") {
  RuntimeModel model = make_memory_model({.layers = 3});
  KvCache cache(std::span(model.config.layers).last(1));
  REQUIRE(cache.reserve(1000).has_value());
  cache.commit(1000);
  CHECK(cache.first_held(0) == 0);
  // 16 pages of 64 positions of 64 floats.
  CHECK(cache.bytes() == 16 * 64 * 64 * 4);
}

TEST_CASE("two sequences run at the same time in two threads", "[engine][unit]") {
  const RuntimeModel model = make_memory_model({.type = DType::q8_0, .seed = 28});
  std::mt19937 random(29);
  const std::vector<TokenId> ids = random_ids(100, random);
  const Ops& ops = *usable_ops().front();
  const auto expected = logits_of(model, ops, ids, 16, 1);
  ThreadPool pool(2);
  Forward forward(model.config, model.weights, ops, pool);
  std::vector<std::vector<float>> results(3, std::vector<float>(70));
  std::vector<std::thread> threads;
  for (std::vector<float>& result : results) {
    threads.emplace_back([&] {
      KvCache cache(model.config.layers);
      for (std::size_t at = 0; at < ids.size(); at += 10) {
        test::append(forward, std::span(ids).subspan(at, 10), cache, result);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<float>& result : results) CHECK(result == expected);
}

TEST_CASE("the thread pool runs every part exactly once", "[engine][unit]") {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 300; ++round) {
      const std::int64_t parts = round % 17;
      std::vector<std::atomic<int>> counts(17);
      std::atomic<int> wrong_workers{0};
      pool.run(parts, [&](std::int64_t index, int worker) {
        if (worker < 0 || worker >= threads) wrong_workers.fetch_add(1);
        counts[static_cast<std::size_t>(index)].fetch_add(1);
      });
      REQUIRE(wrong_workers.load() == 0);
      for (std::int64_t i = 0; i < 17; ++i) {
        REQUIRE(counts[static_cast<std::size_t>(i)].load() == (i < parts ? 1 : 0));
      }
    }
  }
}

}  // namespace facet::engine
