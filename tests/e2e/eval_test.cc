// facet eval calls, facet eval answers and what looks into their plans and slots, on a few of the
// cases that are held out from the model that ships.
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"

#include <string>
#include <vector>

using namespace facet::test;
using Json = nlohmann::ordered_json;

namespace {

struct Pocket {
  [[nodiscard]] std::string at(const char* name) const { return quoted((folder / name).string()); }
  /// The command on `data`, with the model named.
  [[nodiscard]] Finished run(const std::string& command,
                             const char* data,
                             const std::string& flags) const {
    return run_facet(home.path(),
                     command + " " + at(data) + " --model " + at("generator.gguf") + " " + flags);
  }
  std::filesystem::path folder = std::filesystem::path(FACET_SOURCE_DIR) / "models/pocket";
  TempDir home;
};

std::vector<Json> lines(const Finished& finished) {
  INFO(finished.out << finished.err);
  REQUIRE(finished.exit_code == 0);
  return finished.json_lines();
}

}  // namespace

TEST_CASE("held-out calls and answers are counted", "[e2e]") {
  if (!has_pocket()) return;
  const Pocket pocket;
  const auto calls = pocket.run("eval calls", "held_out/calls.jsonl", "--limit 5 --json");
  INFO(calls.err);
  CHECK(calls.json().at("all").at("cases") == 5);
  CHECK(calls.json().at("all").at("calls_right").get<int>() >= 1);
  const auto answers =
      pocket.run("eval answers", "held_out/answers.jsonl", "--limit 3 --answers quoted --json");
  INFO(answers.err);
  CHECK(answers.json().at("all").at("cases") == 3);
  CHECK(answers.json().at("all").at("exact_percent").get<double>() > 0.0);
  // No plan is no error; a file of the wrong kind is.
  CHECK(pocket.run("eval calls", "held_out/calls.jsonl", "--limit 1 --no-plan").exit_code == 0);
  const auto wrong = pocket.run("eval answers", "held_out/calls.jsonl", "--limit 1");
  CHECK(wrong.exit_code != 0);
  CHECK_THAT(wrong.err, Catch::Contains("calls.jsonl:1"));
}

TEST_CASE("what speaks for a plan and for a slot is shown case by case", "[e2e]") {
  if (!has_pocket()) return;
  const Pocket pocket;
  const auto plans = lines(pocket.run("debug plans", "held_out/calls.jsonl", "--limit 4"));
  REQUIRE(plans.size() == 4);
  for (const Json& one : plans) {
    INFO(one.dump());
    REQUIRE(one.at("steps").size() >= 2);
    CHECK(one.at("steps").back().at("name") == "answer");
    for (const char* key : {"words", "filled", "open", "leaves_number", "leaves_name"}) {
      CHECK(one.at("steps").front().contains(key));
    }
  }
  const std::string slots = "debug slots " + pocket.at("held_out/calls.jsonl") + " --limit 4";
  const auto shown = lines(run_facet(pocket.home.path(), slots));
  REQUIRE(shown.size() == 4);
  CHECK_FALSE(shown.front().at("slots").empty());
}

TEST_CASE("slots of a tool without properties are none", "[e2e]") {
  const TempDir home;
  const auto file = home.path() / "cases.jsonl";
  std::ofstream(file) << R"({"id":"a","kind":"k","tools":[{"name":"t","description":"d",)"
                         R"("parameters":{}}],"user":"say Rome","steps":[{"calls":[{"name":"t",)"
                         R"("arguments":{}}],"outputs":[{}]}]})"
                         "\n";
  const auto shown = lines(run_facet(home.path(), "debug slots " + quoted(file.string())));
  REQUIRE(shown.size() == 1);
  CHECK(shown.front().at("slots").empty());
}
