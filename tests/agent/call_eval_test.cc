#include "agent/call_eval.h"

#include "agent/scripted_chat_model.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

using namespace facet;
using namespace facet::agent;

namespace {

constexpr const char* kChain =
    R"({"id":"1","kind":"chain","user":"Cancel the order of Ann.","tools":[)"
    R"({"name":"find","description":"d","parameters":{"type":"object","properties":{}}},)"
    R"({"name":"cancel","description":"d","parameters":{"type":"object","properties":{}}}],)"
    R"("steps":[{"calls":[{"name":"find","arguments":{"who":"Ann","n":1}}],)"
    R"("outputs":[{"id":"A-7"}]},)"
    R"({"calls":[{"name":"cancel","arguments":{"id":"A-7"}}],"outputs":[{"ok":true}]}]})";

std::string call(const std::string& text) {
  return "<start_function_call>call:" + text + "<end_function_call><start_function_response>";
}

CallScore score(const std::string& json, std::vector<std::string> outputs) {
  const auto test = read_call_case(json, "case");
  REQUIRE(test);
  const auto model = ScriptedChatModel::create(std::move(outputs));
  REQUIRE(model);
  const auto result = score_call_case(**model, *test, {});
  REQUIRE(result);
  return *result;
}

}  // namespace

TEST_CASE("a chain is right when every call is, in any order of arguments", "[agent]") {
  const auto right = score(kChain,
                           {call("find{n:1.0,who:<escape>Ann<escape>}"),
                            call("cancel{id:<escape>A-7<escape>}"),
                            "Done.<end_of_turn>"});
  CHECK(right.is_right);
  CHECK(right.calls_right == 2);
  CHECK(right.calls_expected == 2);
  CHECK(right.got.empty());
}

TEST_CASE("what comes behind a wrong call is not reached", "[agent]") {
  const auto wrong = score(kChain, {call("find{n:2,who:<escape>Ann<escape>}")});
  CHECK_FALSE(wrong.is_right);
  CHECK(wrong.calls_right == 0);
  CHECK(wrong.calls_expected == 2);
  CHECK_THAT(wrong.got, Catch::Contains("call:find{n:2"));
}

TEST_CASE("a call too many, behind or beside, is a wrong case", "[agent]") {
  const auto behind = score(kChain,
                            {call("find{n:1,who:<escape>Ann<escape>}"),
                             call("cancel{id:<escape>A-7<escape>}"),
                             call("cancel{id:<escape>A-7<escape>}")});
  CHECK_FALSE(behind.is_right);
  CHECK(behind.calls_right == 2);

  const auto beside =
      score(kChain,
            {"<start_function_call>call:find{n:1,who:<escape>Ann<escape>}<end_function_call>"
             "<start_function_call>call:cancel{id:<escape>A-7<escape>}<end_function_call>"
             "<start_function_response>"});
  CHECK_FALSE(beside.is_right);
  CHECK(beside.calls_right == 1);
}

TEST_CASE("where no call is expected, any call and any broken call is wrong", "[agent]") {
  const std::string none = R"({"id":"2","kind":"no_tool","user":"Sing.","tools":[],"steps":[]})";
  CHECK(score(none, {"No tool fits this request.<end_of_turn>"}).is_right);
  CHECK_FALSE(score(none, {call("sing{}")}).is_right);
  CHECK_FALSE(score(none, {"<start_function_call>call:sing{<end_of_turn>"}).is_right);
}

TEST_CASE("calls of one step may come in any order and get their own results", "[agent]") {
  const std::string both =
      R"({"id":"3","kind":"parallel","user":"A and B.","tools":[],"steps":[{"calls":[)"
      R"({"name":"get","arguments":{"x":"A"}},{"name":"get","arguments":{"x":"B"}}],)"
      R"("outputs":[{"r":1},{"r":2}]}]})";
  const auto test = read_call_case(both, "case");
  REQUIRE(test);
  const auto model = ScriptedChatModel::create(
      {"<start_function_call>call:get{x:<escape>B<escape>}<end_function_call>"
       "<start_function_call>call:get{x:<escape>A<escape>}<end_function_call>"
       "<start_function_response>",
       "1 2<end_of_turn>"});
  REQUIRE(model);
  const auto result = score_call_case(**model, *test, {});
  REQUIRE(result);
  CHECK(result->is_right);
  const auto& given = (*model)->transcript().tool_outputs;
  REQUIRE(given.size() == 1);
  CHECK(given[0][0].content == R"({"r":2})");
  CHECK(given[0][1].content == R"({"r":1})");
}

TEST_CASE("a case that is not one is refused by place and field", "[agent]") {
  const auto message = [](const std::string& json) {
    const auto test = read_call_case(json, "f:7");
    REQUIRE_FALSE(test);
    return test.error().message;
  };
  CHECK_THAT(message("{"), Catch::Contains("f:7"));
  CHECK(message(R"({"id":"1"})") == "f:7/kind is missing");
  CHECK(message(R"({"id":"1","colour":1})") == "f:7/colour is not a known field");
  CHECK_THAT(message(R"({"id":1})"), Catch::Contains("f:7/id is of type number"));
  CHECK_THAT(message(R"({"id":"","kind":"","tools":[],"user":"","steps":[{"calls":[],)"
                     R"("outputs":[]}]})"),
             Catch::Contains("f:7/steps/0 has 0 calls"));
  CHECK_THAT(message(R"({"id":"","kind":"","tools":[{"name":"x"}],"user":"","steps":[]})"),
             Catch::Contains("f:7/tools/0/description is missing"));
}

TEST_CASE("totals sum cases and divide by nothing as null", "[agent]") {
  CallTotals totals;
  CHECK(call_totals_json(totals)["calls_right_percent"].is_null());
  totals.add({.calls_expected = 3, .calls_right = 1});
  totals.add({.calls_expected = 1, .calls_right = 1, .is_right = true});
  CHECK(call_totals_json(totals)["calls_right_percent"] == 50.0);
  CHECK(call_totals_json(totals)["cases_right_percent"] == 50.0);
}

TEST_CASE("a case may want words in the reply, in any case", "[agent]") {
  constexpr const char* kAsk =
      R"({"id":"1","kind":"ask","user":"Cancel it.","tools":[)"
      R"({"name":"cancel","description":"d","parameters":{"type":"object","properties":{}}}],)"
      R"("steps":[],"reply_holds":"Order_id"})";
  CHECK(score(kAsk, {"Please give me the order_ID.<end_of_turn>"}).is_right);
  const auto other = score(kAsk, {"No tool fits this request.<end_of_turn>"});
  CHECK_FALSE(other.is_right);
  CHECK_THAT(other.got, Catch::Contains("No tool fits"));
  CHECK_FALSE(score(kAsk, {call("cancel{}")}).is_right);
  CHECK_FALSE(read_call_case(
      R"({"id":"1","kind":"k","user":"u","tools":[],"steps":[],"reply_holds":1})", "case"));
}
