#include "prompts/functiongemma.h"
#include "tests/prompts/fixtures.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {
namespace {

/// An obvious matcher: the ends of all matches of `node` in `text` from any of `starts`. A control
/// token is spelled with its name; data never holds one in these tests.
std::vector<std::size_t> ends(const Grammar& grammar,
                              Grammar::Node node,
                              std::string_view text,
                              const std::vector<std::size_t>& starts) {
  const auto& data = grammar.nodes()[static_cast<std::size_t>(node)];
  std::vector<std::size_t> out;
  const auto add = [&out](std::size_t end) {
    if (std::find(out.begin(), out.end(), end) == out.end()) out.push_back(end);
  };
  switch (data.kind) {
    case Grammar::Kind::literal:
    case Grammar::Kind::control:
      for (const std::size_t at : starts) {
        if (text.substr(at).starts_with(data.text)) add(at + data.text.size());
      }
      return out;
    case Grammar::Kind::bytes:
      for (const std::size_t at : starts) {
        // The letter '<' stands for the begin of a control token here.
        if (at < text.size() && text[at] != '<' &&
            data.byte_set[static_cast<unsigned char>(text[at])] == '1') {
          add(at + 1);
        }
      }
      return out;
    case Grammar::Kind::sequence:
      out = starts;
      for (const auto child : data.children) out = ends(grammar, child, text, out);
      return out;
    case Grammar::Kind::choice:
      for (const auto child : data.children) {
        for (const std::size_t end : ends(grammar, child, text, starts)) add(end);
      }
      return out;
    case Grammar::Kind::rule:
      return ends(grammar, data.children[0], text, starts);
    case Grammar::Kind::automaton:
    case Grammar::Kind::repeat:
      break;
  }
  std::vector<std::size_t> now = starts;
  for (std::int32_t i = 0; !now.empty(); ++i) {
    if (i >= data.min) {
      for (const std::size_t end : now) add(end);
    }
    if (data.max != -1 && i >= data.max) break;
    now = ends(grammar, data.children[0], text, now);
  }
  return out;
}

bool matches(const Grammar& grammar, const std::string& text) {
  for (const std::size_t end : ends(grammar, grammar.root(), text, {0})) {
    if (end == text.size()) return true;
  }
  return false;
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
      {R"({"properties":{"a":{"anyOf":[{"type":"string"}]}}})", "\"/properties/a/anyOf\""},
      {R"({"properties":{"a":{"type":["string","null"]}}})", "\"/properties/a/type\""},
      {R"({"properties":{"a":{"type":"any"}}})", "\"/properties/a/type\""},
      {R"({"properties":{"a":{}}})", "\"/properties/a\""},
      {R"({"properties":{"a/b~":{"type":"array"}}})", "\"/properties/a~1b~0\""},
      {R"({"properties":{"a":{"$ref":"#"}}})", "\"/properties/a/$ref\""},
      {R"({"properties":{"type":{"type":"string"}},"required":["type"]})", "\"/properties/type\""},
      {R"({"properties":{},"required":["x"]})", "\"/required\""},
      {R"({"properties":{"a:b":{"type":"string"}}})", "\"/properties/a:b\""},
      {R"({"properties":{" a":{"type":"string"}}})", "\"/properties/ a\""},
      {R"({"properties":{"a":{"enum":[]}}})", "\"/properties/a/enum\""},
      {R"({"properties":{"a":{"type":"object","properties":{"b":{"type":"x"}}}}})",
       "\"/properties/a/properties/b/type\""},
      {"[]", "\"\""},
  }));
  INFO(parameters);
  const auto grammar = functiongemma_call_grammar({tool(parameters)}, {});
  REQUIRE_FALSE(grammar);
  CHECK(grammar.error().code == Code::invalid_argument);
  CHECK(grammar.error().message.find("tool \"f\"") != std::string::npos);
  CHECK(grammar.error().message.find(where) != std::string::npos);
}

TEST_CASE("Narrowing keywords do not keep a tool from having a grammar", "[prompts][unit]") {
  const Grammar grammar = grammar_of(
      {tool(R"({"type":"object","unevaluatedProperties":false,"properties":{"a":{"type":"integer",)"
            R"("minimum":1,"description":"d","default":2},"b":{"type":"string","maxLength":2,)"
            R"("format":"date"},"type":{"type":"string"}}})")});
  CHECK(matches(grammar, "call:f{a:0}<end_function_call>"));
  CHECK_FALSE(matches(grammar, "call:f{type:<escape>x<escape>}<end_function_call>"));
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
  CHECK(grammar.nodes().size() < 2500);
}

}  // namespace facet::prompts
