// Calls whose arguments are copied from the conversation, in every dialect.
#include "base/clock.h"
#include "base/grammar/copy_source.h"
#include "base/json.h"
#include "prompts/dialect.h"
#include "tests/support/catch.h"
#include "tests/support/copied_ref.h"
#include "tests/support/grammar_texts.h"
#include "tools/builtin/calculator.h"
#include "tools/builtin/current_time.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;
using Mode = ToolChoice::Mode;

constexpr const char* kUser = "Play \"Blue Note\" 12 times at 3.50 for Ann's\nband";
constexpr const char* kResult = R"({"id":4711,"says":["to \\ be","sch\u00f6n"]})";

grammar::CopySource source() {
  grammar::CopySource out;
  out.add_text(kUser);
  out.add_result(kResult);
  return out;
}

ToolSpec tool(std::string name, std::string parameters) {
  return {.name = std::move(name), .description = "", .parameters = std::move(parameters)};
}

const ToolSpec kTool =
    tool("f",
         R"({"type":"object","properties":{"e":{"type":"string","enum":["red","green"]},)"
         R"("free":{"type":"string","x-facet-free":true},"i":{"type":"integer","minimum":5},)"
         R"("l":{"type":"array","items":{"type":"string"}},"m":{"type":"string","maxLength":4},)"
         R"("o":{"type":"object","properties":{"p":{"type":"string"}},"required":["p"]},)"
         R"("s":{"type":"string"},"u":{"type":["integer","null"]},"x":{"type":"number"}}})");

std::vector<std::string_view> calling_dialects() {
  std::vector<std::string_view> out = dialect_names();
  std::erase(out, "gemma3");
  return out;
}

/// `value` as a dialect writes it.
std::string written(const Json& value, std::string_view dialect) {
  const bool is_bare = dialect == "functiongemma" || dialect.starts_with("gemma4");
  const std::string quote = dialect == "functiongemma" ? "<escape>" : "<|\"|>";
  if (value.is_string() && is_bare) return quote + value.get<std::string>() + quote;
  if (value.is_null() && dialect != "gemma3-json" && !dialect.starts_with("gemma4")) return "None";
  if (!value.is_structured()) return dump_json(value);
  const std::string space = is_bare ? "" : " ";
  std::string out;
  for (const auto& [key, child] : value.items()) {
    if (!out.empty()) out += "," + space;
    if (value.is_object()) out += (is_bare ? key : json_quote(key)) + ":" + space;
    out += written(child, dialect);
  }
  return value.is_array() ? "[" + out + "]" : "{" + out + "}";
}

std::string call_text(const Json& arguments, std::string_view dialect) {
  const std::string object = written(arguments, dialect);
  if (dialect == "functiongemma") {
    return "<start_function_call>call:f" + object + "<end_function_call>";
  }
  if (dialect.starts_with("gemma4")) return "<|tool_call>call:f" + object + "<tool_call|>";
  if (dialect == "gemma3-json") return R"({"name": "f", "parameters": )" + object + "}";
  std::string list;
  for (const auto& [key, value] : arguments.items()) {
    list += (list.empty() ? "" : ", ") + key + "=" + written(value, dialect);
  }
  return dialect == "gemma3-python" ? "[f(" + list + ")]" : "```tool_code\nf(" + list + ")\n```";
}

TurnGrammar turn_of(const Dialect& dialect,
                    const std::vector<ToolSpec>& tools,
                    const TurnRules& rules) {
  auto turn = dialect.turn_grammar(tools, rules);
  INFO((turn ? "" : turn.error().message));
  REQUIRE(turn);
  return *std::move(turn);
}

/// As far as it is looked at here: signs and digits.
bool is_expression(std::string_view text) {
  return text.find_first_not_of("0123456789.-+*/%^() ") == std::string_view::npos;
}

/// Every string and number in `value` stands in the source, but for what is exempt.
bool is_copied(const Json& value, const grammar::CopySource& from) {
  if (value.is_structured()) {
    return std::all_of(
        value.begin(), value.end(), [&](const Json& one) { return is_copied(one, from); });
  }
  if (value.is_number()) {
    const auto& numbers = from.numbers();
    return std::any_of(numbers.begin(), numbers.end(), [&](const std::string& number) {
      return *parse_json(number, "number") == value;
    });
  }
  if (!value.is_string()) return true;
  const auto& text = value.get_ref<const std::string&>();
  return std::any_of(from.texts().begin(),
                     from.texts().end(),
                     [&](const grammar::CopyText& one) {
                       return test::SpanRef::holds_words(one.text, text, grammar::kSkippedWordsMax);
                     }) ||
         is_expression(text);
}

}  // namespace

TEST_CASE("Copied arguments are spans and numbers of the conversation", "[prompts][unit]") {
  const grammar::CopySource from = source();
  for (const std::string_view name : calling_dialects()) {
    const Dialect& dialect = **find_dialect(name);
    TurnRules rules{.choice = {.mode = Mode::required}, .calls_max = 1};
    rules.values.copies = &from;
    const TurnGrammar turn = turn_of(dialect, {kTool}, rules);
    CHECK(turn.callable == std::vector<std::string>{"f"});
    const test::GrammarTexts texts(turn.grammar, dialect.control_tokens());
    for (const char* good : {R"({"s":"Blue Note"})",
                             R"({"s":"Play \"Blue"})",
                             R"({"s":"Ann"})",
                             R"({"s":"12"})",
                             R"({"s":"Ann's\nband"})",
                             R"({"s":"Ann's band"})",
                             R"({"s":"4711"})",
                             R"({"s":"to \\ be"})",
                             R"({"s":"schön"})",
                             R"({"i":12})",
                             R"({"i":4711})",
                             R"({"x":3.5})",
                             R"({"x":12})",
                             R"({"l":["Blue","times"]})",
                             R"({"l":[]})",
                             R"({"o":{"p":"band"}})",
                             R"({"e":"red"})",
                             R"({"free":"any thing"})",
                             R"({"m":"Blue"})",
                             R"({"u":12})",
                             R"({"u":null})",
                             "{}",
                             R"({"s":"Play Note 12 band"})",
                             R"({"s":"12 * 3.50"})",
                             R"({"s":"(4711-12)/100 + 12"})"}) {
      const std::string text = call_text(*parse_json(good, "arguments"), name);
      INFO(text);
      CHECK(texts.accepts(text));
    }
    for (const char* bad : {R"({"s":"Blue note"})",
                            R"({"s":"red"})",
                            R"({"s":"Not"})",
                            R"({"s":"band to"})",
                            R"({"s":"band Blue"})",
                            R"({"s":"13 * 3.50"})",
                            R"({"s":"12 *"})",
                            R"({"s":"12 3.50 *"})",
                            R"({"s":""})",
                            R"({"i":3})",
                            R"({"i":13})",
                            R"({"x":4})",
                            R"({"l":["red"]})",
                            R"({"o":{"p":"red"}})",
                            R"({"e":"Blue"})",
                            R"({"m":"Blue Note"})",
                            R"({"u":1})"}) {
      const std::string text = call_text(*parse_json(bad, "arguments"), name);
      INFO(text);
      CHECK_FALSE(texts.accepts(text));
    }
  }
}

TEST_CASE("What a model that knows nothing copies stands in the conversation", "[prompts][unit]") {
  const grammar::CopySource from = source();
  Json schema = *parse_json(kTool.parameters, "schema");
  schema["properties"].erase("free");
  schema["properties"].erase("e");
  const ToolSpec held = tool("f", dump_json(schema));
  std::mt19937 random(22);
  for (const std::string_view name : calling_dialects()) {
    const Dialect& dialect = **find_dialect(name);
    TurnRules rules{.choice = {.mode = Mode::required}, .calls_max = 2};
    rules.values.copies = &from;
    const TurnGrammar turn = turn_of(dialect, {held}, rules);
    const test::GrammarTexts texts(turn.grammar, dialect.control_tokens());
    for (int round = 0; round < 40; ++round) {
      const std::string text = texts.random(random, 120);
      INFO(text);
      const auto parsed = dialect.parse(text);
      REQUIRE(parsed);
      REQUIRE_FALSE(parsed->tool_calls.empty());
      for (const ToolCall& call : parsed->tool_calls) {
        const auto arguments = parse_json(call.arguments, "arguments");
        REQUIRE(arguments);
        CHECK(is_copied(*arguments, from));
      }
    }
  }
}

TEST_CASE("A tool whose required arguments nothing can fill cannot be called", "[prompts][unit]") {
  grammar::CopySource words;
  words.add_text("no figures here");
  const std::vector<ToolSpec> tools = {
      tool("f", R"({"type":"object","properties":{"i":{"type":"integer"},"s":{"type":"string"}}})"),
      tool("g", R"({"type":"object","properties":{"i":{"type":"integer"}},"required":["i"]})"),
      tool("h",
           R"({"type":"object","properties":{"o":{"type":"object","properties":{)"
           R"("x":{"type":"number"}},"required":["x"]}},"required":["o"]})")};
  for (const std::string_view name : calling_dialects()) {
    INFO(name);
    const Dialect& dialect = **find_dialect(name);
    TurnRules rules{.choice = {.mode = Mode::required}};
    rules.values.copies = &words;
    const TurnGrammar some = turn_of(dialect, tools, rules);
    CHECK(some.callable == std::vector<std::string>{"f"});
    const test::GrammarTexts texts(some.grammar, dialect.control_tokens());
    CHECK(texts.accepts(call_text(Json{{"s", "figures"}}, name)));
    CHECK_FALSE(texts.accepts(call_text(Json{{"i", 1}}, name)));

    for (const Mode mode : {Mode::automatic, Mode::required, Mode::named}) {
      rules.choice = {.mode = mode, .name = "g"};
      const TurnGrammar none = turn_of(dialect, {tools[1], tools[2]}, rules);
      CHECK(none.callable.empty());
      // The same as where no tool may be called.
      TurnRules text_only{.choice = {.mode = Mode::none}};
      const TurnGrammar text = turn_of(dialect, {tools[1], tools[2]}, text_only);
      CHECK(none.trigger == text.trigger);
      CHECK(none.entries_max == text.entries_max);
      CHECK(none.free_after == text.free_after);
      if (none.trigger.empty()) {
        const test::GrammarTexts said(none.grammar, dialect.control_tokens());
        CHECK(said.accepts("Which one?"));
        CHECK_FALSE(said.accepts(call_text(Json{{"i", 1}}, name)));
      }
    }
    rules.answer_schema = R"({"type":"integer"})";
    const TurnGrammar answer = turn_of(dialect, {tools[1]}, rules);
    const test::GrammarTexts answers(answer.grammar, dialect.control_tokens());
    CHECK(answers.accepts(answer.answer_prefix + "7"));  // Answers are not copied.
  }
}

TEST_CASE("A required argument may be null where it may lack", "[prompts][unit]") {
  grammar::CopySource words;
  words.add_text("no figures here");
  const std::vector<ToolSpec> tools = {
      tool("f",
           R"({"type":"object","properties":{"free":{"$ref":"#/$defs/t"},"i":{"type":"integer"},)"
           R"("o":{"type":"object","properties":{"p":{"type":"string"}},"required":["p"]},)"
           R"("s":{"type":"string"}},"required":["free","i","o"],)"
           R"("$defs":{"t":{"type":"string","x-facet-free":true}}})")};
  for (const std::string_view name : calling_dialects()) {
    const Dialect& dialect = **find_dialect(name);
    TurnRules rules{.choice = {.mode = Mode::required}};
    rules.values.copies = &words;
    CHECK(turn_of(dialect, tools, rules).callable.empty());
    rules.values.may_lack = true;
    const TurnGrammar turn = turn_of(dialect, tools, rules);
    CHECK(turn.callable == std::vector<std::string>{"f"});
    const test::GrammarTexts texts(turn.grammar, dialect.control_tokens());
    const auto takes = [&](const char* arguments) {
      const std::string text = call_text(*parse_json(arguments, "arguments"), name);
      const bool is_taken = texts.accepts(text);
      if (is_taken) {
        const auto parsed = dialect.parse(text);
        REQUIRE(parsed);
        REQUIRE(parsed->tool_calls.size() == 1);
        CHECK(*parse_json(parsed->tool_calls[0].arguments, "read") ==
              *parse_json(arguments, "given"));
      }
      return is_taken;
    };
    INFO(name);
    CHECK(takes(R"({"free":"x","i":null,"o":{"p":"here"}})"));
    CHECK(takes(R"({"free":"x","i":null,"o":null,"s":"figures"})"));
    CHECK_FALSE(takes(R"({"free":"x","i":7,"o":null})"));
    CHECK_FALSE(takes(R"({"free":"x","o":null})"));                    // Still required.
    CHECK_FALSE(takes(R"({"free":null,"i":null,"o":null})"));          // Always known.
    CHECK_FALSE(takes(R"({"free":"x","i":null,"o":{"p":null}})"));     // Not inside.
    CHECK_FALSE(takes(R"({"free":"x","i":null,"o":null,"s":null})"));  // Left out instead.
  }
}

TEST_CASE("x-facet-free exempts a schema and all inside it", "[prompts][unit]") {
  const Dialect& dialect = **find_dialect("gemma3-json");
  grammar::CopySource from;
  from.add_text("one two 3");
  TurnRules rules{.choice = {.mode = Mode::required}};
  rules.values.copies = &from;
  const auto takes = [&](const char* parameters, const char* arguments) {
    const TurnGrammar turn = turn_of(dialect, {tool("f", parameters)}, rules);
    return test::GrammarTexts(turn.grammar)
        .accepts(call_text(*parse_json(arguments, "arguments"), dialect.name()));
  };
  const char* list =
      R"({"properties":{"a":{"type":"array","items":{"type":"string"},"x-facet-free":true},)"
      R"("b":{"type":"string"}}})";
  CHECK(takes(list, R"({"a":["new"]})"));
  CHECK_FALSE(takes(list, R"({"b":"new"})"));
  const char* choice =
      R"({"properties":{"a":{"anyOf":[{"type":"string"},{"type":"integer"}],"x-facet-free":true},)"
      R"("b":{"anyOf":[{"type":"string"},{"type":"integer","x-facet-free":true}]}}})";
  CHECK(takes(choice, R"({"a":"new"})"));
  CHECK(takes(choice, R"({"b":4})"));
  CHECK_FALSE(takes(choice, R"({"b":"new"})"));
  const char* whole = R"({"properties":{"a":{"type":"integer"}},"x-facet-free":true})";
  CHECK(takes(whole, R"({"a":4})"));
  const char* shared = R"({"$defs":{"t":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/t"},)"
                       R"("b":{"$ref":"#/$defs/t","x-facet-free":true}}})";
  CHECK_FALSE(takes(shared, R"({"a":"new"})"));
  CHECK(takes(shared, R"({"b":"new"})"));
  for (const char* schema : {list, choice, whole, shared})
    CHECK(tools::Schema::compile_text(schema));
  // How a string is written, and what no schema describes, is not copied.
  const char* others = R"({"properties":{"a":{"type":"string","pattern":"^[x-z]+$"},"b":{},)"
                       R"("c":{"type":"string","format":"date"},"d":{"const":"new"}}})";
  for (const char* value :
       {R"({"a":"xyz"})", R"({"b":{"k":"new"}})", R"({"c":"2027-01-01"})", R"({"d":"new"})"}) {
    CHECK(takes(others, value));
  }
}

TEST_CASE("Models are not shown x-facet-free", "[prompts][unit]") {
  const std::vector<ToolSpec> with = {
      tools::make_calculator()->spec(),
      tools::make_current_time(std::make_shared<SystemClock>())->spec(),
      tool("f",
           R"({"x-facet-free":true,"type":"object","properties":{"x-facet-free":{"type":"array",)"
           R"("items":{"type":"string","x-facet-free":true}},"b":{"default":)"
           R"({"x-facet-free":1}}}})")};
  std::vector<ToolSpec> without = with;
  for (ToolSpec& spec : without) {
    const std::string flag = R"("x-facet-free":true)";
    for (const std::string& form : {flag + ",", "," + flag}) {
      for (auto at = spec.parameters.find(form); at != std::string::npos;
           at = spec.parameters.find(form)) {
        spec.parameters.erase(at, form.size());
      }
    }
    CHECK(spec.parameters.find(flag) == std::string::npos);
  }
  CHECK(with[0].parameters != without[0].parameters);
  for (const std::string_view name : calling_dialects()) {
    INFO(name);
    const Dialect& dialect = **find_dialect(name);
    const std::vector<Message> messages = {{.role = Role::user, .content = "?"}};
    const auto shown = dialect.render({.messages = messages, .tools = with});
    const auto plain = dialect.render({.messages = messages, .tools = without});
    REQUIRE(shown);
    REQUIRE(plain);
    CHECK(plain_text(*shown) == plain_text(*plain));
  }
}

}  // namespace facet::prompts
