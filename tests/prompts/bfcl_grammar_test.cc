// The call grammars on the tools of the Berkeley leaderboard: a model that knows nothing writes
// valid calls only, and every answer the leaderboard accepts is let through.
#include "base/json.h"
#include "prompts/dialect.h"
#include "tests/prompts/fixtures.h"
#include "tests/retrieval/conformance.h"
#include "tests/support/bfcl.h"
#include "tests/support/catch.h"
#include "tests/support/grammar_texts.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace facet::prompts {
namespace {

constexpr std::array<const char*, 5> kDialects{
    "functiongemma", "gemma3-python", "gemma3-json", "gemma3-tool-code", "gemma4-e2b"};

const Dialect& dialect_of(const char* name) {
  const auto dialect = find_dialect(name);
  REQUIRE(dialect);
  return **dialect;
}

/// The output that makes `call`, control tokens spelled.
std::string written(const Dialect& dialect, const ToolCall& call) {
  const Message question{.content = "q"};
  const Message answer{.role = Role::assistant, .tool_calls = {call}};
  const auto head = dialect.render({.messages = {question}});
  const auto whole =
      dialect.render({.messages = {question, answer}, .add_generation_prompt = false});
  REQUIRE(head);
  REQUIRE(whole);
  std::string text = plain_text(test::as_output(dialect, test::tail(*whole, *head)));
  for (const std::string& stop : dialect.stop_tokens()) {
    const std::size_t at = text.rfind(stop);
    if (at != std::string::npos) text.resize(at);
  }
  return text;
}

const ToolSpec& tool_of(const facet::test::BfclCase& one, const std::string& name) {
  for (const ToolSpec& tool : one.tools) {
    if (tool.name == name) return tool;
  }
  FAIL("no tool " << name << " in " << one.id);
  return one.tools.front();
}

bool is_valid(const facet::test::BfclCase& one, const ToolCall& call) {
  const auto schema = tools::Schema::compile_text(tool_of(one, call.name).parameters);
  REQUIRE(schema);
  const auto arguments = parse_json(call.arguments, "arguments");
  REQUIRE(arguments);
  return !schema->check(*arguments);
}

}  // namespace

TEST_CASE("A random model under the grammar calls the leaderboard's tools validly",
          "[prompts][bfcl]") {
  const auto folder = facet::test::conformance_folder("bfcl");
  if (folder.empty()) return;
  int calls = 0;
  for (const char* name : kDialects) {
    const Dialect& dialect = dialect_of(name);
    for (const char* category :
         {"simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance"}) {
      std::mt19937 random(7);
      for (const facet::test::BfclCase& one : facet::test::read_bfcl(folder, category)) {
        INFO(name << " " << one.id);
        auto turn = dialect.turn_grammar(
            one.tools, {.choice = {.mode = ToolChoice::Mode::required}, .calls_max = 3});
        INFO((turn ? "" : turn.error().message));
        REQUIRE(turn);
        const facet::test::GrammarTexts texts(turn->grammar, dialect.control_tokens());
        const std::string text = texts.random(random, 120);
        INFO(text);
        const auto parsed = dialect.parse(text);
        INFO((parsed ? "" : parsed.error().message));
        REQUIRE(parsed);
        REQUIRE(parsed->text.empty());
        REQUIRE_FALSE(parsed->tool_calls.empty());
        for (const ToolCall& call : parsed->tool_calls) {
          REQUIRE(is_valid(one, call));
          ++calls;
        }
      }
    }
  }
  CHECK(calls > 4000);
}

TEST_CASE("Every answer the leaderboard accepts is a text of the grammar", "[prompts][bfcl]") {
  const auto folder = facet::test::conformance_folder("bfcl");
  if (folder.empty()) return;
  int answers = 0;
  int invalid = 0;
  for (const char* name : kDialects) {
    const Dialect& dialect = dialect_of(name);
    for (const char* category : {"simple_python", "multiple", "parallel", "parallel_multiple"}) {
      for (const facet::test::BfclCase& one : facet::test::read_bfcl(folder, category)) {
        auto turn =
            dialect.turn_grammar(one.tools, {.choice = {.mode = ToolChoice::Mode::required}});
        REQUIRE(turn);
        const facet::test::GrammarTexts texts(turn->grammar, dialect.control_tokens());
        for (const ToolCall& call : one.answers) {
          // Some answers break the types of their own declaration: the validator refuses them too.
          if (!is_valid(one, call)) {
            ++invalid;
            continue;
          }
          const std::string text = written(dialect, call);
          INFO(name << " " << one.id << " " << text);
          CHECK(texts.accepts(text));
          ++answers;
        }
      }
    }
  }
  CHECK(answers > 8000);
  CHECK(invalid < answers / 100);
}

}  // namespace facet::prompts
