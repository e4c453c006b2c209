#include "prompts/gemma4.h"

#include "base/json.h"
#include "prompts/json_io.h"
#include "tests/prompts/fixtures.h"
#include "tests/support/catch.h"
#include "tests/support/grammar_texts.h"
#include "tests/support/reference.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;
using test::Random;

/// The template's own form of results (in the message that calls) as messages of role tool.
Json plain_messages(const Json& messages) {
  Json out = Json::array();
  for (const Json& message : messages) {
    Json plain = message;
    const auto responses = message.find("tool_responses");
    if (responses == message.end()) {
      out.push_back(plain);
      continue;
    }
    plain.erase("tool_responses");
    const Json content = plain.value("content", Json());
    plain["content"] = nullptr;
    out.push_back(plain);
    for (const Json& response : *responses) {
      Json answer = response["response"];
      if (!answer.is_object()) answer = {{"value", answer}};
      out.push_back({{"role", "tool"}, {"name", response["name"]}, {"content", answer}});
    }
    if (content.is_string()) out.push_back({{"role", "assistant"}, {"content", content}});
  }
  return out;
}

/// Fixtures that ask for thoughts, sound or the template's failures are not this dialect's.
bool is_ours(const Json& fixture) {
  const std::string text = fixture.dump();
  const bool thinks = text.find("reasoning") != std::string::npos ||
                      fixture["kwargs"].value("enable_thinking", false) ||
                      fixture["kwargs"].contains("preserve_thinking");
  return !thinks && fixture["error"].is_null() && text.find("audio") == std::string::npos;
}

int check_fixtures(const char* folder, Gemma4Size size) {
  const auto path = facet::test::reference_folder() / "prompt-formats" / folder;
  if (!std::filesystem::is_directory(path)) {
    WARN("skipped: prompt-formats/" << folder);
    return -1;
  }
  int checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() != ".json") continue;
    const Json fixture = Json::parse(test::read_file(entry.path().string()));
    if (!is_ours(fixture)) continue;
    Json request{{"messages", plain_messages(fixture["messages"])}};
    for (const auto& [key, value] : fixture["kwargs"].items()) request[key] = value;
    auto input = read_render_input(request.dump());
    INFO(entry.path().string());
    // Lists of text parts have a form of their own in the template.
    if (!input) continue;
    const auto segments = gemma4(size).render(*input);
    REQUIRE(segments);
    // Lists of text parts are read as one text, and as a list of results.
    const bool has_parts = entry.path().stem() == "system_parts_trailing_space" ||
                           entry.path().stem() == "tool_response_openai_text_parts";
    if (has_parts) continue;
    CHECK(plain_text(*segments) == fixture["rendered"].get<std::string>());
    ++checked;
  }
  return checked;
}

const ToolSpec kTool{.name = "book",
                     .description = "Books.",
                     .parameters =
                         R"({"type":"object","properties":{"Title":{"type":"string"},)"
                         R"("count":{"type":["integer","null"]},"tags":{"type":"array","items":)"
                         R"({"type":"string"}}},"required":["Title"]})"};

}  // namespace

TEST_CASE("gemma4 renders the reference fixtures byte for byte", "[prompts][unit]") {
  const int large = check_fixtures("gemma4-12B", Gemma4Size::large);
  const int small = check_fixtures("gemma4-E2B", Gemma4Size::small);
  CHECK((large == -1 || large > 12));
  CHECK((small == -1 || small > 12));
}

TEST_CASE("gemma4 reads back the calls it writes, however they are cut", "[prompts][unit]") {
  const Dialect& dialect = gemma4(Gemma4Size::large);
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    std::vector<ToolCall> calls;
    for (int i = 0; i <= random.below(3); ++i) {
      calls.push_back({.name = random.identifier(), .arguments = random.json_object(3)});
    }
    const Message question{.content = "q"};
    const Message answer{.role = Role::assistant, .tool_calls = calls};
    const auto head = dialect.render({.messages = {question}});
    const auto whole = dialect.render({.messages = {question, answer}});
    REQUIRE(head);
    REQUIRE(whole);
    // The generation prompt ends with an empty thought, which a finished turn does not have.
    const auto begun = gemma4(Gemma4Size::small).render({.messages = {question}});
    REQUIRE(begun);
    INFO("seed " << seed);
    test::check_calls_however_cut(
        dialect, test::as_output(dialect, test::tail(*whole, *begun)), calls);
  }
}

TEST_CASE("gemma4 leaves thoughts and made-up results out of the text", "[prompts][unit]") {
  const Dialect& dialect = gemma4(Gemma4Size::small);
  const auto parsed = dialect.parse(
      "<|channel>thought\nhm<channel|>Let me see. <|tool_call>call:f{a:<|\"|>}<b>{<|\"|>,"
      "n:null}<tool_call|><|tool_response>response:f{x:1}<tool_response|>done<turn|>");
  REQUIRE(parsed);
  CHECK(parsed->text == "Let me see. done");
  REQUIRE(parsed->tool_calls.size() == 1);
  CHECK(parsed->tool_calls[0].arguments == R"({"a":"}<b>{","n":null})");
  const auto straight = dialect.parse("<|channel>thought\nhm<|tool_call>call:f{}<tool_call|>");
  REQUIRE(straight);
  CHECK(straight->text.empty());
  CHECK(straight->tool_calls.size() == 1);
}

TEST_CASE("gemma4 holds calls to their tools", "[prompts][unit]") {
  const Dialect& dialect = gemma4(Gemma4Size::large);
  const auto grammar = dialect.call_grammar({kTool}, {});
  REQUIRE(grammar);
  const facet::test::GrammarTexts texts(*grammar, dialect.control_tokens());
  const std::string end = "<tool_call|>";
  CHECK(texts.accepts("call:book{Title:<|\"|>a<b{\"<|\"|>}" + end));
  CHECK(texts.accepts("call:book{count:null,tags:[<|\"|><|\"|>],Title:<|\"|><|\"|>}" + end));
  CHECK_FALSE(texts.accepts("call:book{Title:<|\"|>a<|\"|>,count:1}" + end));
  CHECK_FALSE(texts.accepts("call:book{count:1}" + end));
  CHECK_FALSE(texts.accepts("call:book{Title:<|\"|>a<|\"|>}"));
}

}  // namespace facet::prompts
