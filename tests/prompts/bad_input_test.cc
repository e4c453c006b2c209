// Bad input to what makes grammars of foreign text: refused, typed and by its place, or bounded,
// within 50 ms of processor time each; what is refused never becomes free text.
#include "base/grammar/gbnf.h"
#include "base/grammar/regex.h"
#include "base/grammar/schema_grammar.h"
#include "engine/sampling/constraint.h"
#include "prompts/dialect.h"
#include "tests/support/build_kind.h"
#include "tests/support/catch.h"
#include "tests/support/fake_tokenizer.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace facet::prompts {
namespace {

constexpr double kBoundMs = 50.0;

std::string repeated(const std::string& part, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += part;
  return out;
}

/// `count` parts made of their numbers, with commas between.
std::string listed(int count, const std::function<std::string(int)>& part) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i == 0 ? "" : ",") + part(i);
  return out;
}

struct Timed {
  std::optional<Error> error;
  double ms = 0.0;
};

/// The least processor time of three runs of `body`, so that neighbours hardly count.
Timed timed(const std::function<std::optional<Error>()>& body) {
  Timed out;
  for (int run = 0; run < 3; ++run) {
    const std::clock_t start = std::clock();
    out.error = body();
    const double ms = 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    out.ms = run == 0 ? ms : std::min(out.ms, ms);
    if (out.ms < kBoundMs / 2) break;
  }
  return out;
}

/// Checks the time; FACET_BAD_INPUT prints a line for each input.
void check_bound(const std::string& what, const Timed& timed) {
  const std::string outcome = timed.error ? timed.error->message.substr(0, 160) : "accepted";
  INFO(what << ": " << timed.ms << " ms, " << outcome);
  CHECK(timed.ms < kBoundMs * facet::test::slowdown());
  if (std::getenv("FACET_BAD_INPUT") == nullptr) return;
  std::fprintf(stderr, "%7.2f ms  %-44s %s\n", timed.ms, what.c_str(), outcome.c_str());
}

const facet::test::FakeTokenizer& bytes_only() {
  static const auto tokenizer = facet::test::byte_tokenizer({});
  return tokenizer;
}

/// From a schema's text to the constraint that would hold an output.
std::optional<Error> schema_error(const std::string& text) {
  const auto made = grammar::grammar_of_schema(text);
  if (!made) return made.error();
  const auto held = engine::make_constraint(made->grammar, bytes_only(), {});
  if (!held) return held.error();
  (void)(*held)->mask();
  return std::nullopt;
}

std::optional<Error> gbnf_error(const std::string& text) {
  const auto read = grammar::read_gbnf(text);
  if (!read) return read.error();
  const auto held = engine::make_constraint(*read, bytes_only(), {});
  if (!held) return held.error();
  (void)(*held)->mask();
  return std::nullopt;
}

struct Row {
  const char* what;
  std::string text;
  std::optional<Code> code;  ///< Nothing: accepted, and bounded.
  const char* where = "";    ///< In the message.
};

void check_rows(const std::vector<Row>& rows,
                const std::function<std::optional<Error>(const std::string&)>& error_of) {
  for (const Row& row : rows) {
    const Timed run = timed([&] { return error_of(row.text); });
    check_bound(row.what, run);
    INFO(row.what << ": " << (run.error ? run.error->message.substr(0, 300) : "accepted"));
    CHECK(run.error.has_value() == row.code.has_value());
    if (!run.error || !row.code) continue;
    CHECK(run.error->code == *row.code);
    CHECK(run.error->message.find(row.where) != std::string::npos);
    CHECK(run.error->message.size() < 2000);
  }
}

std::string nested(const std::string& open, const std::string& close, int depth) {
  return repeated(open, depth) + R"({"type":"integer"})" + repeated(close, depth);
}

std::vector<Row> hostile_schemas() {
  using enum Code;
  return {
      {"items 100,000 deep", nested(R"({"items":)", "}", 100'000), limit_exceeded, "schema"},
      {"properties 100,000 deep",
       nested(R"({"properties":{"a":)", "}}", 50'000),
       limit_exceeded,
       "schema"},
      {"allOf 100,000 deep", nested(R"({"allOf":[)", "]}", 50'000), limit_exceeded, "schema"},
      {"brackets 100,000 deep", repeated("[", 100'000), limit_exceeded, "schema"},
      {"a $ref to itself", R"({"$ref":"#"})", invalid_argument, "refers to itself"},
      {"two $refs to each other",
       R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})",
       invalid_argument,
       "/$defs/a refers to itself"},
      {"a cycle through anyOf and allOf",
       R"({"anyOf":[{"type":"null"},{"allOf":[{"$ref":"#"}]}]})",
       invalid_argument,
       "refers to itself"},
      {"a $ref chain of 10,000",
       R"({"$ref":"#/$defs/0","$defs":{)" +
           listed(10'000,
                  [](int i) {
                    return "\"" + std::to_string(i) + R"(":{"$ref":"#/$defs/)" +
                           std::to_string(i + 1) + "\"}";
                  }) +
           R"(,"10000":{"type":"null"}}})",
       limit_exceeded,
       "the schema is made of more than 1000 parts"},
      {"a tree without leaves",
       R"({"$ref":"#/$defs/t","$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"},)"
       R"("r":{"$ref":"#/$defs/t"}},"required":["l","r"]}}})",
       invalid_argument,
       "nothing"},
      {"1,000,000 enum values",
       R"({"enum":[)" + listed(1'000'000, [](int i) { return std::to_string(i); }) + "]}",
       limit_exceeded,
       "schema"},
      {"100,000 enum values in 1 MiB",
       R"({"enum":[)" + listed(100'000, [](int i) { return std::to_string(i); }) + "]}",
       limit_exceeded,
       "/enum"},
      {"500,000 enum values in 1 MiB",
       R"({"enum":[)" + listed(500'000, [](int) { return "1"; }) + "]}",
       limit_exceeded,
       "/enum"},
      {"20,000 enum values",
       R"({"enum":[)" + listed(20'000, [](int i) { return std::to_string(i); }) + "]}",
       std::nullopt},
      {"two enums of 10,000 that meet",
       R"({"enum":[)" + listed(10'000, [](int i) { return std::to_string(i); }) +
           R"(],"allOf":[{"enum":[)" + listed(10'000, [](int i) { return std::to_string(i); }) +
           "]}]}",
       limit_exceeded,
       "/enum"},
      {"minimum above maximum",
       R"({"type":"integer","minimum":2,"maximum":1})",
       invalid_argument,
       "nothing"},
      {"exclusive bounds that meet",
       R"({"type":"object","properties":{"a":{"type":"number","exclusiveMinimum":1,)"
       R"("exclusiveMaximum":1}},"required":["a"]})",
       invalid_argument,
       "/properties/a"},
      {"minLength above maxLength",
       R"({"type":"string","minLength":5,"maxLength":4})",
       invalid_argument,
       "nothing"},
      {"minItems above maxItems",
       R"({"type":"array","items":{},"minItems":5,"maxItems":4})",
       invalid_argument,
       "nothing"},
      {"a type and an enum without it",
       R"({"type":"string","enum":[1,2]})",
       invalid_argument,
       "nothing"},
      {"types that exclude each other",
       R"({"allOf":[{"type":"string"},{"type":"integer"}]})",
       invalid_argument,
       "nothing"},
      {"minItems 1e9", R"({"type":"array","minItems":1000000000})", limit_exceeded, "the schema"},
      {"minItems 1e9 of null",
       R"({"type":"array","items":{"type":"null"},"minItems":1000000000,"maxItems":1000000000})",
       limit_exceeded,
       ""},
      {"maxItems 1e18",
       R"({"type":"array","items":{"type":"null"},"maxItems":1000000000000000000})",
       std::nullopt},
      {"minLength 1e9", R"({"type":"string","minLength":1000000000})", std::nullopt},
      {"(a+)+$", R"({"type":"string","pattern":"(a+)+$"})", std::nullopt},
      {"(a|a)*b with a length",
       R"({"type":"string","pattern":"(a|a)*b","maxLength":200})",
       std::nullopt},
      {"((a{100}){100}){100}",
       R"({"type":"string","pattern":"((a{100}){100}){100}"})",
       limit_exceeded,
       "/pattern"},
      {"(.*a){20} and what it doubles",
       R"({"type":"string","pattern":"(a|b)*a(a|b){20}"})",
       limit_exceeded,
       "/pattern"},
      {"a pattern 100,000 groups deep",
       R"({"type":"string","pattern":")" + repeated("(", 100'000) + R"("})",
       limit_exceeded,
       "/pattern"},
      {"a pattern 1,000 groups deep",
       R"({"type":"string","pattern":")" + repeated("(", 1'000) + repeated(")", 1'000) + R"("})",
       limit_exceeded,
       "/pattern"},
      {"12 anyOf of two merged",
       R"({"allOf":[)" +
           listed(12, [](int) { return R"({"anyOf":[{"minimum":1},{"maximum":0}]})"; }) + "]}",
       limit_exceeded,
       "the schema has more than 256"},
      {"a property called by a control token",
       R"({"type":"object","properties":{"<escape>":{"type":"null"}},"required":["<escape>"]})",
       std::nullopt},
  };
}

}  // namespace

TEST_CASE("Hostile schemas are refused by their place or bounded in 50 ms",
          "[prompts][bad-input][unit]") {
  check_rows(hostile_schemas(), schema_error);
}

TEST_CASE("The validator refuses or bounds hostile schemas in 50 ms",
          "[prompts][bad-input][unit]") {
  for (const Row& row : hostile_schemas()) {
    check_bound(std::string("validator: ") + row.what, timed([&]() -> std::optional<Error> {
                  const auto schema = tools::Schema::compile_text(row.text);
                  if (!schema) return schema.error();
                  const nlohmann::ordered_json value = {{"a", {1, "x", nullptr}}};
                  (void)schema->check(value);
                  return std::nullopt;
                }));
  }
}

TEST_CASE("Hostile GBNF is refused or bounded in 50 ms", "[prompts][bad-input][unit]") {
  using enum Code;
  check_rows(
      {
          {"left recursion", "root ::= root \"a\" | \"b\"", invalid_argument, "root"},
          {"left recursion through an option",
           "root ::= a? root \"b\"\na ::= \"a\"",
           invalid_argument,
           "root"},
          {"left recursion of three",
           "root ::= a\na ::= b \"x\"\nb ::= root \"y\" | \"z\"",
           invalid_argument,
           ""},
          {"no way to an end", "root ::= \"a\" root", invalid_argument, ""},
          {"groups 100,000 deep",
           "root ::= " + repeated("(", 100'000) + "\"a\"" + repeated(")", 100'000),
           limit_exceeded,
           "line 1"},
          {"a repetition of 1e9", "root ::= \"a\"{1000000000}", limit_exceeded, "line 1"},
          {"repetitions inside each other",
           "root ::= (((\"a\"{1,1000}){1,1000}){1,1000}){1,1000}",
           std::nullopt},
          {"repetitions of what may be empty",
           "root ::= (((\"a\"{0,1000}){0,1000}){0,1000}){0,1000}",
           limit_exceeded,
           "may be empty up to 1000 times"},
          {"an empty repetition 1e6 times", "root ::= (\"a\"?){0,1000000}", limit_exceeded, ""},
          {"a rule that is not there", "root ::= nowhere", invalid_argument, "nowhere"},
          {"50,000 rules of one name",
           "root ::= r1\n" + repeated("r1 ::= \"a\"\n", 50'000),
           invalid_argument,
           "line 3"},
          {"1 MiB of alternatives",
           "root ::= \"a\"" + repeated(" | \"a\"", 149'000),
           limit_exceeded,
           "65536 alternatives"},
          {"2 MiB", "root ::= \"" + repeated("a", 1 << 21) + "\"", limit_exceeded, "bytes"},
      },
      gbnf_error);
}

namespace {

std::optional<Error> tools_error(const char* dialect, const std::vector<ToolSpec>& tools) {
  const auto turn = (*find_dialect(dialect))
                        ->turn_grammar(tools, {.choice = {.mode = ToolChoice::Mode::required}});
  if (!turn) return turn.error();
  const auto tokenizer = facet::test::byte_tokenizer((*find_dialect(dialect))->control_tokens());
  const auto held = engine::make_constraint(turn->grammar, tokenizer, {.trigger = turn->trigger});
  if (!held) return held.error();
  return std::nullopt;
}

}  // namespace

TEST_CASE("Hostile sets of tools are refused by name or bounded in 50 ms",
          "[prompts][bad-input][unit]") {
  std::vector<ToolSpec> many;
  for (int i = 0; i < 10'000; ++i) many.push_back({.name = "tool_" + std::to_string(i)});
  for (const char* dialect : {"functiongemma", "gemma3-json", "gemma3-python", "gemma4"}) {
    const auto refused = [&](const std::string& what,
                             const std::vector<ToolSpec>& tools,
                             Code code,
                             const std::string& where) {
      const Timed run = timed([&] { return tools_error(dialect, tools); });
      check_bound(std::string(dialect) + ": " + what, run);
      INFO(dialect << " " << what << ": " << (run.error ? run.error->message : "accepted"));
      REQUIRE(run.error.has_value());
      CHECK(run.error->code == code);
      CHECK(run.error->message.find(where) != std::string::npos);
    };
    refused("10,000 tools", many, Code::limit_exceeded, "10000 tools");
    refused("two of one name", {{.name = "a"}, {.name = "a"}}, Code::invalid_argument, "\"a\"");
    refused("no name", {{.name = ""}}, Code::invalid_argument, "empty");
    refused("a contradiction",
            {{.name = "fine"},
             {.name = "book",
              .parameters = R"({"type":"object","properties":{"n":{"type":"integer","minimum":2,)"
                            R"("maximum":1}},"required":["n"]})"}},
            Code::invalid_argument,
            "/properties/n");
    refused("what cannot be enforced",
            {{.name = "book",
              .parameters = R"({"type":"object","properties":{"n":{"uniqueItems":true}}})"}},
            Code::unsupported,
            "/properties/n/uniqueItems");
    // Names with white space, brackets and markers: refused, or written as they are.
    for (const char* name : {"a b", "a\nb", "f{", "<end_function_call>", "\"", "a(", "\xFF", ""}) {
      const Timed run = timed([&] { return tools_error(dialect, {{.name = name}}); });
      check_bound(std::string(dialect) + ": a name", run);
      if (run.error) CHECK(run.error->code == Code::invalid_argument);
    }
    const Timed described = timed([&] {
      return tools_error(
          dialect, {{.name = "f", .description = repeated("<end_function_declaration>", 40'000)}});
    });
    check_bound(std::string(dialect) + ": a description of markers", described);
    CHECK_FALSE(described.error);
  }
}

}  // namespace facet::prompts
