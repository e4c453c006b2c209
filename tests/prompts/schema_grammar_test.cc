#include "base/grammar/schema_grammar.h"

#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/grammar_texts.h"

#include <nlohmann/json.hpp>

#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace facet::grammar {
namespace {

using Json = nlohmann::ordered_json;

test::GrammarTexts texts_of(const std::string& schema) {
  auto made = grammar_of_schema(schema);
  INFO(schema << (made ? "" : ": " + made.error().message));
  REQUIRE(made);
  return test::GrammarTexts(made->grammar);
}

Error error_of(const std::string& schema) {
  const auto made = grammar_of_schema(schema);
  INFO(schema);
  if (made) {
    // What contradicts itself is found when the grammar is compiled.
    const auto tokenizer = test::byte_tokenizer({});
    const auto constraint = engine::make_constraint(made->grammar, tokenizer, {});
    REQUIRE_FALSE(constraint);
    return constraint.error();
  }
  return made.error();
}

}  // namespace

TEST_CASE("A schema's grammar is what the schema says", "[prompts][schema][unit]") {
  struct Case {
    const char* schema;
    std::vector<const char*> good;
    std::vector<const char*> bad;
  };
  const std::vector<Case> cases{
      {R"({"type":"integer"})", {"0", "-12", "7"}, {"01", "1.0", "-", "\"1\"", "1e3"}},
      {R"({"type":"integer","minimum":-3,"maximum":120})",
       {"-3", "-1", "0", "9", "10", "99", "100", "120"},
       {"-4", "121", "130", "200", "1000", "-10", "-0", "00"}},
      {R"({"type":"integer","exclusiveMinimum":5,"multipleOf":7,"maximum":50})",
       {"7", "14", "49"},
       {"0", "5", "8", "56", "-7"}},
      {R"({"type":"integer","multipleOf":3})", {"0", "3", "-3", "12", "999"}, {"1", "10", "-4"}},
      {R"({"type":"number"})", {"0", "-1.5", "1e-07", "2.5E+3"}, {".5", "1.", "NaN", "+1"}},
      {R"({"type":"number","minimum":0.25,"exclusiveMaximum":2})",
       {"0.25", "1", "1.5", "1.999", "0.3", "0.250"},
       {"0.2", "0.2499", "2", "2.0", "-1", "0", "20"}},
      {R"({"type":"number","minimum":-1.5,"maximum":-0.5})",
       {"-1.5", "-1", "-0.5", "-0.75"},
       {"-1.51", "-0.4", "0", "-0", "1", "-2"}},
      {R"({"type":["string","null"]})", {"null", "\"\"", R"("a\n\u00e9<")"}, {"1", "\"a", "nul"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {R"("ab")", R"("aéz")", R"("\u0041\n")", R"("😀😀😀")"},
       {R"("a")", R"("abcd")", R"("\n")"}},
      {R"({"type":"string","pattern":"^[a-z]+-\\d{2,3}$"})",
       {R"("ab-12")", R"("z-123")"},
       {R"("ab-1")", R"("-12")", R"("ab-1234")", R"(" ab-12")"}},
      {R"({"type":"string","pattern":"b.d"})", {R"("bad")", R"("x\"b\"d")"}, {R"("b\nd")"}},
      {R"({"type":"string","pattern":"a+","maxLength":3})",
       {R"("xax")"},
       {R"("xxx")", R"("xaxx")"}},
      {R"({"type":"string","format":"date"})",
       {R"("2024-02-29")", R"("1999-12-31")", R"("2000-02-29")"},
       {R"("2023-02-29")", R"("1900-02-29")", R"("2023-04-31")", R"("2023-13-01")"}},
      {R"({"type":"string","format":"date-time"})",
       {R"("2024-01-01T10:00:00Z")", R"("2024-01-01T23:59:59.5+02:00")"},
       {R"("2024-01-01 10:00:00Z")", R"("2024-01-01T24:00:00Z")"}},
      {R"({"type":"string","format":"ipv4"})",
       {R"("127.0.0.1")"},
       {R"("256.0.0.1")", R"("1.2.3")"}},
      {R"({"type":"string","format":"uuid"})",
       {R"("01234567-89ab-cdef-0123-456789ABCDEF")"},
       {R"("01234567-89ab-cdef-0123-456789ABCDE")"}},
      {R"({"type":"string","format":"email"})", {R"("a.b@c.org")"}, {R"("a.b")", R"("@c")"}},
      {R"({"type":"string","format":"uri"})", {R"("https://a.org/b?c=d#e")"}, {R"("a b")"}},
      {R"({"enum":["a","ab",1,1.5,null,true,{"k":[1]}]})",
       {R"("a")", R"("ab")", "1", "1.5", "null", "true", R"({"k": [1]})"},
       {R"("b")", "2", "false", "{}"}},
      {R"({"enum":[1,5,9],"minimum":4})", {"5", "9"}, {"1"}},
      {R"({"const":"x<y"})", {R"("x<y")"}, {R"("x")"}},
      {R"({"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"boolean"}},)"
       R"("required":["a"]})",
       {R"({"a":true})", R"({"b": 1, "a": false})", R"({"b":1,"a":true})"},
       {R"({})", R"({"a":true,"b":1})", R"({"a":true,"c":1})", R"({"b":1})", R"({"a":true,})"}},
      {R"({"type":"object"})", {"{}", R"({"x":[1,{"y":null}]})"}, {"[]", R"({"x"})"}},
      {R"({"type":"object","additionalProperties":{"type":"integer"},)"
       R"("properties":{"a":{"type":"string"}}})",
       {R"({"a":"s","b":1})", R"({"zz":1,"b":2})", "{}"},
       {R"({"a":1})", R"({"b":"s"})"}},
      {R"({"type":"object","patternProperties":{"^n_":{"type":"number"},"x$":{"minimum":5}},)"
       R"("additionalProperties":false})",
       {R"({"n_a":1})", R"({"n_x":7.5})", R"({"ax":"s"})"},
       {R"({"b":1})", R"({"n_x":1})", R"({"n_a":"s"})"}},
      {R"({"type":"object","required":["q"]})", {R"({"q":1})", R"({"q":"a","r":2})"}, {"{}"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
       {"[1]", "[1, 2]", "[1,2,3]"},
       {"[]", "[1,2,3,4]", "[1,]", "[,1]"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
       {"[]", "[1]", R"([1,"a"])"},
       {R"(["a"])", R"([1,"a",2])"}},
      {R"({"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"null"},"minItems":2})",
       {"[1,null]", "[1,null,null]"},
       {"[1]", "[1,2]"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]})",
       {"5", R"("a")"},
       {R"("ab")", "null"}},
      {R"({"type":"integer","anyOf":[{"minimum":10},{"maximum":-10}],"oneOf":[{"multipleOf":2}]})",
       {"10", "-12"},
       {"11", "0", "-11"}},
      {R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}}},)"
       R"({"properties":{"a":{"minimum":5},"b":{"type":"null"}},"required":["a"]}]})",
       {R"({"a":5})", R"({"a":9,"b":null})"},
       {R"({"a":4})", "{}"}},
      {R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":)"
       R"({"v":{"type":"integer"},"kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},)"
       R"("required":["v"]}}})",
       {R"({"v":1})", R"({"v":1,"kids":[{"v":2,"kids":[]},{"v":3}]})"},
       {R"({"kids":[]})", R"({"v":1,"kids":[1]})"}},
      {R"({"$ref":"#pos","$defs":{"p":{"$anchor":"pos","type":"integer","minimum":1}}})",
       {"1"},
       {"0"}},
      {"true", {"1", "[]", R"({"a":null})", "\"x\""}, {"x", ""}},
  };
  for (const Case& one : cases) {
    const auto texts = texts_of(one.schema);
    INFO(one.schema);
    for (const char* text : one.good) {
      INFO(text);
      CHECK(texts.accepts(text));
    }
    for (const char* text : one.bad) {
      INFO(text);
      CHECK_FALSE(texts.accepts(text));
    }
  }
}

TEST_CASE("What cannot be enforced is refused with its pointer", "[prompts][schema][unit]") {
  const auto [schema, code, where] = GENERATE(table<std::string, Code, std::string>({
      {R"({"type":"array","uniqueItems":true})", Code::unsupported, "/uniqueItems"},
      {R"({"properties":{"a/b":{"not":{}}}})", Code::unsupported, "/properties/a~1b/not"},
      {R"({"if":{}})", Code::unsupported, "/if"},
      {R"({"type":"object","minProperties":1})", Code::unsupported, "/minProperties"},
      {R"({"type":"number","multipleOf":0.01})", Code::unsupported, "/multipleOf"},
      {R"({"type":"string","format":"hostname"})", Code::unsupported, "/format"},
      {R"({"type":"string","pattern":"(?=a)b"})", Code::unsupported, "/pattern"},
      {R"({"type":"string","pattern":"(a)\\1"})", Code::unsupported, "/pattern"},
      {R"({"type":"string","pattern":"("})", Code::invalid_argument, "/pattern"},
      {R"({"type":"string","pattern":"(a{500}){500}"})", Code::limit_exceeded, "/pattern"},
      {R"({"type":"text"})", Code::invalid_argument, "/type"},
      {R"({"maxLenght":3})", Code::unsupported, "/maxLenght"},
      {R"({"$ref":"#"})", Code::invalid_argument, "the schema refers to itself"},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})",
       Code::invalid_argument,
       "/$defs/a refers to itself"},
      {R"({"$ref":"http://elsewhere.org/x"})", Code::unsupported, "/$ref"},
      {R"({"$ref":"#/$defs/none"})", Code::invalid_argument, "/$ref"},
      {R"({"type":"array","minItems":1000000000})", Code::limit_exceeded, "the schema"},
      {R"({"type":"integer","minimum":5,"maximum":4})", Code::invalid_argument, "nothing"},
      {R"({"type":"string","minLength":5,"maxLength":4})", Code::invalid_argument, "nothing"},
      {R"({"type":"object","properties":{"a":false},"required":["a"]})",
       Code::invalid_argument,
       "nothing"},
      {R"({"$defs":{"l":{"type":"object","properties":{"n":{"$ref":"#/$defs/l"}},)"
       R"("required":["n"]}},"$ref":"#/$defs/l"})",
       Code::invalid_argument,
       "nothing"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", Code::invalid_argument, "refers to itself"},
      {"[]", Code::invalid_argument, "the schema"},
      {"{", Code::invalid_data, "schema"},
  }));
  const Error error = error_of(schema);
  INFO(schema << ": " << error.message);
  CHECK(error.code == code);
  CHECK(error.message.find(where) != std::string::npos);
}

TEST_CASE("A relaxed schema says what it does not enforce", "[prompts][schema][unit]") {
  const auto made = grammar_of_schema(
      R"({"type":"array","uniqueItems":true,"items":{"type":"integer"},"x-facet-relaxed":true})");
  REQUIRE(made);
  CHECK(test::GrammarTexts(made->grammar).accepts("[1,1]"));
  bool told = false;
  for (const SchemaNote& note : made->notes) {
    told = told || (note.kind == SchemaNote::Kind::relaxed && note.pointer == "/uniqueItems");
  }
  CHECK(told);
}

TEST_CASE("Hostile schemas are refused or bounded at once", "[prompts][schema][unit]") {
  std::vector<std::string> schemas;
  std::string deep = R"({"type":"integer"})";
  for (int i = 0; i < 60'000; ++i) deep = R"({"items":)" + deep + "}";
  schemas.push_back(deep);
  std::string values = R"({"enum":[)";
  for (int i = 0; i < 1'000'000; ++i) values += (i == 0 ? "" : ",") + std::to_string(i);
  schemas.push_back(values + "]}");
  schemas.emplace_back(R"({"type":"array","minItems":1000000000})");
  schemas.emplace_back(R"({"type":"string","pattern":"(a+)+$"})");
  schemas.emplace_back(R"({"type":"string","pattern":"(a|aa|aaa){900}b{900}"})");
  schemas.emplace_back(R"({"type":"string","minLength":1000000000,"maxLength":1000000001})");
  schemas.emplace_back(R"({"type":"integer","multipleOf":999983})");
  std::string wide = R"({"type":"object","properties":{)";
  for (int i = 0; i < 2000; ++i) {
    wide += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"type":"string"})";
  }
  schemas.push_back(wide + "}}");
  std::string anys = "{\"allOf\":[";
  for (int i = 0; i < 12; ++i) {
    anys += std::string(i == 0 ? "" : ",") + R"({"anyOf":[{"minimum":1},{"maximum":0}]})";
  }
  schemas.push_back(anys + "]}");
  const auto tokenizer = test::byte_tokenizer({});
  for (const std::string& schema : schemas) {
    INFO(schema.substr(0, 80));
    const std::clock_t start = std::clock();  // Other programs' share does not count.
    const auto made = grammar_of_schema(schema);
    if (made) {
      const auto constraint = engine::make_constraint(made->grammar, tokenizer, {});
      if (!constraint) CHECK_FALSE(constraint.error().message.empty());
    } else {
      CHECK_FALSE(made.error().message.empty());
    }
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    // The bar is 50 ms in a release build; under sanitizers it takes some twenty times as long.
    CHECK(seconds < 2.0);
  }
}

}  // namespace facet::grammar
