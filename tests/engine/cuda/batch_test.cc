// Steps of many sequences on the emulated device: how they are launched, waited for and recorded.
// What they compute is in batch_checks.cc.
#include "engine/cuda/backend.h"
#include "engine/cuda/pass.h"
#include "tests/support/catch.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/memory_model.h"

#include <algorithm>
#include <deque>
#include <span>

namespace facet::engine {
namespace {

using cuda::BackendOptions;
using cuda::CudaBackend;
using test::make_memory_model;
using test::random_ids;

std::unique_ptr<CudaBackend> make_backend(const RuntimeModel& model, BackendOptions options = {}) {
  options.plan.context_tokens_max = 256;
  options.plan.prefix_bytes_max = 16 << 20;
  if (options.plan.rows_max == 0) options.plan.rows_max = 160;
  ThreadPool pool(2);
  auto backend = CudaBackend::create(model.config, model.weights, options, pool);
  INFO((backend ? "" : backend.error().message));
  REQUIRE(backend.has_value());
  return *std::move(backend);
}

/// Sequences that begin together, with the best candidate of each.
class Streams {
 public:
  Streams(const RuntimeModel& model, CudaBackend& backend, std::size_t count)
      : backend_(backend), vocabulary_(model.config.vocabulary) {
    for (std::size_t i = 0; i < count; ++i) {
      caches_.emplace_back(model.config.layers, KvType::bf16, backend.page_memory());
      ids_.push_back(static_cast<TokenId>(i % 70));
    }
    best_.resize(count);
  }

  /// The next token of the first `count`, which is the best one behind the last.
  Status step(std::size_t count) {
    std::vector<CandidateRow> rows;
    rows.reserve(count);
    std::vector<StepItem> items;
    for (std::size_t i = 0; i < count; ++i) {
      rows.push_back({.ids_end = vocabulary_, .best = std::span(best_).subspan(i, 1)});
      items.push_back({.cache = &caches_[i],
                       .ids = std::span(ids_).subspan(i, 1),
                       .candidates = std::span(rows).subspan(i, 1)});
    }
    FACET_TRY_STATUS(backend_.step(items));
    for (std::size_t i = 0; i < count; ++i) ids_[i] = best_[i].id;
    return ok();
  }

  /// The same with logits in place of candidates; ids stay.
  Status step_for_logits(std::span<float> logits) {
    std::vector<StepItem> items;
    const auto each = static_cast<std::size_t>(vocabulary_);
    for (std::size_t i = 0; i < caches_.size(); ++i) {
      items.push_back({.cache = &caches_[i],
                       .ids = std::span(ids_).subspan(i, 1),
                       .logits = logits.subspan(i * each, each)});
    }
    return backend_.step(items);
  }

  [[nodiscard]] std::span<KvCache> caches() { return caches_; }
  [[nodiscard]] const std::vector<TokenId>& ids() const { return ids_; }

 private:
  CudaBackend& backend_;
  std::int64_t vocabulary_;
  std::vector<KvCache> caches_;
  std::vector<TokenId> ids_;
  std::vector<Candidate> best_;
};

}  // namespace

TEST_CASE("a step of a hundred sequences is one launch and one wait", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 71});
  const auto backend = make_backend(model);
  Streams streams(model, *backend, 100);
  // Launch by launch, then recorded.
  for (int i = 0; i < 2; ++i) REQUIRE(streams.step(100).has_value());
  CHECK(backend->stats().recorded == 1);
  const auto before = cuda_on_cpu::counts();
  REQUIRE(streams.step(100).has_value());
  const auto after = cuda_on_cpu::counts();
  CHECK(after.launches - before.launches == 1);
  CHECK(after.synchronisations - before.synchronisations == 1);
  CHECK(after.captures == before.captures);
  CHECK(after.allocations == before.allocations);
  // 13 launches a layer; for each kind of angles, the tokens, the last norm, all logits, the
  // search.
  CHECK(after.kernels - before.kernels == 2 * 13 + 1 + 1 + 1 + 1 + 1);
  CHECK(after.bytes_to_host - before.bytes_to_host == 100 * sizeof(cuda::RowFound));
}

TEST_CASE("steps of many sequences are recorded once for each size that they are padded to",
          "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 72});
  const auto backend = make_backend(model);
  Streams streams(model, *backend, 128);
  struct Step {
    std::size_t sequences;
    std::int64_t recorded;
    std::int64_t replayed;
  };
  // The first of each size is launched one by one.
  for (const Step& step : {Step{17, 0, 0},
                           Step{32, 1, 1},
                           Step{20, 1, 2},
                           Step{33, 1, 2},
                           Step{64, 2, 3},
                           Step{128, 2, 3},
                           Step{100, 3, 4},
                           Step{40, 3, 5},
                           Step{16, 4, 6},
                           Step{96, 4, 6},
                           Step{65, 5, 7}}) {
    INFO(step.sequences << " sequences");
    REQUIRE(streams.step(step.sequences).has_value());
    CHECK(backend->stats().recorded == step.recorded);
    CHECK(backend->stats().replayed == step.replayed);
  }
  // What is wanted at the end makes another recording.
  std::vector<float> logits(128 * 70);
  for (int i = 0; i < 2; ++i) REQUIRE(streams.step_for_logits(logits).has_value());
  CHECK(backend->stats().recorded == 6);
}

TEST_CASE("logits of many sequences come in parts", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 73});
  const auto backend = make_backend(model);
  Streams streams(model, *backend, 50);
  Streams same(model, *backend, 50);
  std::vector<float> logits(50 * 70);
  const auto before = cuda_on_cpu::counts();
  REQUIRE(streams.step_for_logits(logits).has_value());
  CHECK(cuda_on_cpu::counts().synchronisations - before.synchronisations == 4);
  REQUIRE(same.step(50).has_value());
  for (std::size_t i = 0; i < 50; ++i) {
    const auto row = std::span(logits).subspan(i * 70, 70);
    CHECK(same.ids()[i] == std::max_element(row.begin(), row.end()) - row.begin());
  }
}

TEST_CASE("a prompt beside many sequences is waited for once", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 74});
  const auto backend = make_backend(model);
  std::mt19937 random(74);
  std::vector<KvCache> caches;
  for (int i = 0; i < 100; ++i) {
    caches.emplace_back(model.config.layers, KvType::bf16, backend->page_memory());
  }
  const auto prompt = random_ids(40, random);
  const TokenId id = 3;
  std::vector<Candidate> best(100);
  std::deque<CandidateRow> rows;
  std::vector<float> logits(70);
  std::vector<StepItem> items;
  for (std::size_t i = 0; i < 99; ++i) {
    rows.push_back({.ids_end = 70, .best = std::span(best).subspan(i, 1)});
    items.push_back(
        {.cache = &caches[i], .ids = std::span(&id, 1), .candidates = std::span(&rows.back(), 1)});
  }
  items.insert(items.begin() + 30, {.cache = &caches[99], .ids = prompt, .logits = logits});
  const auto before = cuda_on_cpu::counts();
  REQUIRE(backend->step(items).has_value());
  CHECK(cuda_on_cpu::counts().synchronisations - before.synchronisations == 1);
  CHECK(backend->stats().passes == 1);
  CHECK(backend->stats().recorded == 0);
  // All 99 are the same text, and say the same.
  for (const CandidateRow& row : rows) CHECK(row.found == 1);
  for (std::size_t i = 1; i < 99; ++i) CHECK(best[i] == best[0]);
}

TEST_CASE("padding ends where the passes of a device do", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 75});
  const auto small = make_backend(model, {.plan = {.rows_max = 20}});
  const auto large = make_backend(model);
  Streams few(model, *small, 18);
  Streams many(model, *large, 18);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(few.step(18).has_value());
    REQUIRE(many.step(18).has_value());
    CHECK(few.ids() == many.ids());
  }
  CHECK(small->stats().passes == 3);
  CHECK(small->stats().recorded == 1);
}

TEST_CASE("a deterministic backend takes many sequences sixteen at a time", "[cuda]") {
  cuda_on_cpu::reset();
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 76});
  const auto backend = make_backend(model, {.is_deterministic = true});
  Streams together(model, *backend, 40);
  std::vector<float> logits(40 * 70);
  REQUIRE(together.step_for_logits(logits).has_value());
  CHECK(backend->stats().passes == 3);
  for (const std::size_t i : {0U, 17U, 39U}) {
    KvCache cache(model.config.layers, KvType::bf16, backend->page_memory());
    const TokenId id = together.ids()[i];
    std::vector<float> alone(70);
    const StepItem item{.cache = &cache, .ids = std::span(&id, 1), .logits = alone};
    REQUIRE(backend->step(std::span(&item, 1)).has_value());
    CHECK(std::equal(alone.begin(), alone.end(), logits.begin() + static_cast<long>(i * 70)));
  }
}

TEST_CASE("a step of many sequences that cannot be recorded is an error", "[cuda]") {
  const RuntimeModel model = make_memory_model({.type = DType::bf16, .layers = 2, .seed = 77});
  for (const char* name : {"cudaStreamBeginCapture", "cudaGraphInstantiate", "cudaGraphLaunch"}) {
    cuda_on_cpu::reset();
    const auto backend = make_backend(model);
    Streams streams(model, *backend, 30);
    REQUIRE(streams.step(30).has_value());
    cuda_on_cpu::fail_call(name, cudaErrorInvalidValue);
    const Status status = streams.step(30);
    INFO(name);
    REQUIRE(!status.has_value());
    CHECK(status.error().code == Code::unavailable);
    CHECK(streams.caches()[0].size() == 1);
    CHECK(!streams.step(30).has_value());
  }
  cuda_on_cpu::reset();
}

TEST_CASE("passes are of the kind that their rows and sequences ask for", "[cuda]") {
  const RuntimeModel model = make_memory_model({.layers = 2});
  std::mt19937 random(78);
  const auto ids = random_ids(200, random);
  const auto kind = [&](const std::vector<std::size_t>& tokens, bool is_deterministic = false) {
    std::deque<KvCache> caches;
    std::vector<StepItem> items;
    for (const std::size_t count : tokens) {
      caches.emplace_back(model.config.layers);
      items.push_back({.cache = &caches.back(), .ids = std::span(ids).first(count)});
    }
    const cuda::PassLimits limits{.rows_max = 256,
                                  .batch_rows_max = 128,
                                  .page_pointers_max = 10000,
                                  .hidden = model.config.hidden,
                                  .is_deterministic = is_deterministic};
    const auto passes = cuda::cut_into_passes(items, limits);
    REQUIRE(passes.has_value());
    return std::pair(passes->front().kind, passes->front().launch_rows);
  };
  using cuda::PassKind;
  const auto each = [](std::size_t sequences, std::size_t tokens) {
    return std::vector<std::size_t>(sequences, tokens);
  };
  CHECK(kind({1}) == std::pair(PassKind::decode, std::int64_t{1}));
  CHECK(kind(each(16, 1)) == std::pair(PassKind::decode, std::int64_t{16}));
  CHECK(kind(each(17, 1)) == std::pair(PassKind::batch, std::int64_t{32}));
  CHECK(kind(each(8, 16)) == std::pair(PassKind::batch, std::int64_t{128}));
  CHECK(kind(each(33, 2)) == std::pair(PassKind::batch, std::int64_t{96}));
  CHECK(kind({17}) == std::pair(PassKind::prompt, std::int64_t{17}));
  CHECK(kind({1, 1, 1, 60}) == std::pair(PassKind::prompt, std::int64_t{63}));
  CHECK(kind(each(129, 1)) == std::pair(PassKind::prompt, std::int64_t{129}));
  CHECK(kind(each(40, 1), true) == std::pair(PassKind::decode, std::int64_t{16}));
}

}  // namespace facet::engine
