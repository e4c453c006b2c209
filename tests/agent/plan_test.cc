#include "agent/plan.h"

#include "tests/support/catch.h"

using namespace facet::agent;
using Strings = std::vector<std::string>;

TEST_CASE("a plan line is split from the text behind it", "[agent]") {
  CHECK(split_plan("Plan: a, b.\nrest") == PlanSplit{.plan = "a, b.", .text = "rest"});
  CHECK(split_plan("Plan: a.") == PlanSplit{.plan = "a.", .text = ""});
  CHECK(split_plan("The Plan: none") == PlanSplit{.plan = std::nullopt, .text = "The Plan: none"});
  CHECK(split_plan("") == PlanSplit{});
}

TEST_CASE("the steps of a plan are its names in order, repeated ones included", "[agent]") {
  CHECK(plan_steps("search_documents, calculator.") == Strings{"search_documents", "calculator"});
  CHECK(plan_steps("a, a") == Strings{"a", "a"});
  CHECK(plan_steps(" answer. ") == Strings{"answer"});
  CHECK(plan_steps("cancel_order (no), answer.") == Strings{"answer"});
  CHECK(plan_steps("").empty());
  CHECK(plan_steps(" , .").empty());
}

TEST_CASE("a plan that streams in is read the same wherever it is cut", "[agent]") {
  const std::string text = GENERATE(
      "Plan: a, b.\nrest of it\nPlan: no", "Plan: only", "Planning is hard", "Pl", "x", "");
  const PlanSplit whole = split_plan(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    PlanReader reader;
    PlanSplit sum;
    for (const auto& part :
         {reader.push(text.substr(0, cut)), reader.push(text.substr(cut)), reader.finish()}) {
      if (part.plan) sum.plan = part.plan;
      sum.text += part.text;
    }
    CHECK(sum == whole);
  }
}
