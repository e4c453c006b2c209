#include "engine/sampling/sampler.h"

#include "tests/support/catch.h"

#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace facet::engine {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

SamplingOptions greedy() {
  return {.temperature = 0.0F};
}

/// Which tokens come, and how often in 20,000 draws.
std::map<TokenId, int> draw(const SamplingOptions& options,
                            const std::vector<float>& logits,
                            const std::vector<TokenId>& recent = {},
                            const TokenFilter& allowed = {}) {
  Sampler sampler(options);
  std::map<TokenId, int> counts;
  for (int i = 0; i < 20000; ++i) ++counts[*sampler.sample(logits, recent, allowed)];
  return counts;
}

std::vector<TokenId> keys(const std::map<TokenId, int>& counts) {
  std::vector<TokenId> out;
  for (const auto& [id, count] : counts) out.push_back(id);
  return out;
}

}  // namespace

TEST_CASE("greedy takes the highest logit and the lowest id among equals", "[engine][unit]") {
  Sampler sampler(greedy());
  CHECK(*sampler.sample(std::vector<float>{1, 5, 5, 2}, {}) == 1);
  CHECK(*sampler.sample(std::vector<float>{-3, -1, -2}, {}) == 1);
  CHECK(*sampler.sample(std::vector<float>{-kInfinity, -1}, {}) == 1);
}

TEST_CASE("greedy asks the filter for the best tokens only", "[engine][unit]") {
  Sampler sampler(greedy());
  std::vector<TokenId> asked;
  const TokenFilter filter = [&](TokenId id) {
    asked.push_back(id);
    return id == 0 || id == 4;
  };
  // Order of logits: 3, 1, 4 (before 2 by value), 2, 0.
  CHECK(*sampler.sample(std::vector<float>{0, 8, 1, 9, 7}, {}, filter) == 4);
  CHECK(std::find(asked.begin(), asked.end(), 0) == asked.end());
  CHECK(std::find(asked.begin(), asked.end(), 2) == asked.end());
}

TEST_CASE("NaN, infinity and an empty choice are errors that name the token", "[engine][unit]") {
  Sampler sampler(greedy());
  const auto nan = sampler.sample(std::vector<float>{1, kNan}, {});
  REQUIRE(!nan.has_value());
  CHECK(nan.error().code == Code::invalid_data);
  CHECK(nan.error().message.find("token 1") != std::string::npos);
  CHECK(!sampler.sample(std::vector<float>{kInfinity, 1}, {}).has_value());
  CHECK(!sampler.sample(std::vector<float>{-kInfinity, -kInfinity}, {}).has_value());
  CHECK(!sampler.sample(std::vector<float>{1, 2}, {}, [](TokenId) { return false; }).has_value());
}

TEST_CASE("temperature one draws with the softmax probabilities", "[engine][unit]") {
  // Probabilities 0.5, 0.3 and 0.2.
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  const SamplingOptions options{.temperature = 1.0F, .top_k = 0, .top_p = 1.0F, .seed = 3};
  const auto counts = draw(options, logits);
  // Standard deviations are below 71 of 20,000; the bounds are five of them.
  CHECK(std::abs(counts.at(0) - 10000) < 355);
  CHECK(std::abs(counts.at(1) - 6000) < 355);
  CHECK(std::abs(counts.at(2) - 4000) < 355);
}

TEST_CASE("temperature sharpens and flattens", "[engine][unit]") {
  const std::vector<float> logits = {std::log(4.0F), 0.0F};
  SamplingOptions options{.temperature = 2.0F, .top_k = 0, .top_p = 1.0F};
  // 4^(1/2) : 1 is 2/3; 4^2 : 1 is 16/17.
  CHECK(std::abs(draw(options, logits).at(0) - 13333) < 350);
  options.temperature = 0.5F;
  CHECK(std::abs(draw(options, logits).at(0) - 18824) < 200);
}

TEST_CASE("top-k, top-p and min-p leave out what they should", "[engine][unit]") {
  const std::vector<float> logits = {
      std::log(0.1F), std::log(0.4F), std::log(0.3F), std::log(0.15F), std::log(0.05F)};
  using Ids = std::vector<TokenId>;
  SamplingOptions options{.temperature = 1.0F, .top_k = 2, .top_p = 1.0F};
  CHECK(keys(draw(options, logits)) == Ids{1, 2});
  // 0.4 and 0.3 reach 0.69; the token that crosses the line stays.
  options = {.temperature = 1.0F, .top_k = 0, .top_p = 0.69F};
  CHECK(keys(draw(options, logits)) == Ids{1, 2});
  options.top_p = 0.75F;
  CHECK(keys(draw(options, logits)) == Ids{1, 2, 3});
  options.top_p = 1e-6F;
  CHECK(keys(draw(options, logits)) == Ids{1});
  // A floor of 0.3 * 0.4 = 0.12.
  options = {.temperature = 1.0F, .top_k = 0, .top_p = 1.0F, .min_p = 0.3F};
  CHECK(keys(draw(options, logits)) == Ids{1, 2, 3});
}

TEST_CASE("no top-k is the largest top-k, without the sorting", "[engine][unit]") {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  std::vector<float> logits(500);
  for (float& logit : logits) logit = std::round(normal(random) * 4) / 4;  // With equal ones.
  const TokenFilter odd = [](TokenId id) { return id % 2 == 1; };
  for (const float top_p : {0.5F, 0.95F, 1.0F}) {
    for (const float min_p : {0.0F, 0.02F}) {
      for (const TokenFilter& allowed : {TokenFilter(), odd}) {
        SamplingOptions options{.temperature = 1.3F, .top_k = 0, .top_p = top_p, .min_p = min_p};
        const auto all = draw(options, logits, {}, allowed);
        options.top_k = 500;
        const auto sorted = draw(options, logits, {}, allowed);
        CAPTURE(top_p, min_p, allowed != nullptr);
        double apart = 0;  // The order is another where top-p is off: compare how often each comes.
        for (TokenId id = 0; id < 500; ++id) {
          const auto count = [&](const std::map<TokenId, int>& in) {
            const auto found = in.find(id);
            return found == in.end() ? 0 : found->second;
          };
          apart += std::abs(count(all) - count(sorted)) / 20000.0;
        }
        CHECK(apart < (top_p < 1.0F ? 0.001 : 0.12));
        if (top_p < 1.0F) CHECK(keys(all) == keys(sorted));
      }
    }
  }
}

TEST_CASE("the filter acts before top-k", "[engine][unit]") {
  const std::vector<float> logits = {5, 4, 3, 2};
  const SamplingOptions options{.temperature = 1.0F, .top_k = 2, .top_p = 1.0F};
  const auto counts = draw(options, logits, {}, [](TokenId id) { return id >= 2; });
  CHECK(keys(counts) == std::vector<TokenId>{2, 3});
}

TEST_CASE("the repetition penalty looks at its window only", "[engine][unit]") {
  SamplingOptions options = greedy();
  options.repetition_penalty = 2.0F;
  options.repetition_window = 2;
  Sampler sampler(options);
  const std::vector<float> positive = {4, 3};
  CHECK(*sampler.sample(positive, std::vector<TokenId>{0, 0}) == 1);
  CHECK(*sampler.sample(positive, std::vector<TokenId>{0, 1, 1}) == 0);
  // A negative logit moves away from zero: -2 becomes -4.
  CHECK(*sampler.sample(std::vector<float>{-2, -3}, std::vector<TokenId>{0}) == 1);
}

TEST_CASE("one seed gives one stream of tokens", "[engine][unit]") {
  const std::vector<float> logits = {1, 1, 1, 1, 1, 1, 1, 1};
  const auto run = [&](std::uint64_t seed) {
    Sampler sampler({.temperature = 1.0F, .top_k = 0, .seed = seed});
    std::vector<TokenId> out;
    for (int i = 0; i < 20; ++i) out.push_back(*sampler.sample(logits, {}));
    return out;
  };
  CHECK(run(7) == run(7));
  CHECK(run(7) != run(8));
}

TEST_CASE("extreme options give a token, not NaN", "[engine][unit]") {
  SamplingOptions options{.temperature = 1e-30F, .repetition_penalty = 1e-38F};
  Sampler sampler(options);
  CHECK(sampler.sample(std::vector<float>{3e38F, -3e38F}, std::vector<TokenId>{0, 1}).has_value());
}

TEST_CASE("options out of range are refused by name", "[engine][unit]") {
  struct Row {
    SamplingOptions options;
    const char* field;
  };
  const std::vector<Row> rows = {{{.temperature = -1.0F}, "temperature"},
                                 {{.temperature = kNan}, "temperature"},
                                 {{.temperature = 101.0F}, "temperature"},
                                 {{.top_k = -1}, "top_k"},
                                 {{.top_p = 0.0F}, "top_p"},
                                 {{.top_p = 1.5F}, "top_p"},
                                 {{.min_p = 1.0F}, "min_p"},
                                 {{.repetition_penalty = 0.0F}, "repetition_penalty"},
                                 {{.repetition_penalty = kInfinity}, "repetition_penalty"},
                                 {{.repetition_window = -1}, "repetition_window"}};
  for (const Row& row : rows) {
    const Status status = validate(row.options);
    REQUIRE(!status.has_value());
    CHECK(status.error().code == Code::invalid_argument);
    CHECK(status.error().message.find(row.field) != std::string::npos);
  }
  CHECK(validate(SamplingOptions{}).has_value());
  CHECK(validate(greedy()).has_value());
}

}  // namespace facet::engine
