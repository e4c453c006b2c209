// Sequences that share passes through the model: the same bits as alone, fewer passes.

#include "engine/scheduler/scheduler.h"

#include "engine/cpu/forward.h"
#include "engine/cpu/instruction_sets.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"

#include <atomic>
#include <random>
#include <thread>

namespace facet::engine {
namespace {

constexpr std::int64_t kVocabulary = 70;

/// Counts what it is given, and fails or waits when told.
class FakeBackend final : public Backend {
 public:
  Status step(std::span<const StepItem> items) override {
    passes.push_back(items.size());
    std::this_thread::sleep_for(time);
    if (items.size() > 1 && fails_together) return Error{Code::limit_exceeded, "full"};
    for (const StepItem& item : items) {
      if (!item.ids.empty() && item.ids.front() == bad) return Error{Code::limit_exceeded, "full"};
    }
    return ok();
  }
  Result<std::vector<float>> embed(std::span<const TokenId> /*ids*/) override {
    return std::vector<float>();
  }
  PageMemory& page_memory() override { return host_page_memory(); }

  std::vector<std::size_t> passes;  ///< Only one step at a time: no lock.
  std::chrono::milliseconds time{0};
  bool fails_together = false;
  TokenId bad = -1;
};

}  // namespace

TEST_CASE("steps of several sequences give the bits of each alone", "[engine][scheduler]") {
  const DType type = GENERATE(DType::f32, DType::q4_0, DType::q8_0, DType::bf16);
  const bool is_float = GENERATE(true, false);
  const RuntimeModel model =
      test::make_memory_model({.type = type, .layers = 7, .window = 24, .seed = 71});
  for (const Ops* ops : usable_ops()) {
    INFO(ops->name << " " << dtype_name(type) << (is_float ? " float" : " rounded"));
    ThreadPool pool(2);
    Forward forward(model.config, model.weights, *ops, pool, {.float_activations = is_float});
    std::mt19937 random(72);
    struct Part {
      KvCache together;
      KvCache alone;
      std::vector<float> rows;
      std::vector<float> expected;
    };
    std::vector<Part> parts;
    for (int i = 0; i < 5; ++i) {
      parts.push_back({KvCache(model.config.layers), KvCache(model.config.layers), {}, {}});
    }
    for (int round = 0; round < 12; ++round) {
      std::vector<std::vector<TokenId>> ids;
      std::vector<std::vector<float>> images;
      std::vector<StepItem> items;
      for (Part& part : parts) {
        const bool is_image = random() % 6 == 0;
        const std::size_t count = 1 + (random() % 3 == 0 ? random() % 20 : 0);
        const bool every = random() % 2 == 0;
        ids.push_back(test::random_ids(is_image ? 0 : count, random));
        images.emplace_back(is_image ? count * static_cast<std::size_t>(model.config.hidden) : 0);
        for (float& value : images.back()) value = static_cast<float>(random() % 200) / 100 - 1;
        const std::size_t rows = random() % 4 == 0 ? 0 : every ? count : 1;
        part.rows.assign(rows * kVocabulary, -1.0F);
        part.expected.assign(rows * kVocabulary, -2.0F);
        items.push_back({.cache = &part.together, .logits = part.rows});
      }
      for (std::size_t i = 0; i < items.size(); ++i) {
        items[i].ids = ids[i];
        items[i].image_rows = images[i];
      }
      REQUIRE(forward.step(items).has_value());
      for (std::size_t i = 0; i < parts.size(); ++i) {
        StepItem item = items[i];
        item.cache = &parts[i].alone;
        item.logits = parts[i].expected;
        REQUIRE(forward.step(std::span(&item, 1)).has_value());
        CAPTURE(round, i);
        REQUIRE(parts[i].rows == parts[i].expected);
        REQUIRE(parts[i].together.size() == parts[i].alone.size());
      }
    }
  }
}

TEST_CASE("sequences that decode at the same time share passes", "[engine][scheduler]") {
  FakeBackend backend;
  backend.time = std::chrono::milliseconds(20);
  Scheduler scheduler(backend, 8, 64);
  constexpr int kSequences = 4;
  constexpr int kSteps = 12;
  const TokenId id = 1;
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kSequences; ++i) {
      threads.emplace_back([&] {
        KvCache cache(std::span<const LayerSpec>{});
        for (int step = 0; step < kSteps; ++step) {
          if (!scheduler.run({.cache = &cache, .ids = std::span(&id, 1)})) ++failures;
        }
      });
    }
  }
  CHECK(failures == 0);
  const SchedulerStats stats = scheduler.stats();
  CHECK(stats.items == kSequences * kSteps);
  CHECK(stats.rows == kSequences * kSteps);
  // Alone they need 48 passes, in step 12; a few are lost while threads start and end.
  CHECK(stats.passes <= 20);
}

TEST_CASE("a long prompt leaves room for those who decode", "[engine][scheduler]") {
  FakeBackend backend;
  backend.time = std::chrono::milliseconds(5);
  Scheduler scheduler(backend, 8, 20);
  const std::vector<TokenId> chunk(16, 1);
  std::atomic<int> prompts = 0;
  std::atomic<int> prompts_at_end = 0;
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {  // Two chunks together are more than a pass takes.
      threads.emplace_back([&] {
        KvCache cache(std::span<const LayerSpec>{});
        for (int n = 0; n < 10; ++n) {
          if (!scheduler.run({.cache = &cache, .ids = chunk})) ++failures;
          ++prompts;
        }
      });
    }
    threads.emplace_back([&] {
      KvCache cache(std::span<const LayerSpec>{});
      for (int n = 0; n < 10; ++n) {
        if (!scheduler.run({.cache = &cache, .ids = std::span(chunk).first(1)})) ++failures;
      }
      prompts_at_end = prompts.load();
    });
  }
  CHECK(failures == 0);
  // Each step waited for the pass that ran when it came, at most, and shared the next.
  CHECK(prompts_at_end <= 2 * 10 + 3);
  CHECK(scheduler.stats().items == 40);
  CHECK(scheduler.stats().passes >= 30);
}

TEST_CASE("one sequence without room does not fail its neighbours", "[engine][scheduler]") {
  FakeBackend backend;
  backend.time = std::chrono::milliseconds(20);
  backend.bad = 7;
  Scheduler scheduler(backend, 8, 64);
  std::atomic<int> failed = 0;
  std::atomic<int> done = 0;
  {
    std::vector<std::jthread> threads;
    for (TokenId id = 5; id < 9; ++id) {
      threads.emplace_back([&, id] {
        KvCache cache(std::span<const LayerSpec>{});
        const Status status = scheduler.run({.cache = &cache, .ids = std::span(&id, 1)});
        if (status) {
          ++done;
        } else if (status.error().code == Code::limit_exceeded && id == 7) {
          ++failed;
        }
      });
    }
  }
  CHECK(done == 3);
  CHECK(failed == 1);
}

}  // namespace facet::engine
