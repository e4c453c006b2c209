// Choosing from the best few is choosing from all: the same tokens and the same random numbers.
#include "engine/sampling/candidates.h"

#include "engine/candidate_wish.h"
#include "engine/sampling/sampler.h"
#include "tests/support/catch.h"
#include "tests/support/reference_candidates.h"
#include "tests/support/small_constraints.h"

#include <random>

namespace facet::engine {
namespace {

constexpr std::size_t kVocabulary = 300;

std::vector<float> random_logits(std::mt19937& random) {
  std::normal_distribution<float> normal(0.0F, 3.0F);
  std::vector<float> out(kVocabulary);
  // Rounded, so that many are equal.
  for (float& logit : out) logit = std::round(normal(random) * 4.0F) / 4.0F;
  if (random() % 4U == 0) out[random() % kVocabulary] = -HUGE_VALF;
  return out;
}

SamplingOptions random_options(std::mt19937& random) {
  constexpr float kTemperatures[] = {0.0F, 0.3F, 1.0F, 4.0F};
  SamplingOptions out{.temperature = kTemperatures[random() % 4U],
                      .top_k = 1 + static_cast<int>(random() % 64U),
                      .top_p = random() % 2U == 0 ? 0.8F : 1.0F,
                      .min_p = random() % 2U == 0 ? 0.05F : 0.0F,
                      .repetition_penalty = random() % 2U == 0 ? 1.5F : 1.0F,
                      .repetition_window = 20,
                      .seed = random()};
  return out;
}

}  // namespace

TEST_CASE("the best candidates give the token that all logits give", "[engine][unit]") {
  int chosen = 0;
  int undecided = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const SamplingOptions options = random_options(random);
    Sampler from_all(options);
    Sampler from_best(options);
    CandidateWish wish(options,
                       from_best.candidates_wanted(),
                       {.found_max = 64, .recent_max = 20},
                       kVocabulary - 10);
    REQUIRE(wish.is_possible());
    std::vector<TokenId> before;
    for (int i = 0; i < 40; ++i) before.push_back(static_cast<TokenId>(random() % 300U) - 2);
    for (int step = 0; step < 10; ++step) {
      const std::vector<float> logits = random_logits(random);
      std::vector<bool> allowed(kVocabulary);
      const unsigned share = 1 + random() % 4U;
      for (std::size_t i = 0; i < kVocabulary; ++i) allowed[i] = random() % share == 0;
      const TokenFilter filter = [&](TokenId id) { return allowed[static_cast<std::size_t>(id)]; };
      const std::span<const TokenId> tokens = before;
      const auto rows = wish.rows({.before = tokens.first(35), .ids = tokens.last(5)}, nullptr, {});
      REQUIRE(rows.size() == 1);
      test::find_by_sorting(logits, rows[0]);
      const auto usable = std::span(logits).first(kVocabulary - 10);
      Sampler untouched = from_best;
      const auto token = from_best.sample_from(rows[0], filter);
      if (!token) {
        // No random number was used up: the whole row decides.
        ++undecided;
        CHECK(*from_best.sample(usable, before, filter) ==
              *untouched.sample(usable, before, filter));
        static_cast<void>(from_all.sample(usable, before, filter));
        continue;
      }
      ++chosen;
      CAPTURE(seed, step);
      REQUIRE(*token == *from_all.sample(usable, before, filter));
    }
  }
  CHECK(chosen > 1000);
  CHECK(undecided > 100);
}

TEST_CASE("candidates that do not tell are no choice", "[engine][unit]") {
  Sampler sampler({.temperature = 1.0F, .top_k = 2});
  std::vector<Candidate> best{{3.0F, 7}, {2.0F, 5}};
  CandidateRow row{.best = best, .found = -1};
  CHECK(!sampler.sample_from(row));  // Nobody looked.
  row.found = 0;
  CHECK(!sampler.sample_from(row));  // Nothing is allowed: an error, which the logits tell.
  row.found = 2;
  CHECK(sampler.sample_from(row).has_value());
  // The list is full: a third one might be allowed too.
  CHECK(!sampler.sample_from(row, [](TokenId id) { return id == 5; }));
  row.found = 1;
  CHECK(sampler.sample_from(row, [](TokenId id) { return id == 7; }) == 7);
}

TEST_CASE("what a backend cannot find is not asked for", "[engine][unit]") {
  const auto is_possible = [](const SamplingOptions& options, const CandidateLimits& limits) {
    return CandidateWish(options, Sampler(options).candidates_wanted(), limits, 100).is_possible();
  };
  const CandidateLimits limits{.found_max = 128, .recent_max = 256};
  CHECK(is_possible({}, limits));
  CHECK(is_possible({.temperature = 0.0F, .top_k = 0}, limits));
  CHECK(!is_possible({}, {}));
  CHECK(!is_possible({.top_k = 0}, limits));
  CHECK(!is_possible({.top_k = 129}, limits));
  CHECK(!is_possible({.repetition_penalty = 1.1F, .repetition_window = 257}, limits));
  CHECK(is_possible({.repetition_window = 257}, limits));
}

TEST_CASE("each row of a wish has the mask and the penalty of its place", "[engine][unit]") {
  const test::FakeTokenizer tokenizer = test::small_vocabulary();
  const TokenId a = *tokenizer.find_token("a");
  const TokenId b = *tokenizer.find_token("b");
  const TokenId c = *tokenizer.find_token("c");
  const TokenId end = *tokenizer.find_token("<end>");
  Grammar grammar;
  grammar.set_root(grammar.literal("abc"));
  const auto constraint = test::constraint_of(grammar, tokenizer, {.free_control = {"<end>"}});
  const SamplingOptions options{
      .temperature = 0.0F, .repetition_penalty = 1.2F, .repetition_window = 2};
  CandidateWish wish(options, 1, {.found_max = 8, .recent_max = 8}, 20);
  const std::vector<TokenId> before{c, c, c};
  const std::vector<TokenId> ids{b};
  // After "a" only "b" may come, after "b" only "c"; "a" is refused there.
  const std::vector<TokenId> drafts{a, b, a, c};
  const auto rows = wish.rows(
      {.before = before, .ids = ids, .drafts = drafts}, constraint.get(), std::span(&end, 1));
  REQUIRE(rows.size() == 5);
  const auto has = [&](std::size_t row, TokenId id) {
    const auto at = static_cast<std::size_t>(id);
    return (rows[row].mask[at / 64] >> (at % 64) & 1U) != 0;
  };
  CHECK((has(0, a) && !has(0, b) && !has(0, c)));
  CHECK((!has(1, a) && has(1, b) && !has(1, c)));
  CHECK((!has(2, a) && !has(2, b) && has(2, c)));
  for (const std::size_t row : {0U, 1U, 2U}) {
    CHECK(!has(row, end));
    CHECK(rows[row].best.size() == 1);
    CHECK(rows[row].ids_end == 20);
  }
  CHECK(rows[3].best.empty());
  CHECK(rows[4].best.empty());
  using Ids = std::vector<TokenId>;
  const auto recent = [&](std::size_t row) {
    return Ids(rows[row].recent.begin(), rows[row].recent.end());
  };
  CHECK(recent(0) == Ids{c, b});
  CHECK(recent(1) == Ids{b, a});
  CHECK(recent(2) == Ids{a, b});
}

}  // namespace facet::engine
