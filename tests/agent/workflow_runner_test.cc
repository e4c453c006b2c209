#include "agent/workflow/runner.h"
#include "base/json.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/catch.h"

#include <string>

namespace {

using facet::agent::RunFinish;
using facet::test::Json;

/// Runs `yaml` on the fixture's tools and model.
facet::agent::WorkflowResult run(facet::test::SessionFixture& fixture,
                                 const std::string& yaml,
                                 std::vector<std::pair<std::string, std::string>> variables = {}) {
  const auto workflow = facet::agent::parse_workflow(yaml, "w.yaml");
  if (!workflow) FAIL(workflow.error().message);
  facet::agent::WorkflowRun spec;
  spec.workflow = &*workflow;
  spec.variables = std::move(variables);
  spec.parts = {.model = fixture.model.get(),
                .registry = &fixture.registry,
                .executor = &fixture.executor,
                .clock = &fixture.clock,
                .passages = &fixture.passages,
                .journal = nullptr};
  spec.session = fixture.options;
  spec.sink = fixture.sink();
  return facet::agent::run_workflow(spec);
}

const std::string kTwoSteps =
    "name: two\n"
    "variables: {start: 5}\n"
    "steps:\n"
    "  - {name: first, tool: double, arguments: {x: \"${start}\"}}\n"
    "  - {name: second, tool: double, arguments: {x: \"${first.result}\"}}\n"
    "result: \"${start} twice doubled is ${second.result}\"\n";

}  // namespace

TEST_CASE("steps run in order and use earlier results with their types", "[agent][unit]") {
  facet::test::SessionFixture fixture({});
  fixture.add_double("double");
  const auto result = run(fixture, kTwoSteps);
  CHECK(result.error.message.empty());
  CHECK(result.finish == RunFinish::answered);
  CHECK(result.result == "\"5 twice doubled is 20\"");
  REQUIRE(result.steps.size() == 2);
  CHECK(result.steps[1].result == R"({"result":20})");
  CHECK(run(fixture, kTwoSteps, {{"start", "7"}}).result == "\"7 twice doubled is 28\"");
  const auto unknown = run(fixture, kTwoSteps, {{"stop", "7"}});
  CHECK(unknown.finish == RunFinish::failed);
  CHECK(unknown.error.message == "the workflow \"two\" has no variable \"stop\"");
}

TEST_CASE("an ask step may hold its answer to a schema, and later steps use its fields",
          "[agent][unit]") {
  const std::string yaml =
      "name: typed\n"
      "steps:\n"
      "  - name: limit\n"
      "    ask: What is the limit?\n"
      "    answer_schema: {type: object, properties: {x: {type: integer}}, required: [x]}\n"
      "  - {name: twice, tool: double, arguments: {x: \"${limit.value.x}\"}}\n"
      "result: \"${twice.result}\"\n";
  facet::test::SessionFixture fixture({R"({"x": 21})" + facet::test::kEnd});
  fixture.add_double("double");
  const auto result = run(fixture, yaml);
  CHECK(result.error.message.empty());
  CHECK(result.result == "42");
  facet::test::SessionFixture wrong({"42" + facet::test::kEnd, "it is 42" + facet::test::kEnd});
  wrong.add_double("double");
  const auto failed = run(wrong, yaml);
  CHECK(failed.finish == RunFinish::failed);
  CHECK(failed.error.message.find("step limit") == 0);
}

TEST_CASE("an ask step is an agent run whose answer later steps can use", "[agent][unit]") {
  facet::test::SessionFixture fixture(
      {facet::test::call("double", 4) + facet::test::kWait, "It is 8." + facet::test::kEnd});
  fixture.add_double("double");
  const auto result = run(fixture,
                          "name: a\nsteps:\n  - {name: q, ask: \"What is twice 4?\"}\n"
                          "result: ${q.answer}\n");
  CHECK(result.error.message.empty());
  CHECK(result.result == "\"It is 8.\"");
}

TEST_CASE("a workflow stops at the first step that does not succeed", "[agent][unit]") {
  facet::test::SessionFixture fixture({});
  fixture.add("broken", [](const Json&) -> facet::Result<Json> {
    return facet::Error{facet::Code::unavailable, "the disk is gone"};
  });
  bool has_run = false;
  fixture.add(
      "write",
      [&](const Json&) -> facet::Result<Json> {
        has_run = true;
        return Json{{"ok", true}};
      },
      facet::tools::Effect::changes_state);
  const auto broken = run(fixture,
                          "name: a\nsteps:\n  - {name: one, tool: broken, arguments: {x: 1}}\n"
                          "  - {name: two, tool: write, arguments: {x: 1}}\n");
  CHECK(broken.finish == RunFinish::failed);
  CHECK(broken.error.message.find("step one: tool \"broken\" returned") == 0);
  CHECK(broken.error.message.find("the disk is gone") != std::string::npos);
  CHECK(broken.steps.size() == 1);

  // Nobody is there to approve: the call is not made.
  const auto denied =
      run(fixture, "name: a\nsteps:\n  - {name: two, tool: write, arguments: {x: 1}}\n");
  CHECK(denied.finish == RunFinish::approval_needed);
  CHECK_FALSE(has_run);
  fixture.options.policy.allow_all = true;
  CHECK(run(fixture, "name: a\nsteps:\n  - {name: two, tool: write, arguments: {x: 1}}\n").finish ==
        RunFinish::answered);
  CHECK(has_run);

  const auto missing = run(fixture, "name: a\nsteps:\n  - {name: one, tool: nobody}\n");
  CHECK(missing.error.message == "step one: there is no tool \"nobody\"");
  const auto field = run(fixture,
                         "name: a\nsteps:\n  - {name: two, tool: write, arguments: {x: 1}}\n"
                         "result: ${two.nothing}\n");
  CHECK(field.finish == RunFinish::failed);
  CHECK(field.error.message.find("${two.nothing}") != std::string::npos);
}

TEST_CASE("each ask step counts its passages from 1", "[agent][unit]") {
  using facet::test::call;
  facet::test::SessionFixture fixture(
      {call("find", 1) + facet::test::kWait, "Found in [1]." + facet::test::kEnd});
  int searches = 0;
  fixture.add("find", [&](const Json&) -> facet::Result<Json> {
    const std::string document = "d" + std::to_string(++searches) + ".md";
    const auto added = fixture.passages.add({{.chunk_id = 1, .document = document, .text = "t"}});
    return Json{{"id", added.front().id}};
  });
  const auto result = run(fixture,
                          "name: two\n"
                          "steps:\n"
                          "  - {name: first, ask: a}\n"
                          "  - {name: second, ask: b}\n"
                          "result: ${second.citations}\n");
  CHECK(result.error.message.empty());
  REQUIRE(searches == 2);
  const auto citations = facet::parse_json(result.result, "result");
  REQUIRE(citations);
  REQUIRE(citations->size() == 1);
  CHECK(citations->at(0).at("document") == "d2.md");
}

TEST_CASE("a tool's error is a failure of the step, not of a backend", "[agent][unit]") {
  facet::test::SessionFixture fixture({});
  fixture.add("broken", [](const Json&) -> facet::Result<Json> {
    return facet::Error{facet::Code::unavailable, "no luck"};
  });
  const std::string step = "name: w\nsteps:\n  - {name: s, tool: broken, arguments: ";
  CHECK(run(fixture, step + "{x: 1}}\n").error.code == facet::Code::invalid_data);
  CHECK(run(fixture, step + "{x: one}}\n").error.code == facet::Code::invalid_data);
}

TEST_CASE("images of a step are shown in its session, references filled in", "[agent][unit]") {
  facet::test::SessionFixture fixture({"A cat." + facet::test::kEnd});
  const auto workflow = facet::agent::parse_workflow(
      "name: w\nvariables: {photo: cat}\nsteps:\n"
      "  - {name: look, ask: what is it, images: [\"${photo}.png\", dog.png]}\n"
      "  - {name: again, ask: and now}\n",
      "w.yaml");
  REQUIRE(workflow);
  facet::agent::WorkflowRun spec;
  spec.workflow = &*workflow;
  spec.parts = {.model = fixture.model.get(),
                .registry = &fixture.registry,
                .executor = &fixture.executor,
                .clock = &fixture.clock};
  const auto without = facet::agent::run_workflow(spec);
  CHECK(without.finish == RunFinish::failed);
  CHECK_THAT(without.error.message, Catch::Contains("without pictures"));
  std::vector<std::vector<std::string>> shown;
  spec.show_images = [&](const std::vector<std::string>& paths,
                         facet::agent::SessionOptions& session) {
    shown.push_back(paths);
    session.pictures.resize(paths.size());
    return facet::ok();
  };
  const auto result = facet::agent::run_workflow(spec);
  CHECK(result.finish == RunFinish::answered);
  REQUIRE(shown.size() == 1);
  CHECK(shown[0] == std::vector<std::string>{"cat.png", "dog.png"});
  CHECK(fixture.model->transcript().pictures == 0);  // The second step's session shows none.
  spec.show_images = [](const auto&, auto&) -> facet::Status {
    return facet::Error{facet::Code::not_found, "cat.png: is not there"};
  };
  CHECK_THAT(facet::agent::run_workflow(spec).error.message,
             Catch::Contains("step look") && Catch::Contains("cat.png"));
}
