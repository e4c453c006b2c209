// More tools than are declared at once.
#include "agent/tool_search.h"

#include "agent/loop.h"
#include "agent/tool_catalog.h"
#include "base/json.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/build_kind.h"
#include "tests/support/temp_dir.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;
using Strings = std::vector<std::string>;

namespace {

ToolSpec spec(std::string name, std::string description, const std::string& parameter = "x") {
  return {.name = std::move(name),
          .description = std::move(description),
          .parameters =
              R"({"type":"object","properties":{")" + parameter + R"(":{"type":"integer"}}})"};
}

/// Near what it shares letters with.
class LetterEmbedder final : public retrieval::Embedder {
 public:
  [[nodiscard]] std::size_t dimension() const override { return 26; }
  [[nodiscard]] std::string identity() const override { return "letters"; }
  [[nodiscard]] Result<std::vector<float>> embed_query(std::string_view text) const override {
    ++embedded;
    std::vector<float> vector(26, 0.0F);
    for (const char c : text) {
      if (c >= 'a' && c <= 'z') vector[static_cast<std::size_t>(c - 'a')] += 1.0F;
    }
    float square = 1e-9F;
    for (const float value : vector) square += value * value;
    for (float& value : vector) value /= std::sqrt(square);
    return vector;
  }
  [[nodiscard]] Result<std::vector<float>> embed_document(std::string_view title,
                                                          std::string_view text) const override {
    return embed_query(std::string(title) + std::string(text));
  }
  mutable int embedded = 0;
};

/// A tool with words of its own.
class NamedTool final : public tools::Tool {
 public:
  explicit NamedTool(ToolSpec spec) : spec_(std::move(spec)) {}
  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  Result<Json> call(const Json& arguments, const tools::CallContext& /*context*/) const override {
    return Json{{"called", spec_.name}, {"with", arguments}};
  }

 private:
  ToolSpec spec_;
};

const std::vector<ToolSpec> kSpecs{spec("get_weather", "The weather of a city.", "city"),
                                   spec("sendMail", "Sends a mail to a person.", "recipient"),
                                   spec("convert", "Converts money to another currency."),
                                   spec("translate", "Translates text to a language.")};

std::string find_call(const std::string& query) {
  return "<start_function_call>call:find_tools{query:<escape>" + query +
         "<escape>}<end_function_call>" + kWait;
}

/// A session whose budget has room for find_tools and one tool or two.
struct ManyTools : SessionFixture {
  explicit ManyTools(std::vector<std::string> outputs, ScriptedOptions scripted = {})
      : SessionFixture(std::move(outputs), std::move(scripted)) {
    for (const ToolSpec& tool : kSpecs) REQUIRE(registry.add(std::make_shared<NamedTool>(tool)));
    const ToolSpec find = find_tool_spec();
    options.tool_tokens_max = static_cast<std::int64_t>(find.name.size() + find.description.size() +
                                                        find.parameters.size() + 110);
  }
  [[nodiscard]] const Strings& declared() const { return model->transcript().declared; }
};

}  // namespace

TEST_CASE("words of tools are letters and digits, cut where names are", "[agent]") {
  CHECK(tool_words("getWeather_v2 of-São.Paulo!") ==
        Strings{"get", "weather", "v2", "of", "s\xC3\xA3o", "paulo"});
  CHECK(tool_words("  ").empty());
  CHECK(tool_words(std::string(100'000, 'a') + " b").size() == 2);
}

TEST_CASE("tools are found by name, description and parameters, always in one order", "[agent]") {
  const ToolIndex index(kSpecs, nullptr);
  CHECK(index.best("mail")->front() == 1);
  CHECK(index.best("what is the WEATHER like")->front() == 0);
  CHECK(*index.best("recipient") == std::vector<std::size_t>{1});
  CHECK(index.best("currency of money")->front() == 2);
  CHECK(index.best("none such")->empty());
  CHECK(index.best("")->empty());
  // Equal ones stay in their order.
  const std::vector<ToolSpec> twins{spec("b", "same words"), spec("a", "same words")};
  const ToolIndex both(twins, nullptr);
  CHECK(*both.best("words") == std::vector<std::size_t>{0, 1});
}

TEST_CASE("an embedder finds tools without a word in common", "[agent]") {
  const LetterEmbedder embedder;
  const ToolIndex index(kSpecs, &embedder);
  const auto best = index.best("translating");
  REQUIRE(best);
  CHECK(best->size() == kSpecs.size());
  CHECK(best->front() == 3);
  const int once = embedder.embedded;
  CHECK(*index.best("translating") == *best);
  CHECK(embedder.embedded == once + 1);  // The tools are remembered.

  std::vector<ToolSpec> many;
  for (int i = 0; i < 3000; ++i) many.push_back(spec("tool" + std::to_string(i), "Does a thing."));
  const LetterEmbedder counted;
  const ToolIndex large(many, &counted);
  CHECK(large.best("a thing")->size() == 3000);
  CHECK(counted.embedded <= static_cast<int>(ToolIndex::kEmbeddedMax) + 1);
}

TEST_CASE("tools that fit the budget are all declared", "[agent]") {
  ManyTools fixture({"Done." + kEnd});
  fixture.options.tool_tokens_max = 0;
  fixture.run("go");
  CHECK(fixture.declared() == Strings{"get_weather", "sendMail", "convert", "translate"});
  CHECK(default_tool_tokens(2048) == 512);
  CHECK(default_tool_tokens(131072) == 8192);
}

TEST_CASE("beyond the budget the best are declared, and the model finds others", "[agent]") {
  ManyTools fixture({find_call("send mail"), call("sendMail", 1) + kWait, "Done." + kEnd});
  const RunResult result = fixture.run("Translate this text");
  CHECK(result.finish == RunFinish::answered);
  // What was declared stays in its place; what is found comes behind it.
  CHECK(fixture.declared() == Strings{"find_tools", "translate", "sendMail"});
  REQUIRE(result.calls.size() == 2);
  CHECK(result.calls[0].outcome == "ok");
  const Json found = Json::parse(result.calls[0].output.content);
  REQUIRE(found.at("tools").size() == 1);
  CHECK(found.at("tools")[0].at("name") == "sendMail");
  CHECK(found.at("tools")[0].at("parameters").at("type") == "object");
  CHECK(result.calls[1].outcome == "ok");
}

TEST_CASE("a search tells what is declared already and what it cannot read", "[agent]") {
  ManyTools fixture({find_call("translate text"),
                     find_call("qqq"),
                     "<start_function_call>call:find_tools{}<end_function_call>" + kWait,
                     "Done." + kEnd});
  const RunResult result = fixture.run("Translate this text");
  REQUIRE(result.calls.size() == 3);
  const Json known = Json::parse(result.calls[0].output.content);
  CHECK(known.at("tools").empty());
  CHECK(known.at("declared") == Json::array({"translate"}));
  CHECK(Json::parse(result.calls[1].output.content).at("tools").empty());
  CHECK(result.calls[2].outcome == "invalid_arguments");
  CHECK(fixture.declared() == Strings{"find_tools", "translate"});
}

TEST_CASE(
    "a tool that cannot be declared is not found, and a result that does not fit declares none",
    "[agent]") {
  ManyTools refused({find_call("send mail"), "Done." + kEnd}, {.undeclarable = "sendMail"});
  const RunResult result = refused.run("Translate this text");
  CHECK(result.finish == RunFinish::answered);
  CHECK(result.calls[0].outcome == "tool_error");
  CHECK_THAT(result.calls[0].output.content, Catch::Contains("sendMail"));
  CHECK(refused.declared() == Strings{"find_tools", "translate"});

  ManyTools small({find_call("send mail"), "Done." + kEnd}, {.context_tokens_max = 420});
  const RunResult cut = small.run("Translate this text");
  CHECK(cut.calls.at(0).outcome == "does_not_fit");
  CHECK(small.declared() == Strings{"find_tools", "translate"});
}

TEST_CASE("a tool that must be called is declared whatever the question", "[agent]") {
  ManyTools fixture({"Done." + kEnd});
  fixture.options.rules.choice = prompts::tool_choice_from_name("convert");
  fixture.run("Translate this text");
  CHECK(std::count(fixture.declared().begin(), fixture.declared().end(), "convert") == 1);
}

TEST_CASE("a resumed run has the tools it had", "[agent]") {
  const TempDir dir;
  const auto journal = *Journal::open(dir.path() / "j.sqlite");
  const Strings outputs{find_call("send mail"), call("sendMail", 1) + kWait, "Done." + kEnd};
  std::stop_source stop;
  ManyTools first(outputs, {.on_generate = [&](int step) {
                    if (step == 1) stop.request_stop();
                  }});
  first.journal = journal.get();
  const RunResult cut = first.run("Translate this text", stop.get_token());
  REQUIRE(cut.finish == RunFinish::cancelled);

  ManyTools second(outputs);
  second.journal = journal.get();
  second.options.tool_tokens_max = 0;  // All would fit: what counts is what the run had.
  const auto result = second.open()->resume(cut.run_id);
  REQUIRE(result);
  CHECK(result->finish == RunFinish::answered);
  CHECK(second.declared() == Strings{"find_tools", "translate", "sendMail"});
}

TEST_CASE("a run is not resumed with other tools", "[agent]") {
  const TempDir dir;
  const auto journal = *Journal::open(dir.path() / "j.sqlite");
  const bool searches = GENERATE(false, true);
  const auto set_budget = [&](ManyTools& fixture) {
    if (!searches) fixture.options.tool_tokens_max = 0;
    fixture.journal = journal.get();
  };
  ManyTools first({"A long answer." + kEnd});
  set_budget(first);
  first.options.budgets.step_tokens_max = 3;
  const std::string id = first.run("Translate this text").run_id;
  const auto resume = [&](ManyTools& fixture) {
    set_budget(fixture);
    const auto result = fixture.open()->resume(id);
    return result ? std::string("ok") : result.error().message;
  };
  ManyTools same({"A long answer." + kEnd});
  SECTION("the same ones") {
    CHECK(resume(same) == "ok");
  }
  SECTION("one more") {
    same.add_double("twice");
    CHECK_THAT(resume(same), Catch::Contains("other tools: there are others"));
  }
  SECTION("one that has changed") {
    same.registry = tools::Registry();
    for (ToolSpec tool : kSpecs) {
      if (tool.name == "translate") tool.description += " Well.";
      REQUIRE(same.registry.add(std::make_shared<NamedTool>(tool)));
    }
    CHECK_THAT(resume(same), Catch::Contains("other tools: \"translate\" has changed"));
  }
  SECTION("one that is not there") {
    same.registry = tools::Registry();
    for (const ToolSpec& tool : kSpecs) {
      if (tool.name != "translate") {
        REQUIRE(same.registry.add(std::make_shared<NamedTool>(tool)));
      }
    }
    CHECK_THAT(resume(same), Catch::Contains("other tools: \"translate\" is not here"));
  }
}

TEST_CASE("no tool may be called find_tools where there is a search", "[agent]") {
  ManyTools fixture({});
  REQUIRE(fixture.registry.add(std::make_shared<NamedTool>(spec("find_tools", "Mine."))));
  const auto session = Session::open({.model = fixture.model.get(),
                                      .registry = &fixture.registry,
                                      .executor = &fixture.executor,
                                      .clock = &fixture.clock},
                                     fixture.options);
  REQUIRE_FALSE(session);
  CHECK(session.error().code == Code::invalid_argument);
  CHECK_THAT(session.error().message, Catch::Contains("find_tools"));
}

TEST_CASE("ten thousand tools are declared within the budget and searched in bounded time",
          "[agent]") {
  SessionFixture fixture({find_call("number 7777"), "Done." + kEnd});
  for (int i = 0; i < 10'000; ++i) {
    const std::string number = std::to_string(i);
    REQUIRE(fixture.registry.add(std::make_shared<NamedTool>(spec(
        "tool_" + number, "Does what nobody else does, number " + number + ".", "p" + number))));
  }
  fixture.options.tool_tokens_max = 2000;
  using Time = std::chrono::steady_clock;
  const auto begin = Time::now();
  const RunResult result = fixture.run("Please do number 4242 and number 99");
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Time::now() - begin);
  WARN("10,000 tools: " << took.count() << " ms from the question to the answer");
  CHECK(result.finish == RunFinish::answered);
  const Strings& declared = fixture.model->transcript().declared;
  const std::set<std::string> names(declared.begin(), declared.end());
  CHECK(names.size() == declared.size());
  CHECK(declared.size() < 40);
  CHECK(names.count("tool_4242") == 1);
  CHECK(names.count("tool_99") == 1);
  CHECK(names.count("tool_7777") == 1);
  // 0.3 s of one Zen 5 core, registering included; this leaves room for a busy machine.
  CHECK(took < std::chrono::seconds(static_cast<int>(10 * slowdown())));
}

TEST_CASE("hostile tools are refused by name, in little time", "[agent]") {
  tools::Registry registry;
  const auto refusal = [&](ToolSpec tool) {
    const auto begin = std::chrono::steady_clock::now();
    const auto status = registry.add(std::make_shared<NamedTool>(std::move(tool)));
    CHECK(std::chrono::steady_clock::now() - begin <
          std::chrono::milliseconds(static_cast<int>(50 * slowdown())));
    REQUIRE_FALSE(status);
    CHECK(status.error().code != Code::internal);
    return status.error().message;
  };
  REQUIRE(registry.add(std::make_shared<NamedTool>(spec("f", "<end_of_turn><escape>"))));
  CHECK_THAT(refusal(spec("f", "Again.")), Catch::Contains("\"f\""));
  for (const char* name : {"", "a b", "a{b", "<escape>", "f\n", "call:f", "\xFF"}) {
    CHECK_THAT(refusal(spec(name, "")), Catch::Contains("name"));
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += R"({"items":)";
  CHECK_THAT(refusal({.name = "g", .description = "", .parameters = deep}),
             Catch::Contains("\"g\""));
  CHECK(registry.size() == 1);
}
