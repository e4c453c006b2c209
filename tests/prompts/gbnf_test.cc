#include "base/grammar/gbnf.h"

#include "tests/support/catch.h"
#include "tests/support/grammar_texts.h"

#include <string>

namespace facet::grammar {

TEST_CASE("GBNF says what texts there are", "[prompts][gbnf][unit]") {
  const auto grammar = read_gbnf(R"(
# A list of words, or a sum.
root ::= list | sum   # two kinds
list ::= "[" ws word (
    "," ws word   # groups span lines
  )* "]"
  | "empty"
word ::= [a-zé]{2,4} [^0-9\]"]?
sum ::= number ("+" number)+
number ::= [1-9] [0-9]* | "\x30"
ws ::= [ \t]?
)");
  INFO((grammar ? "" : grammar.error().message));
  REQUIRE(grammar);
  const test::GrammarTexts texts(*grammar);
  for (const char* good :
       {"[ab]", "[ ab,\tcdé]", "[abcd!]", "empty", "0+1", "10+20+3", "[é\xC3\xA9\xE2\x82\xAC]"}) {
    INFO(good);
    CHECK(texts.accepts(good));
  }
  for (const char* bad : {"", "[a]", "[ab", "1", "01+1", "1+", "[abcd5]", "[ab,c]"}) {
    INFO(bad);
    CHECK_FALSE(texts.accepts(bad));
  }
}

TEST_CASE("GBNF that cannot be read is refused with its line", "[prompts][gbnf][unit]") {
  const auto [text, where] = GENERATE(table<std::string, std::string>({
      {"a ::= \"x\"", "root"},
      {"root ::= b", "\"b\""},
      {"root ::= \"x", "line 1"},
      {"root ::= \"x\"\nroot ::= \"y\"", "twice"},
      {"root ::= (\"x\"", "not closed"},
      {"root ::= [a", "not closed"},
      {"root ::= [b-a]", "wrong way"},
      {"root ::= \"a\"{3,2}", "wrong way"},
      {"root ::= \"a\"{0,99999999}", "repetition"},
      {"root ::= \"\\q\"", "escape"},
      {"root ::= \"\\", "backslash ends"},
      {"root ::= [\\", "backslash ends"},
      {"root ::= \"\\u12", "too few digits"},
      {"root = \"a\"", "::="},
      {"\n\nroot ::= \"a\" }", "line 3"},
      {"root ::= " + std::string(500, '(') + "\"a\"" + std::string(500, ')'), "nest"},
  }));
  INFO(text.substr(0, 60));
  const auto grammar = read_gbnf(text);
  REQUIRE_FALSE(grammar);
  INFO(grammar.error().message);
  CHECK(grammar.error().message.find(where) != std::string::npos);
}

TEST_CASE("GBNF that cannot be run is refused when it is compiled", "[prompts][gbnf][unit]") {
  const auto tokenizer = test::byte_tokenizer({});
  for (const char* text : {"root ::= root \"a\" | \"b\"",
                           "root ::= a? root \"b\"\na ::= \"a\"",
                           "root ::= \"a\" root",
                           "root ::= (\"a\"?){0,100000}"}) {
    INFO(text);
    const auto grammar = read_gbnf(text);
    REQUIRE(grammar);
    CHECK_FALSE(engine::make_constraint(*grammar, tokenizer, {}));
  }
}

}  // namespace facet::grammar
