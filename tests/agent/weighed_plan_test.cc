// The first step of a plan, weighed by words, beside probabilities that are counted token by token.
#include "agent/weighed_plan.h"

#include "agent/local_chat_model.h"
#include "agent/plan.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <cmath>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

ToolSpec tool(std::string name, std::string description) {
  return {.name = std::move(name),
          .description = std::move(description),
          .parameters = R"({"type":"object","properties":{}})"};
}

const std::vector<ToolSpec> kTools = {tool("fly", "Flies somewhere."),
                                      tool("fly_far", "Flies far away."),
                                      tool("bookRoom", "Books a room.")};
const std::vector<std::string> kNames = {"fly", "fly_far", "bookRoom"};

std::unique_ptr<LocalChatModel> model_of(std::uint32_t seed,
                                         const std::map<std::string, float>& weights = {}) {
  const TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  auto writer = tiny_gguf({.seed = seed, .context_tokens_max = 512});
  writer.add_bool("facet.plan_first", true);
  for (const auto& [key, weight] : weights) writer.add_f32("facet.plan." + key, weight);
  write_bytes(path, writer.bytes());
  auto engine = engine::Engine::load({.model = path, .threads = 1});
  REQUIRE(engine);
  auto model = LocalChatModel::create(*engine, "functiongemma");
  REQUIRE(model);
  return *std::move(model);
}

std::map<std::string, float> weights_of(float model, float answer, float words) {
  return {{"model", model},
          {"answer", answer},
          {"words", words},
          {"cover", 0},
          {"parameters", 0},
          {"filled", 0},
          {"open", 0},
          {"number", 0},
          {"name", 0},
          {"left", 0}};
}

/// The probabilities of `ids` behind `before`, each among those that `others` allow in its place.
double among(const engine::Engine& engine,
             const std::vector<engine::TokenId>& before,
             const std::vector<std::vector<engine::TokenId>>& others,
             const std::vector<engine::TokenId>& ids) {
  auto sequence = engine.new_sequence();
  REQUIRE(sequence.append(before));
  double out = 1.0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto logits = sequence.logits();
    REQUIRE(logits);
    std::map<engine::TokenId, double> next;
    for (const auto& other : others) {
      if (other.size() <= i) continue;
      bool is_alike = true;
      for (std::size_t k = 0; k < i; ++k) is_alike = is_alike && other[k] == ids[k];
      if (is_alike) next[other[i]] = std::exp((*logits)[static_cast<std::size_t>(other[i])]);
    }
    double sum = 0.0;
    for (const auto& [id, value] : next) sum += value;
    out *= next.at(ids[i]) / sum;
    REQUIRE(sequence.append({&ids[i], 1}));
  }
  return out;
}

PlanStep step(std::string name, double log_p, CommonWords common = {}) {
  return {.name = std::move(name), .log_p = log_p, .common = common};
}

/// The output for `request` with kTools.
std::string plan_of(const LocalChatModel& model, const char* request, float temperature = 0.0F) {
  auto conversation = model.start({.tools = kTools});
  REQUIRE(conversation);
  REQUIRE((*conversation)->add_user(request));
  StepOptions options{.tokens_max = 30};
  options.sampling.temperature = temperature;
  const auto output = (*conversation)->generate(options, {});
  REQUIRE(output);
  return output->raw.substr(0, output->raw.find('\n'));
}

}  // namespace

TEST_CASE("the best first step has the best score", "[agent]") {
  const engine::PlanWeights weights{
      .model = 0.5, .answer = 1.0, .words = 1.0, .cover = 2.0, .parameters = 0.25};
  const CommonWords two{.words = 2, .cover = 0.5, .parameters = 1};
  // -3 + 2 + 1 + 0.25 = 0.25 beside -0.5 + 1 = 0.5, then beside 0.
  CHECK(best_step({step("a", -6, two), step("answer", -1)}, weights) == "answer");
  CHECK(best_step({step("a", -6, two), step("answer", -2)}, weights) == "a");
  CHECK(best_step({step("a", -1), step("b", -6, two), step("answer", -9)}, weights) == "b");
  CHECK(best_step({step("a", -1), step("b", -2)}, {}) == "a");
  // Two filled, one open, a number and a name left: 2 * 0.5 - 1 - 2 - 4 = -6.
  const engine::PlanWeights fits{
      .model = 1.0, .filled = 0.5, .open = -1.0, .number = -2.0, .name = -4.0};
  PlanStep fitting = step("a", -1);
  fitting.fit = {.filled = 2, .open = 1, .leaves_number = true, .leaves_name = true};
  CHECK(best_step({fitting, step("b", -6.9)}, fits) == "b");
  CHECK(best_step({fitting, step("b", -7.1)}, fits) == "a");
  fitting.fit = {.filled = 2, .open = 1, .leaves_number = true};
  CHECK(best_step({fitting, step("b", -2.9)}, fits) == "b");
  CHECK(best_step({fitting, step("b", -3.1)}, fits) == "a");
  fitting.fit = {.left = 3};
  CHECK(best_step({fitting, step("b", -2.4)}, {.model = 1.0, .left = -0.5}) == "b");
  CHECK(best_step({fitting, step("b", -2.6)}, {.model = 1.0, .left = -0.5}) == "a");
  CHECK(best_step({}, weights) == std::nullopt);
}

TEST_CASE("some plans are left to the model", "[agent]") {
  const engine::PlanWeights weights{.words = 1.0};
  const CommonWords some{.words = 1};
  PlanStep first = step("a", -1);
  CHECK(best_step({first, step("b", -1.5, some)}, weights) == "b");
  CHECK(is_one_step({first, step("b", -1.5)}));
  first.goes_on = true;
  CHECK_FALSE(is_one_step({first, step("b", -1.5)}));
  CHECK(is_one_step({first, step("b", -0.5)}));
  CHECK_FALSE(is_one_step({}));
  CHECK(best_step({first, step("b", -1.5, some)}, weights) == std::nullopt);
  // Sure of a tool, but not of an answer.
  CHECK(best_step({step("a", -0.009), step("b", -6, some)}, weights) == std::nullopt);
  CHECK(best_step({step("a", -0.011), step("b", -0.5, some)}, weights) == "b");
  CHECK(best_step({step("answer", -0.001), step("b", -0.9, some)}, weights) == "b");
  for (const char* name : {"search_documents", "calculator"}) {
    CHECK(best_step({step(name, -1), step("b", -1.5, some)}, weights) == std::nullopt);
    CHECK(best_step({step("b", -1), step(name, -1.5)}, weights) == "b");
  }
}

TEST_CASE("the first steps have the probabilities that the model gives them", "[agent]") {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    const auto model = model_of(seed);
    const auto& engine = model->engine();
    const auto encode = [&](const std::string& text) {
      return engine.tokenizer().encode(std::string_view(text));
    };
    const auto before = encode("Where to?\n");
    auto sequence = engine.new_sequence();
    REQUIRE(sequence.append(before));
    const auto steps = first_steps(
        {.engine = engine, .sequence = sequence, .tools = kTools, .first_steps = kNames}, "fly me");
    REQUIRE(steps);
    REQUIRE(steps->size() == 4);

    std::vector<std::vector<engine::TokenId>> plans;
    for (const PlanStep& each : *steps) plans.push_back(encode("Plan: " + each.name + "."));
    double answer = among(engine, before, plans, plans[3]);
    double sum = 0.0;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const PlanStep& each = (*steps)[i];
      CHECK(each.name == kNames[i]);
      const auto rejected = encode("Plan: " + each.name + " (no)");
      const auto more = encode("Plan: " + each.name + ",");
      // Behind the name: the end, another step, or that it is none.
      const std::size_t end = plans[i].size() - 1;
      auto upto = [&](const auto& ids) {
        return std::vector<engine::TokenId>(ids.begin(),
                                            ids.begin() + static_cast<std::ptrdiff_t>(end) + 1);
      };
      const std::vector<std::vector<engine::TokenId>> ends = {plans[i], upto(more), upto(rejected)};
      const double chosen = among(engine, before, plans, plans[i]);
      const double no = among(engine, before, ends, upto(rejected));
      CHECK(std::exp(each.log_p) == Approx(chosen * (1.0 - no)).epsilon(1e-3));
      CHECK(each.goes_on ==
            (among(engine, before, ends, upto(more)) > among(engine, before, ends, plans[i])));
      CHECK(each.common == common_words(kTools[i], "fly me"));
      answer += chosen * no;
      sum += std::exp(each.log_p);
    }
    CHECK((*steps)[3].name == kAnswerStep);
    CHECK(std::exp((*steps)[3].log_p) == Approx(answer).epsilon(1e-3));
    CHECK(sum + std::exp((*steps)[3].log_p) == Approx(1.0).epsilon(1e-3));
    CHECK(sequence.tokens().size() == before.size());
  }
}

TEST_CASE("steps that cannot be compared are none", "[agent]") {
  const auto model = model_of(1);
  auto sequence = model->engine().new_sequence();
  REQUIRE(sequence.append(model->tokenizer()->encode(std::string_view("Where to?"))));
  const auto count = [&](const std::vector<std::string>& names, bool may_answer, bool stops) {
    std::stop_source stop;
    if (stops) stop.request_stop();
    const auto steps = first_steps({.engine = model->engine(),
                                    .sequence = sequence,
                                    .tools = kTools,
                                    .first_steps = names,
                                    .may_answer = may_answer,
                                    .stop = stop.get_token()},
                                   "fly");
    REQUIRE(steps);
    return steps->size();
  };
  CHECK(count(kNames, false, false) == 3);
  CHECK(count({"fly"}, true, false) == 2);
  CHECK(count({"fly"}, false, false) == 0);
  CHECK(count({}, true, false) == 0);
  CHECK(count(kNames, true, true) == 0);
  CHECK(count(std::vector<std::string>(kWeighedStepsMax, "fly"), true, false) == 0);
}

TEST_CASE("a plan begins with its best step", "[agent]") {
  for (std::uint32_t seed = 1; seed <= 3; ++seed) {
    INFO("seed " << seed);
    const auto by_words = model_of(seed, weights_of(0, 0, 1));
    CHECK(plan_of(*by_words, "I must fly far, far away") == "Plan: fly_far.");
    CHECK(plan_of(*by_words, "a room!") == "Plan: bookRoom.");
    const auto never = model_of(seed, weights_of(0, 100, 1));
    CHECK(plan_of(*never, "I must fly far, far away") == "Plan: answer.");
    // A sampled plan is drawn, and without weights it is the model's.
    const auto plain = model_of(seed);
    CHECK(plan_of(*by_words, "a room!", 1.0F) == plan_of(*plain, "a room!", 1.0F));
    const auto steps = plain->plan_steps({.tools = kTools}, "a room!");
    REQUIRE(steps);
    CHECK(steps->size() == 4);
    const auto unplanned = plain->plan_steps({.plan_first = false, .tools = kTools}, "a room!");
    REQUIRE(unplanned);
    CHECK(unplanned->empty());
  }
}

TEST_CASE("behind the plan of one tool no other one is called", "[agent]") {
  const ConversationSpec spec{.tools = kTools,
                              .rules = {.choice = {.mode = prompts::ToolChoice::Mode::required}}};
  int weighed = 0;
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    const auto by_words = model_of(seed, weights_of(0, 0, 1));
    for (const char* request : {"a room!", "I must fly far, far away"}) {
      const auto steps = by_words->plan_steps(spec, request);
      REQUIRE(steps);
      const auto best = best_step(*steps, *by_words->engine().info().plan_weights);
      if (!best) continue;  // Left to the model.
      ++weighed;
      const auto conversation = by_words->start(spec);
      REQUIRE(conversation);
      REQUIRE((*conversation)->add_user(request));
      const auto output = (*conversation)->generate({.tokens_max = 60}, {});
      REQUIRE(output);
      INFO("seed " << seed << " " << output->raw);
      CHECK(output->raw.find("call:" + *best + "{") == output->raw.find("call:"));
    }
  }
  CHECK(weighed >= 6);
}
