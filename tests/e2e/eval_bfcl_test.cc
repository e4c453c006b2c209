// facet eval calls --format bfcl: a file of two questions in the leaderboard's form, on a model
// with random weights.
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <string>

using namespace facet::test;

namespace {

constexpr const char* kFunction =
    R"("function":[{"name":"math.area","description":"Computes.","parameters":{"type":"dict",)"
    R"("properties":{"base":{"type":"float","description":"b"},"unit":{"type":"string",)"
    R"("enum":["cm"]}},"required":["base"]}}]})";

std::string question(const char* id) {
  return std::string(R"({"id":")") + id + R"(","question":[[{"role":"user","content":"Area?"}]],)" +
         kFunction + "\n";
}

struct Files {
  Files() {
    TinyModel shape;
    shape.context_tokens_max = 2048;
    write_tiny_gguf(home.path() / "m.gguf", shape);
    write_bytes(home.path() / "q.jsonl", question("simple_python_0") + question("simple_python_1"));
    write_bytes(home.path() / "none.jsonl", question("irrelevance_0"));
    write_bytes(home.path() / "a.jsonl",
                R"({"id":"simple_python_0","ground_truth":[{"math.area":{"base":[1.0]}}]})"
                "\n"
                R"({"id":"simple_python_1","ground_truth":[{"math.area":{"base":[2.0]}}]})"
                "\n");
  }
  [[nodiscard]] std::string at(const char* name) const {
    return quoted((home.path() / name).string());
  }
  [[nodiscard]] Finished eval(const std::string& arguments) const {
    return run_facet(home.path(), "eval calls --model " + at("m.gguf") + " " + arguments);
  }
  TempDir home;
};

}  // namespace

TEST_CASE("eval calls --format bfcl counts valid and right turns, tokens and time", "[e2e]") {
  const Files files;
  const std::string command = "--format bfcl --questions " + files.at("q.jsonl") + " --answers " +
                              files.at("a.jsonl") + " -n 200 --temperature 1.5 --json";
  const auto held = files.eval(command + " --tool-choice required --constrained --wrong");
  INFO(held.err);
  REQUIRE(held.exit_code == 0);
  const auto json = held.json();
  INFO(json.dump());
  CHECK(json["format"] == "bfcl");
  CHECK(json["dialect"] == "functiongemma");
  CHECK(json["constrained"] == true);
  CHECK(json["tool_choice"] == "required");
  CHECK(json["all"]["cases"] == 2);
  CHECK(json["all"]["validity_percent"] == 100.0);
  CHECK(json["all"]["calls"] >= 2);
  CHECK(json["all"]["tokens"]["prompt"] > 0);
  CHECK(json["all"]["tokens"]["sampled"] > 0);
  CHECK(json["all"]["tokens"]["forced"] > 0);
  CHECK(json["all"]["ms"]["decode"] > 0);
  CHECK(json["categories"]["simple_python"]["cases"] == 2);
  CHECK(json["wrong"].size() == 2 - json["all"]["right"].get<std::size_t>());

  const auto free = files.eval(command + " --free --limit 1");
  REQUIRE(free.exit_code == 0);
  CHECK(free.json()["all"]["cases"] == 1);
  CHECK(free.json()["all"]["tokens"]["forced"] == 0);
  CHECK(free.json()["constrained"] == false);
}

TEST_CASE("irrelevance needs no answers; not to call is right", "[e2e]") {
  const Files files;
  const std::string command =
      "--format bfcl --questions " + files.at("none.jsonl") + " --dialect gemma3-json --json";
  const auto none = files.eval(command + " --tool-choice none -n 20");
  INFO(none.err);
  REQUIRE(none.exit_code == 0);
  CHECK(none.json()["all"]["accuracy_percent"] == 100.0);
  CHECK(none.json()["answers"].is_null());
  const auto some = files.eval(command + " --tool-choice required -n 200");
  REQUIRE(some.exit_code == 0);
  CHECK(some.json()["all"]["accuracy_percent"] == 0.0);
  CHECK(some.json()["all"]["validity_percent"] == 100.0);
  CHECK(some.json()["agent"] == false);
  const auto agents = files.eval(command + " --tool-choice required -n 200 --agent");
  INFO(agents.err);
  REQUIRE(agents.exit_code == 0);
  CHECK(agents.json()["agent"] == true);
  CHECK(agents.json()["all"]["validity_percent"] == 100.0);
}

TEST_CASE("eval calls refuses flags that its format does not use", "[e2e]") {
  const Files files;
  CHECK(files.eval("").exit_code == 2);
  CHECK(files.eval("--format bfcl").exit_code == 2);
  CHECK(files.eval("--format other").exit_code == 2);
  CHECK(files.eval(files.at("q.jsonl") + " --free").exit_code == 2);
  CHECK(files.eval(files.at("q.jsonl") + " --questions x").exit_code == 2);
  const std::string bfcl = "--format bfcl --questions " + files.at("q.jsonl");
  CHECK(files.eval(bfcl + " " + files.at("q.jsonl")).exit_code == 2);
  CHECK(files.eval(bfcl + " --no-plan").exit_code == 2);
  CHECK(files.eval(bfcl + " --free --tool-choice required").exit_code == 2);
  CHECK(files.eval(bfcl + " --free --agent").exit_code == 2);
  CHECK(files.eval(files.at("q.jsonl") + " --agent").exit_code == 2);
  const auto missing = files.eval(bfcl);
  CHECK(missing.exit_code != 0);
  CHECK_THAT(missing.err, Catch::Contains("'simple_python_0' has no answer"));
}
