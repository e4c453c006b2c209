#include "prompts/text_call_parser.h"

#include "prompts/gemma3.h"
#include "prompts/python_calls.h"
#include "tests/prompts/fixtures.h"
#include "tests/support/catch.h"

#include <string>

namespace facet::prompts {
namespace {

ParsedOutput parsed(CallStyle style, const std::string& output) {
  auto result = gemma3(style).parse(output);
  INFO(output << (result ? "" : result.error().message));
  REQUIRE(result);
  return *std::move(result);
}

const std::vector<ToolCall> kOne{{"", "f", R"({"a":1})"}};

}  // namespace

TEST_CASE("Python call lists are read with every kind of literal", "[prompts][unit]") {
  const auto calls = read_python_calls(
      "[f(a='it\\'s', b=\"x\\n\\u20ac\\x41\\101\", c=True, d=None, e=[1, 2.5, -3e2,], f=(1,), "
      "g={'k': {\"n\": False}},), a.b-c(), h(x='''two\nlines''', y=1_000, z='a' \"b\", "
      "**{\"w v\": .5})]");
  INFO((calls ? "" : calls.error().message));
  REQUIRE(calls);
  REQUIRE(calls->size() == 3);
  CHECK((*calls)[0] ==
        ToolCall{"",
                 "f",
                 "{\"a\":\"it's\",\"b\":\"x\\n\xE2\x82\xAC"
                 "AA\",\"c\":true,\"d\":null,\"e\":[1,2.5,-3e2],\"f\":[1],\"g\":{\"k\":{\"n\":"
                 "false}}}"});
  CHECK((*calls)[1] == ToolCall{"", "a.b-c", "{}"});
  CHECK((*calls)[2] == ToolCall{"", "h", R"({"x":"two\nlines","y":1000,"z":"ab","w v":0.5})"});
}

TEST_CASE("Python calls that cannot be read are named", "[prompts][unit]") {
  const auto* const broken = GENERATE("[f(1)]",
                                      "[f(a=g())]",
                                      "[f(a=x)]",
                                      "[f(a=1, a=2)]",
                                      "[f(a=1) g()]",
                                      "[f(a='x)]",
                                      "[f(a=\"x\ny\")]",
                                      "[f(a=007)]",
                                      "[f(a=1e999)]",
                                      "[f(a={1: 2})]",
                                      "[f(a=1",
                                      "[]",
                                      "",
                                      "f",
                                      "f(a='\\u12')",
                                      "f(a=r'x')");
  const auto calls = read_python_calls(broken);
  INFO(broken);
  REQUIRE_FALSE(calls);
  CHECK(calls.error().code == Code::invalid_data);
}

TEST_CASE("Nesting of Python literals is capped", "[prompts][unit]") {
  const auto nested = [](std::size_t depth) {
    return read_python_calls("f(a=" + std::string(depth, '[') + std::string(depth, ']') + ")");
  };
  CHECK(nested(60));
  CHECK_FALSE(nested(70));
  CHECK_FALSE(nested(1000000));
}

TEST_CASE("The Python style finds lists at the start of a line, fenced or not", "[prompts][unit]") {
  for (const char* output :
       {"[f(a=1)]", " \n[f(a=1)]\n", "```python\n[f(a=1)]\n```", "```\n[f(a=1)]", "[f(a=1)"}) {
    INFO(output);
    CHECK(parsed(CallStyle::python_list, output) == ParsedOutput{.tool_calls = kOne});
  }
  CHECK(parsed(CallStyle::python_list, "First:\n[f(a=1)]\nthen that.<end_of_turn>\nnot this") ==
        ParsedOutput{.text = "First:\n\nthen that.", .tool_calls = kOne});
  for (const char* text :
       {"[1] a source", "see [f(a=1)]", "[f]", "[see (a)]", "```\ncode\n```", "["}) {
    CHECK(parsed(CallStyle::python_list, text) == ParsedOutput{.text = text});
  }
  CHECK_FALSE(gemma3(CallStyle::python_list).parse("[f(a=)]"));
}

TEST_CASE("The JSON style finds objects and lists of them", "[prompts][unit]") {
  for (const char* output : {R"({"name": "f", "parameters": {"a": 1}})",
                             R"({"name":"f","arguments":{"a":1}})",
                             "```json\n{\"name\": \"f\", \"parameters\": {\"a\": 1}}\n```",
                             "```json\n[{\"name\": \"f\", \"parameters\": {\"a\": 1}}]\n```\n"}) {
    INFO(output);
    CHECK(parsed(CallStyle::json, output) == ParsedOutput{.tool_calls = kOne});
  }
  const std::string two = R"({"name": "f", "parameters": {"a": 1}})"
                          "\n"
                          R"({"name": "g", "parameters": {"s": "}\"{"}})";
  CHECK(parsed(CallStyle::json, two).tool_calls ==
        std::vector<ToolCall>{kOne[0], {"", "g", R"({"s":"}\"{"})"}});
  for (const char* text : {R"({"answer": 42})",
                           R"({"name": "Ann"})",
                           "[1, 2]",
                           "{x}",
                           R"({"open":)",
                           "```json\n{\"a\": 1}\n```",
                           R"([{"x": 1}, {"name": "f", "parameters": {}}])"}) {
    CHECK(parsed(CallStyle::json, text) == ParsedOutput{.text = text});
  }
  // Once the arguments of a call have begun, others know of it.
  for (const char* broken : {R"([{"name": "f", "parameters": {}}, {"x": 1}])",
                             R"({"name": "f", "parameters": {"a": 1, "a": 2}})",
                             R"({"name": "f", "arguments": {"a": 1}, "parameters": {}})"}) {
    INFO(broken);
    const auto result = gemma3(CallStyle::json).parse(broken);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Code::invalid_data);
    CHECK_THAT(result.error().message, Catch::Contains("\"f\""));
  }
  CHECK_FALSE(gemma3(CallStyle::json).parse(R"({"name": "f", "parameters": {"a": })"));
}

TEST_CASE("The tool_code style reads statements inside its fence", "[prompts][unit]") {
  for (const char* output : {"```tool_code\nf(a=1)\n```",
                             "```tool_code\nprint(f(a=1))\n```\n",
                             "```tool_code\n[f(a=1)]```",
                             "```tool_code\n# it's a call\nf(a=1)",
                             "```tool_code f(a=1)```"}) {
    INFO(output);
    CHECK(parsed(CallStyle::tool_code, output) == ParsedOutput{.tool_calls = kOne});
  }
  CHECK(parsed(CallStyle::tool_code, "I will.\n```tool_code\nf(a=1); g(s=\"```\")\n```\nDone.") ==
        ParsedOutput{.text = "I will.\n\nDone.",
                     .tool_calls = {kOne[0], {"", "g", R"({"s":"```"})"}}});
  CHECK(parsed(CallStyle::tool_code, "```python\nf(a=1)\n```").tool_calls.empty());
  CHECK_FALSE(gemma3(CallStyle::tool_code).parse("```tool_code\nx = 1\n```"));
}

TEST_CASE("Without a style everything is text", "[prompts][unit]") {
  CHECK(parsed(CallStyle::none, " [f(a=1)]\n{\"name\":\"f\",\"parameters\":{}} ") ==
        ParsedOutput{.text = "[f(a=1)]\n{\"name\":\"f\",\"parameters\":{}}"});
}

TEST_CASE("Random text streams the same in every style however it is cut", "[prompts][unit]") {
  const auto style =
      GENERATE(CallStyle::none, CallStyle::python_list, CallStyle::json, CallStyle::tool_code);
  const Dialect& dialect = gemma3(style);
  const std::vector<std::string> parts{"[",
                                       "f(",
                                       "a=1",
                                       ")]",
                                       "{\"name\":\"f\",",
                                       "\"parameters\":{}}",
                                       "```",
                                       "tool_code\n",
                                       "json\n",
                                       "\n",
                                       " ",
                                       "text",
                                       "'",
                                       "\"",
                                       "\"\"\"",
                                       "#",
                                       "\\",
                                       "]",
                                       "}"};
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    test::Random random(seed);
    std::string text;
    for (int i = random.below(12); i >= 0; --i) {
      text += parts[static_cast<std::size_t>(random.below(static_cast<int>(parts.size())))];
    }
    INFO(dialect.name() << " " << text);
    const std::vector<Segment> output{{Segment::Kind::data, text}};
    const auto once = test::feed(dialect, output, 0);
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      const auto fed = test::feed_cut(dialect, output, cut);
      REQUIRE(fed.output.has_value() == once.output.has_value());
      if (once.output) REQUIRE(*fed.output == *once.output);
    }
    const auto in_bytes = test::feed(dialect, output, 1);
    REQUIRE(in_bytes.output.has_value() == once.output.has_value());
    if (once.output) REQUIRE(*in_bytes.output == *once.output);
    REQUIRE(in_bytes.events == once.events);
    test::check_told(once);
  }
}

TEST_CASE("A call that is too long is refused however it comes", "[prompts][unit]") {
  const auto too_long = [](CallStyle style, const std::string& text, std::size_t piece_bytes) {
    const std::vector<Segment> output{{Segment::Kind::data, text}};
    const auto fed = test::feed(gemma3(style), output, piece_bytes);
    return !fed.output && fed.output.error().code == Code::limit_exceeded;
  };
  const std::string filler(1U << 20U, 'x');
  const std::pair<CallStyle, std::string> row =
      GENERATE_COPY(values<std::pair<CallStyle, std::string>>({
          {CallStyle::python_list, "[f(a=\"" + filler + "\")]"},
          {CallStyle::json, R"({"name":"f","parameters":{"a":")" + filler + "\"}}"},
          {CallStyle::tool_code, "```tool_code\nf(a=\"" + filler + "\")\n```"},
          {CallStyle::tool_code, "```tool_code\nf(a=\"" + filler},
      }));
  CHECK(too_long(row.first, row.second, 0));
  CHECK(too_long(row.first, row.second, 4096));
  const std::string fits = std::string(filler).erase(100);
  CHECK_FALSE(too_long(CallStyle::python_list, "[f(a=\"" + fits + "\")]" + filler, 0));
}

TEST_CASE("White space in front of a closing fence is not waited for without end",
          "[prompts][unit]") {
  const std::string near = "```\n[f(a=1)]" + std::string(200, '\n') + "```";
  CHECK(parsed(CallStyle::python_list, near) == ParsedOutput{.tool_calls = kOne});
  const std::string far = "```\n[f(a=1)]" + std::string(2000, '\n') + "end";
  const std::vector<Segment> output{{Segment::Kind::data, far}};
  for (const std::size_t piece_bytes : {0U, 1U, 100U}) {
    const auto fed = test::feed(gemma3(CallStyle::python_list), output, piece_bytes);
    REQUIRE(fed.output);
    CHECK(*fed.output == ParsedOutput{.text = "end", .tool_calls = kOne});
  }
}

TEST_CASE("A call that never ends is cut off at a limit", "[prompts][unit]") {
  const auto parser = make_text_call_parser(CallStyle::python_list);
  parser->feed("[f(a=\"", Segment::Kind::data);
  const std::string piece(1U << 16U, 'x');
  for (int i = 0; i < 20; ++i) parser->feed(piece, Segment::Kind::data);
  const auto output = parser->finish();
  REQUIRE_FALSE(output);
  CHECK(output.error().code == Code::limit_exceeded);
}

}  // namespace facet::prompts
