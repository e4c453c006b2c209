// Masks over a whole vocabulary: the same as trying each token, on random vocabularies and, where
// it is at hand, on the 262,144 pieces of Gemma 3.
#include "base/grammar/schema_grammar.h"
#include "engine/sampling/constraint.h"
#include "engine/tokenizer/token_trie.h"
#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"
#include "tests/support/reference.h"
#include "tests/support/tiny_model.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace facet::engine {
namespace {

using test::FakeTokenizer;

const char* const kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":20},)"
    R"("count":{"type":"integer","minimum":0,"maximum":500},"code":{"type":"string",)"
    R"("pattern":"^[A-Z]{2}-[0-9]+$"},"kind":{"enum":["alpha","alpine","beta"]},)"
    R"("tags":{"type":"array","items":{"type":"string"}}},"required":["name","kind"]})";

Grammar schema_grammar() {
  auto made = grammar::grammar_of_schema(kSchema);
  REQUIRE(made);
  return made->grammar;
}

/// Every byte, and random pieces over letters that matter to JSON.
FakeTokenizer random_vocabulary(std::uint32_t seed) {
  static const std::vector<std::string> parts{"a",
                                              "b",
                                              "al",
                                              "pha",
                                              "name",
                                              "1",
                                              "0",
                                              " ",
                                              "\"",
                                              "\\",
                                              "n",
                                              "u00",
                                              "e9",
                                              ":",
                                              ",",
                                              "{",
                                              "}",
                                              "[",
                                              "]",
                                              "\xC3\xA9",
                                              "\xF0\x9F\x98\x80",
                                              "\xE2\x82\xAC",
                                              "-",
                                              "A",
                                              "\n"};
  std::mt19937 engine(seed);
  std::set<std::string> known;
  std::vector<std::string> pieces;
  for (int byte = 0; byte < 256; ++byte) {
    pieces.emplace_back(1, static_cast<char>(byte));
    known.insert(pieces.back());
  }
  while (pieces.size() < 700) {
    std::string piece;
    for (std::size_t i = 1 + engine() % 4; i > 0; --i) piece += parts[engine() % parts.size()];
    const bool is_control = piece.size() > 2 && piece.front() == '<';
    if (!is_control && known.insert(piece).second) pieces.push_back(piece);
  }
  return FakeTokenizer(std::move(pieces));
}

/// Walks at random and compares the mask with every token, one by one.
void compare(const Tokenizer& tokenizer, std::uint32_t seed, int steps_max, std::size_t stride) {
  auto made = make_constraint(schema_grammar(), tokenizer, {.free_after = false});
  REQUIRE(made);
  std::mt19937 random(seed);
  const auto constraint = *std::move(made);
  for (int step = 0; step < steps_max && constraint->is_open(); ++step) {
    const auto mask = constraint->mask();
    std::vector<TokenId> allowed;
    int wrong = 0;
    for (std::size_t id = 0; id < tokenizer.size(); ++id) {
      const auto token = static_cast<TokenId>(id);
      const bool in_mask = (mask[id / 64] >> (id % 64) & 1U) != 0;
      if (in_mask) allowed.push_back(token);
      if (!in_mask && id % stride != 0) continue;
      if (in_mask && allowed.size() % stride != 0) continue;
      // A clone has asked nothing yet: it tries the token.
      if (constraint->clone()->allows(token) != in_mask) ++wrong;
    }
    INFO("seed " << seed << " step " << step);
    REQUIRE(wrong == 0);
    REQUIRE_FALSE(allowed.empty());
    REQUIRE(constraint->accept(allowed[random() % allowed.size()]));
  }
}

}  // namespace

TEST_CASE("A mask is what trying each token says", "[engine][mask][unit]") {
  for (std::uint32_t seed = 0; seed < 12; ++seed) {
    compare(random_vocabulary(seed), seed, 25, 1);
  }
}

TEST_CASE("A mask over Gemma's vocabulary is what trying each token says", "[engine][mask]") {
  const auto path = facet::test::reference_folder() / "tokenizer" / "gemma3.model";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: the Gemma 3 tokenizer");
    return;
  }
  const auto tokenizer = Tokenizer::load_sentencepiece(path);
  REQUIRE(tokenizer);
  for (std::uint32_t seed = 0; seed < 3; ++seed) compare(**tokenizer, seed, 12, 7);
}

TEST_CASE("A trie holds every text token once, in order", "[engine][mask][unit]") {
  const FakeTokenizer tokenizer = random_vocabulary(1);
  const auto trie = TokenTrie::build(tokenizer);
  CHECK(trie->tokens().size() + trie->lone_bytes().size() == tokenizer.size());
  CHECK(trie->lone_bytes().size() == 128);
  const auto& nodes = trie->nodes();
  std::string text;
  std::size_t ended = 0;
  for (std::size_t i = 0; i < trie->node_count(); ++i) {
    text.resize(nodes[i].depth - 1U);
    text += static_cast<char>(nodes[i].byte);
    for (std::uint32_t rank = nodes[i].first_rank; rank < nodes[i + 1].first_rank; ++rank) {
      CHECK(tokenizer.token_bytes(trie->tokens()[rank]) == text);
      ++ended;
    }
  }
  CHECK(ended == trie->tokens().size());
}

TEST_CASE("Forced runs are what the tokenizer makes of the whole text", "[engine][mask][unit]") {
  std::vector<std::shared_ptr<const Tokenizer>> tokenizers;
  const auto tiny = Tokenizer::create(test::tiny_vocabulary());
  REQUIRE(tiny);
  tokenizers.push_back(*tiny);
  const auto path = facet::test::reference_folder() / "tokenizer" / "gemma3.model";
  if (std::filesystem::exists(path)) {
    const auto real = Tokenizer::load_sentencepiece(path);
    REQUIRE(real);
    tokenizers.push_back(*real);
  } else {
    WARN("skipped: the Gemma 3 tokenizer");
  }
  for (const auto& tokenizer : tokenizers) {
    std::size_t forced_count = 0;
    for (const char* text :
         {R"({"name": "Bob", "kind": "alpha"})",
          R"({"name":"Anna \"A\" M","count":17,"kind":"beta","tags":["x","the rest of it"]})",
          R"({"name": "", "code": "AB-1234", "kind": "alpine", "tags": []})"}) {
      const std::vector<TokenId> ids = tokenizer->encode(text);
      auto made = make_constraint(schema_grammar(), *tokenizer, {.free_after = false});
      REQUIRE(made);
      const auto constraint = *std::move(made);
      for (std::size_t at = 0; at < ids.size();) {
        INFO(text << " token " << at);
        const auto forced = constraint->forced_tokens();
        REQUIRE(forced.size() <= ids.size() - at);
        for (const TokenId token : forced) {
          REQUIRE(token == ids[at]);
          REQUIRE(constraint->accept(token));
          ++at;
          ++forced_count;
        }
        if (at == ids.size()) break;
        REQUIRE(constraint->accept(ids[at++]));
      }
      CHECK_FALSE(constraint->is_open());
    }
    CHECK(forced_count > 10);
  }
}

}  // namespace facet::engine
