// Turns that are calls or an answer of a schema, in every dialect.
#include "base/json.h"
#include "prompts/dialect.h"
#include "tests/support/catch.h"
#include "tests/support/grammar_texts.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace facet::prompts {
namespace {

const ToolSpec kTool{
    .name = "f",
    .description = "",
    .parameters = R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]})"};

// An answer that has the very shape of a call.
constexpr const char* kCallShaped =
    R"({"type":"object","properties":{"name":{"type":"string"},"parameters":{"type":"object",)"
    R"("properties":{"a":{"type":"integer"}},"required":["a"]}},"required":["name","parameters"]})";

TurnRules rules(std::string answer_schema, int calls_max = 16) {
  TurnRules rules;
  rules.answer_schema = std::move(answer_schema);
  rules.calls_max = calls_max;
  return rules;
}

std::string call_text(const Dialect& dialect) {
  const std::string name(dialect.name());
  if (name == "functiongemma") return "<start_function_call>call:f{a:1}<end_function_call>";
  if (name == "gemma3-python") return "[f(a=1)]";
  if (name == "gemma3-json") return R"({"name": "f", "parameters": {"a": 1}})";
  if (name == "gemma3-tool-code") return "```tool_code\nf(a=1)\n```";
  return "<|tool_call>call:f{a:1}<tool_call|>";
}

}  // namespace

TEST_CASE("With a schema a turn is calls or one answer, and each is read as what it is",
          "[prompts][unit]") {
  for (const std::string_view name : dialect_names()) {
    const Dialect& dialect = **find_dialect(name);
    const bool has_calls = name != "gemma3";
    INFO(name);
    for (const bool with_tools : {false, true}) {
      if (with_tools && !has_calls) continue;
      const std::vector<ToolSpec> tools =
          with_tools ? std::vector<ToolSpec>{kTool} : std::vector<ToolSpec>();
      const auto turn = dialect.turn_grammar(tools, rules(kCallShaped));
      INFO((turn ? "" : turn.error().message));
      REQUIRE(turn);
      CHECK(turn->trigger.empty());
      CHECK_FALSE(turn->free_after);
      const facet::test::GrammarTexts texts(turn->grammar, dialect.control_tokens());
      const std::string answer = turn->answer_prefix + R"({"name": "f", "parameters": {"a": 1}})";
      CHECK(texts.accepts(answer));
      CHECK_FALSE(texts.accepts("text"));
      CHECK_FALSE(texts.accepts(turn->answer_prefix + R"({"name": "f"})"));
      const auto read = dialect.parse(answer);
      REQUIRE(read);
      CHECK(read->tool_calls.empty());
      CHECK(read->text == answer);
      if (!has_calls) continue;
      CHECK(texts.accepts(call_text(dialect)) == with_tools);
      const auto called = dialect.parse(call_text(dialect));
      REQUIRE(called);
      CHECK(called->tool_calls == std::vector<ToolCall>{{"", "f", R"({"a":1})"}});
    }
  }
}

TEST_CASE("What a model that knows nothing writes is a valid call or a valid answer",
          "[prompts][unit]") {
  const auto answer_schema = tools::Schema::compile_text(kCallShaped);
  const auto tool_schema = tools::Schema::compile_text(kTool.parameters);
  REQUIRE(answer_schema);
  REQUIRE(tool_schema);
  for (const std::string_view name : dialect_names()) {
    if (name == "gemma3") continue;
    const Dialect& dialect = **find_dialect(name);
    const auto turn = dialect.turn_grammar({kTool}, rules(kCallShaped, 2));
    REQUIRE(turn);
    const facet::test::GrammarTexts texts(turn->grammar, dialect.control_tokens());
    int calls = 0;
    int answers = 0;
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
      std::mt19937 random(seed);
      const std::string text = texts.random(random, 90);
      INFO(name << " " << text);
      const auto read = dialect.parse(text);
      REQUIRE(read);
      if (!read->tool_calls.empty()) {
        CHECK(read->text.empty());
        for (const ToolCall& call : read->tool_calls) {
          CHECK_FALSE(tool_schema->check(*parse_json(call.arguments, "arguments")));
        }
        ++calls;
        continue;
      }
      REQUIRE(read->text.starts_with(turn->answer_prefix));
      const auto value = parse_json(read->text.substr(turn->answer_prefix.size()), "answer");
      REQUIRE(value);
      CHECK_FALSE(answer_schema->check(*value));
      ++answers;
    }
    CHECK(calls > 10);
    CHECK(answers > 10);
  }
}

TEST_CASE("An answer's schema that cannot be enforced is refused with its pointer",
          "[prompts][unit]") {
  for (const std::string_view name : dialect_names()) {
    INFO(name);
    const auto turn =
        (*find_dialect(name))
            ->turn_grammar({}, rules(R"({"properties":{"a":{"not":{"type":"string"}}}})"));
    REQUIRE_FALSE(turn);
    CHECK_THAT(turn.error().message, Catch::Contains("the schema of the answer"));
    CHECK_THAT(turn.error().message, Catch::Contains("/properties/a/not"));
    const auto relaxed =
        (*find_dialect(name))
            ->turn_grammar(
                {},
                rules(R"({"properties":{"a":{"not":{"type":"string"}}},"x-facet-relaxed":true})"));
    REQUIRE(relaxed);
    REQUIRE_FALSE(relaxed->notes.empty());
    CHECK_THAT(relaxed->notes.front().pointer, Catch::StartsWith("(answer)"));
  }
}

TEST_CASE("A tool choice is told from its name", "[prompts][unit]") {
  using Mode = ToolChoice::Mode;
  CHECK(tool_choice_from_name("") == ToolChoice{});
  CHECK(tool_choice_from_name("auto") == ToolChoice{});
  CHECK(tool_choice_from_name("none").mode == Mode::none);
  CHECK(tool_choice_from_name("required").mode == Mode::required);
  CHECK(tool_choice_from_name("f") == ToolChoice{.mode = Mode::named, .name = "f"});
}

}  // namespace facet::prompts
