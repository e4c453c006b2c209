#include "engine/sampling/constraint.h"

#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"
#include "tests/support/small_constraints.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::engine {

using test::constraint_of;
using test::FakeTokenizer;
using test::small_vocabulary;

TEST_CASE("A constraint is free before its trigger and after its grammar", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  const auto id = [&](std::string_view text) { return *tokenizer.find_token(text); };
  Grammar grammar;
  grammar.set_root(grammar.sequence({grammar.literal("abc"), grammar.control("<end>")}));
  auto constraint =
      constraint_of(grammar, tokenizer, {.trigger = "<go>", .free_control = {"<y>", "<go>"}});
  for (int round = 0; round < 2; ++round) {
    CHECK_FALSE(constraint->is_open());
    CHECK(constraint->allows(id("cc")));
    CHECK(constraint->allows(id("<y>")));
    CHECK(constraint->allows(id("<go>")));
    CHECK_FALSE(constraint->allows(id("<x>")));
    CHECK_FALSE(constraint->allows(id("<end>")));
    REQUIRE(constraint->accept(id("cc")));
    REQUIRE(constraint->accept(id("<go>")));
    CHECK(constraint->is_open());
    CHECK_FALSE(constraint->allows(id("<y>")));
    CHECK_FALSE(constraint->allows(id("cc")));
    CHECK_FALSE(constraint->allows(id("aab")));
    const auto refused = constraint->accept(id("cc"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_argument);
    REQUIRE(constraint->accept(id("ab")));
    REQUIRE(constraint->accept(id("c")));
    CHECK(constraint->is_open());
    REQUIRE(constraint->accept(id("<end>")));
  }
  CHECK_FALSE(constraint->allows(-1));
  const auto beyond = static_cast<TokenId>(tokenizer.size());
  CHECK_FALSE(constraint->allows(beyond));
  CHECK_FALSE(constraint->accept(beyond));
}

TEST_CASE("A trigger that is not among the free tokens never comes", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  Grammar grammar;
  grammar.set_root(grammar.literal("ab"));
  auto constraint =
      constraint_of(grammar, tokenizer, {.trigger = "<go>", .free_control = {"<end>"}});
  CHECK_FALSE(constraint->allows(*tokenizer.find_token("<go>")));
  CHECK_FALSE(constraint->accept(*tokenizer.find_token("<go>")));
  CHECK(constraint->allows(*tokenizer.find_token("<end>")));
  CHECK(constraint->allows(*tokenizer.find_token("a")));
}

TEST_CASE("A complete grammar may go on or be left", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  Grammar grammar;
  grammar.set_root(grammar.repeat(grammar.literal("ab"), 1));
  auto constraint = constraint_of(grammar, tokenizer, {.free_control = {"<y>"}});
  CHECK(constraint->is_open());
  REQUIRE(constraint->accept(*tokenizer.find_token("ab")));
  CHECK_FALSE(constraint->is_open());
  CHECK(constraint->allows(*tokenizer.find_token("<y>")));
  REQUIRE(constraint->accept(*tokenizer.find_token("a")));
  CHECK(constraint->is_open());
  CHECK_FALSE(constraint->allows(*tokenizer.find_token("<y>")));
}

TEST_CASE("A clone goes its own way", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  Grammar grammar;
  grammar.set_root(grammar.choice({grammar.literal("aa"), grammar.literal("bb")}));
  auto first = constraint_of(grammar, tokenizer);
  auto second = first->clone();
  REQUIRE(first->accept(0));
  REQUIRE(second->accept(1));
  CHECK(first->allows(0));
  CHECK_FALSE(first->allows(1));
  CHECK(second->allows(1));
  CHECK_FALSE(second->allows(0));
}

TEST_CASE("Grammars that cannot be run are refused", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  const auto error_of = [&](const Grammar& grammar) {
    const auto constraint = make_constraint(grammar, tokenizer, {});
    REQUIRE_FALSE(constraint);
    CHECK(constraint.error().code == Code::invalid_argument);
    return constraint.error().message;
  };
  Grammar left;
  const auto rule = left.declare("loop");
  left.define(rule, left.sequence({left.optional(left.literal("a")), rule, left.literal("b")}));
  left.set_root(rule);
  CHECK(error_of(left).find("loop") != std::string::npos);

  Grammar undefined;
  undefined.set_root(undefined.declare("missing"));
  CHECK(error_of(undefined).find("missing") != std::string::npos);

  Grammar unknown;
  unknown.set_root(unknown.control("<nowhere>"));
  CHECK(error_of(unknown).find("<nowhere>") != std::string::npos);

  CHECK(error_of(Grammar()).find("root") != std::string::npos);
  Grammar fine;
  fine.set_root(fine.literal("a"));
  CHECK_FALSE(make_constraint(fine, tokenizer, {.trigger = "<nowhere>"}));
}

TEST_CASE("Too many parallel parser states are an error", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  Grammar grammar;
  std::vector<Grammar::Node> alternatives;
  for (int i = 0; i < 50; ++i) {
    alternatives.push_back(grammar.sequence({grammar.literal("a"), grammar.literal("bc")}));
  }
  grammar.set_root(grammar.choice(alternatives));
  const auto small = make_constraint(grammar, tokenizer, {.stack_states_max = 20});
  REQUIRE_FALSE(small);
  CHECK(small.error().code == Code::limit_exceeded);

  Grammar late;
  std::vector<Grammar::Node> tails;
  for (int i = 0; i < 50; ++i) tails.push_back(late.literal("bc"));
  late.set_root(late.sequence({late.literal("a"), late.choice(tails)}));
  auto constraint = constraint_of(late, tokenizer, {.stack_states_max = 20});
  CHECK_FALSE(constraint->allows(0));
  const auto refused = constraint->accept(0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::limit_exceeded);
}

TEST_CASE("Deep recursion costs memory, not the C++ stack", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  Grammar grammar;
  const auto rule = grammar.declare("r");
  grammar.define(
      rule,
      grammar.choice({grammar.literal("c"),
                      grammar.sequence({grammar.literal("a"), rule, grammar.literal("b")})}));
  grammar.set_root(rule);
  auto constraint = constraint_of(grammar, tokenizer);
  for (int i = 0; i < 5000; ++i) REQUIRE(constraint->accept(0));
  REQUIRE(constraint->accept(2));
  for (int i = 0; i < 5000; ++i) {
    REQUIRE(constraint->is_open());
    REQUIRE(constraint->accept(1));
  }
  CHECK_FALSE(constraint->is_open());
}

TEST_CASE("Rules nest as deep as the grammar says, and what cannot end in time is not begun",
          "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  const auto nested = [](int depth_max) {
    Grammar grammar;
    const auto rule = grammar.declare("r");
    // b must be followed by a whole r: at the last depth only c is left.
    grammar.define(
        rule,
        grammar.choice(
            {grammar.literal("c"),
             grammar.sequence({grammar.literal("a"),
                               grammar.choice({grammar.literal("c"),
                                               grammar.sequence({grammar.literal("b"), rule})}),
                               grammar.literal("b")})}));
    grammar.set_root(rule);
    grammar.set_rule_depth_max(depth_max);
    return grammar;
  };
  for (int depth_max = 1; depth_max < 6; ++depth_max) {
    auto constraint = constraint_of(nested(depth_max), tokenizer, {.free_after = false});
    int depth = 0;
    while (true) {
      REQUIRE(constraint->accept(0));
      ++depth;
      if (!constraint->allows(1)) break;
      REQUIRE(constraint->accept(1));
    }
    CHECK(depth == depth_max);
    REQUIRE(constraint->accept(2));
    for (; depth > 0; --depth) REQUIRE(constraint->accept(1));
    CHECK_FALSE(constraint->is_open());
  }
  Grammar endless;
  const auto rule = endless.declare("endless");
  endless.define(rule, endless.sequence({endless.literal("a"), rule, endless.literal("b")}));
  endless.set_root(rule);
  const auto refused = make_constraint(endless, tokenizer, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("matches nothing") != std::string::npos);
}

TEST_CASE("Large counts are counted, not written out", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  Grammar grammar;
  grammar.set_root(grammar.repeat(grammar.bytes("ab"), 1000, 1'000'000'000));
  auto constraint = constraint_of(grammar, tokenizer, {.free_after = false});
  const TokenId aab = *tokenizer.find_token("aab");
  for (int i = 0; i < 333; ++i) REQUIRE(constraint->accept(aab));
  CHECK(constraint->is_open());
  REQUIRE(constraint->accept(0));
  CHECK_FALSE(constraint->is_open());
  Grammar exact;
  exact.set_root(exact.repeat(exact.bytes("ab"), 0, 4));
  auto few = constraint_of(exact, tokenizer, {.free_after = false});
  REQUIRE(few->accept(aab));
  CHECK_FALSE(few->allows(aab));
  CHECK_FALSE(few->allows(*tokenizer.find_token("ab")));
  REQUIRE(few->accept(1));
  CHECK_FALSE(few->allows(0));
}

TEST_CASE("A trigger comes as often as it may", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  const TokenId go = *tokenizer.find_token("<go>");
  Grammar grammar;
  grammar.set_root(grammar.literal("ab"));
  auto constraint = constraint_of(grammar,
                                  tokenizer,
                                  {.trigger = "<go>",
                                   .free_control = {"<go>", "<end>"},
                                   .entries_max = 2,
                                   .free_after = false});
  CHECK(constraint->allows(2));
  for (int i = 0; i < 2; ++i) {
    REQUIRE(constraint->accept(go));
    REQUIRE(constraint->accept(*tokenizer.find_token("ab")));
    CHECK_FALSE(constraint->allows(2));
  }
  CHECK_FALSE(constraint->allows(go));
  CHECK_FALSE(constraint->accept(go));
  CHECK(constraint->allows(*tokenizer.find_token("<end>")));
}

TEST_CASE("What is certain is written with the tokens of the tokenizer", "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  const auto id = [&](std::string_view text) { return *tokenizer.find_token(text); };
  Grammar grammar;
  grammar.set_root(grammar.sequence({grammar.literal("ab"),
                                     grammar.control("<x>"),
                                     grammar.literal("c"),
                                     grammar.choice({grammar.literal("a"), grammar.literal("b")}),
                                     grammar.literal("a"),
                                     grammar.control("<end>")}));
  auto constraint = constraint_of(grammar, tokenizer);
  // The fake tokenizer writes byte by byte, so that no token depends on what follows it.
  const std::vector<TokenId> head{0, 1, id("<x>"), 2};
  CHECK(constraint->forced_tokens() == head);
  for (const TokenId token : head) REQUIRE(constraint->accept(token));
  CHECK(constraint->forced_tokens().empty());
  REQUIRE(constraint->accept(1));
  CHECK(constraint->forced_tokens() == std::vector<TokenId>{0, id("<end>")});
}

}  // namespace facet::engine
