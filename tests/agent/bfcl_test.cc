#include "agent/bfcl.h"

#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/model_files.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <string>

using namespace facet;
using namespace facet::agent;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kQuestion =
    R"({"id":"simple_python_0","question":[[{"role":"user","content":"Area?"}]],"function":[)"
    R"({"name":"area","description":"d","parameters":{"type":"dict","properties":{"base":)"
    R"({"type":"float","description":"b"},"shape":{"type":"tuple","items":{"type":"any"},)"
    R"("optional":true}},"required":["base"]}}]})";
constexpr const char* kAnswer =
    R"({"id":"simple_python_0","ground_truth":[{"area":{"base":[10.0],"shape":[""]}}]})";

Result<std::vector<BfclCase>> read(const std::string& questions, const std::string& answers) {
  const facet::test::TempDir dir;
  facet::test::write_bytes(dir.path() / "q", questions);
  if (!answers.empty()) facet::test::write_bytes(dir.path() / "a", answers);
  return read_bfcl(dir.path() / "q", answers.empty() ? "" : dir.path() / "a", 0);
}

std::string message(const std::string& questions, const std::string& answers) {
  const auto cases = read(questions, answers);
  REQUIRE_FALSE(cases);
  return cases.error().message;
}

}  // namespace

TEST_CASE("a question of the leaderboard has its functions' types as JSON Schema",
          "[agent][bfcl]") {
  const auto cases = read(kQuestion, kAnswer);
  REQUIRE(cases);
  REQUIRE(cases->size() == 1);
  const BfclCase& test = cases->front();
  CHECK(test.category == "simple_python");
  REQUIRE(test.messages.size() == 1);
  CHECK(test.messages[0].role == Role::user);
  CHECK(test.messages[0].content == "Area?");
  REQUIRE(test.tools.size() == 1);
  CHECK(test.tools[0].name == "area");
  CHECK(Json::parse(test.tools[0].parameters) ==
        Json::parse(R"({"type":"object","properties":{"base":{"type":"number","description":"b"},)"
                    R"("shape":{"type":"array","items":{}}},"required":["base"]})"));
  CHECK(Json::parse(test.answers) == Json::parse(R"([{"area":{"base":[10.0],"shape":[""]}}])"));
}

TEST_CASE("irrelevance has no answers, everything else has", "[agent][bfcl]") {
  const std::string question = kQuestion;
  const auto irrelevant =
      read(R"({"id":"irrelevance_3")" + question.substr(question.find(R"(,"question")")), "");
  REQUIRE(irrelevant);
  CHECK(irrelevant->front().category == "irrelevance");
  CHECK(irrelevant->front().answers == "[]");
  CHECK_THAT(message(question, ""), Catch::Contains("'simple_python_0' has no answer"));
}

TEST_CASE("what is no file of the leaderboard is refused by place", "[agent][bfcl]") {
  const std::string question = kQuestion;
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string out = question;
    out.replace(out.find(from), from.size(), to);
    return out;
  };
  CHECK_THAT(message("{", kAnswer), Catch::Contains("q:1"));
  CHECK_THAT(message(with("\"tuple\"", "\"set\""), kAnswer),
             Catch::Contains("q:1/function/0/parameters/properties/shape/type is \"set\""));
  CHECK_THAT(message(with("\"user\"", "\"tool\""), kAnswer), Catch::Contains("/role is 'tool'"));
  CHECK_THAT(message(with("[[", "[[],["), kAnswer), Catch::Contains("question has 2 turns"));
  CHECK_THAT(message(with("\"id\"", "\"colour\":1,\"id\""), kAnswer),
             Catch::Contains("/colour is not a known field"));
  CHECK_THAT(message(question, R"({"id":"simple_python_0","ground_truth":[{"area":{"base":1}}]})"),
             Catch::Contains("a:1/ground_truth/0/base is no list"));
  CHECK_THAT(message(question, R"({"id":"simple_python_0","ground_truth":[[]]})"),
             Catch::Contains("a:1/ground_truth/0 is not one"));
  CHECK_THAT(message("\n\n", kAnswer), Catch::Contains("holds no case"));
}
