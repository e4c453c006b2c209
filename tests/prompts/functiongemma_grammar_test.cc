// The grammar of FunctionGemma's calls and turns.
#include "prompts/functiongemma.h"
#include "tests/support/catch.h"
#include "tests/support/grammar_texts.h"

#include <string>
#include <vector>

namespace facet::prompts {
namespace {

bool matches(const Grammar& grammar, const std::string& text) {
  return test::GrammarTexts(grammar, {"<start_function_call>", "<end_function_call>", "<escape>"})
      .accepts(text);
}

Grammar grammar_of(const std::vector<ToolSpec>& tools) {
  auto grammar = functiongemma_call_grammar(tools, {});
  INFO((grammar ? "" : grammar.error().message));
  REQUIRE(grammar);
  return *std::move(grammar);
}

ToolSpec tool(std::string parameters) {
  return {.name = "f", .description = "", .parameters = std::move(parameters)};
}

}  // namespace

TEST_CASE("The call grammar holds names, order, required arguments and types", "[prompts][unit]") {
  const Grammar grammar = grammar_of(
      {tool(R"({"type":"object","properties":{"b":{"type":"integer"},"A":{"type":"string"},)"
            R"("c":{"enum":["x","y z"]},"d":{"type":"array","items":{"type":"number"}},)"
            R"("e":{"type":"object","properties":{"k":{"type":"boolean"}},"required":["k"]}},)"
            R"("required":["b"]})"),
       {.name = "g", .description = ""}});
  const std::string end = "<end_function_call>";
  for (const char* good : {"call:f{b:1}",
                           "call:f{A:<escape>any {text}, really<escape>,b:-12}",
                           "call:f{b:0,c:<escape>y z<escape>}",
                           "call:f{b:5,d:[]}",
                           "call:f{b:5,d:[1,2.5,-1e-07]}",
                           "call:f{b:5,c:<escape>x<escape>,e:{k:true}}",
                           "call:g{}"}) {
    INFO(good);
    CHECK(matches(grammar, good + end));
  }
  for (const char* bad : {"call:f{}",
                          "call:f{A:<escape>x<escape>}",
                          "call:f{b:1,A:<escape>x<escape>}",
                          "call:f{b:1,}",
                          "call:f{,b:1}",
                          "call:f{b:01}",
                          "call:f{b:1.5}",
                          "call:f{b:<escape>1<escape>}",
                          "call:f{b:1,c:<escape>z<escape>}",
                          "call:f{b:1,d:[1,]}",
                          "call:f{b:1,e:{}}",
                          "call:f{b:1,x:2}",
                          "call:h{}",
                          "call:g{b:1}"}) {
    INFO(bad);
    CHECK_FALSE(matches(grammar, bad + end));
  }
  CHECK_FALSE(matches(grammar, "call:g{}"));
}

TEST_CASE("What the grammar refuses it refuses with tool and pointer", "[prompts][unit]") {
  const auto [parameters, where] = GENERATE(table<std::string, std::string>({
      {R"({"properties":{"a":{"not":{"type":"string"}}}})", "/properties/a/not"},
      {R"({"properties":{"a":{"type":"any"}}})", "/properties/a/type"},
      {R"({"properties":{"a/b~":{"type":"x"}}})", "/properties/a~1b~0"},
      {R"({"properties":{"a":{"$ref":"#/$defs/b"}}})", "/properties/a/$ref"},
      {R"({"properties":{"a:b":{"type":"string"}}})", "/properties/a:b"},
      {R"({"properties":{" a":{"type":"string"}}})", "/properties/ a"},
      {R"({"properties":{"a":{"type":"object","properties":{"b":{"type":"x"}}}}})",
       "/properties/a/properties/b/type"},
      {R"({"properties":{"a":{"type":"array","uniqueItems":true}}})", "/properties/a/uniqueItems"},
      {"[]", "not an object"},
  }));
  INFO(parameters);
  const auto grammar = functiongemma_call_grammar({tool(parameters)}, {});
  REQUIRE_FALSE(grammar);
  INFO(grammar.error().message);
  CHECK(grammar.error().message.find("tool \"f\"") != std::string::npos);
  CHECK(grammar.error().message.find(where) != std::string::npos);
}

TEST_CASE("Narrowing keywords hold in FunctionGemma's own values", "[prompts][unit]") {
  const Grammar grammar = grammar_of(
      {tool(R"({"type":"object","properties":{"a":{"type":"integer",)"
            R"("minimum":1,"description":"d","default":2},"b":{"type":"string","maxLength":2},)"
            R"("c":{"type":["string","null"],"pattern":"^<.+>$"},"d":{"anyOf":[{"type":"boolean"},)"
            R"({"type":"object","additionalProperties":{"type":"integer"}}]},)"
            R"("type":{"type":"string"}}})")});
  for (const char* good : {"{}",
                           "{a:1}",
                           "{a:120,b:<escape>\xC3\xA9z<escape>}",
                           "{c:<escape><b {}><escape>}",
                           "{c:None}",
                           "{d:{x y:1,z:-2}}",
                           "{d:true}",
                           "{type:<escape>the declaration cannot show it<escape>}"}) {
    const std::string text = "call:f" + std::string(good) + "<end_function_call>";
    INFO(text);
    CHECK(matches(grammar, text));
  }
  for (const char* bad : {"{a:0}",
                          "{b:<escape>abc<escape>}",
                          "{c:<escape>b<escape>}",
                          "{d:{x:<escape>1<escape>}}",
                          "{type:1}"}) {
    INFO(bad);
    CHECK_FALSE(matches(grammar, "call:f" + std::string(bad) + "<end_function_call>"));
  }
}

TEST_CASE("A turn calls as often and whom the choice says", "[prompts][unit]") {
  using Mode = ToolChoice::Mode;
  const std::vector<ToolSpec> tools{tool("{}"), {.name = "g", .description = ""}};
  const std::string f = "<start_function_call>call:f{}<end_function_call>";
  const std::string g = "<start_function_call>call:g{}<end_function_call>";
  const auto turn = [&](const ToolChoice& choice, int calls_max) {
    auto made = functiongemma().turn_grammar(tools, {.choice = choice, .calls_max = calls_max});
    REQUIRE(made);
    return *std::move(made);
  };
  const TurnGrammar required = turn({.mode = Mode::required}, 2);
  CHECK(required.trigger.empty());
  CHECK_FALSE(required.free_after);
  CHECK(matches(required.grammar, f));
  CHECK(matches(required.grammar, g + f));
  CHECK_FALSE(matches(required.grammar, ""));
  CHECK_FALSE(matches(required.grammar, f + f + g));
  const TurnGrammar named = turn({.mode = Mode::named, .name = "g"}, 1);
  CHECK(matches(named.grammar, g));
  CHECK_FALSE(matches(named.grammar, f));
  CHECK_FALSE(matches(named.grammar, g + g));
  const TurnGrammar automatic = turn({}, 3);
  CHECK(automatic.trigger == "<start_function_call>");
  CHECK(automatic.entries_max == 3);
  CHECK(automatic.free_after);
  CHECK(turn({.mode = Mode::none}, 3).entries_max == 0);
  const auto absent = functiongemma().turn_grammar(tools, {.choice = {Mode::named, "h"}});
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Code::not_found);
  CHECK_FALSE(functiongemma().turn_grammar({}, {.choice = {Mode::required, ""}}));
  CHECK_FALSE(functiongemma().turn_grammar({tool("{}"), tool("{}")}, {}));
}

TEST_CASE("No tools, no grammar", "[prompts][unit]") {
  CHECK_FALSE(functiongemma_call_grammar({}, {}));
  CHECK_FALSE(functiongemma_call_grammar({tool("{}")}, {.array_items_max = 0}));
}

TEST_CASE("The grammar grows with the number of optional arguments, not with its square",
          "[prompts][unit]") {
  std::string properties;
  for (int i = 0; i < 200; ++i) {
    properties += (i == 0 ? "" : ",") + ("\"p" + std::to_string(i)) + R"(":{"type":"string"})";
  }
  const Grammar grammar = grammar_of({tool(R"({"properties":{)" + properties + "}}")});
  CHECK(grammar.nodes().size() < 3500);
}

}  // namespace facet::prompts
