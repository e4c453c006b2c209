#include "agent/bfcl_match.h"

#include "agent/bfcl.h"
#include "base/json.h"
#include "tests/retrieval/conformance.h"
#include "tests/support/bfcl.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

using namespace facet;
using namespace facet::agent;
using Json = nlohmann::ordered_json;

namespace {

/// One function f with a parameter x of this declaration.
Json declared(const std::string& x) {
  return Json::parse(R"([{"name":"f","description":"","parameters":{"type":"dict","properties":)"
                     R"({"x":)" +
                     x + R"(,"y":{"type":"string"}},"required":["x"]}}])");
}

struct Row {
  const char* schema;
  const char* accepted;  ///< The list of values for x.
  const char* value;     ///< What the call gives.
  bool matches;
};

bool matches(const Json& functions, const std::string& answers, std::vector<ToolCall> calls) {
  return !bfcl_mismatch(functions, Json::parse(answers), calls);
}

ToolCall call(const std::string& name, const std::string& arguments) {
  return {.name = name, .arguments = arguments};
}

void check_rows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.schema << " accepts " << row.accepted << ", given " << row.value);
    const auto why =
        bfcl_mismatch(declared(row.schema),
                      Json::parse(std::string(R"([{"f":{"x":)") + row.accepted + "}}]"),
                      {call("f", std::string(R"({"x":)") + row.value + "}")});
    INFO(why.value_or(""));
    CHECK(why.has_value() != row.matches);
  }
}

constexpr const char* kInteger = R"({"type":"integer"})";
constexpr const char* kFloat = R"({"type":"float"})";
constexpr const char* kString = R"({"type":"string"})";
constexpr const char* kAny = R"({"type":"any"})";
constexpr const char* kDict = R"({"type":"dict"})";
constexpr const char* kBoolean = R"({"type":"boolean"})";
constexpr const char* kIntegers = R"({"type":"array","items":{"type":"integer"}})";
constexpr const char* kFloats = R"({"type":"array","items":{"type":"float"}})";
constexpr const char* kStrings = R"({"type":"array","items":{"type":"string"}})";
constexpr const char* kDicts = R"({"type":"array","items":{"type":"dict"}})";
constexpr const char* kTuple = R"({"type":"tuple","items":{"type":"float"}})";

}  // namespace

TEST_CASE("numbers and booleans match by Python's types and its ==", "[agent][bfcl]") {
  check_rows({{kInteger, "[5]", "5", true},
              {kInteger, "[5, 6]", "6", true},
              {kInteger, "[5]", "6", false},
              {kInteger, "[5]", "5.0", false},
              {kInteger, "[5]", "\"5\"", false},
              {kInteger, "[1]", "true", false},
              {kInteger, "[5]", "null", false},
              {kFloat, "[5.0]", "5", true},
              {kFloat, "[5]", "5", true},
              {kFloat, "[5]", "5.0", true},
              {kFloat, "[5.5]", "5.5", true},
              {kFloat, "[5.5]", "5.4", false},
              {kFloat, "[5.0]", "\"5.0\"", false},
              {kBoolean, "[true]", "true", true},
              {kBoolean, "[true]", "false", false},
              {kBoolean, "[true]", "1", false},
              {kBoolean, "[true]", "\"true\"", false}});
}

TEST_CASE("a value of the accepted values' own type passes where the declared one fails",
          "[agent][bfcl]") {
  check_rows({{kInteger, R"(["count"])", "\"count\"", true},
              {kInteger, R"(["count"])", "\"Count\"", false},  // Compared as it is.
              {kInteger, R"(["", "count"])", "\"count\"", true},
              {kInteger, R"([""])", "\"count\"", false},
              {kAny, "[5]", "5", true},
              {kAny, "[5]", "6", false},
              {kAny, R"(["Five"])", "\"five\"", true}});
}

TEST_CASE("strings match without case, spaces and some punctuation", "[agent][bfcl]") {
  check_rows({{kString, R"(["April 1, 2024"])", R"("april 1 2024")", true},
              {kString, R"(["April 1, 2024"])", R"("APRIL-1/2024")", true},
              {kString, R"(["x**2"])", R"("x^2")", true},
              {kString, R"(["it's"])", R"("it\"s")", true},
              {kString, R"(["a_b.c"])", R"("abc")", true},
              {kString, R"(["April 1, 2024"])", R"("April 2, 2024")", false},
              {kString, R"(["a:b"])", R"("ab")", false},
              {kString, R"(["", "a"])", R"("")", true},
              {kString, R"(["a"])", R"("")", false},
              {kString, R"(["5"])", "5", false}});
}

TEST_CASE("lists match item by item, their types one level deep", "[agent][bfcl]") {
  check_rows(
      {{kIntegers, "[[1, 2]]", "[1,2]", true},
       {kIntegers, "[[1, 2]]", "[2,1]", false},
       {kIntegers, "[[1, 2], [2, 1]]", "[2,1]", true},
       {kIntegers, "[[1, 2]]", "[1,2,3]", false},
       {kIntegers, "[[1, 2]]", "[1,2.0]", false},
       {kIntegers, "[[1, 2]]", "1", false},
       {kFloats, "[[1.0, 2.0]]", "[1.0,2.0]", true},
       {kFloats, "[[1.0, 2.0]]", "[1,2]", false},       // No int for float inside a list.
       {kFloats, "[[1, 2]]", "[1,2]", true},            // The accepted values' own type.
       {kFloats, "[\"\", [1.0, 2.0]]", "[1,2]", true},  // Where "" is, items are not checked.
       {kTuple, "[[1.5, 2.5]]", "[1.5,2.5]", true},
       {kStrings, R"([["New York", "b"]])", R"(["new-york","B"])", true},
       {kStrings, R"([["a", "b"]])", R"(["a","c"])", false},
       {kStrings, R"([["a"]])", R"("a")", false},
       {kStrings, R"([["a"], ""])", "[]", true},
       {kStrings, R"([["a"]])", "[]", false}});
}

TEST_CASE("dictionaries match member by member", "[agent][bfcl]") {
  constexpr const char* kAccepted = R"([{"a":[1, 2],"b":["X y",""]}])";
  check_rows({{kDict, kAccepted, R"({"a":1})", true},
              {kDict, kAccepted, R"({"a":2,"b":"xy"})", true},
              {kDict, kAccepted, R"({"b":"xy","a":1.0})", true},
              {kDict, kAccepted, R"({"b":"xy"})", false},
              {kDict, kAccepted, R"({"a":3})", false},
              {kDict, kAccepted, R"({"a":1,"c":1})", false},
              {kDict, kAccepted, "[]", false},
              {kDict, R"([{"a":[1]},{"a":[2]}])", R"({"a":2})", true},
              {kDict, R"(["",{"a":[1]}])", R"({"a":1})", true},
              {kDict, R"([{"a":[["P q"]]}])", R"({"a":["p q"]})", false},  // Deeper: as it is.
              {kDicts, R"([[{"a":[1]},{"a":[2]}]])", R"([{"a":1},{"a":2}])", true},
              {kDicts, R"([[{"a":[1]},{"a":[2]}]])", R"([{"a":2},{"a":1}])", false},
              {kDicts, R"([[{"a":[1]},{"a":[2]}]])", R"([{"a":1}])", false},
              {kDicts, R"([[{"a":[1]}],""])", "[]", true},
              {kDicts, R"([[{"a":[1]}]])", R"([1])", false}});
}

TEST_CASE("parameters are required, optional or unexpected as declared and answered",
          "[agent][bfcl]") {
  const Json f = declared(kInteger);
  const std::string answer = R"([{"f":{"x":[1],"y":["a",""]}}])";
  CHECK(matches(f, answer, {call("f", R"({"x":1})")}));
  CHECK(matches(f, answer, {call("f", R"({"x":1,"y":"A"})")}));
  CHECK_FALSE(matches(f, answer, {call("f", R"({"y":"a"})")}));      // Required.
  CHECK_FALSE(matches(f, answer, {call("f", R"({"x":1,"z":1})")}));  // Not declared.
  CHECK_FALSE(matches(f, answer, {call("g", R"({"x":1})")}));        // Another function.
  CHECK_FALSE(matches(f, answer, {call("F", R"({"x":1})")}));
  CHECK_FALSE(matches(f, R"([{"f":{"x":[1]}}])", {call("f", R"({"x":1,"y":"a"})")}));
  CHECK_FALSE(matches(f, R"([{"f":{"x":[1],"y":["a"]}}])", {call("f", R"({"x":1})")}));
  // Required even where an answer could do without.
  CHECK_FALSE(matches(f, R"([{"f":{"x":["",1]}}])", {call("f", "{}")}));
  CHECK_FALSE(matches(f, answer, {call("f", "[1]")}));
  CHECK_FALSE(matches(f, answer, {call("f", "{")}));
}

TEST_CASE("parallel calls match in any order, each once", "[agent][bfcl]") {
  const Json f = declared(kInteger);
  const std::string answers = R"([{"f":{"x":[1]}},{"f":{"x":[2]}}])";
  const ToolCall one = call("f", R"({"x":1})");
  const ToolCall two = call("f", R"({"x":2})");
  CHECK(matches(f, answers, {one, two}));
  CHECK(matches(f, answers, {two, one}));
  CHECK_FALSE(matches(f, answers, {one, one}));
  CHECK_FALSE(matches(f, answers, {one}));
  CHECK_FALSE(matches(f, answers, {one, two, two}));
  CHECK_FALSE(matches(f, answers, {}));
}

TEST_CASE("where no call is accepted, none is right", "[agent][bfcl]") {
  CHECK(matches(declared(kInteger), "[]", {}));
  CHECK_FALSE(matches(declared(kInteger), "[]", {call("f", R"({"x":1})")}));
}

TEST_CASE("a mismatch says what was given and what is accepted", "[agent][bfcl]") {
  const auto why = bfcl_mismatch(
      declared(kInteger), Json::parse(R"([{"f":{"x":[1,2]}}])"), {call("f", R"({"x":7})")});
  REQUIRE(why);
  CHECK(*why == "f: parameter 'x' is 7, expected one of [1,2]");
}

TEST_CASE("every call that the leaderboard's answers list is accepted", "[agent][bfcl]") {
  const auto folder = facet::test::conformance_folder("bfcl");
  if (folder.empty()) return;
  int accepted = 0;
  int refused = 0;
  for (const char* category : {"simple_python", "multiple", "parallel", "parallel_multiple"}) {
    for (const BfclCase& test : facet::test::read_bfcl_cases(folder, category)) {
      const Json functions = Json::parse(test.functions);
      const Json answers = Json::parse(test.answers);
      for (const auto& calls : facet::test::accepted_turns(functions, answers)) {
        const auto why = bfcl_mismatch(functions, answers, calls);
        if (why) UNSCOPED_INFO(test.id << ": " << *why);
        (why ? refused : accepted) += 1;
      }
    }
  }
  CHECK(accepted > 1500);
  // Five answers leave out what their own function requires; one can be taken for its neighbour.
  CHECK(refused == 6);
}
