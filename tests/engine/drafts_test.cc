// Guesses checked in passing: they change the time that an output takes, never the output.

#include "engine/sampling/drafts.h"

#include "engine/engine.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <algorithm>
#include <random>

namespace facet::engine {
namespace {

/// What NgramDrafter looks for, by trying every place.
std::size_t longest_match(std::span<const TokenId> text, std::size_t end) {
  std::size_t length = 0;
  while (length < 32 && length < end && text[end - 1 - length] == text[text.size() - 1 - length]) {
    ++length;
  }
  return length;
}

struct Output {
  GenerateResult result;
  std::vector<float> logits;
  std::vector<TokenId> tokens;
};

Output output_of(const Engine& engine, std::span<const TokenId> prompt, GenerateRequest request) {
  Sequence sequence = engine.new_sequence();
  REQUIRE(sequence.append(prompt).has_value());
  auto result = engine.generate(sequence, request);
  REQUIRE(result.has_value());
  const auto logits = sequence.logits().value();
  Output out{.result = std::move(*result), .logits = {logits.begin(), logits.end()}, .tokens = {}};
  out.tokens.assign(sequence.tokens().begin(), sequence.tokens().end());
  // What follows must not see what was thrown away.
  const TokenId next = 120;
  REQUIRE(sequence.append(std::span(&next, 1)).has_value());
  const auto after = sequence.logits().value();
  out.logits.insert(out.logits.end(), after.begin(), after.end());
  return out;
}

}  // namespace

TEST_CASE("a draft continues the longest earlier occurrence of the end", "[engine][drafts][unit]") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    NgramDrafter drafter;
    std::vector<TokenId> text;
    int found = 0;
    for (int round = 0; round < 400; ++round) {
      const std::size_t more = 1 + random() % 3;
      std::vector<TokenId> ids;
      for (std::size_t i = 0; i < more; ++i) ids.push_back(static_cast<TokenId>(random() % 4));
      text.insert(text.end(), ids.begin(), ids.end());
      drafter.append(ids);
      const std::vector<TokenId> draft = drafter.draft(5);
      // The best of the latest 16 places where the last three stood.
      std::size_t best = 0;
      std::size_t best_end = 0;
      int candidates = 0;
      for (std::size_t end = text.size() - 1; end >= kDraftMatchMin && candidates < 16; --end) {
        const std::size_t length = longest_match(text, end);
        if (length < kDraftMatchMin) continue;
        ++candidates;
        if (length > best) {
          best = length;
          best_end = end;
        }
      }
      if (best == 0) {
        REQUIRE(draft.empty());
        continue;
      }
      ++found;
      std::vector<TokenId> longer = text;
      for (std::size_t i = 0; i < 5; ++i) longer.push_back(longer[best_end + i]);
      CAPTURE(seed, round);
      REQUIRE(draft == std::vector<TokenId>(longer.end() - 5, longer.end()));
    }
    CHECK(found > 300);
  }
}

TEST_CASE("a draft stops before an image", "[engine][drafts][unit]") {
  NgramDrafter drafter;
  drafter.append(std::vector<TokenId>{1, 2, 3, 4, -5, -6, 7, 1, 2, 3});
  CHECK(drafter.draft(4) == std::vector<TokenId>{4});
  CHECK(drafter.draft(0).empty());
  CHECK(NgramDrafter().draft(4).empty());
}

TEST_CASE("guesses are made while they pay", "[engine][drafts][unit]") {
  DraftBudget budget(8);
  CHECK(budget.next() == 0);  // How long a token alone takes is not known.
  budget.took(0, 0.010);
  CHECK(budget.next() > 0);
  SECTION("right ones, nearly free: more of them") {
    for (int i = 0; i < 30; ++i) {
      budget.took(4, 0.011);
      budget.resolved(4, 4);
    }
    CHECK(budget.next() == 8);
  }
  SECTION("wrong ones: hardly ever") {
    int checked = 0;
    for (int i = 0; i < 1000; ++i) {
      const int drafts = budget.next();
      budget.took(drafts, 0.010 + 0.002 * drafts);
      if (drafts > 0) budget.resolved(drafts, 0);
      checked += drafts;
    }
    // A row costs a fifth of a pass here: less than 2 % of the time in all.
    CHECK(checked < 100);
    CHECK(checked > 10);
    SECTION("and often again when they become right") {
      for (int i = 0; i < 500; ++i) {
        const int drafts = budget.next();
        budget.took(drafts, 0.010 + 0.002 * drafts);
        if (drafts > 0) budget.resolved(drafts, drafts);
      }
      CHECK(budget.next() == 8);
    }
  }
  SECTION("rows that cost as much as passes: hardly ever, however right") {
    for (int i = 0; i < 50; ++i) {
      budget.took(2, 0.030);
      budget.resolved(2, 2);
    }
    CHECK(budget.next() == 0);
  }
  CHECK(DraftBudget(0).next() == 0);
}

TEST_CASE("output with guesses is the output without", "[engine][drafts]") {
  const DType type = GENERATE(DType::f32, DType::q4_0);
  const float temperature = GENERATE(0.0F, 0.3F, 1.5F);
  const test::TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  test::write_tiny_gguf(path, {.type = type});
  auto engine = Engine::load({.model = path, .threads = 2});
  REQUIRE(engine.has_value());
  std::int64_t drafted = 0;
  std::int64_t accepted = 0;
  for (unsigned seed = 0; seed < 6; ++seed) {
    std::mt19937 random(seed);
    // A text of few words that repeats: every end stood somewhere before.
    std::vector<TokenId> prompt{2};
    while (prompt.size() < 60) prompt.push_back(110 + static_cast<TokenId>(random() % 3));
    GenerateRequest request{.tokens_max = 70,
                            .sampling = {.temperature = temperature, .top_k = 4, .seed = seed}};
    request.stop_ids = {115};
    request.draft_tokens_max = 0;
    const Output plain = output_of(**engine, prompt, request);
    CHECK(plain.result.drafted_tokens == 0);
    for (const int drafts : {1, 8, 32}) {
      request.draft_tokens_max = drafts;
      const Output fast = output_of(**engine, prompt, request);
      CAPTURE(seed, drafts, temperature);
      REQUIRE(fast.result.ids == plain.result.ids);
      REQUIRE(fast.result.text == plain.result.text);
      REQUIRE(fast.result.finish_reason == plain.result.finish_reason);
      REQUIRE(fast.tokens == plain.tokens);
      REQUIRE(fast.logits == plain.logits);
      drafted += fast.result.drafted_tokens;
      accepted += fast.result.accepted_draft_tokens;
    }
  }
  CHECK(drafted > 0);
  if (temperature == 0.0F) CHECK(accepted > 0);
  CHECK(accepted <= drafted);
}

TEST_CASE("guesses keep to the context and to the tokens asked for", "[engine][drafts]") {
  const test::TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  test::write_tiny_gguf(path, {.type = DType::f32});
  auto engine = Engine::load({.model = path, .threads = 1, .context_tokens_max = 50});
  REQUIRE(engine.has_value());
  const std::vector<TokenId> prompt(40, 110);
  for (const std::int64_t tokens_max : {3, 9, 10, 30}) {
    Sequence sequence = (*engine)->new_sequence();
    REQUIRE(sequence.append(prompt).has_value());
    const auto result = (*engine)->generate(
        sequence, {.tokens_max = tokens_max, .sampling = {.temperature = 0.0F}});
    REQUIRE(result.has_value());
    CHECK(result->finish_reason == FinishReason::length);
    CHECK(std::ssize(result->ids) == std::min<std::int64_t>(tokens_max, 10));
    CHECK(sequence.tokens().size() == 40 + result->ids.size());
  }
  for (const int drafts : {-1, kDraftTokensMax + 1}) {
    Sequence sequence = (*engine)->new_sequence();
    REQUIRE(sequence.append(prompt).has_value());
    const auto result = (*engine)->generate(sequence, {.draft_tokens_max = drafts});
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Code::invalid_argument);
  }
}

}  // namespace facet::engine
