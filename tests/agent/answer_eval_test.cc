#include "agent/answer_eval.h"

#include "agent/scripted_chat_model.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

using namespace facet;
using namespace facet::agent;

namespace {

constexpr const char* kFact =
    R"({"id":"1","kind":"fact","question":"Who approves trips?","passages":[)"
    R"({"source":"a.md","text":"Trips need shoes."},)"
    R"({"source":"b.md","text":"Trips above 2,000 EUR are approved by the director."}],)"
    R"("answers":["Trips above 2,000 EUR are approved by the director.","the director"],)"
    R"("citations":[2]})";
constexpr const char* kNothing =
    R"({"id":"2","kind":"none","question":"Who cooks?","passages":[)"
    R"({"source":"a.md","text":"Trips need shoes."}],"answers":[],"citations":[]})";
constexpr const char* kSearch =
    "Plan: search_documents.\n<start_function_call>call:search_documents{query:<escape>trips"
    "<escape>}<end_function_call><start_function_response>";

AnswerCase case_of(const char* json) {
  const auto test = read_answer_case(json, "case");
  if (!test) FAIL(test.error().message);
  return *test;
}

AnswerScore asked(const char* json, std::vector<std::string> outputs) {
  const auto model = ScriptedChatModel::create(std::move(outputs));
  REQUIRE(model);
  const auto score = score_answer_case(**model, case_of(json), {});
  if (!score) FAIL(score.error().message);
  return *score;
}

}  // namespace

TEST_CASE("answers are compared without case, marks, articles and citations", "[agent]") {
  CHECK(normal_answer("  The limit is 2,000 EUR. [1][2, 3]") == "limit is 2,000 eur");
  CHECK(normal_answer("A \"cab\"-ride, an hour!") == "cab ride hour");
  CHECK(normal_answer("[x] 1.5") == "x 1.5");
  CHECK(normal_answer("Größe") == "größe");
  CHECK(normal_answer("") == "");
}

TEST_CASE("F1 counts the words that two answers share", "[agent]") {
  // Three words and two, two of them common: precision 2/3, recall 1, F1 0.8.
  CHECK(word_f1("by the finance director", "finance director") == Approx(0.8));
  // "x x" against "x": precision 1/2, recall 1.
  CHECK(word_f1("x x", "x") == Approx(2.0 / 3.0));
  CHECK(word_f1("cat", "dog") == 0.0);
  CHECK(word_f1("the", "a") == 1.0);
  CHECK(word_f1("", "dog") == 0.0);
}

TEST_CASE("a refusal is one of few forms", "[agent]") {
  CHECK(is_refusal("The documents do not say."));
  CHECK(is_refusal("Sorry, the documents don't say who."));
  CHECK_FALSE(is_refusal("The documents say no."));
  CHECK_FALSE(is_refusal(""));
}

TEST_CASE("a reply is scored against the best of the answers", "[agent]") {
  const AnswerCase test = case_of(kFact);
  const auto whole = score_reply(test, "Trips above 2,000 EUR are approved by the director. [2]");
  CHECK(whole.is_exact);
  CHECK(whole.is_contained);
  CHECK(whole.f1 == 1.0);
  CHECK(whole.cited == 1);
  CHECK(whole.cited_right == 1);
  CHECK(whole.to_cite == 1);

  const auto longer = score_reply(test, "It is the Director [1].");
  CHECK_FALSE(longer.is_exact);
  CHECK(longer.is_contained);
  CHECK(longer.f1 == Approx(0.5));  // "it is director" against "director".
  CHECK(longer.cited == 1);
  CHECK(longer.cited_right == 0);

  CHECK_FALSE(score_reply(test, "directors").is_contained);
  const auto refused = score_reply(test, "The documents do not say.");
  CHECK(refused.is_refusal);
  CHECK(refused.f1 == 0.0);
}

TEST_CASE("a citation counts where it leads a person, not where it was written", "[agent]") {
  // The sentence stands in the second passage: the wrong number resolves to it.
  const auto moved =
      score_reply(case_of(kFact), "Trips above 2,000 EUR are approved by the director. [1]");
  CHECK(moved.cited_right == 1);
  const auto unknown = score_reply(case_of(kFact), "director [9]");
  CHECK(unknown.cited == 1);
  CHECK(unknown.cited_right == 0);
}

TEST_CASE("a model is asked, searches, gets the passages and answers", "[agent]") {
  const auto right = asked(
      kFact, {kSearch, "Trips above 2,000 EUR are approved by the director. [2]<end_of_turn>"});
  CHECK(right.has_searched);
  CHECK(right.is_exact);
  CHECK(right.cited_right == 1);

  const auto refused = asked(kNothing, {kSearch, "The documents do not say.<end_of_turn>"});
  CHECK(refused.is_refusal);
  CHECK_FALSE(refused.is_answerable);
}

TEST_CASE("an answer without a search, or no end of searches, is nothing", "[agent]") {
  const auto guessed = asked(kFact, {"Plan: answer.\nthe director [2]<end_of_turn>"});
  CHECK_FALSE(guessed.has_searched);
  CHECK_FALSE(guessed.is_exact);
  CHECK(guessed.cited == 0);
  const auto endless = asked(kFact, {kSearch, kSearch, kSearch});
  CHECK(endless.has_searched);
  CHECK_FALSE(endless.is_exact);
}

TEST_CASE("totals of answers add up by hand", "[agent]") {
  AnswerTotals totals;
  CHECK(answer_totals_json(totals)["exact_percent"].is_null());
  const AnswerCase fact = case_of(kFact);
  totals.add(score_reply(fact, "the director [2]"));           // exact, cited right
  totals.add(score_reply(fact, "It is the Director [1]."));    // F1 0.5, cited wrong
  totals.add(score_reply(fact, "The documents do not say."));  // a wrong refusal
  totals.add(score_reply(case_of(kNothing), "The documents do not say."));
  totals.add(score_reply(case_of(kNothing), "The cook. [1]"));
  const auto json = answer_totals_json(totals);
  CHECK(json["cases"] == 5);
  CHECK(json["answerable"] == 3);
  CHECK(json["exact_percent"].get<double>() == Approx(100.0 / 3));
  CHECK(json["contained_percent"].get<double>() == Approx(200.0 / 3));
  CHECK(json["f1_percent"].get<double>() == Approx(50.0));
  CHECK(json["citation_precision_percent"].get<double>() == Approx(100.0 / 3));
  CHECK(json["citation_recall_percent"].get<double>() == Approx(100.0 / 3));
  CHECK(json["refusal_precision_percent"].get<double>() == Approx(50.0));
  CHECK(json["refusal_recall_percent"].get<double>() == Approx(50.0));
}

TEST_CASE("a case that cannot be meant so names its place", "[agent]") {
  const auto message = [](const std::string& json) {
    const auto test = read_answer_case(json, "f:3");
    REQUIRE_FALSE(test);
    return test.error().message;
  };
  const std::string head = R"({"id":"1","kind":"k","question":"q","passages":[],)";
  CHECK_THAT(message(head + R"("answers":[],"citations":[1]})"), Catch::Contains("none of the 0"));
  CHECK_THAT(message(head + R"("answers":["x"],"citations":[]})"), Catch::Contains("f:3 has"));
  CHECK_THAT(message(head + R"("answers":[7],"citations":[]})"), Catch::Contains("no text"));
  CHECK_THAT(message(head + R"("answers":[]})"), Catch::Contains("f:3/citations is missing"));
  CHECK_THAT(message(head + R"("answers":[],"citations":[],"more":1})"),
             Catch::Contains("f:3/more is not a known field"));
  CHECK_FALSE(read_answer_case("{", "f:3"));
}
