#include "agent/server/protocol.h"

#include "agent/server/response_stream.h"
#include "base/json.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace {

using facet::agent::CreateRequest;
using facet::agent::parse_client_message;
using facet::agent::ResponseStream;

CreateRequest create(const std::string& text) {
  auto message = parse_client_message(text);
  if (!message) FAIL(message.error().message);
  return std::get<CreateRequest>(*message);
}

std::string refusal(const std::string& text) {
  const auto message = parse_client_message(text);
  return message ? "accepted" : message.error().message;
}

/// Parsed events of one response.
struct Recorder {
  std::vector<nlohmann::ordered_json> events;
  ResponseStream stream{"resp_1", "m", 7, {"ask_user"}, [this](std::string text) {
                          events.push_back(*facet::parse_json(text, "event"));
                        }};

  [[nodiscard]] std::vector<std::string> types() const {
    std::vector<std::string> out;
    for (const auto& event : events) out.push_back(event.at("type").get<std::string>());
    return out;
  }
};

}  // namespace

TEST_CASE("a request is a string or a list of items", "[agent][unit]") {
  CHECK(create(R"({"type":"response.create","input":"hi"})").messages.back().content == "hi");
  const auto request = create(R"({"type":"response.create","instructions":"be brief",
    "input":[{"role":"user","content":"a"},{"type":"message","role":"assistant","content":
    [{"type":"output_text","text":"b"}]},{"role":"user","content":[{"type":"input_text","text":"c"}]}],
    "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"}}],
    "max_output_tokens":5,"temperature":0.5,"seed":9})");
  REQUIRE(request.messages.size() == 3);
  CHECK(request.messages[1].role == facet::Role::assistant);
  CHECK(request.messages[2].content == "c");
  CHECK(request.tools.at(0).parameters == R"({"type":"object"})");
  CHECK(request.max_output_tokens == 5);
  CHECK(request.temperature == 0.5);
  CHECK(request.seed == 9U);
  const auto outputs = create(R"({"type":"response.create","previous_response_id":"r",
    "input":[{"type":"function_call_output","call_id":"c1","output":"{}"}]})");
  CHECK(outputs.outputs.at(0).call_id == "c1");
}

TEST_CASE("what is not understood is refused by name", "[agent][unit]") {
  CHECK(refusal("{") == "message is not JSON: syntax error at byte 2");
  CHECK(refusal("[]") == "the message is not an object");
  CHECK(refusal(R"({"type":"session.update"})").find("\"type\" is \"session.update\"") == 0);
  CHECK(refusal(R"({"type":"response.create","input":"x","n_discard":1})") ==
        "unknown field \"n_discard\" in response.create");
  CHECK(refusal(R"({"type":"response.create"})") == "\"input\" is missing");
  CHECK(refusal(R"({"type":"response.create","input":[]})").find("\"input\"") == 0);
  CHECK(refusal(R"({"type":"response.create","input":[{"role":"system","content":"x"}]})")
            .find("\"role\" of an input message") == 0);
  CHECK(refusal(R"({"type":"response.create","input":[{"role":"assistant","content":"x"}]})") ==
        "\"input\" does not end with a user's message");
  CHECK(refusal(R"({"type":"response.create","input":"x","max_output_tokens":-1})") ==
        "\"max_output_tokens\" is less than 1");
  CHECK(refusal(R"({"type":"response.create","input":"x","max_output_tokens":1e30})") ==
        "\"max_output_tokens\" is not an integer in range");
  CHECK(refusal(R"({"type":"response.create","input":"x","temperature":"1"})") ==
        "\"temperature\" is not a number");
  CHECK(refusal(R"({"type":"response.create","input":"x","seed":-1})") ==
        "\"seed\" is not an integer in range");
  CHECK(refusal(R"({"type":"response.create","input":"x","tools":[{"type":"web_search"}]})") ==
        "\"tools\" holds an entry of type \"web_search\", which is not handled");
  CHECK(refusal(R"({"type":"response.create","input":"x","tools":[{"type":5}]})") ==
        "\"type\" is not a string");
  CHECK(refusal(R"({"type":"response.create","input":"x","tools":[{"type":"function",
    "name":"a b<end_of_turn>"}]})") ==
        "\"name\" of a tool is 1 to 64 letters, digits, _ and -, not \"a b<end_of_turn>\"");
  CHECK(refusal(R"({"type":"response.create","input":"x","model":5})") ==
        "\"model\" is not a string");
  CHECK(refusal(R"({"type":"response.create","input":"x","stream":false})") ==
        "\"stream\" is always true on a websocket");
  CHECK(refusal("{\"a\":" + std::string(100'000, '[')).find("nests JSON") != std::string::npos);
}

TEST_CASE("a later request may repeat what the conversation was begun with, not change it",
          "[agent][unit]") {
  const std::string more = R"("instructions":"Be kind.","temperature":0.5,
    "tools":[{"type":"function","name":"a","description":"d"}])";
  const auto first = create(R"({"type":"response.create","input":"x",)" + more + "}");
  const auto follow = [&](const std::string& fields) {
    const auto next =
        create(R"({"type":"response.create","previous_response_id":"r",)" + fields + "}");
    const auto status = facet::agent::check_follows(first, next);
    return status ? std::string("ok") : status.error().message;
  };
  CHECK(follow(R"("input":"y")") == "ok");
  CHECK(follow(R"("input":"y",)" + more) == "ok");
  for (const std::string field : {R"("instructions":"Be rude.")",
                                  R"("temperature":1)",
                                  R"("top_p":0.5)",
                                  R"("seed":1)",
                                  R"("max_output_tokens":9)",
                                  R"("tool_choice":"required")",
                                  R"("parallel_tool_calls":false)",
                                  R"("max_tool_calls":2)",
                                  R"("text":{"format":{"type":"json_schema","schema":{}}})",
                                  R"("tools":[{"type":"function","name":"b"}])"}) {
    const std::string name = field.substr(0, field.find(':'));
    CHECK(follow(R"("input":"y",)" + field).find(name) == 0);
  }
  CHECK(follow(R"("input":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}])") ==
        "\"input\" holds earlier messages beside previous_response_id");
}

TEST_CASE("a request says what may be called and what the answer is", "[agent][unit]") {
  using Mode = facet::prompts::ToolChoice::Mode;
  const auto with = [](const std::string& fields) {
    return R"({"type":"response.create","input":"x",)" + fields + "}";
  };
  CHECK_FALSE(create(with(R"("seed":1)")).tool_choice);
  CHECK(create(with(R"("tool_choice":"none")")).tool_choice->mode == Mode::none);
  CHECK(create(with(R"("tool_choice":"required")")).tool_choice->mode == Mode::required);
  const auto named = create(with(R"("tool_choice":{"type":"function","name":"none"})"));
  CHECK(named.tool_choice->mode == Mode::named);
  CHECK(named.tool_choice->name == "none");
  CHECK(create(with(R"("parallel_tool_calls":false)")).parallel_tool_calls == false);
  CHECK(create(with(R"("max_tool_calls":3)")).max_tool_calls == 3);
  CHECK(create(with(R"("text":{"format":{"type":"text"}})")).answer_schema.empty());
  const auto format = create(with(
      R"("text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object"}}})"));
  CHECK(format.answer_schema == R"({"type":"object"})");
  CHECK(refusal(with(R"("tool_choice":"f")")).find("\"tool_choice\" is \"f\"") == 0);
  CHECK(refusal(with(R"("tool_choice":5)")).find("\"tool_choice\"") == 0);
  CHECK(refusal(with(R"("tool_choice":{"type":"function"})")) == "\"name\" is missing");
  CHECK(refusal(with(R"("parallel_tool_calls":1)")).find("\"parallel_tool_calls\"") == 0);
  CHECK(refusal(with(R"("max_tool_calls":0)")).find("\"max_tool_calls\"") == 0);
  CHECK(refusal(with(R"("text":{"format":{"type":"json_object"}})")).find("\"format\"") == 0);
  CHECK(refusal(with(R"("text":{"format":{"type":"json_schema"}})")).find("\"schema\"") == 0);
  CHECK(refusal(with(R"("text":{"verbosity":"low"})")) ==
        "unknown field \"verbosity\" in \"text\"");
}

TEST_CASE("a run becomes a response with numbered events", "[agent][unit]") {
  Recorder recorder;
  recorder.stream.begin();
  recorder.stream.handle(facet::agent::PlanMade{"a, b.", {"a", "b"}});
  recorder.stream.handle(facet::agent::ToolCalled{{"c1", "search", R"({"q":"x"})"}});
  facet::agent::ToolReturned returned;
  returned.call = {"c1", "search", "{}"};
  returned.output.content = R"({"n":1})";
  returned.outcome = "ok";
  recorder.stream.handle(returned);
  recorder.stream.handle(facet::agent::TextDelta{"Hel", 2});
  recorder.stream.handle(facet::agent::TextDelta{"lo", 2});
  facet::agent::RunResult result;
  result.finish = facet::agent::RunFinish::answered;
  result.usage.prompt_tokens = 10;
  result.usage.completion_tokens = 3;
  result.usage.forced_tokens = 2;
  recorder.stream.handle(facet::agent::RunFinished{result});
  CHECK(recorder.types() == std::vector<std::string>{"response.created",
                                                     "facet.plan",
                                                     "response.output_item.added",
                                                     "response.function_call_arguments.delta",
                                                     "response.function_call_arguments.done",
                                                     "response.output_item.done",
                                                     "facet.tool_result",
                                                     "response.output_item.added",
                                                     "response.output_text.delta",
                                                     "response.output_text.delta",
                                                     "response.output_text.done",
                                                     "response.output_item.done",
                                                     "response.completed"});
  for (std::size_t i = 0; i < recorder.events.size(); ++i) {
    CHECK(recorder.events[i].at("sequence_number") == i);
  }
  CHECK(recorder.events[4].at("runs_on") == "server");
  const auto& response = recorder.events.back().at("response");
  CHECK(response.at("output").size() == 2);
  CHECK(response.at("output")[1].at("content")[0].at("text") == "Hello");
  CHECK(response.at("usage").at("total_tokens") == 13);
  CHECK(response.at("usage").at("output_tokens_details").at("forced_tokens") == 2);
}

TEST_CASE("client tools, limits and failures end a response each in its way", "[agent][unit]") {
  Recorder recorder;
  recorder.stream.handle(facet::agent::ToolCalled{{"c1", "ask_user", "{}"}});
  CHECK(recorder.events[2].at("runs_on") == "client");
  facet::agent::RunResult result;
  result.finish = facet::agent::RunFinish::limit;
  result.error = {facet::Code::limit_exceeded, "8 steps"};
  recorder.stream.handle(facet::agent::RunFinished{result});
  CHECK(recorder.events.back().at("type") == "response.incomplete");
  CHECK(recorder.events.back().at("response").at("incomplete_details").at("message") == "8 steps");
  result.finish = facet::agent::RunFinish::failed;
  result.error = {facet::Code::unavailable, "no model"};
  recorder.stream.handle(facet::agent::RunFinished{result});
  CHECK(recorder.events.back().at("type") == "error");
  CHECK(recorder.events.back().at("code") == "unavailable");
}

TEST_CASE("a call streams: its name, pieces of its arguments, then the whole", "[agent][unit]") {
  Recorder recorder;
  const facet::ToolCall first{"call_1", "search", R"({"q":"x"})"};
  const facet::ToolCall second{"call_2", "ask_user", "{}"};
  recorder.stream.handle(facet::agent::TextDelta{"Let me see.", 1});
  recorder.stream.handle(facet::agent::ToolCallStarted{"call_1", "search"});
  recorder.stream.handle(facet::agent::ToolArgumentsDelta{"call_1", R"({"q":)"});
  recorder.stream.handle(facet::agent::ToolArgumentsDelta{"call_1", R"("x"})"});
  recorder.stream.handle(facet::agent::ToolCallClosed{first, true});
  recorder.stream.handle(facet::agent::ToolCallStarted{"call_2", "ask_user"});
  const bool is_cut = GENERATE(false, true);
  facet::agent::StepFinished step;
  if (is_cut) {
    step.result.finish_reason = facet::engine::FinishReason::length;
    recorder.stream.handle(step);
  } else {
    recorder.stream.handle(facet::agent::ToolArgumentsDelta{"call_2", "{}"});
    recorder.stream.handle(facet::agent::ToolCallClosed{second, false});
    recorder.stream.handle(step);
    recorder.stream.handle(facet::agent::ToolCalled{first});
    recorder.stream.handle(facet::agent::ToolCalled{second});
  }
  std::map<std::size_t, std::string> told;
  std::map<std::size_t, nlohmann::ordered_json> done;
  for (const auto& event : recorder.events) {
    const std::string type = event.at("type").get<std::string>();
    if (type == "response.output_item.added") {
      const auto index = event.at("output_index").get<std::size_t>();
      CHECK(told.emplace(index, "").second);
      CHECK(event.at("item").at("status") == "in_progress");
    } else if (type == "response.function_call_arguments.delta") {
      told.at(event.at("output_index").get<std::size_t>()) += event.at("delta").get<std::string>();
    } else if (type == "response.function_call_arguments.done") {
      CHECK(told.at(event.at("output_index").get<std::size_t>()) == event.at("arguments"));
    } else if (type == "response.output_item.done") {
      done[event.at("output_index").get<std::size_t>()] = event.at("item");
    }
  }
  REQUIRE(done.size() == 3);
  CHECK(done[0].at("type") == "message");
  CHECK(done[1].at("status") == (is_cut ? "incomplete" : "completed"));
  CHECK(done[1].at("arguments") == first.arguments);
  CHECK(done[2].at("status") == (is_cut ? "incomplete" : "completed"));
  CHECK(done[2].at("runs_on") == "client");
  CHECK(recorder.events.at(4).at("item").at("name") == "search");
}

TEST_CASE("a user's message may begin with pictures", "[agent][unit]") {
  const auto request = create(R"({"type":"response.create","input":[
    {"role":"user","content":[
      {"type":"input_image","image_url":"data:image/png;base64,Zm9v"},
      {"type":"input_image","detail":"high","image_url":"data:image/jpeg;base64,YmFy"},
      {"type":"input_text","text":"what is this?"}]},
    {"role":"assistant","content":"a cat"},
    {"role":"user","content":[{"type":"input_image","detail":"auto",
      "image_url":"data:image/webp;base64,Zg=="}]}]})");
  REQUIRE(request.messages.size() == 3);
  CHECK(request.messages[0].images == 2);
  CHECK(request.messages[0].content == "what is this?");
  CHECK(request.messages[1].images == 0);
  CHECK(request.messages[2].images == 1);
  REQUIRE(request.pictures.size() == 3);
  CHECK(request.pictures[0].bytes == "foo");
  CHECK_FALSE(request.pictures[0].pan_and_scan);
  CHECK(request.pictures[1].bytes == "bar");
  CHECK(request.pictures[1].pan_and_scan);
  CHECK(request.pictures[2].bytes == "f");
}

TEST_CASE("pictures that cannot be taken are refused by field", "[agent][unit]") {
  const auto said = [](const std::string& parts, const std::string& role = "user") {
    return refusal(R"({"type":"response.create","input":[{"role":")" + role + R"(","content":[)" +
                   parts + "]}]}");
  };
  const std::string good = R"({"type":"input_image","image_url":"data:image/png;base64,Zm9v"})";
  CHECK(said(good) == "accepted");
  for (const char* url : {"http://example.com/a.png",
                          "file:///etc/passwd",
                          "data:text/plain;base64,Zm9v",
                          "data:image/png,Zm9v",
                          "data:image/png;base64,Zm9",
                          "data:image/png;base64,",
                          ""}) {
    INFO(url);
    CHECK_THAT(said(R"({"type":"input_image","image_url":")" + std::string(url) + "\"}"),
               Catch::Contains("image_url"));
  }
  CHECK_THAT(said(R"({"type":"input_image"})"), Catch::Contains("\"image_url\" is missing"));
  CHECK_THAT(said(R"({"type":"input_image","file_id":"x"})"), Catch::Contains("file_id"));
  CHECK_THAT(
      said(R"({"type":"input_image","detail":"huge","image_url":"data:image/png;base64,Zg=="})"),
      Catch::Contains("\"detail\" is \"huge\""));
  CHECK_THAT(said(R"({"type":"input_text","text":"a"},)" + good), Catch::Contains("come first"));
  CHECK_THAT(said(good, "assistant"), Catch::Contains("of an assistant"));
  std::string many = good;
  for (std::size_t i = 0; i < facet::agent::kPicturesMax; ++i) many += "," + good;
  CHECK_THAT(said(many), Catch::Contains("more than 8 pictures"));
  const std::string large((facet::agent::kPictureBytesMax / 3 + 1) * 4, 'A');
  CHECK_THAT(said(R"({"type":"input_image","image_url":"data:image/png;base64,)" + large + "\"}"),
             Catch::Contains("the limit is 8388608"));
}
