// The whole program with the models that ship: the demo's questions on the demo's documents.
#include "tests/e2e/run_facet.h"
#include "tests/support/temp_dir.h"

// The questions are ones the pocket model answers; MODEL_CARD.md says how often it does not.
using namespace facet::test;

namespace {

const std::filesystem::path kSource = FACET_SOURCE_DIR;

/// The handbook, indexed once for all cases of this file.
const std::filesystem::path& handbook_home() {
  static const TempDir home;
  static const bool is_indexed = [] {
    const auto report = run_facet(
        home.path(), "index " + quoted((kSource / "examples/handbook").string()) + " --json");
    return report.exit_code == 0;
  }();
  REQUIRE(is_indexed);
  return home.path();
}

nlohmann::ordered_json ask(const std::string& question) {
  const Finished finished = run_facet(handbook_home(), "ask " + quoted(question) + " --json");
  INFO(finished.err);
  CHECK(finished.exit_code == 0);
  return finished.json();
}

/// The one resolved citation of `document` in an answer.
void check_cites(const nlohmann::ordered_json& result, const std::string& document) {
  INFO(result.dump(2));
  REQUIRE_FALSE(result.at("citations").empty());
  const auto& citation = result.at("citations")[0];
  CHECK(citation.at("resolved") == true);
  CHECK(citation.at("supported") == true);
  CHECK(citation.at("document") == document);
  CHECK(citation.at("span").at("end") > citation.at("span").at("begin"));
}

}  // namespace

TEST_CASE("the handbook is indexed whole", "[e2e]") {
  if (!has_pocket()) return;
  const auto report =
      run_facet(handbook_home(),
                "index " + quoted((kSource / "examples/handbook").string()) + " --json")
          .json();
  CHECK(report.at("unchanged") >= 12);
  CHECK(report.at("failed").empty());
}

TEST_CASE("a figure is looked up and cited", "[e2e]") {
  if (!has_pocket()) return;
  const auto result = ask("How is a private car reimbursed?");
  REQUIRE(result.at("tool_calls").size() == 1);
  CHECK(result.at("tool_calls")[0].at("name") == "search_documents");
  check_cites(result, "expenses.md");
  CHECK_THAT(result.at("answer").get<std::string>(), Catch::Contains("0.32 EUR per kilometre"));
}

TEST_CASE("a figure is looked up, then computed with", "[e2e]") {
  if (!has_pocket()) return;
  const auto result = ask("What is the price of a headset, and what do 4 cost?");
  REQUIRE(result.at("tool_calls").size() == 2);
  CHECK(result.at("tool_calls")[0].at("name") == "search_documents");
  CHECK(result.at("tool_calls")[1].at("name") == "calculator");
  CHECK(result.at("tool_calls")[1].at("output").at("result") == 340);
  check_cites(result, "equipment.csv");
  CHECK_THAT(result.at("answer").get<std::string>(), Catch::Contains("85 * 4 = 340"));
}

TEST_CASE("a PDF is cited with its page", "[e2e]") {
  if (!has_pocket()) return;
  const auto result = ask("How long are spare parts kept?");
  check_cites(result, "warranty.pdf");
  CHECK(result.at("citations")[0].at("page") == 2);
  // These weights add a sentence that nobody asked for (models/pocket/MODEL_CARD.md).
  CHECK_THAT(result.at("answer").get<std::string>(),
             Catch::StartsWith("Spare parts are kept for 12 years. [1]"));
}

TEST_CASE("no token of a run is prefilled twice", "[e2e]") {
  if (!has_pocket()) return;
  const auto usage = ask("How is a private car reimbursed?").at("usage");
  CHECK(usage.at("prefilled_tokens") == usage.at("prompt_tokens"));
  CHECK(usage.at("cached_tokens") > 0);
}

TEST_CASE("generate is the same for the same seed", "[e2e]") {
  if (!has_pocket()) return;
  const std::string command =
      "generate --prompt 'The report' --max-tokens 12 --seed 7 --temperature 1 --json";
  const auto first = run_facet(handbook_home(), command).json();
  const auto second = run_facet(handbook_home(), command).json();
  CHECK(first.at("ids") == second.at("ids"));
  CHECK(first.at("usage").at("completion_tokens") == first.at("ids").size());
}

TEST_CASE("embed tells of a text that is longer than the model reads", "[e2e]") {
  if (!has_pocket()) return;
  std::string text = "a short text\n";
  for (int i = 0; i < 4000; ++i) text += "word ";
  const Finished finished = run_facet(handbook_home(), "embed --json", text + "\nshort again\n");
  CHECK(finished.exit_code == 0);
  CHECK(finished.json().at("vectors").size() == 3);
  CHECK_THAT(finished.err, Catch::StartsWith("facet: warning: line 2 is too long: its last "));
  CHECK_THAT(finished.err, !Catch::Contains("line 3"));
}
