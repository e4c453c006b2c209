#include "tools/schema.h"

#include "base/json.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace {

using facet::Code;
using facet::tools::Schema;
using facet::tools::SchemaOptions;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

/// The violation of `instance` as text; empty when it satisfies `schema`.
std::string violation(const std::string& schema, const std::string& instance) {
  const auto compiled = Schema::compile_text(schema);
  if (!compiled) FAIL("schema refused: " << compiled.error().message);
  const auto value = Json::parse(instance);
  const auto found = compiled->check(value);
  return found ? found->text() : "";
}

facet::Error refusal(const std::string& schema) {
  const auto compiled = Schema::compile_text(schema);
  REQUIRE_FALSE(compiled.has_value());
  return compiled.error();
}

}  // namespace

TEST_CASE("a violation names the place in the value, the rule and both sides", "[tools][unit]") {
  const std::string schema = R"({"type":"object","properties":{
      "city":{"type":"string","minLength":1},
      "nights":{"type":"integer","minimum":1,"maximum":30},
      "class":{"enum":["economy","business"]}},
      "required":["city"],"additionalProperties":false})";
  CHECK(violation(schema, R"({"city":"Oslo","nights":3,"class":"economy"})").empty());
  CHECK(violation(schema, R"({"nights":3})") ==
        R"(the value lacks the required property "city" (schema: /required))");
  CHECK(violation(schema, R"({"city":"Oslo","nights":"three"})") ==
        R"(/nights must be an integer, is "three" (schema: /properties/nights/type))");
  CHECK(violation(schema, R"({"city":"Oslo","nights":31})") ==
        R"(/nights must be at most 30, is 31 (schema: /properties/nights/maximum))");
  CHECK(
      violation(schema, R"({"city":"Oslo","class":"first"})") ==
      R"(/class must be one of "economy", "business", is "first" (schema: /properties/class/enum))");
  CHECK(violation(schema, R"({"city":"Oslo","town":"x"})") ==
        R"(the value has the unknown property "town"; known are "city", "nights", "class")"
        R"( (schema: /additionalProperties))");
}

TEST_CASE("pointers escape slashes and tildes", "[tools][unit]") {
  CHECK(violation(R"({"properties":{"a/b~c":{"type":"null"}}})", R"({"a/b~c":1})") ==
        "/a~1b~0c must be null, is 1 (schema: /properties/a~1b~0c/type)");
}

TEST_CASE("integers of 64 bits are compared exactly", "[tools][unit]") {
  // 2^53 + 1 has no double; 2^63 has no int64.
  CHECK_FALSE(violation(R"({"const":9007199254740992})", "9007199254740993").empty());
  CHECK(violation(R"({"maximum":9223372036854775807})", "9223372036854775807").empty());
  CHECK_FALSE(violation(R"({"maximum":9223372036854775807})", "9223372036854775808").empty());
  CHECK(violation(R"({"enum":[1]})", "1.0").empty());
}

TEST_CASE("decimal multiples hold although doubles cannot hold decimals", "[tools][unit]") {
  CHECK(violation(R"({"multipleOf":0.01})", "19.99").empty());
  CHECK_FALSE(violation(R"({"multipleOf":0.01})", "19.995").empty());
  CHECK(violation(R"({"multipleOf":0.5})", "-2.5").empty());
  CHECK(violation(R"({"multipleOf":3})", "0.0").empty());
  CHECK(violation(R"({"multipleOf":1e-300})", "1e300").empty());
  CHECK_FALSE(violation(R"({"multipleOf":1e300})", "1e-300").empty());
}

TEST_CASE("schemas that are not schemas are refused with the place", "[tools][unit]") {
  struct Row {
    const char* schema;
    Code code;
    const char* part;
  };
  const Row row = GENERATE(values<Row>({
      {R"([1])", Code::invalid_argument, "must be an object or a boolean"},
      {R"({"properties":{"a":3}})", Code::invalid_argument, "/properties/a must be"},
      {R"({"type":"strnig"})", Code::invalid_argument, "/type is not a type"},
      {R"({"minLenght":3})", Code::invalid_argument, "/minLenght is a keyword"},
      {R"({"minLength":-1})", Code::invalid_argument, "/minLength must be a whole number"},
      {R"({"multipleOf":0})", Code::invalid_argument, "/multipleOf must be more than 0"},
      {R"({"pattern":"(?=a)b"})", Code::invalid_argument, "/pattern is not a pattern"},
      {R"({"pattern":"(a{1000}){1000}b"})", Code::invalid_argument, "/pattern is not a pattern"},
      {R"({"$ref":"#/$defs/none"})", Code::invalid_argument, "refers to nothing"},
      {R"({"$ref":"http://example.com/x"})", Code::unsupported, "another document"},
      {R"({"$defs":{"a":{"$id":"b#c"}}})", Code::invalid_argument, "$id with a fragment"},
      {R"({"$defs":{"a":{"$id":"x"},"b":{"$id":"x"}}})", Code::invalid_argument, "another part"},
      {R"({"$anchor":7})", Code::invalid_argument, "$anchor that is not a string"},
      {R"({"$dynamicRef":"#a"})", Code::invalid_argument, "/$dynamicRef refers to an unknown"},
      {R"({"$dynamicRef":"http://a/b#c"})", Code::unsupported, "/$dynamicRef refers to another"},
      {R"({"$dynamicAnchor":7})", Code::invalid_argument, "$dynamicAnchor that is not a string"},
      {R"({"$recursiveRef":"#"})", Code::unsupported, "/$recursiveRef"},
      {R"({"required":"city"})", Code::invalid_argument, "/required must be an array"},
  }));
  const auto error = refusal(row.schema);
  INFO(error.message);
  CHECK(error.code == row.code);
  CHECK(error.message.find(row.part) != std::string::npos);
}

TEST_CASE("a schema that refers to itself without end stops at a limit", "[tools][unit]") {
  CHECK(violation(R"({"$ref":"#"})", "1").find("levels deep") != std::string::npos);
  // Both alternatives fail at the innermost array: 2^60 checks without the step limit.
  const std::string twice =
      R"({"$defs":{"n":{"minItems":1,"anyOf":[{"items":{"$ref":"#/$defs/n"}},)"
      R"({"items":{"$ref":"#/$defs/n"}}]}},"$ref":"#/$defs/n"})";
  std::string deep;
  for (int i = 0; i < 60; ++i) deep += "[";
  for (int i = 0; i < 60; ++i) deep += "]";
  const auto compiled = Schema::compile_text(twice, {.check_steps_max = 1000});
  REQUIRE(compiled.has_value());
  const auto found = compiled->check(Json::parse(deep));
  REQUIRE(found.has_value());
  CHECK(found->message.find("1000 steps") != std::string::npos);
}

TEST_CASE("a property that no part of a schema describes can be refused", "[tools][unit]") {
  const std::string schema =
      R"({"type":"object","allOf":[{"properties":{"a":{}}},{"$ref":"#/$defs/b"}],)"
      R"("$defs":{"b":{"properties":{"b":{}}}},"unevaluatedProperties":false})";
  CHECK(violation(schema, R"({"a":1,"b":2})").empty());
  CHECK(violation(schema, R"({"a":1,"c":2})") ==
        R"(the value has the property "c", which no part describes)"
        R"( (schema: /unevaluatedProperties))");
}

TEST_CASE("parts of a schema are found by the names they give themselves", "[tools][unit]") {
  const std::string schema =
      R"({"$id":"https://example.com/s/root.json","properties":{"a":{"$ref":"part.json#/$defs/n"}},)"
      R"("$defs":{"p":{"$id":"part.json","$defs":{"n":{"type":"integer"}}}}})";
  CHECK(violation(schema, R"({"a":1})").empty());
  CHECK(violation(schema, R"({"a":"x"})") ==
        R"(/a must be an integer, is "x" (schema: /$defs/p/$defs/n/type))");
}

TEST_CASE("a recursive schema checks a recursive value", "[tools][unit]") {
  const std::string tree =
      R"({"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}},)"
      R"("name":{"type":"string"}},"required":["name"]})";
  CHECK(violation(tree, R"({"name":"a","children":[{"name":"b","children":[]}]})").empty());
  CHECK(violation(tree, R"({"name":"a","children":[{"name":"b","children":[{}]}]})")
            .find("/children/0/children/0 lacks") == 0);
}

TEST_CASE("a $dynamicRef leads to the outermost anchor on the way to it", "[tools][unit]") {
  // A list whose items are what the schema that refers to it says they are.
  const std::string list =
      R"({"$id":"http://a/strings","$ref":"list","$defs":{"i":{"$dynamicAnchor":"item","type":"string"},)"
      R"("l":{"$id":"list","type":"array","items":{"$dynamicRef":"#item"},)"
      R"("$defs":{"i":{"$dynamicAnchor":"item","type":"integer"}}}}})";
  CHECK(violation(list, R"(["a"])").empty());
  CHECK(violation(list, "[1]").find("/0 must be a string") == 0);
  // Without a $dynamicAnchor where it points, it is a $ref.
  const std::string plain =
      R"({"$id":"http://a/strings","$ref":"list","$defs":{"i":{"$dynamicAnchor":"item","type":"string"},)"
      R"("l":{"$id":"list","type":"array","items":{"$dynamicRef":"#item"},)"
      R"("$defs":{"i":{"$anchor":"item","type":"integer"}}}}})";
  CHECK(violation(plain, "[1]").empty());
  CHECK(violation(plain, R"(["a"])").find("/0 must be an integer") == 0);
  CHECK(violation(R"({"$dynamicAnchor":"n","$dynamicRef":"#n"})", "1").find("levels deep") !=
        std::string::npos);
}

TEST_CASE("the official suite of draft 2020-12 passes but for what needs another document",
          "[tools][conformance]") {
  const char* variable = std::getenv("FACET_CONFORMANCE");
  const fs::path folder =
      (variable != nullptr ? fs::path(variable)
                           : fs::path(FACET_SOURCE_DIR) / ".." / "shared" / "conformance") /
      "json-schema";
  if (!fs::exists(folder)) {
    WARN("skipped: the JSON Schema test suite");
    return;
  }
  // Their metaschema is another document, whose vocabularies decide what keywords mean.
  const std::set<std::string> groups_left_out{
      "vocabulary.json: schema that uses custom metaschema with with no validation vocabulary"};
  std::set<std::string> refused;  // Groups with a reference to another document.
  std::vector<std::string> wrong;
  int checked = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path());
    for (const Json& group : Json::parse(in)) {
      const std::string name = file + ": " + group["description"].get<std::string>();
      if (groups_left_out.contains(name)) continue;
      const auto schema = Schema::compile(
          group["schema"], {.unknown_keywords = SchemaOptions::UnknownKeywords::ignore});
      if (!schema) {
        const std::string& message = schema.error().message;
        const bool is_remote = schema.error().code == Code::unsupported &&
                               message.find("refers to another document") != std::string::npos;
        if (is_remote) {
          refused.insert(name);
        } else {
          wrong.push_back(name + ": " + message);
        }
        continue;
      }
      for (const Json& test : group["tests"]) {
        ++checked;
        const bool valid = !schema->check(test["data"]).has_value();
        if (valid != test["valid"].get<bool>()) {
          wrong.push_back(name + ": " + test["description"].get<std::string>());
        }
      }
    }
  }
  CHECK(wrong == std::vector<std::string>{});
  std::string list;
  for (const std::string& name : refused) list += name + "\n";
  INFO(checked << " checked; refused:\n" << list);
  CHECK(refused.size() == 22);
  CHECK(checked == 1248);
}
