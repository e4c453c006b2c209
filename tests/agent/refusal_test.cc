// The probability of a text that was not written, and when that of a refusal is enough.
#include "agent/refusal.h"

#include "agent/local_chat_model.h"
#include "agent/quoted_answer.h"
#include "agent/scored_text.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

std::shared_ptr<const engine::Engine> engine_of(std::uint32_t seed, float refusal_min = 0.0F) {
  const TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  auto writer = tiny_gguf({.seed = seed, .context_tokens_max = 512});
  if (refusal_min > 0.0F) writer.add_f32("facet.refusal_min", refusal_min);
  write_bytes(path, writer.bytes());
  auto engine = engine::Engine::load({.model = path, .threads = 1});
  REQUIRE(engine);
  return *std::move(engine);
}

engine::Sequence behind(const engine::Engine& engine, std::string_view text) {
  auto sequence = engine.new_sequence();
  REQUIRE(sequence.append(engine.tokenizer().encode(text)));
  return sequence;
}

/// Token by token.
double log_of(const engine::Engine& engine, std::string_view before, std::string_view text) {
  auto sequence = behind(engine, before);
  double sum = 0.0;
  for (const engine::TokenId id : engine.tokenizer().encode(text)) {
    const auto logits = sequence.logits();
    REQUIRE(logits);
    double all = 0.0;
    for (const float logit : *logits) all += std::exp(static_cast<double>(logit));
    sum += (*logits)[static_cast<std::size_t>(id)] - std::log(all);
    REQUIRE(sequence.append({&id, 1}));
  }
  return sum;
}

constexpr std::string_view kAsked = "How long?\n";

}  // namespace

TEST_CASE("the probability of a text is that of its tokens", "[agent]") {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    const auto engine = engine_of(seed);
    const auto sequence = behind(*engine, kAsked);
    for (const std::string_view text : {kRefusal, std::string_view("a")}) {
      const auto ids = engine->tokenizer().encode(text);
      const auto found = log_probability(sequence, ids, {});
      REQUIRE(found);
      REQUIRE(found->has_value());
      CHECK(**found == Approx(log_of(*engine, kAsked, text)).epsilon(1e-3));
    }
    CHECK(sequence.tokens().size() == engine->tokenizer().encode(kAsked).size());
    CHECK_FALSE(log_probability(sequence, {}, {})->has_value());
    std::stop_source stop;
    stop.request_stop();
    const auto ids = engine->tokenizer().encode(kRefusal);
    CHECK_FALSE(log_probability(sequence, ids, stop.get_token())->has_value());
  }
}

TEST_CASE("a refusal is enough from the probability on that the file states", "[agent]") {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    INFO("seed " << seed);
    const double p = std::exp(log_of(*engine_of(seed), kAsked, "no"));
    REQUIRE(p > 0.0);
    REQUIRE(p < 0.4);
    const auto is = [&](double least, std::optional<engine::TokenId> call = std::nullopt) {
      const auto engine = engine_of(seed, static_cast<float>(least));
      const auto refused = is_refused(*engine, behind(*engine, kAsked), "no", call, {});
      REQUIRE(refused);
      return *refused;
    };
    CHECK(is(p * 0.9));
    CHECK_FALSE(is(p * 1.1));
    CHECK_FALSE(is(0.0));
    // A call that is improbable changes nothing.
    CHECK(is(p * 0.9, 48));
  }
}

TEST_CASE("a generator's file states how probable a refusal must be", "[agent]") {
  CHECK(engine_of(1)->info().refusal_min == 0.0);
  CHECK(engine_of(1, 0.25F)->info().refusal_min == 0.25);
  for (const float wrong : {-0.5F, 1.5F, std::numeric_limits<float>::quiet_NaN()}) {
    const TempDir dir;
    auto writer = tiny_gguf({});
    writer.add_f32("facet.refusal_min", wrong);
    write_bytes(dir.path() / "m.gguf", writer.bytes());
    const auto refused = engine::Engine::load({.model = dir.path() / "m.gguf", .threads = 1});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_data);
    CHECK(refused.error().message.find("facet.refusal_min") != std::string::npos);
  }
}

namespace {

/// The answer to a question that may be refused or answered with "yes".
StepResult answered(float refusal_min, float temperature, std::string refusal) {
  const auto model = LocalChatModel::create(engine_of(2, refusal_min), "functiongemma");
  REQUIRE(model);
  auto conversation = (*model)->start({.plan_first = false});
  REQUIRE(conversation);
  REQUIRE((*conversation)->add_user("Well?"));
  Grammar grammar;
  grammar.set_root(grammar.choice({grammar.literal("no"), grammar.literal("yes")}));
  StepOptions options{.tokens_max = 20,
                      .answer = std::make_shared<const Grammar>(grammar),
                      .refusal = std::move(refusal)};
  options.sampling.temperature = temperature;
  const auto step = (*conversation)->generate(options, {});
  REQUIRE(step);
  return *step;
}

}  // namespace

TEST_CASE("a greedy answer is held to a refusal that is enough", "[agent]") {
  const std::string said = answered(0.0F, 0.0F, {}).text;
  const std::string other = said == "no" ? "yes" : "no";
  REQUIRE((said == "no" || said == "yes"));
  CHECK(answered(1e-30F, 0.0F, other).text == other);
  CHECK(answered(1.0F, 0.0F, other).text == said);
  CHECK(answered(1e-30F, 0.0F, {}).text == said);
  CHECK(answered(1e-30F, 1.0F, other).ids == answered(0.0F, 1.0F, other).ids);
}
