// The leaderboard's cases on a model with random weights: it knows nothing, so whatever is valid
// comes from the grammar. FACET_BFCL sets how many cases of each category and dialect are run (0:
// all of them, for the bar).
#include "agent/bfcl_eval.h"

#include "tests/retrieval/conformance.h"
#include "tests/support/bfcl.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <memory>
#include <string>

using namespace facet;
using namespace facet::agent;

namespace {

constexpr const char* kDialects[] = {
    "functiongemma", "gemma3-python", "gemma3-json", "gemma3-tool-code", "gemma4-e2b"};
constexpr const char* kCategories[] = {
    "simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance"};

/// Random weights under a vocabulary with the control tokens of every dialect.
std::shared_ptr<const engine::Engine> random_engine(std::uint32_t seed, bool copies = false) {
  const facet::test::TempDir dir;
  const auto path = dir.path() / "random.gguf";
  const auto dialect = prompts::find_dialect("gemma4-e2b");
  REQUIRE(dialect);
  auto file = facet::test::tiny_gguf_without_tokenizer({.seed = seed,
                                                        .layers = 2,
                                                        .hidden = 32,
                                                        .heads = 2,
                                                        .kv_heads = 1,
                                                        .head_dim = 16,
                                                        .ffn = 32,
                                                        .global_every = 2,
                                                        .context_tokens_max = 32768});
  file.add_vocabulary(facet::test::tiny_vocabulary_with((*dialect)->control_tokens()));
  if (copies) file.add_bool("facet.copies_arguments", true);
  facet::test::write_bytes(path, file.bytes());
  auto engine = engine::Engine::load({.model = path, .threads = 1});
  INFO((engine ? "" : engine.error().message));
  REQUIRE(engine);
  return *engine;
}

BfclOptions must_call(std::uint64_t seed) {
  return {.rules = {.choice = {.mode = prompts::ToolChoice::Mode::required}, .calls_max = 4},
          .tokens_max = 300,
          .sampling = {.temperature = 1.5F, .top_k = 0, .top_p = 1.0F, .seed = seed}};
}

BfclCase one_case() {
  return {.id = "simple_python_0",
          .category = "simple_python",
          .messages = {{.content = "Area of 3 by 4?"}},
          .tools = {{.name = "area",
                     .description = "Computes.",
                     .parameters =
                         R"({"type":"object","properties":{"a":{"type":"integer","minimum":3,)"
                         R"("maximum":3},"b":{"type":"number"}},"required":["a"]})"}},
          .functions =
              R"([{"name":"area","description":"Computes.","parameters":{"type":"dict",)"
              R"("properties":{"a":{"type":"integer"},"b":{"type":"float"}},"required":["a"]}}])",
          .answers = R"([{"area":{"a":[3],"b":[4.0,""]}}])"};
}

}  // namespace

TEST_CASE("every constrained turn of a random model is valid on the leaderboard's functions",
          "[agent][bfcl]") {
  const auto folder = facet::test::conformance_folder("bfcl");
  if (folder.empty()) return;
  const char* const asked = std::getenv("FACET_BFCL");
  const std::size_t cases_max = asked == nullptr ? 4 : std::strtoull(asked, nullptr, 10);
  const auto engine = random_engine(1);
  std::int64_t turns = 0;
  for (const char* dialect : kDialects) {
    const auto model = LocalChatModel::create(engine, dialect);
    REQUIRE(model);
    BfclTotals totals;
    for (const char* category : kCategories) {
      std::size_t count = 0;
      for (const BfclCase& test : facet::test::read_bfcl_cases(folder, category)) {
        if (cases_max != 0 && count == cases_max) break;
        ++count;
        INFO(dialect << " " << test.id);
        const auto score =
            score_bfcl_case(**model, test, must_call(static_cast<std::uint64_t>(turns)));
        INFO((score ? score->got : score.error().message));
        REQUIRE(score);
        INFO(score->why);
        REQUIRE(score->is_valid);
        REQUIRE(score->calls >= 1);
        totals.add(*score);
        ++turns;
      }
    }
    CHECK(totals.valid == totals.cases);
    CHECK(totals.forced_tokens > 0);
    if (asked != nullptr) WARN(dialect << " " << bfcl_totals_json(totals).dump());
  }
  CHECK(turns >= 100);
}

TEST_CASE("a turn is valid by its schema and right by its answer", "[agent][bfcl]") {
  const auto engine = random_engine(2);
  const auto model = LocalChatModel::create(engine, "functiongemma");
  REQUIRE(model);
  BfclCase test = one_case();
  const auto wrong = score_bfcl_case(**model, test, must_call(1));
  REQUIRE(wrong);
  INFO(wrong->got);
  CHECK(wrong->is_valid);
  // With one value each the grammar leaves nothing else, and all of it is forced but the end.
  test.tools[0].parameters = R"({"type":"object","properties":{"a":{"const":3}},"required":["a"]})";
  BfclOptions one = must_call(1);
  one.rules.calls_max = 1;
  const auto right = score_bfcl_case(**model, test, one);
  REQUIRE(right);
  INFO(right->got << " " << right->why);
  CHECK(right->is_valid);
  CHECK(right->is_right);
  CHECK(right->calls == 1);
  CHECK(right->why.empty());
  CHECK(right->forced_tokens > right->sampled_tokens);
  CHECK(right->prompt_tokens > 10);
}

TEST_CASE("an agent's turn makes no call that lacks an argument", "[agent][bfcl]") {
  BfclCase test = one_case();
  test.messages.insert(test.messages.begin(), {.role = Role::system, .content = "Be brief."});
  test.tools[0].parameters =
      R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]})";
  BfclOptions options = must_call(1);
  options.rules.calls_max = 1;
  options.is_agents = true;
  const auto score = [&](bool copies, const char* said) {
    const auto model = LocalChatModel::create(random_engine(2, copies), "functiongemma");
    REQUIRE(model);
    test.messages.back().content = said;
    const auto out = score_bfcl_case(**model, test, options);
    REQUIRE(out);
    INFO(out->got << " " << out->why);
    CHECK(out->got.find("call:") != std::string::npos);
    CHECK(out->prompt_tokens > 10);
    CHECK(out->sampled_tokens + out->forced_tokens > 0);
    return *out;
  };
  // What is copied from words without a number is None.
  const BfclScore lacking = score(true, "compute it");
  CHECK(lacking.calls == 0);
  CHECK_FALSE(lacking.is_valid);
  CHECK(lacking.why == "no call, but one is required");
  CHECK(score(false, "compute it").calls == 1);
  test.tools[0].parameters = R"({"type":"object","properties":{"a":{"const":3}},"required":["a"]})";
  const BfclScore right = score(true, "with 3");
  CHECK(right.calls == 1);
  CHECK(right.is_valid);
  CHECK(right.is_right);
}

TEST_CASE("without a grammar a random model makes no call", "[agent][bfcl]") {
  const auto engine = random_engine(3);
  const auto model = LocalChatModel::create(engine, "gemma3-json");
  REQUIRE(model);
  BfclOptions free = must_call(1);
  free.is_constrained = false;
  free.tokens_max = 20;
  const auto required = score_bfcl_case(**model, one_case(), free);
  REQUIRE(required);
  CHECK_FALSE(required->is_valid);
  CHECK_FALSE(required->is_right);
  CHECK(required->forced_tokens == 0);
  CHECK(required->why == "no call, but one is required");
  free.rules.choice = {};
  BfclCase irrelevant = one_case();
  irrelevant.answers = "[]";
  const auto none = score_bfcl_case(**model, irrelevant, free);
  REQUIRE(none);
  CHECK(none->is_valid);
  CHECK(none->is_right);
}

TEST_CASE("a prompt that does not fit is an error, not a wrong case", "[agent][bfcl]") {
  const auto engine = random_engine(4);
  const auto model = LocalChatModel::create(engine, "gemma3-json");
  REQUIRE(model);
  BfclCase test = one_case();
  test.messages[0].content = std::string(40'000, 'x');
  const auto score = score_bfcl_case(**model, test, must_call(1));
  REQUIRE_FALSE(score);
  CHECK(score.error().code == Code::limit_exceeded);
}

TEST_CASE("totals sum turns, and divide by nothing as null", "[agent][bfcl]") {
  BfclTotals totals;
  CHECK(bfcl_totals_json(totals)["accuracy_percent"].is_null());
  totals.add({.is_valid = true,
              .is_right = true,
              .calls = 2,
              .prompt_tokens = 10,
              .sampled_tokens = 3,
              .forced_tokens = 4});
  totals.add({.is_valid = true, .is_cut = true, .sampled_tokens = 1});
  const auto json = bfcl_totals_json(totals);
  CHECK(json["validity_percent"] == 100.0);
  CHECK(json["accuracy_percent"] == 50.0);
  CHECK(json["cut"] == 1);
  CHECK(json["calls"] == 2);
  CHECK(json["tokens"]["sampled"] == 4);
  CHECK(json["tokens"]["forced"] == 4);
}
