#include "prompts/gemma3.h"

#include "base/json.h"
#include "prompts/segment_writer.h"
#include "tests/prompts/fixtures.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace facet::prompts {
namespace {

using test::Random;

const Dialect& plain() {
  return gemma3(CallStyle::none);
}

Message user(std::string text) {
  return {.role = Role::user, .content = std::move(text)};
}

Message calling(std::vector<ToolCall> calls, std::string text = "") {
  return {.role = Role::assistant, .content = std::move(text), .tool_calls = std::move(calls)};
}

std::string rendered(const Dialect& dialect, const RenderInput& input) {
  auto segments = dialect.render(input);
  INFO((segments ? "" : segments.error().message));
  REQUIRE(segments);
  return plain_text(*segments);
}

const ToolSpec kProductTool{
    .name = "get_product_name_by_PID",
    .description = "Finds the name of a product by its Product ID",
    .parameters = R"({"type":"object","properties":{"PID":{"type":"string"}},"required":["PID"]})"};

/// The user's words behind the tools in the two fixtures with a JSON list.
std::string question_of(const test::Fixture& fixture) {
  const std::string& content = fixture.input.messages[0].content;
  return content.substr(content.rfind("\n]\n") + 3);
}

}  // namespace

TEST_CASE("gemma3 renders every reference fixture byte for byte", "[prompts][unit]") {
  for (const char* folder : {"gemma3", "gemma3-function-calling"}) {
    for (const auto& fixture : test::load_fixtures(folder)) {
      INFO(folder << "/" << fixture.name);
      const auto segments = plain().render(fixture.input);
      if (fixture.error.empty()) {
        REQUIRE(segments);
        CHECK(plain_text(*segments) == fixture.rendered);
      } else {
        REQUIRE_FALSE(segments);
        CHECK(segments.error().message.find(fixture.error) != std::string::npos);
      }
    }
  }
}

TEST_CASE("The calling styles write tools and calls as the reference fixtures do",
          "[prompts][unit]") {
  for (const auto& fixture : test::load_fixtures("gemma3-function-calling")) {
    INFO(fixture.name);
    if (fixture.name == "tool_code_style") {
      const auto text = rendered(
          gemma3(CallStyle::tool_code),
          {.messages = {user("What is $200,000 in EUR?"),
                        calling({{"",
                                  "convert",
                                  R"({"amount":200000.0,"currency":"USD","new_currency":"EUR"})"}}),
                        {.role = Role::tool,
                         .content = "180000.0",
                         .name = "convert",
                         .content_is_json = true}},
           .tools = {{.name = "convert",
                      .description = "Convert the currency with the latest exchange rate",
                      .parameters = R"({"type":"object","properties":{"amount":{"type":"number"},)"
                                    R"("currency":{"type":"string"},"new_currency":)"
                                    R"({"type":"string"}},"required":)"
                                    R"(["amount","currency","new_currency"]})"}}});
      // Google's example states what the function returns, which a tool does not declare.
      std::string expected = fixture.rendered;
      const std::string returns = " -> float";
      expected.erase(expected.find(returns), returns.size());
      CHECK(text == expected);
      continue;
    }
    const bool is_json = fixture.name == "json_style";
    const Dialect& dialect = gemma3(is_json ? CallStyle::json : CallStyle::python_list);
    CHECK(rendered(dialect,
                   {.messages = {user(question_of(fixture)),
                                 calling({{"", kProductTool.name, R"({"PID":"807ZPKBL9V"})"}})},
                    .tools = {kProductTool},
                    .add_generation_prompt = false}) == fixture.rendered);
  }
}

TEST_CASE("gemma3 puts a system message and image markers in front of the first turn",
          "[prompts][unit]") {
  Message first = user(" \xC2\xA0Hi\xE2\x80\x83");
  first.images = 2;
  CHECK(
      rendered(plain(), {.messages = {{.role = Role::system, .content = " Be terse. "}, first}}) ==
      "<bos><start_of_turn>user\n Be terse. \n\n<start_of_image><start_of_image>Hi<end_of_turn>\n"
      "<start_of_turn>model\n");
}

TEST_CASE("gemma3 refuses what its template cannot express", "[prompts][unit]") {
  CHECK_FALSE(plain().render({}));
  CHECK_FALSE(plain().render({.messages = {{.role = Role::system, .content = "S"}}}));
  CHECK_FALSE(plain().render({.messages = {user("q")}, .tools = {kProductTool}}));
  CHECK_FALSE(plain().render({.messages = {user("q"), calling({{"", "f", "{}"}})}}));
  CHECK_FALSE(plain().render_tool_outputs({{"", "f", "{}"}}, {{}}, ""));
  CHECK_FALSE(plain().call_grammar({kProductTool}, {}));
  const Message picture{.role = Role::system, .content = "S", .images = 1};
  CHECK_FALSE(plain().render({.messages = {picture, user("q")}}));
  const Message result{.role = Role::tool, .content = "1", .name = "f"};
  CHECK_FALSE(gemma3(CallStyle::json).render({.messages = {result}}));
  CHECK_FALSE(gemma3(CallStyle::json).render({.messages = {user("q"), result}}));
  CHECK_FALSE(gemma3(CallStyle::json).render({.messages = {user("q")}, .tools = {{"f", "", "1"}}}));
}

TEST_CASE("A tool whose name no call can spell is refused, not lost", "[prompts][unit]") {
  for (const char* name : {"2fa", "-x", "a b", "print", ""}) {
    INFO(name);
    const RenderInput input{.messages = {user("q")}, .tools = {{.name = name}}};
    for (const CallStyle style : {CallStyle::python_list, CallStyle::tool_code}) {
      const auto refused = gemma3(style).render(input);
      REQUIRE_FALSE(refused);
      CHECK(refused.error().code == Code::invalid_argument);
      CHECK(refused.error().message.find(name) != std::string::npos);
    }
    CHECK(gemma3(CallStyle::json).render(input));
  }
}

TEST_CASE("Signatures show types, defaults and descriptions", "[prompts][unit]") {
  const auto text = rendered(
      gemma3(CallStyle::tool_code),
      {.messages = {user("q")},
       .tools = {{.name = "f",
                  .description = "Say \"\"\"it\"\"\".",
                  .parameters =
                      R"({"type":"object","properties":{"unit":{"type":"string","enum":["c","f"],)"
                      R"("default":"c"},"tags":{"type":"array","items":{"type":"integer"}},)"
                      R"("on":{"type":"boolean","description":"Whether."},"x":{}},)"
                      R"("required":["on"]})"},
                 {.name = "g", .description = "G."}}});
  CHECK(text.find("```python\ndef f(on: bool, unit: Literal[\"c\", \"f\"] = \"c\", "
                  "tags: list[int] = None, x: Any = None):\n"
                  "    \"\"\"Say \\\"\"\"it\\\"\"\".\n\n"
                  "    Args:\n        on: Whether.\n        unit: \n        tags: \n        x: \n"
                  "    \"\"\"\n\n"
                  "def g():\n    \"\"\"G.\"\"\"\n```\n\nq<end_of_turn>") != std::string::npos);
}

TEST_CASE("Results of several calls share one turn", "[prompts][unit]") {
  const std::vector<Message> messages{
      user("q"),
      calling({{"", "f", "{}"}, {"", "g", R"({"a b":1})"}}, "Let me see."),
      {.role = Role::tool, .content = "ok", .name = "f"},
      {.role = Role::tool,
       .content = R"({"x":[true,null]})",
       .name = "g",
       .content_is_json = true}};
  const auto tail_of = [&](CallStyle style) {
    const std::string text = rendered(gemma3(style), {.messages = messages});
    return text.substr(text.find("<start_of_turn>model"));
  };
  CHECK(tail_of(CallStyle::python_list) ==
        "<start_of_turn>model\nLet me see.\n[f(), g(**{\"a b\": 1})]<end_of_turn>\n"
        "<start_of_turn>user\n```tool_output\n{\"name\": \"f\", \"response\": \"ok\"}\n"
        "{\"name\": \"g\", \"response\": {\"x\": [true, null]}}\n```<end_of_turn>\n"
        "<start_of_turn>model\n");
  CHECK(
      tail_of(CallStyle::json)
          .starts_with("<start_of_turn>model\nLet me see.\n[{\"name\": \"f\", \"parameters\": {}}, "
                       "{\"name\": \"g\", \"parameters\": {\"a b\": 1}}]<end_of_turn>\n"));
  CHECK(
      tail_of(CallStyle::tool_code) ==
      "<start_of_turn>model\nLet me see.\n```tool_code\nf()\ng(**{\"a b\": 1})\n```<end_of_turn>\n"
      "<start_of_turn>user\n```tool_output\nok\n```\n```tool_output\n{\"x\": [True, None]}\n```"
      "<end_of_turn>\n<start_of_turn>model\n");
}

TEST_CASE("Rendered calls of every style parse back and stream the same however they are cut",
          "[prompts][unit]") {
  const auto style = GENERATE(CallStyle::python_list, CallStyle::json, CallStyle::tool_code);
  const Dialect& dialect = gemma3(style);
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    INFO(dialect.name() << " seed " << seed);
    Random random(seed);
    random.allow_any_key();
    std::vector<ToolCall> calls;
    for (int i = random.below(3); i >= 0; --i) {
      calls.push_back({"", random.identifier(), random.json_object(2)});
    }
    const auto head = dialect.render({.messages = {user("q")}});
    const auto whole = dialect.render(
        {.messages = {user("q"), calling(calls, random.below(2) == 0 ? "" : "I call\nthese:")},
         .add_generation_prompt = false});
    REQUIRE(head);
    REQUIRE(whole);
    test::check_calls_however_cut(
        dialect, joined(test::as_output(dialect, test::tail(*whole, *head))), calls);
  }
}

TEST_CASE("Appending to a gemma3 sequence equals rendering the longer conversation",
          "[prompts][unit]") {
  const auto style = GENERATE(CallStyle::python_list, CallStyle::json, CallStyle::tool_code);
  const Dialect& dialect = gemma3(style);
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    INFO(dialect.name() << " seed " << seed);
    Random random(seed);
    std::vector<Message> messages{user(random.text(4)), calling({})};
    std::vector<ToolOutput> outputs;
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (int i = random.below(3); i >= 0; --i) {
      messages[1].tool_calls.push_back({"", random.identifier(), random.json_object(2)});
      outputs.push_back({.content = random.json(2)});
      list.push_back({{"name", messages[1].tool_calls.back().name},
                      {"response", nlohmann::ordered_json::parse(outputs.back().content)}});
    }
    auto head = dialect.render({.messages = messages, .add_generation_prompt = false});
    REQUIRE(head);
    // The model has stopped on <end_of_turn>; the line break behind it is not in the sequence yet.
    REQUIRE(head->back().text.ends_with("<end_of_turn>\n"));
    head->back().text.pop_back();
    const int images = random.below(3);
    messages.push_back(
        {.role = Role::tool, .content = list.dump(), .content_is_json = true, .images = images});
    const auto whole = dialect.render({.messages = messages});
    REQUIRE(whole);
    const auto appended =
        dialect.render_tool_outputs(messages[1].tool_calls, outputs, "<end_of_turn>", images);
    REQUIRE(appended);
    CHECK(joined(*appended) == test::tail(*whole, *head));

    messages.push_back({.role = Role::assistant, .content = "done"});
    messages.push_back(user(random.text(4)));
    messages.back().images = random.below(3);
    const auto next = dialect.render({.messages = messages});
    REQUIRE(next);
    auto answered = *whole;
    answered.push_back({Segment::Kind::data, "done"});
    const auto turn = dialect.render_user_turn(messages.back().content, "", messages.back().images);
    REQUIRE(turn);
    CHECK(joined(*turn) == test::tail(*next, answered));
  }
}

TEST_CASE("only the calling styles take images with results", "[prompts][unit]") {
  CHECK_FALSE(plain().takes_result_images());
  for (const CallStyle style : {CallStyle::python_list, CallStyle::json, CallStyle::tool_code}) {
    CHECK(gemma3(style).takes_result_images());
    const auto segments =
        gemma3(style).render_tool_outputs({{"", "f", "{}"}}, {{}}, "<end_of_turn>", 2);
    REQUIRE(segments);
    CHECK(plain_text(*segments).starts_with(
        "\n<start_of_turn>user\n<start_of_image><start_of_image>```tool_output\n"));
  }
}

TEST_CASE("Dialects are found by name", "[prompts][unit]") {
  for (const std::string_view name : dialect_names()) {
    const auto found = find_dialect(name);
    REQUIRE(found);
    CHECK((*found)->name() == name);
  }
  CHECK(dialect_names().size() == 7);
  const auto unknown = find_dialect("gemma9");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message.find("gemma9") != std::string::npos);
  CHECK(unknown.error().message.find("gemma3-tool-code") != std::string::npos);
  for (const char* name : {"shieldgemma", "translategemma"}) {
    const auto single = find_dialect(name);
    REQUIRE_FALSE(single);
    CHECK(single.error().message.find("facet generate") != std::string::npos);
  }
}

}  // namespace facet::prompts
