// Models that are shown few of many tools.
#include "agent/call_eval.h"
#include "agent/local_chat_model.h"
#include "agent/tool_catalog.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

#include <algorithm>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;
using Strings = std::vector<std::string>;

namespace {

/// Five tools for a model that is shown three.
struct FewShown : SessionFixture {
  explicit FewShown(Strings outputs, ScriptedOptions scripted = {.tools_declared_max = 3})
      : SessionFixture(std::move(outputs), std::move(scripted)) {
    for (const char* name : {"wash_car", "send_mail", "book_room", "play_song", "water_plant"}) {
      add_double(name);
    }
  }
  [[nodiscard]] const Strings& declared() const { return model->transcript().declared; }
  [[nodiscard]] const std::vector<Message>& history() const { return model->transcript().history; }
};

std::vector<ToolSpec> named(const Strings& names) {
  std::vector<ToolSpec> out;
  for (const std::string& name : names) {
    out.push_back({.name = name, .parameters = R"({"type":"object","properties":{}})"});
  }
  return out;
}

}  // namespace

TEST_CASE("of more tools than a model is shown those that match are declared", "[agent]") {
  FewShown fixture({"Done." + kEnd});
  fixture.run("Play a song in the room");
  // In their own order; the first of the others fills up, and there is no find_tools.
  CHECK(fixture.declared() == Strings{"wash_car", "book_room", "play_song"});
  FewShown none({"Done." + kEnd});
  none.run("");
  CHECK(none.declared() == Strings{"wash_car", "send_mail", "book_room"});
}

TEST_CASE("how many tools are shown can be said, and as many as there are need no choice",
          "[agent]") {
  FewShown fixture({"Done." + kEnd});
  SECTION("two") {
    fixture.options.tools_max = 2;
    fixture.run("Water the plant");
    CHECK(fixture.declared() == Strings{"wash_car", "water_plant"});
  }
  SECTION("as many as there are") {
    fixture.options.tools_max = 5;
    fixture.run("Water the plant");
    CHECK(fixture.declared().size() == 5);
  }
  SECTION("the budget holds too") {
    const std::int64_t one = *fixture.model->count_tool_tokens(fixture.registry.specs().front());
    fixture.options.tool_tokens_max = one + 5;
    fixture.run("Water the plant");
    CHECK(fixture.declared() == Strings{"water_plant"});
  }
}

TEST_CASE("what must be called, searches and sums are declared whatever the question", "[agent]") {
  FewShown fixture({"Done." + kEnd});
  fixture.add_double("calculator");
  fixture.add_double("search_documents");
  fixture.run("Wash the car, send a mail, book a room");
  CHECK(std::count(fixture.declared().begin(), fixture.declared().end(), "calculator") == 1);
  CHECK(std::count(fixture.declared().begin(), fixture.declared().end(), "search_documents") == 1);
  CHECK(fixture.declared().size() == 5);
  fixture.options.rules.choice = prompts::tool_choice_from_name("water_plant");
  fixture.options.tools_max = 1;
  fixture.run("Wash the car");
  CHECK(fixture.declared() == Strings{"wash_car", "water_plant", "calculator", "search_documents"});
}

TEST_CASE("a later question that asks for another tool begins the conversation anew", "[agent]") {
  FewShown fixture({"Done." + kEnd, "Done too." + kEnd});
  fixture.options.history = {{.role = Role::user, .content = "Hello"},
                             {.role = Role::assistant, .content = "Hi"}};
  fixture.options.tools_max = 1;
  const auto session = fixture.open();
  CHECK(session->run("Water the plant").answer == "Done.");
  CHECK(fixture.declared() == Strings{"water_plant"});
  CHECK(fixture.history().size() == 2);

  // All tools are described in these words, but none is named: the same conversation goes on.
  CHECK(session->run("And a tool of the tests once more, please").answer == "Done too.");
  CHECK(fixture.model->transcript().user_turns.size() == 2);

  CHECK(session->run("Now wash the car").answer == "Done.");
  CHECK(fixture.declared() == Strings{"wash_car"});
  CHECK(fixture.model->transcript().user_turns == Strings{"Now wash the car"});
  REQUIRE(fixture.history().size() == 6);
  CHECK(fixture.history()[2].content == "Water the plant");
  CHECK(fixture.history()[3].content == "Done.");
  CHECK(fixture.history()[3].role == Role::assistant);
  CHECK(fixture.history()[5].content == "Done too.");
}

TEST_CASE("a conversation with pictures does not begin anew", "[agent]") {
  FewShown fixture({"Done." + kEnd, "Done too." + kEnd});
  fixture.options.tools_max = 1;
  const auto session = fixture.open();
  session->show({Picture{}});
  session->run("Wash the car");
  session->run("Now water the plant");
  CHECK(fixture.declared() == Strings{"wash_car"});
  CHECK(fixture.model->transcript().user_turns.size() == 2);
}

TEST_CASE("a run that did not end in an answer is not remembered", "[agent]") {
  FewShown fixture({"A long answer." + kEnd});
  fixture.options.tools_max = 1;
  fixture.options.budgets.step_tokens_max = 3;
  const auto session = fixture.open();
  CHECK(session->run("Wash the car").finish == RunFinish::limit);
  session->run("Now water the plant");
  CHECK(fixture.declared() == Strings{"water_plant"});
  CHECK(fixture.history().empty());
}

TEST_CASE("a resumed run has the few tools it had, and no others", "[agent]") {
  const TempDir dir;
  const auto journal = *Journal::open(dir.path() / "j.sqlite");
  FewShown first({"A long answer." + kEnd});
  first.journal = journal.get();
  first.options.budgets.step_tokens_max = 3;
  const std::string id = first.run("Water the plant").run_id;
  const Strings had = first.declared();

  FewShown second({"A long answer." + kEnd}, {.tools_declared_max = 5});
  second.journal = journal.get();
  const auto result = second.open()->resume(id);
  REQUIRE(result);
  CHECK(result->finish == RunFinish::answered);
  CHECK(second.declared() == had);
  CHECK(had.size() == 3);
}

TEST_CASE("an evaluation shows a model the tools that a session shows it", "[agent]") {
  CallCase test{.tools = named({"wash_car", "send_mail", "book_room"}), .user = "Book a room"};
  const auto shown = [&](ScriptedOptions scripted, int tools_max) {
    const auto model = *ScriptedChatModel::create({"Done." + kEnd}, std::move(scripted));
    REQUIRE(score_call_case(*model, test, {.tools_max = tools_max}));
    return model->transcript().declared;
  };
  CHECK(shown({}, 0).size() == 3);
  CHECK(shown({.tools_declared_max = 1}, 0) == Strings{"book_room"});
  CHECK(shown({.tools_declared_max = 1}, 2) == Strings{"wash_car", "book_room"});
  CHECK(shown({}, 2) == Strings{"wash_car", "book_room"});
}

TEST_CASE("a conversation that outgrows the model's training is told of, once", "[agent]") {
  const auto told = [](std::int64_t trained) {
    FewShown one({"A long answer." + kEnd, "Another." + kEnd},
                 {.tools_declared_max = 3, .trained_tokens_max = trained});
    const auto session = one.open();
    std::vector<std::string> warnings;
    const EventSink sink = [&](const Event& event) {
      const std::string text = warning_of(event);
      if (!text.empty()) warnings.push_back(text);
      const auto* longer = std::get_if<TrainingExceeded>(&event);
      if (longer != nullptr) CHECK(longer->tokens > trained);
    };
    REQUIRE(session->run("Book a room", sink).finish == RunFinish::answered);
    REQUIRE(session->run("Book a room", sink).finish == RunFinish::answered);
    return warnings;
  };
  CHECK(told(0).empty());
  CHECK(told(1'000'000).empty());
  const auto warnings = told(2);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings.front(), Catch::Contains("trained on up to 2:"));
}

TEST_CASE("a model's file says how long the texts were that it was trained on", "[agent]") {
  const TempDir dir;
  const auto load = [&](std::uint32_t tokens) {
    GgufWriter file = tiny_gguf({.context_tokens_max = 2048});
    file.add_u32("facet.trained_tokens_max", tokens);
    write_bytes(dir.path() / "tiny.gguf", file.bytes());
    return engine::Engine::load({.model = dir.path() / "tiny.gguf", .threads = 1});
  };
  const auto engine = load(1024);
  REQUIRE(engine);
  CHECK((*LocalChatModel::create(*engine, "functiongemma"))->trained_tokens_max() == 1024);
  const auto refused = load(0);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains("facet.trained_tokens_max"));
}

TEST_CASE("a model's file says how many tools it is shown", "[agent]") {
  const TempDir dir;
  const auto load = [&](std::uint32_t tools) {
    GgufWriter file = tiny_gguf({.context_tokens_max = 2048});
    file.add_u32("facet.tools_declared_max", tools);
    write_bytes(dir.path() / "tiny.gguf", file.bytes());
    return engine::Engine::load({.model = dir.path() / "tiny.gguf", .threads = 1});
  };
  const auto engine = load(6);
  REQUIRE(engine);
  CHECK((*LocalChatModel::create(*engine, "functiongemma"))->tools_declared_max() == 6);
  for (const std::uint32_t wrong : {0U, 16'385U}) {
    const auto refused = load(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_data);
    CHECK_THAT(refused.error().message, Catch::Contains("facet.tools_declared_max"));
  }
}
