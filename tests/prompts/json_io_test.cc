#include "prompts/json_io.h"

#include "tests/support/catch.h"

#include <string>

namespace facet::prompts {

TEST_CASE("A conversation in OpenAI's form is read", "[prompts][unit]") {
  const auto input = read_render_input(R"({
    "messages": [
      {"role":"system","content":[{"type":"text","text":" S "}]},
      {"role":"user","content":[{"type":"image"},{"type":"text","text":" a "},
                                {"type":"text","text":" b"}]},
      {"role":"assistant","content":null,"tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},
        {"name":"g","arguments":{"z":1,"a":2}}]},
      {"role":"tool","tool_call_id":"c1","content":"done"},
      {"role":"tool","name":"g","content":{"ok":true}}],
    "tools": [{"type":"function","function":{"name":"f","description":"F",
                                             "parameters":{"type":"object"}}},
              {"name":"g"}],
    "add_generation_prompt": false})");
  INFO((input ? "" : input.error().message));
  REQUIRE(input);
  CHECK_FALSE(input->add_generation_prompt);
  REQUIRE(input->messages.size() == 5);
  CHECK(input->messages[0].content == " S ");
  CHECK(input->messages[1].images == 1);
  CHECK(input->messages[1].content == "ab");
  CHECK(input->messages[2].tool_calls[0] == ToolCall{"c1", "f", R"({"x":1})"});
  CHECK(input->messages[2].tool_calls[1] == ToolCall{"", "g", R"({"z":1,"a":2})"});
  CHECK(input->messages[3].name == "f");
  CHECK_FALSE(input->messages[3].content_is_json);
  CHECK(input->messages[4].content == R"({"ok":true})");
  CHECK(input->messages[4].content_is_json);
  CHECK(input->tools[0] == ToolSpec{"f", "F", R"({"type":"object"})"});
  CHECK(input->tools[1] == ToolSpec{"g", "", "{}"});
}

TEST_CASE("A conversation with anything unknown or wrong is refused by pointer",
          "[prompts][unit]") {
  const auto [json, where] = GENERATE(table<std::string, std::string>({
      {R"({"messages":[],"model":"x"})", "model"},
      {R"({})", "/messages"},
      {R"({"messages":[{"role":"user","content":"x","weight":1}]})", "weight"},
      {R"({"messages":[{"role":"robot","content":"x"}]})", "/messages/0/role"},
      {R"({"messages":[{"role":"user"}]})", "/messages/0/content"},
      {R"({"messages":[{"role":"user","content":5}]})", "/messages/0/content"},
      {R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image"}]}]})",
       "/messages/0/content/1"},
      {R"({"messages":[{"role":"user","content":[{"type":"audio"}]}]})", "audio"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"name":"f","arguments":"[1]"}]}]})",
       "/messages/0/tool_calls/0/arguments"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":{}}}]}]})",
       "/messages/0/tool_calls/0/function/name"},
      {R"({"messages":[],"tools":[{"type":"retrieval","function":{"name":"f"}}]})",
       "/tools/0/type"},
      {R"({"messages":[],"tools":[{"name":"f","parameters":[]}]})", "/tools/0/parameters"},
      {R"({"messages":[],"add_generation_prompt":1})", "/add_generation_prompt"},
      {R"({"messages":)", "not JSON"},
      {"[]", "is not an object"},
  }));
  INFO(json);
  const auto input = read_render_input(json);
  REQUIRE_FALSE(input);
  CHECK(input.error().message.find(where) != std::string::npos);
}

TEST_CASE("Parsed output is written with the digits that the model wrote", "[prompts][unit]") {
  CHECK(write_parsed_output(
            {.text = "a\"b",
             .tool_calls = {{"", "f", R"({"n":12345678901234567890123})"}, {"", "g", "{}"}}}) ==
        R"({"text":"a\"b","tool_calls":[{"name":"f","arguments":{"n":12345678901234567890123}},)"
        R"({"name":"g","arguments":{}}]})");
  CHECK(write_parsed_output({}) == R"({"text":"","tool_calls":[]})");
}

}  // namespace facet::prompts
