// Greedy output is the same, bit for bit, however the work is cut and whoever works beside it.
#include "engine/cpu/instruction_sets.h"
#include "engine/engine.h"
#include "engine/sequence_state.h"
#include "tests/support/catch.h"
#include "tests/support/memory_model.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <thread>
#include <vector>

namespace facet::engine {
namespace {

constexpr std::size_t kPromptTokens = 90;
constexpr std::int64_t kAnswerTokens = 24;

std::shared_ptr<Engine> load(const std::filesystem::path& path, int threads, std::int64_t chunk) {
  auto engine = Engine::load({.model = path, .threads = threads, .prefill_chunk_tokens = chunk});
  if (!engine) FAIL(engine.error().message);
  return *engine;
}

/// The ids of a greedy answer to prompt `number`, with the logits behind it.
struct Answer {
  std::vector<TokenId> ids;
  std::vector<float> logits;

  bool operator==(const Answer&) const = default;
};

Answer answer(const Engine& engine, int number) {
  std::vector<TokenId> ids{2};
  for (std::size_t i = 1; i < kPromptTokens; ++i) {
    ids.push_back(110 +
                  static_cast<TokenId>((i * 31 + static_cast<std::size_t>(number) * 7) % 300));
  }
  Sequence sequence = engine.new_sequence();
  if (!sequence.append(ids)) return {};
  const GenerateRequest request{.tokens_max = kAnswerTokens, .sampling = {.temperature = 0.0F}};
  auto result = engine.generate(sequence, request);
  if (!result) return {};
  return {std::move(result->ids),
          {sequence.logits().value().begin(), sequence.logits().value().end()}};
}

}  // namespace

TEST_CASE("greedy answers are the same for every chunk, thread count and company",
          "[engine][determinism]") {
  const DType type = GENERATE(DType::f32, DType::bf16, DType::q8_0, DType::q4_0);
  const test::TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  test::write_tiny_gguf(path, {.type = type});
  const auto plain = load(path, 1, 128);
  std::vector<Answer> expected;
  for (int i = 0; i < 3; ++i) expected.push_back(answer(*plain, i));
  REQUIRE(expected[0].ids.size() == kAnswerTokens);
  REQUIRE(expected[0] != expected[1]);
  for (const std::int64_t chunk : {1, 7, 64}) {
    for (const int threads : {1, 2}) {
      INFO(dtype_name(type) << " chunk " << chunk << " threads " << threads);
      const auto engine = load(path, threads, chunk);
      CHECK(answer(*engine, 1) == expected[1]);
      // Three at once, each in a thread of its own.
      std::vector<Answer> found(3);
      std::vector<std::thread> running;
      for (std::size_t i = 0; i < found.size(); ++i) {
        running.emplace_back([&, i] { found[i] = answer(*engine, static_cast<int>(i)); });
      }
      for (std::thread& thread : running) thread.join();
      CHECK(found == expected);
    }
  }
}

TEST_CASE("every weight type gives the same bits for every chunk and thread count",
          "[engine][determinism]") {
  const DType type = GENERATE(from_range(dtypes().begin(), dtypes().end()));
  std::mt19937 random(62);
  const std::vector<TokenId> ids = test::random_ids(71, random);
  const auto logits_of = [&](const Ops& ops, int threads, std::int64_t chunk) {
    const auto runtime = std::make_shared<const Runtime>(
        test::make_memory_model({.type = type, .seed = 61}),
        ops,
        RuntimeOptions{
            .threads = threads, .context_tokens_max = 100, .prefill_chunk_tokens = chunk});
    Sequence sequence(std::make_unique<SequenceState>(runtime));
    REQUIRE(sequence.append(ids).has_value());
    return std::vector<float>(sequence.logits().value().begin(), sequence.logits().value().end());
  };
  for (const Ops* ops : usable_ops()) {
    const std::vector<float> expected = logits_of(*ops, 1, 71);
    for (const std::int64_t chunk : {1, 13, 71}) {
      INFO(ops->name << ' ' << dtype_name(type) << " chunk " << chunk);
      CHECK(logits_of(*ops, 2, chunk) == expected);
    }
  }
}

}  // namespace facet::engine
