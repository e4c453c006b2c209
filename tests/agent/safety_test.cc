// Judging pictures on tiny random weights: the answer is that of one whole prompt per policy.
#include "agent/safety.h"

#include "prompts/shieldgemma.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_multimodal.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

/// A tiny model; with `has_answers` two unused tokens are named Yes and No.
std::shared_ptr<engine::Engine> load_tiny(const TempDir& folder, bool has_answers) {
  write_tiny_multimodal_folder(folder.path(), {.context_tokens_max = 2048});
  if (has_answers) {
    const nlohmann::ordered_json added = {{"added_tokens_decoder",
                                           {{"60", {{"content", "<end_of_image>"}}},
                                            {"61", {{"content", "Yes"}}},
                                            {"62", {{"content", "No"}}}}}};
    write_bytes(folder.path() / "tokenizer_config.json", added.dump());
  }
  auto engine = engine::Engine::load({.model = folder.path(), .threads = 1});
  INFO((engine ? "" : engine.error().message));
  REQUIRE(engine);
  return *std::move(engine);
}

Picture picture_of(std::size_t images) {
  Picture out;
  for (std::size_t i = 0; i < images; ++i) {
    out.images.push_back(engine::make_soft_tokens(std::vector<float>(3 * 64, 0.5F), 64));
  }
  return out;
}

}  // namespace

TEST_CASE("each policy is judged as if it were asked alone", "[agent][vision]") {
  const TempDir folder;
  const auto engine = load_tiny(folder, true);
  const Picture picture = picture_of(1);
  std::vector<std::string> policies;
  for (const auto& policy : prompts::safety_policies()) policies.emplace_back(policy.text);
  policies.emplace_back(policies.front());
  const auto scores = judge_picture(*engine, picture, policies, {});
  INFO((scores ? "" : scores.error().message));
  REQUIRE(scores);
  REQUIRE(scores->scores.size() == policies.size());
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const auto prompt = tokenize_prompt(
        engine->tokenizer(), prompts::render_safety_question(policies[i]), {&picture, 1});
    REQUIRE(prompt);
    tokens += static_cast<std::int64_t>(prompt->ids.size());
    engine::Sequence sequence = engine->new_sequence();
    REQUIRE(sequence.append(prompt->ids, {.images = prompt->images}));
    const float yes = sequence.logits().value()[61];
    const float no = sequence.logits().value()[62];
    CHECK(scores->scores[i].yes_logit == yes);
    CHECK(scores->scores[i].no_logit == no);
    CHECK(scores->scores[i].probability ==
          Approx(std::exp(yes) / (std::exp(yes) + std::exp(no))).epsilon(1e-6));
  }
  CHECK(scores->prompt_tokens == tokens);
  CHECK(scores->cached_tokens > tokens / 4);
  CHECK(scores->scores[0].yes_logit != scores->scores[1].yes_logit);
}

TEST_CASE("what cannot be judged is refused", "[agent][vision]") {
  const TempDir folder;
  const auto engine = load_tiny(folder, true);
  const std::vector<std::string> policies{"No red."};
  const auto cropped = judge_picture(*engine, picture_of(3), policies, {});
  REQUIRE_FALSE(cropped);
  CHECK(cropped.error().code == Code::invalid_argument);
  CHECK_FALSE(judge_picture(*engine, picture_of(1), {}, {}));
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = judge_picture(*engine, picture_of(1), policies, stop.get_token());
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Code::cancelled);
}

TEST_CASE("a vocabulary without the answers cannot judge", "[agent][vision]") {
  const TempDir folder;
  const auto engine = load_tiny(folder, false);
  const auto refused =
      judge_picture(*engine, picture_of(1), std::vector<std::string>{"No red."}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::unsupported);
  CHECK_THAT(refused.error().message, Catch::Contains("'Yes'"));
}
