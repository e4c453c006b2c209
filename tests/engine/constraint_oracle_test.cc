// Constraints against an obvious matcher, on random grammars.
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
namespace {

using test::constraint_of;
using test::FakeTokenizer;
using test::small_vocabulary;

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

}  // namespace facet::engine
