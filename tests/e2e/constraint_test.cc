// facet generate with rules for its output, on a model with random weights: it knows nothing, so
// whatever is right comes from the rules.
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"
#include "tools/schema.h"

#include <string>

using namespace facet::test;
using facet::tools::Schema;
using nlohmann::ordered_json;

namespace {

const char* const kParameters =
    R"({"type":"object","properties":{"city":{"type":"string","minLength":1,"maxLength":12},)"
    R"("days":{"type":"integer","minimum":1,"maximum":14},"unit":{"enum":["c","f"]},)"
    R"("when":{"type":"string","format":"date"},"tags":{"type":"array","items":{"type":"string"},)"
    R"("maxItems":2}},"required":["city","days"],"additionalProperties":false})";

std::string tools_json() {
  return std::string(R"([{"type":"function","function":{"name":"forecast","description":"d",)") +
         R"("parameters":)" + kParameters +
         R"(}},{"type":"function","function":{"name":"now","description":"n"}}])";
}

std::filesystem::path write_file(const TempDir& home, const char* name, const std::string& text) {
  const auto path = home.path() / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string sampling(int seed) {
  return " -n 200 --temperature 1.5 --top-k-tokens 0 --top-p 1 --seed " + std::to_string(seed) +
         " --json";
}

}  // namespace

TEST_CASE("A model with random weights calls tools validly when it must", "[e2e]") {
  const TempDir home;
  TinyModel shape;
  shape.context_tokens_max = 512;
  write_tiny_gguf(home.path() / "m.gguf", shape);
  const auto tools = write_file(home, "tools.json", tools_json());
  const auto schema = Schema::compile_text(kParameters);
  REQUIRE(schema);
  const std::string command = "generate --model " + quoted((home.path() / "m.gguf").string()) +
                              " --prompt hello --tools " + quoted(tools.string());
  int forced = 0;
  for (const char* dialect : {"functiongemma", "gemma3-python", "gemma3-json"}) {
    for (int seed = 0; seed < 4; ++seed) {
      const char* choice = seed % 2 == 0 ? "required" : "forecast";
      INFO(dialect << " " << choice << " seed " << seed);
      const auto run = run_facet(home.path(),
                                 command + " --dialect " + dialect + " --tool-choice " + choice +
                                     " --max-calls 2" + sampling(seed));
      INFO(run.err);
      REQUIRE(run.exit_code == 0);
      const ordered_json out = run.json();
      INFO(out.dump());
      CHECK_FALSE(out.contains("parse_error"));
      // Well formed either way; "length" where the room decided how long a text became.
      CHECK((out["finish_reason"] == "stop" || out["finish_reason"] == "length"));
      REQUIRE(out["tool_calls"].size() >= 1);
      CHECK(out["tool_calls"].size() <= 2);
      for (const auto& call : out["tool_calls"]) {
        if (call["name"] == "now") continue;
        CHECK(call["name"] == "forecast");
        const auto fault = schema->check(call["arguments"]);
        INFO((fault ? fault->text() : ""));
        CHECK_FALSE(fault);
      }
      forced += out["usage"]["forced_tokens"].get<int>();
    }
  }
  CHECK(forced > 100);
  const auto none =
      run_facet(home.path(), command + " --dialect gemma3-json --tool-choice none" + sampling(1));
  REQUIRE(none.exit_code == 0);
  CHECK(none.json()["tool_calls"].empty());
  const auto unknown = run_facet(home.path(), command + " --tool-choice nobody" + sampling(1));
  CHECK(unknown.exit_code != 0);
  CHECK(unknown.out.find("nobody") != std::string::npos);
}

TEST_CASE("An output is one value of its schema, or one text of its grammar", "[e2e]") {
  const TempDir home;
  TinyModel shape;
  shape.context_tokens_max = 512;
  write_tiny_gguf(home.path() / "m.gguf", shape);
  const auto schema_file = write_file(home, "s.json", kParameters);
  const auto grammar_file =
      write_file(home, "g.gbnf", "root ::= word (\" \" word){1,3} \".\"\nword ::= [a-z]{1,6}\n");
  const auto schema = Schema::compile_text(kParameters);
  REQUIRE(schema);
  const std::string command = "generate --model " + quoted((home.path() / "m.gguf").string()) +
                              " --dialect gemma3 --prompt hello";
  for (int seed = 0; seed < 3; ++seed) {
    const auto run = run_facet(
        home.path(), command + " --json-schema " + quoted(schema_file.string()) + sampling(seed));
    INFO(run.err);
    REQUIRE(run.exit_code == 0);
    const std::string text = run.json()["text"].get<std::string>();
    INFO(text);
    const auto value = facet::parse_json(text, "text");
    REQUIRE(value);
    CHECK_FALSE(schema->check(*value));
    const auto worded = run_facet(
        home.path(), command + " --grammar " + quoted(grammar_file.string()) + sampling(seed));
    REQUIRE(worded.exit_code == 0);
    const std::string words = worded.json()["text"].get<std::string>();
    INFO(words);
    CHECK(words.find_first_not_of("abcdefghijklmnopqrstuvwxyz .") == std::string::npos);
    CHECK(words.ends_with("."));
    CHECK(words.find(' ') != std::string::npos);
  }
  const auto both = run_facet(home.path(),
                              command + " --grammar " + quoted(grammar_file.string()) +
                                  " --json-schema " + quoted(schema_file.string()) + sampling(0));
  CHECK(both.exit_code != 0);
}

TEST_CASE("rules that cannot be kept end in an error, never in free text", "[e2e]") {
  const TempDir home;
  write_tiny_gguf(home.path() / "m.gguf", {.context_tokens_max = 512});
  const std::string command = "generate --model " + quoted((home.path() / "m.gguf").string()) +
                              " --dialect gemma3-json --prompt hello --json -n 20 ";
  const auto refused = [&](const char* flag, const std::string& rules, const char* part) {
    const auto file = write_file(home, "rules", rules);
    const auto run = run_facet(home.path(), command + flag + " " + quoted(file.string()));
    INFO(rules << " " << run.out << run.err);
    CHECK(run.exit_code != 0);
    const ordered_json out = run.json();
    CHECK_FALSE(out.contains("text"));
    CHECK_FALSE(out.contains("ids"));
    CHECK_THAT(out["error"]["message"].get<std::string>(), Catch::Contains(part));
  };
  refused("--json-schema", R"({"$ref":"#"})", "refers to itself");
  refused("--json-schema", R"({"type":"integer","minimum":2,"maximum":1})", "no value");
  refused("--json-schema", R"({"properties":{"a":{"uniqueItems":true}}})", "/properties/a");
  refused("--grammar", "root ::= root \"a\" | \"b\"", "left-recursive");
  refused("--tools",
          R"([{"type":"function","function":{"name":"book","description":"d","parameters":)"
          R"({"type":"object","properties":{"n":{"type":"integer","minimum":2,"maximum":1}},)"
          R"("required":["n"]}}}])",
          "/properties/n");
}

TEST_CASE("schema check explains a schema or refuses it with its pointer", "[e2e]") {
  const TempDir home;
  const auto good = run_facet(home.path(), "schema check - --json", kParameters);
  REQUIRE(good.exit_code == 0);
  CHECK(good.json()["enforced"] == true);
  const auto bad =
      run_facet(home.path(), "schema check -", R"({"properties":{"a":{"uniqueItems":true}}})");
  CHECK(bad.exit_code != 0);
  CHECK(bad.err.find("/properties/a/uniqueItems") != std::string::npos);
  const auto empty =
      run_facet(home.path(), "schema check -", R"({"type":"integer","minimum":2,"maximum":1})");
  CHECK(empty.exit_code != 0);
  CHECK(empty.err.find("no value") != std::string::npos);
}
