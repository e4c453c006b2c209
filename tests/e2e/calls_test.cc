// Calls and answers of the whole program, with the model that ships: what streams, what is forced,
// and what is refused.
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace facet::test;
using Json = nlohmann::ordered_json;

namespace {

std::string write(const TempDir& dir, const std::string& name, const std::string& text) {
  const auto path = dir.path() / name;
  std::ofstream(path) << text;
  return path.string();
}

}  // namespace

TEST_CASE("the pieces of a call are its arguments", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  const auto events = run_facet(home.path(), "ask 'What is 12 * 12?' --events").json_lines();
  std::map<std::string, std::string> told;
  int calls = 0;
  for (const Json& event : events) {
    const std::string type = event.at("type").get<std::string>();
    if (type == "tool_call_delta") {
      told[event.at("id").get<std::string>()] += event.at("delta").get<std::string>();
    } else if (type == "tool_call") {
      CHECK(Json::parse(told.at(event.at("id").get<std::string>())) == event.at("arguments"));
      ++calls;
    }
  }
  CHECK(calls == 1);
  CHECK(events.back().at("usage").at("forced_tokens") > 0);
}

TEST_CASE("an answer is held to the schema of a file", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  const std::string schema = write(
      home,
      "answer.json",
      R"({"type":"object","properties":{"result":{"type":"integer"},"unit":{"enum":["EUR","none"]}},)"
      R"("required":["result","unit"]})");
  const auto finished =
      run_facet(home.path(),
                "ask 'What is 12 * 12?' --json --tool-choice none --json-schema " + quoted(schema));
  INFO(finished.out << finished.err);
  REQUIRE(finished.exit_code == 0);
  const Json value = finished.json().at("value");
  CHECK(value.at("result").is_number_integer());
  CHECK((value.at("unit") == "EUR" || value.at("unit") == "none"));
}

TEST_CASE("a tool choice holds for the first output", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  const auto ask = [&](const std::string& flags) {
    return run_facet(home.path(), "ask 'What is 12 * 12?' --json " + flags);
  };
  const auto forced = ask("--tool-choice current_time --max-calls 1");
  INFO(forced.out << forced.err);
  REQUIRE_FALSE(forced.json().at("tool_calls").empty());
  CHECK(forced.json().at("tool_calls")[0].at("name") == "current_time");
  CHECK(ask("--tool-choice none").json().at("tool_calls").empty());
  const auto unknown = ask("--tool-choice nobody");
  CHECK(unknown.exit_code != 0);
  CHECK_THAT(unknown.err, Catch::Contains("nobody"));
}

TEST_CASE("a schema that cannot be enforced is no free text", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  const std::string schema = write(home, "not.json", R"({"properties":{"a":{"not":{}}}})");
  const auto refused = run_facet(home.path(), "ask hello --json-schema " + quoted(schema));
  CHECK(refused.exit_code != 0);
  CHECK(refused.out.empty());
  CHECK_THAT(refused.err, Catch::Contains("/properties/a/not"));
  const std::string relaxed =
      write(home, "relaxed.json", R"({"properties":{"a":{"not":{},"x-facet-relaxed":true}}})");
  const auto warned = run_facet(
      home.path(), "ask hello --json --step-tokens-max 2 --json-schema " + quoted(relaxed));
  CHECK_THAT(warned.err, Catch::Contains("(answer)/properties/a"));
}

TEST_CASE("beyond a budget of tokens the model is given a search for tools", "[e2e]") {
  if (!has_pocket()) return;
  const TempDir home;
  const auto usage = [&](const std::string& flags) {
    const auto finished =
        run_facet(home.path(), "ask 'What is 12 * 12?' --json --steps-max 1 " + flags);
    return finished.json().at("usage").at("prompt_tokens").get<int>();
  };
  const int all = usage("");
  CHECK(usage("--tool-tokens 4000") == all);
  CHECK(usage("--tool-tokens 1") != all);
}
