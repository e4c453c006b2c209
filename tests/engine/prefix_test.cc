// Sequences that begin with what the engine remembers: no bit differs from computing it all.

#include "engine/cpu/instruction_sets.h"
#include "engine/engine.h"
#include "engine/sequence_state.h"
#include "tests/support/catch.h"
#include "tests/support/image_prompt.h"
#include "tests/support/memory_model.h"

#include <algorithm>
#include <cstring>
#include <thread>

namespace facet::engine {
namespace {

using test::make_prompt;
using test::Prompt;
using test::random_ids;

constexpr std::int64_t kBytesMax = std::int64_t{64} << 20;

std::shared_ptr<const Runtime> make_runtime(const test::MemoryModelOptions& options = {},
                                            std::int64_t prefix_bytes_max = kBytesMax) {
  const RuntimeOptions runtime{.threads = 2,
                               .context_tokens_max = 2000,
                               .prefill_chunk_tokens = 32,
                               .prefix_bytes_max = prefix_bytes_max};
  return std::make_shared<const Runtime>(
      test::make_memory_model(options), *usable_ops().front(), runtime);
}

Sequence make_sequence(const std::shared_ptr<const Runtime>& runtime) {
  return Sequence(std::make_unique<SequenceState>(runtime));
}

/// The prompt in a new sequence, its beginning recalled, remembered at `boundaries`.
Sequence resume(const std::shared_ptr<const Runtime>& runtime,
                const Prompt& prompt,
                std::vector<std::size_t> boundaries = {}) {
  Sequence sequence = make_sequence(runtime);
  const std::size_t known = sequence.recall(prompt.ids);
  const Prompt rest = prompt.part(known, prompt.ids.size());
  std::erase_if(boundaries, [known](std::size_t at) { return at <= known; });
  for (std::size_t& at : boundaries) at -= known;
  const Status status =
      sequence.append(rest.ids, {.images = rest.images, .boundaries = boundaries});
  if (!status) FAIL(status.error().message);
  REQUIRE(sequence.tokens().size() == prompt.ids.size());
  return sequence;
}

bool same_logits(Sequence& sequence, Sequence& fresh) {
  const auto a = sequence.logits().value();
  const auto b = fresh.logits().value();
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

Prompt text(std::vector<TokenId> ids) {
  Prompt out;
  out.ids = std::move(ids);
  return out;
}

}  // namespace

TEST_CASE("a recalled beginning changes no bit, images and windows included",
          "[engine][kv][unit]") {
  for (const int window : {5, 70}) {
    const auto memory = make_runtime({.window = window});
    const auto plain = make_runtime({.window = window}, 0);
    std::mt19937 random(41);
    std::vector<Prompt> earlier;
    std::int64_t reused = 0;
    for (int round = 0; round < 40; ++round) {
      CAPTURE(window, round);
      Prompt prompt = make_prompt(500U + static_cast<unsigned>(round));
      if (!earlier.empty() && round % 4 != 0) {
        const Prompt& from = earlier[random() % earlier.size()];
        Prompt begun = from.part(0, from.cuts[random() % from.cuts.size()]);
        const Prompt more = prompt.part(0, prompt.cuts[random() % prompt.cuts.size()]);
        begun.cuts = {};
        begun.add_text(1, random);
        begun.ids.insert(begun.ids.end(), more.ids.begin(), more.ids.end());
        begun.images.insert(begun.images.end(), more.images.begin(), more.images.end());
        begun.cuts = {0, begun.ids.size()};
        prompt = begun;
      }
      std::vector<std::size_t> boundaries;
      for (int i = 0; i < 3; ++i) boundaries.push_back(random() % (prompt.ids.size() + 1));
      std::sort(boundaries.begin(), boundaries.end());
      Sequence resumed = resume(memory, prompt, boundaries);
      Sequence fresh = resume(plain, prompt);
      REQUIRE(same_logits(resumed, fresh));
      reused += fresh.computed_tokens() - resumed.computed_tokens();
      const std::vector<TokenId> tail = random_ids(80, random);
      REQUIRE(resumed.append(tail).has_value());
      REQUIRE(fresh.append(tail).has_value());
      REQUIRE(same_logits(resumed, fresh));
      if (round % 2 == 0) resumed.remember();
      earlier.push_back(prompt);
    }
    CHECK(reused > 1000);
    CHECK(memory->prefixes().stats().tokens_reused == reused);
    CHECK(plain->prefixes().stats().points == 0);
  }
}

TEST_CASE("the end of a message is resumed without computing anything", "[engine][kv][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(42);
  const std::vector<TokenId> ids = random_ids(600, random);
  Sequence first = make_sequence(runtime);
  const std::vector<std::size_t> boundaries = {150, 400, 600};
  REQUIRE(first.append(ids, {.boundaries = boundaries}).has_value());
  for (const std::size_t end : boundaries) {
    Sequence sequence = make_sequence(runtime);
    CHECK(sequence.recall(std::span(ids).first(end)) == end);
    CHECK(sequence.computed_tokens() == 0);
    Sequence fresh = resume(make_runtime({}, 0),
                            text({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(end)}));
    CHECK(same_logits(sequence, fresh));
    // Only the last of them had its logits computed.
    CHECK(sequence.computed_tokens() == (end == 600 ? 0 : 1));
  }
}

TEST_CASE("where texts part is remembered from the second on", "[engine][kv][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(43);
  const std::vector<TokenId> system = random_ids(300, random);
  std::vector<std::int64_t> computed;
  for (TokenId question = 0; question < 3; ++question) {
    std::vector<TokenId> ids = system;
    ids.push_back(question);
    for (const TokenId id : random_ids(99, random)) ids.push_back(id);
    Sequence sequence = resume(runtime, text(ids));
    sequence.remember();
    computed.push_back(sequence.computed_tokens());
  }
  CHECK(computed == std::vector<std::int64_t>{400, 400, 100});
}

TEST_CASE("rewinding goes on from the nearest remembered place", "[engine][kv][unit]") {
  const auto runtime = make_runtime();
  std::mt19937 random(44);
  const std::vector<TokenId> ids = random_ids(500, random);
  Sequence sequence = make_sequence(runtime);
  const std::vector<std::size_t> boundaries = {200};
  REQUIRE(sequence.append(ids, {.boundaries = boundaries}).has_value());
  REQUIRE(sequence.rewind(230).has_value());
  CHECK(sequence.computed_tokens() == 500 + 30);
  Sequence fresh = resume(make_runtime({}, 0), text({ids.begin(), ids.begin() + 230}));
  CHECK(same_logits(sequence, fresh));
  REQUIRE(sequence.rewind(0).has_value());
  CHECK(sequence.tokens().empty());
}

TEST_CASE("sequences in several threads share what they remember", "[engine][kv][unit]") {
  const auto runtime = make_runtime();
  const auto plain = make_runtime({}, 0);
  std::mt19937 random(45);
  const std::vector<TokenId> system = random_ids(200, random);
  std::vector<Prompt> prompts;
  std::vector<std::vector<float>> expected;
  for (TokenId i = 0; i < 6; ++i) {
    std::vector<TokenId> ids = system;
    ids.push_back(i);
    for (const TokenId id : random_ids(50, random)) ids.push_back(id);
    prompts.push_back(text(ids));
    Sequence fresh = resume(plain, prompts.back());
    expected.emplace_back(fresh.logits().value().begin(), fresh.logits().value().end());
  }
  std::vector<std::vector<float>> got(prompts.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < prompts.size(); i += 3) {
        Sequence sequence = make_sequence(runtime);
        const std::size_t known = sequence.recall(prompts[i].ids);
        const std::vector<std::size_t> boundaries = {system.size() - known % system.size()};
        const auto rest = std::span(prompts[i].ids).subspan(known);
        if (!sequence.append(rest, {.boundaries = boundaries})) std::abort();
        got[i].assign(sequence.logits().value().begin(), sequence.logits().value().end());
        sequence.remember();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(got == expected);
}

}  // namespace facet::engine
