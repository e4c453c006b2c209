#include "engine/sampling/constraint.h"

#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::engine {
namespace {

using test::FakeTokenizer;

FakeTokenizer small_vocabulary() {
  return FakeTokenizer({"a",
                        "b",
                        "c",
                        "ab",
                        "bca",
                        "aab",
                        "cc",
                        "",
                        "<x>",
                        "<y>",
                        "<go>",
                        "<end>",
                        "\xC3\xA9",
                        "c\xC3\xA9",
                        "\xC3",
                        "\xA9",
                        "b\xF0\x9F\x98\x80",
                        "\xF0",
                        "\x9F",
                        "\x98",
                        "\x80",
                        "\""});
}

/// Bytes as themselves, the control token number i as 256 + i.
using Symbols = std::vector<int>;

Symbols symbols_of(const Tokenizer& tokenizer, TokenId token) {
  if (tokenizer.is_control(token)) return {256 + token};
  Symbols out;
  for (const char c : tokenizer.token_bytes(token)) out.push_back(static_cast<unsigned char>(c));
  return out;
}

/// The obvious matcher: where matches of a node end, and whether the input ran out while one could
/// still go on. Every node of the test grammars has some match, so running out means that the input
/// is a prefix of one.
class Oracle {
 public:
  Oracle(const Grammar& grammar, const Tokenizer& tokenizer, Symbols input)
      : grammar_(grammar), tokenizer_(tokenizer), input_(std::move(input)) {
    const auto found = ends(grammar.root(), {0});
    full_ = std::find(found.begin(), found.end(), input_.size()) != found.end();
  }

  [[nodiscard]] bool is_match() const { return full_; }
  /// Of a match that is longer or of just this length.
  [[nodiscard]] bool is_prefix() const { return full_ || ran_out_; }

 private:
  using Ends = std::vector<std::size_t>;

  static void add(Ends& ends, std::size_t end) {
    if (std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
  }

  template <typename Matches>
  void one(std::size_t at, Ends& out, const Matches& matches) {
    if (at == input_.size()) {
      ran_out_ = true;
    } else if (matches(input_[at])) {
      add(out, at + 1);
    }
  }

  /// Every state of the test automata reaches one that accepts.
  void follow(const ByteAutomaton& automaton, std::size_t at, Ends& out) {
    std::int32_t state = 0;
    while (state >= 0) {
      const auto& now = automaton.states[static_cast<std::size_t>(state)];
      if (now.accepts) add(out, at);
      if (at == input_.size()) {
        ran_out_ = ran_out_ || !now.edges.empty();
        return;
      }
      state = -1;
      for (const auto& edge : now.edges) {
        if (edge.first <= input_[at] && input_[at] <= edge.last) state = edge.to;
      }
      ++at;
    }
  }

  Ends ends(Grammar::Node node, const Ends& starts) {
    const auto& data = grammar_.nodes()[static_cast<std::size_t>(node)];
    Ends out;
    switch (data.kind) {
      case Grammar::Kind::literal: {
        out = starts;
        for (const char c : data.text) {
          Ends next;
          for (const std::size_t at : out) {
            one(at, next, [&](int s) { return s == static_cast<unsigned char>(c); });
          }
          out = next;
        }
        return out;
      }
      case Grammar::Kind::bytes:
        for (const std::size_t at : starts) {
          one(at, out, [&](int s) {
            return s < 256 && data.byte_set[static_cast<std::size_t>(s)] == '1';
          });
        }
        return out;
      case Grammar::Kind::control:
        for (const std::size_t at : starts) {
          one(at, out, [&](int s) { return s == 256 + *tokenizer_.find_token(data.text); });
        }
        return out;
      case Grammar::Kind::sequence:
        out = starts;
        for (const auto child : data.children) out = ends(child, out);
        return out;
      case Grammar::Kind::choice:
        for (const auto child : data.children) {
          for (const std::size_t end : ends(child, starts)) add(out, end);
        }
        return out;
      case Grammar::Kind::rule:
        return starts.empty() ? out : ends(data.children[0], starts);
      case Grammar::Kind::automaton:
        for (const std::size_t at : starts) follow(*data.automaton, at, out);
        return out;
      case Grammar::Kind::repeat:
        break;
    }
    Ends now = starts;
    for (std::int32_t i = 0; !now.empty(); ++i) {
      if (i >= data.min) {
        const std::size_t before = out.size();
        for (const std::size_t end : now) add(out, end);
        if (i > data.min && out.size() == before) break;  // Only empty matches are left.
      }
      if (data.max != -1 && i >= data.max) break;
      now = ends(data.children[0], now);
    }
    return out;
  }

  const Grammar& grammar_;
  const Tokenizer& tokenizer_;
  Symbols input_;
  bool full_ = false;
  bool ran_out_ = false;
};

/// Random grammars over a, b, c, <x> and <y> with one recursive rule.
class GrammarMaker {
 public:
  explicit GrammarMaker(std::uint32_t seed) : engine_(seed) {}

  Grammar make() {
    rule_ = grammar_.declare("r");
    const auto nested =
        grammar_.sequence({grammar_.literal("a"), rule_, below(2) == 0 ? rule_ : node(2)});
    grammar_.define(rule_, grammar_.choice({grammar_.literal("c"), nested}));
    grammar_.set_root(node(4));
    return std::move(grammar_);
  }

 private:
  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(bound)); }

  Grammar::Node node(int depth) {
    switch (below(depth > 0 ? 12 : 7)) {
      case 0:
        return grammar_.literal("ab");
      case 1:
        return grammar_.bytes("bc", below(3) == 0);
      case 2:
        return grammar_.control(below(2) == 0 ? "<x>" : "<y>");
      case 3:
        return grammar_.literal("");
      case 4:
        return rule_;
      case 5:
        return grammar_.automaton(words_automaton({"ab", "abc", "ca", below(2) == 0 ? "" : "c"}));
      case 6:
        return grammar_.code_point(CodePointSet({{'b', 'c'}, {0xE9, 0xEA}, {0x10000, 0x10FFFF}}));
      case 7:
        return grammar_.choice({node(depth - 1), node(depth - 1), grammar_.never()});
      case 8:
        return grammar_.repeat(node(depth - 1), 2, 2 + below(4));
      case 9: {
        const int min = below(3);
        return grammar_.repeat(node(depth - 1), min, below(2) == 0 ? -1 : min + below(3));
      }
      case 10: {
        const auto shared = node(depth - 1);
        return grammar_.sequence({shared, node(depth - 1), shared});
      }
      default:
        return grammar_.sequence({node(depth - 1), node(depth - 1)});
    }
  }

  std::mt19937 engine_;
  Grammar grammar_;
  Grammar::Node rule_ = -1;
};

std::unique_ptr<Constraint> constraint_of(const Grammar& grammar,
                                          const Tokenizer& tokenizer,
                                          const ConstraintOptions& options = {}) {
  auto constraint = make_constraint(grammar, tokenizer, options);
  INFO((constraint ? "" : constraint.error().message));
  REQUIRE(constraint);
  return *std::move(constraint);
}

}  // namespace

TEST_CASE("A constraint allows exactly the tokens that an obvious matcher allows",
          "[engine][unit]") {
  const FakeTokenizer tokenizer = small_vocabulary();
  int steps = 0;
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    INFO("seed " << seed);
    const Grammar grammar = GrammarMaker(seed).make();
    // Nothing but the grammar, so that going on behind a match is seen too.
    auto constraint = constraint_of(grammar, tokenizer, {.free_after = false});
    std::mt19937 random(seed);
    Symbols sofar;
    for (int step = 0; step < 6; ++step) {
      const Oracle now(grammar, tokenizer, sofar);
      REQUIRE(constraint->is_open() == !now.is_match());
      const auto mask = constraint->mask();
      std::vector<TokenId> allowed;
      for (TokenId token = 0; token < static_cast<TokenId>(tokenizer.size()); ++token) {
        INFO("token " << token << " at step " << step);
        const Symbols more = symbols_of(tokenizer, token);
        Symbols longer = sofar;
        longer.insert(longer.end(), more.begin(), more.end());
        const bool fits = !more.empty() && Oracle(grammar, tokenizer, longer).is_prefix();
        REQUIRE(constraint->clone()->allows(token) == fits);  // Tries the token.
        REQUIRE(constraint->allows(token) == fits);           // After some, looks at the mask.
        REQUIRE(((mask[0] >> token & 1U) != 0) == fits);
        if (fits) allowed.push_back(token);
      }
      if (now.is_match() && allowed.empty()) break;
      REQUIRE_FALSE(allowed.empty());
      const auto forced = constraint->forced_tokens();
      const auto along = constraint->clone();
      for (const TokenId token : forced) REQUIRE(along->accept(token));
      const TokenId chosen = allowed[random() % allowed.size()];
      const auto copy = constraint->clone();
      REQUIRE(constraint->accept(chosen));
      REQUIRE(copy->allows(chosen));
      const Symbols more = symbols_of(tokenizer, chosen);
      sofar.insert(sofar.end(), more.begin(), more.end());
      ++steps;
    }
  }
  CHECK(steps > 300);
}

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
