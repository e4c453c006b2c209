// What a step that is begun ahead costs and saves: the device has its next work before the host
// knows its last one, and nothing is computed for nothing where a text goes on as it is expected
// to.
#include "engine/cuda/sampling.h"
#include "engine/generate.h"
#include "tests/engine/cuda/device_runtime.h"
#include "tests/support/cuda_on_cpu/control.h"
#include "tests/support/small_constraints.h"

#include <optional>

namespace facet::engine {
namespace {

using cuda::BackendStats;
using cuda::CudaBackend;
using test::letters;
using test::on_device;
using test::random_ids;

BackendStats stats_of(const std::shared_ptr<const Runtime>& runtime) {
  return dynamic_cast<const CudaBackend&>(runtime->backend()).stats();
}

/// A generation behind a short prompt, and how its steps were begun.
struct Output {
  GenerateResult result;
  BackendStats stats;
};
Output generate_behind(const std::shared_ptr<const Runtime>& runtime,
                       GenerateRequest request,
                       unsigned seed) {
  const test::FakeTokenizer tokenizer = letters();
  std::mt19937 random(seed);
  Sequence sequence = test::make_sequence(runtime);
  REQUIRE(sequence.append(random_ids(9, random)).has_value());
  if (!request.draft_tokens_max) request.draft_tokens_max = 0;
  const BackendStats before = stats_of(runtime);
  auto result = generate(sequence.state(), tokenizer, request, {});
  INFO((result ? "" : result.error().message));
  REQUIRE(result.has_value());
  BackendStats after = stats_of(runtime);
  after.begun -= before.begun;
  after.taken -= before.taken;
  after.passes -= before.passes;
  return {.result = *std::move(result), .stats = after};
}

}  // namespace

TEST_CASE("every step of a generation but the first is begun by the device, and none in vain",
          "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .window = 20, .seed = 91});
  for (const float temperature : {0.0F, 1.0F}) {
    const Output found = generate_behind(
        runtime,
        {.tokens_max = 80, .sampling = {.temperature = temperature, .top_k = 20, .seed = 4}},
        91);
    INFO("temperature " << temperature);
    CHECK(found.result.ids.size() == 80);
    // The first token comes of the prompt's logits; each is appended by a step of its own.
    CHECK(found.stats.passes == 80);
    CHECK(found.stats.begun == 79);
    CHECK(found.stats.taken == 79);
  }
}

TEST_CASE("a stop token was begun too, and nothing is begun behind the last token", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .window = 20, .seed = 92});
  GenerateRequest request{.tokens_max = 12, .sampling = {.temperature = 0.0F}};
  const auto ids = generate_behind(runtime, request, 92).result.ids;
  REQUIRE(ids.size() == 12);
  // The first place of a token that did not come before.
  std::size_t at = 6;
  while (at < 11 &&
         std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(at), ids[at]) !=
             ids.begin() + static_cast<std::ptrdiff_t>(at)) {
    ++at;
  }
  request.stop_ids = {ids[at]};
  const Output found = generate_behind(runtime, request, 92);
  CHECK(found.stats.taken == found.stats.begun);
  CHECK(found.stats.begun == std::ssize(found.result.ids) - 1);
}

TEST_CASE("the device has its next step before the host has the last one", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .window = 20, .seed = 93});
  std::mt19937 random(93);
  Sequence sequence = test::make_sequence(runtime);
  REQUIRE(sequence.append(random_ids(9, random)).has_value());
  TokenId id = 3;
  for (int i = 0; i < 4; ++i) {
    const auto next = sequence.append_greedily(id);
    REQUIRE(next.has_value());
    id = *next;
  }
  const auto before = cuda_on_cpu::counts();
  const auto next = sequence.append_greedily(id);
  REQUIRE(next.has_value());
  const auto after = cuda_on_cpu::counts();
  // The search, the choice, and the recorded next step, which nobody has waited for.
  CHECK(after.launches - before.launches == 3);
  CHECK(after.graph_launches - before.graph_launches == 1);
  CHECK(after.synchronisations - before.synchronisations == 1);
  CHECK(after.bytes_to_host - before.bytes_to_host == sizeof(cuda::RowFound));
  CHECK(after.captures == before.captures);
  CHECK(cuda_on_cpu::pending() == 1);
  // The logits of what is there are the same as ever, and what was begun is let go.
  const std::vector<TokenId> tokens(sequence.tokens().begin(), sequence.tokens().end());
  CHECK(test::logits_of(sequence) == test::fresh_logits(runtime, tokens));
}

TEST_CASE("a grammar is walked while the device computes, and forced text is not begun", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .window = 20, .seed = 94});
  const test::FakeTokenizer tokenizer = letters();
  Grammar grammar;
  const auto digits = grammar.repeat(grammar.bytes("0123456789"), 9, 9);
  grammar.set_root(grammar.sequence({grammar.literal("(A="), digits, grammar.literal(");")}));
  const auto made =
      test::constraint_of(grammar, tokenizer, {.free_control = {"<end>"}, .free_after = false});
  const auto constraint = made->clone();
  GenerateRequest request{.tokens_max = 40, .sampling = {.temperature = 1.5F, .top_k = 30}};
  request.stop_ids = {65};
  request.constraint = constraint.get();
  const Output found = generate_behind(runtime, request, 94);
  CHECK(found.result.forced_tokens >= 5);
  // Behind each digit but the last a digit is chosen.
  CHECK(found.stats.begun >= 8);
  CHECK(found.stats.taken == found.stats.begun);
}

TEST_CASE("sequences that take turns soon have nothing begun in vain", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .seed = 97});
  std::mt19937 random(97);
  std::vector<Sequence> both;
  std::vector<TokenId> next = {3, 4};
  for (int i = 0; i < 2; ++i) {
    both.push_back(test::make_sequence(runtime));
    REQUIRE(both.back().append(random_ids(5, random)).has_value());
  }
  for (int turn = 0; turn < 40; ++turn) {
    const auto i = static_cast<std::size_t>(turn % 2);
    const auto found = both[i].append_greedily(next[i]);
    REQUIRE(found.has_value());
    next[i] = *found;
  }
  CHECK(stats_of(runtime).taken == 0);
  CHECK(stats_of(runtime).begun <= 6);
  // And again, once one goes on alone.
  const auto before = stats_of(runtime);
  for (int turn = 0; turn < 80; ++turn) {
    const auto found = both[0].append_greedily(next[0]);
    REQUIRE(found.has_value());
    next[0] = *found;
  }
  CHECK(stats_of(runtime).taken - before.taken > 40);
}

TEST_CASE("pages that tokens need are not taken for those that may come", "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .seed = 98});
  const auto& backend = dynamic_cast<const CudaBackend&>(runtime->backend());
  std::mt19937 random(98);
  std::vector<Sequence> all;
  // Sequences of one page each until there is next to no room; the last one is at a page's end.
  while (true) {
    Sequence one = test::make_sequence(runtime);
    const std::int64_t before = backend.free_page_bytes();
    REQUIRE(one.append(random_ids(62, random)).has_value());
    const std::int64_t page = before - backend.free_page_bytes();
    all.push_back(std::move(one));
    if (backend.free_page_bytes() < 2 * page) break;
  }
  const std::int64_t free = backend.free_page_bytes();
  TokenId next = 3;
  for (int i = 0; i < 2; ++i) {
    const auto found = all.back().append_greedily(next);
    REQUIRE(found.has_value());
    next = *found;
  }
  CHECK(all.back().tokens().size() == 64);
  CHECK(backend.free_page_bytes() == free);
}

TEST_CASE("a backend may go while a step that it began is under way", "[cuda]") {
  cuda_on_cpu::reset();
  for (const bool page_stays : {false, true}) {
    std::optional<Sequence> sequence;
    {
      const auto runtime = on_device({.layers = 2, .seed = 95});
      sequence.emplace(test::make_sequence(runtime));
      std::mt19937 random(95);
      REQUIRE(sequence->append(random_ids(5, random)).has_value());
      REQUIRE(sequence->append_greedily(7).has_value());
      CHECK(cuda_on_cpu::pending() == 1);
      if (!page_stays) sequence.reset();
    }
    sequence.reset();
    CHECK(cuda_on_cpu::pending() == 0);
    CHECK(cuda_on_cpu::counts().allocated_bytes == 0);
    CHECK(cuda_on_cpu::kernel_failure().empty());
  }
}

TEST_CASE("a step that fails after it was begun is an error of the one that asks for it",
          "[cuda]") {
  cuda_on_cpu::reset();
  const auto runtime = on_device({.layers = 2, .seed = 96});
  std::mt19937 random(96);
  Sequence sequence = test::make_sequence(runtime);
  REQUIRE(sequence.append(random_ids(5, random)).has_value());
  const auto next = sequence.append_greedily(7);
  REQUIRE(next.has_value());
  REQUIRE(cuda_on_cpu::pending() == 1);
  cuda_on_cpu::break_kernel(cudaErrorLaunchFailure);
  for (int i = 0; i < 2; ++i) {
    const auto failed = sequence.append_greedily(*next);
    REQUIRE(!failed.has_value());
    CHECK(failed.error().code == Code::unavailable);
    CHECK(sequence.tokens().size() == 6);
  }
  cuda_on_cpu::reset();
}

}  // namespace facet::engine
