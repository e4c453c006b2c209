#include "agent/workflow/workflow.h"

#include "agent/workflow/references.h"
#include "base/json.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <string>

using facet::agent::parse_workflow;

namespace {

std::string error_of(const std::string& yaml) {
  const auto workflow = parse_workflow(yaml, "w.yaml");
  return workflow ? "no error" : workflow.error().message;
}

}  // namespace

TEST_CASE("a workflow is read with its variables, steps and typed arguments", "[agent][unit]") {
  const auto workflow = parse_workflow(R"(
name: trip
variables:
  city: Lisbon
  nights: 4
  strict: true
  code: "007"
steps:
  - name: limit
    ask: What is the limit in ${city}?
  - name: total
    tool: calculator
    arguments:
      expression: 140 * ${nights}
      precise: yes please
      digits: -2
      rate: 1.5
result: ${total.result}
)",
                                       "w.yaml");
  REQUIRE(workflow.has_value());
  REQUIRE(workflow->variables.size() == 4);
  CHECK(workflow->variables[0].second == "\"Lisbon\"");
  CHECK(workflow->variables[1].second == "4");
  CHECK(workflow->variables[2].second == "true");
  CHECK(workflow->variables[3].second == "\"007\"");
  REQUIRE(workflow->steps.size() == 2);
  CHECK(workflow->steps[0].kind == facet::agent::WorkflowStep::Kind::ask);
  CHECK(workflow->steps[0].line == 9);
  CHECK(workflow->steps[1].arguments ==
        R"({"expression":"140 * ${nights}","precise":"yes please","digits":-2,"rate":1.5})");
  CHECK(workflow->result == "${total.result}");
}

TEST_CASE("a broken workflow names the line and the reason", "[agent][unit]") {
  CHECK(error_of("name: a\nsteps:\n  - name: x\n    ask: hi\n    prompt: y\n") ==
        "w.yaml:5: unknown key \"prompt\"; a step has name, ask, images, answer_schema, tool, "
        "arguments");
  CHECK(error_of("name: a\nsteps:\n  - name: x\n") ==
        "w.yaml:3: step \"x\" needs either \"ask\" or \"tool\"");
  CHECK(error_of("name: a\nsteps:\n  - name: x\n    ask: ${y.answer}\n")
            .find("${y.answer} names no variable and no earlier step") != std::string::npos);
  CHECK(error_of("name: a\nsteps: []\n").find("at least one step") != std::string::npos);
  CHECK(error_of("name: a\nsteps:\n  - {name: x, ask: a}\n  - {name: x, ask: b}\n")
            .find("the name \"x\" is taken") != std::string::npos);
  CHECK(error_of("name: a\nsteps:\n  - {name: x, ask: a, answer_schema: 5}\n") ==
        "w.yaml:3: \"answer_schema\" is a mapping");
  CHECK(error_of("name: a\nsteps:\n  - {name: x, tool: t, answer_schema: {}}\n") ==
        "w.yaml:3: \"answer_schema\" belongs to an \"ask\" step");
  CHECK(error_of("name: [\n").rfind("w.yaml:", 0) == 0);
  CHECK(error_of("- a\n").find("a workflow is a mapping") != std::string::npos);
  CHECK(error_of("name: a\nname: b\nsteps: [{name: x, ask: y}]\n").find("repeated") !=
        std::string::npos);
  CHECK(error_of("") == "w.yaml:1: a workflow is a mapping of keys to values");
  CHECK(error_of("name: a\nsteps:\n  - {name: x, tool: t, arguments: {a: 1, a: 2}}\n") ==
        "w.yaml:3: the key \"a\" is repeated");
  CHECK(error_of("name: a\nsteps: [{name: x, ask: y}]\n---\nname: b\n") ==
        "w.yaml:4: a second document; a workflow is one");
}

TEST_CASE("an alias bomb is stopped by the limit on values", "[agent][unit]") {
  std::string yaml = "name: a\nvariables:\n  l0: &l0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string below = "*l" + std::to_string(i - 1);
    yaml += "  l" + std::to_string(i) + ": &l" + std::to_string(i) + " [" + below;
    for (int j = 0; j < 9; ++j) yaml += "," + below;
    yaml += "]\n";
  }
  const auto workflow = parse_workflow(yaml + "steps: [{name: x, ask: y}]\n", "w.yaml");
  REQUIRE_FALSE(workflow.has_value());
  CHECK(workflow.error().code == facet::Code::limit_exceeded);
}

TEST_CASE("references are replaced by text, whole references keep their type", "[agent][unit]") {
  const auto scope = *facet::parse_json(R"({"n":4,"s":{"list":[{"x":"deep"}],"t":true}})", "scope");
  CHECK(*facet::agent::substitute("${n} nights, ${s.list.0.x}, $$5, $x", scope) ==
        "4 nights, deep, $5, $x");
  const auto value = *facet::parse_json(R"({"a":"${n}","b":["${s.t}","is ${s.t}"]})", "value");
  CHECK(facet::dump_json(*facet::agent::substitute_json(value, scope)) ==
        R"({"a":4,"b":[true,"is true"]})");
  CHECK(facet::agent::substitute("${s.nothing}", scope).error().message ==
        "${s.nothing}: there is no \"nothing\" to refer to");
  CHECK_FALSE(facet::agent::substitute("${s.list.9}", scope).has_value());
  CHECK_FALSE(facet::agent::substitute("${open", scope).has_value());
  CHECK_FALSE(facet::agent::substitute("${a..b}", scope).has_value());
}

TEST_CASE("an ask step may name images, one or a list", "[agent][unit]") {
  const auto read = [](const std::string& step) {
    return facet::agent::parse_workflow(
        "name: w\nvariables: {photo: a.png}\nsteps:\n  - " + step + "\n", "w.yaml");
  };
  const auto one = read("{name: s, ask: what, images: \"${photo}\"}");
  REQUIRE(one);
  CHECK(one->steps.at(0).images == std::vector<std::string>{"${photo}"});
  const auto two = read("{name: s, ask: what, images: [a.png, \"dir/${photo}\"]}");
  REQUIRE(two);
  CHECK(two->steps.at(0).images == std::vector<std::string>{"a.png", "dir/${photo}"});
  const auto refusal = [&](const std::string& step) {
    const auto workflow = read(step);
    return workflow ? "accepted" : workflow.error().message;
  };
  CHECK_THAT(refusal("{name: s, ask: what, images: \"${nothing}\"}"), Catch::Contains("nothing"));
  CHECK_THAT(refusal("{name: s, ask: what, images: {a: b}}"), Catch::Contains("list of paths"));
  CHECK_THAT(refusal("{name: s, ask: what, images: [[a]]}"), Catch::Contains("path of a file"));
  CHECK_THAT(refusal("{name: s, ask: what, images: [\"\"]}"), Catch::Contains("path of a file"));
  CHECK_THAT(refusal("{name: s, tool: f, images: [a]}"), Catch::Contains("\"ask\" step"));
  std::string many = "a";
  for (std::size_t i = 0; i < facet::agent::kWorkflowImagesMax; ++i) many += ", a";
  CHECK_THAT(refusal("{name: s, ask: what, images: [" + many + "]}"),
             Catch::Contains("the limit is 16"));
}
