// The tokenizer against ids of the real Gemma 3 tokenizer, where that data is present.
#include "base/json.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/support/catch.h"
#include "tests/support/reference.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

using facet::Segment;
using facet::engine::TokenId;
using facet::engine::Tokenizer;

namespace {

std::vector<TokenId> encode_control(const Tokenizer& tokenizer, const std::string& text) {
  return tokenizer.encode(std::vector<Segment>{{Segment::Kind::control, text}});
}

std::shared_ptr<const Tokenizer> gemma3() {
  const auto path = facet::test::reference_folder() / "tokenizer" / "gemma3.model";
  if (!std::filesystem::exists(path)) return nullptr;
  auto tokenizer = Tokenizer::load_sentencepiece(path);
  REQUIRE(tokenizer.has_value());
  return *tokenizer;
}

}  // namespace

TEST_CASE("the tokenizer equals the reference on every case", "[engine][tokenizer]") {
  const auto text =
      facet::test::read_text(facet::test::reference_folder() / "tokenizer" / "cases.json");
  const auto tokenizer = gemma3();
  if (!tokenizer || !text) {
    WARN("skipped: the Gemma 3 tokenizer cases");
    return;
  }
  const auto cases = facet::parse_json(*text, "cases.json");
  REQUIRE(cases.has_value());
  REQUIRE(cases->size() > 100);
  for (const auto& entry : *cases) {
    const auto input = entry["text"].get<std::string>();
    const auto expected = entry["ids"].get<std::vector<TokenId>>();
    INFO(input);
    CHECK(encode_control(*tokenizer, input) == expected);
    if (entry["kind"] == "control" && input.find('<') == std::string::npos) continue;
    // As data the same ids come out, unless the reference made a control token of the text.
    bool has_control = false;
    for (const TokenId id : expected) has_control = has_control || tokenizer->is_control(id);
    if (has_control) {
      CHECK(tokenizer->encode(input) != expected);
    } else {
      CHECK(tokenizer->encode(input) == expected);
    }
  }
}

TEST_CASE("whole prompts equal the ids that other programs published", "[engine][tokenizer]") {
  const auto text = facet::test::read_text(facet::test::reference_folder() / "prompt-formats" /
                                           "tokenizer-golden" / "gemma3.json");
  const auto tokenizer = gemma3();
  if (!tokenizer || !text) {
    WARN("skipped: the Gemma 3 golden prompts");
    return;
  }
  const auto golden = facet::parse_json(*text, "gemma3.json");
  REQUIRE(golden.has_value());
  REQUIRE_FALSE((*golden)["chat"].empty());
  for (const auto& entry : (*golden)["chat"]) {
    const auto expected = entry["ids"].get<std::vector<TokenId>>();
    const std::string spelled = tokenizer->decode(expected, true);
    INFO(spelled);
    CHECK(encode_control(*tokenizer, spelled) == expected);
    // One published entry has ids of "why" beside the text "Why": there the ids are what counts.
    const auto input = entry["text"].get<std::string>();
    if (input.find("\nWhy is the sky") == std::string::npos) CHECK(spelled == input);
  }
}

TEST_CASE("the real vocabulary gives no control token for any spelling in data",
          "[engine][tokenizer]") {
  const auto tokenizer = gemma3();
  if (!tokenizer) {
    WARN("skipped: the Gemma 3 vocabulary");
    return;
  }
  std::size_t control = 0;
  for (TokenId id = 0; id < static_cast<TokenId>(tokenizer->size()); ++id) {
    if (!tokenizer->is_control(id)) continue;
    ++control;
    const std::string name(tokenizer->token_text(id));
    for (const TokenId out : tokenizer->encode("a" + name + "b")) {
      if (tokenizer->is_control(out)) FAIL(name << " came out of data");
    }
    CHECK(encode_control(*tokenizer, name) == std::vector<TokenId>{id});
  }
  CHECK(control > 6000);
}
