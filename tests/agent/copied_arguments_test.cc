// Conversations whose calls copy their arguments: a model without sense that is held to it.
#include "agent/local_chat_model.h"
#include "agent/loop.h"
#include "agent/turn_limits.h"
#include "base/grammar/copy_source.h"
#include "base/json.h"
#include "tests/agent/session_fixture.h"
#include "tests/agent/tiny_chat_model.h"
#include "tests/support/copied_ref.h"
#include "tests/support/temp_dir.h"

#include <algorithm>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

using Mode = prompts::ToolChoice::Mode;

const ToolSpec kPlay{.name = "play",
                     .description = "Plays a song.",
                     .parameters = R"({"type":"object","properties":{"title":{"type":"string"},)"
                                   R"("times":{"type":"integer"}},"required":["title"]})"};
const ToolSpec kStop{.name = "stop",
                     .description = "Stops a song.",
                     .parameters = R"({"type":"object","properties":{"id":{"type":"integer"}},)"
                                   R"("required":["id"]})"};

struct Texts {
  std::vector<std::string> said;
  grammar::CopySource numbers;
};

bool is_copied(const ToolCall& call, const Texts& texts) {
  const auto arguments = parse_json(call.arguments, "arguments");
  REQUIRE(arguments);
  return std::all_of(arguments->begin(), arguments->end(), [&](const Json& value) {
    if (value.is_null()) return true;
    if (value.is_number()) {
      const auto& numbers = texts.numbers.numbers();
      return std::find(numbers.begin(), numbers.end(), dump_json(value)) != numbers.end();
    }
    const auto said = value.get<std::string>();
    const bool is_arithmetic = said.find_first_not_of("0123456789.-+*/%^() ") == said.npos;
    return is_arithmetic ||
           std::any_of(texts.said.begin(), texts.said.end(), [&](const std::string& text) {
             return SpanRef::holds_words(text, said, grammar::kSkippedWordsMax);
           });
  });
}

StepResult next_output(Conversation& conversation, std::uint64_t seed) {
  auto step = conversation.generate(
      {.tokens_max = 200, .sampling = {.temperature = 1.5F, .seed = seed}}, {});
  INFO((step ? "" : step.error().message));
  REQUIRE(step);
  return *std::move(step);
}

std::unique_ptr<Conversation> start(const LocalChatModel& model,
                                    std::vector<ToolSpec> tools,
                                    Mode mode = Mode::required) {
  auto conversation = model.start({.plan_first = false,
                                   .tools = std::move(tools),
                                   .rules = {.choice = {.mode = mode}, .calls_max = 2},
                                   .arguments = ArgumentForm::copied});
  INFO((conversation ? "" : conversation.error().message));
  REQUIRE(conversation);
  return *std::move(conversation);
}

}  // namespace

TEST_CASE("a model with random weights copies what it calls with", "[agent]") {
  const std::string dialect = GENERATE("", "gemma3-json", "gemma3-python");
  const auto model = tiny_chat_model(dialect);
  CHECK(model->argument_form() == ArgumentForm::free);
  int strings = 0;
  int numbers = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const auto conversation = start(*model, {kPlay});
    Texts texts{.said = {"Play \"Blue Note\" and So What, 12 times."}};
    for (int turn = 0; turn < 3; ++turn) {
      REQUIRE(conversation->add_user(texts.said.back()));
      texts.numbers.add_text(texts.said.back());
      const StepResult step = next_output(*conversation, seed * 10 + static_cast<unsigned>(turn));
      INFO(step.raw);
      if (step.finish_reason == engine::FinishReason::length) break;
      REQUIRE_FALSE(step.tool_calls.empty());
      std::vector<ToolOutput> outputs;
      for (const ToolCall& call : step.tool_calls) {
        CHECK(is_copied(call, texts));
        strings += call.arguments.find("title") != std::string::npos ? 1 : 0;
        numbers += call.arguments.find("times") != std::string::npos ? 1 : 0;
        outputs.push_back({.content = R"({"queued":"Kind of Blue","left":9})"});
      }
      REQUIRE(conversation->add_tool_outputs(step.tool_calls, outputs));
      texts.said.insert(texts.said.begin(), "Kind of Blue");
      texts.numbers.add_text("9");
      texts.said.push_back("And then \u00C9tude " + std::to_string(turn));
    }
  }
  CHECK(strings > 0);
  CHECK(numbers > 0);
}

TEST_CASE("what nothing can fill is null, and says that it is missing", "[agent]") {
  const auto model = tiny_chat_model();
  int filled = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    for (const char* user : {"Stop it", "Stop number 7"}) {
      const auto conversation = start(*model, {kStop});
      REQUIRE(conversation->add_user(user));
      const StepResult step = next_output(*conversation, seed);
      REQUIRE_FALSE(step.tool_calls.empty());
      for (const ToolCall& call : step.tool_calls) {
        const bool is_filled = call.arguments == R"({"id":7})";
        CHECK((is_filled || call.arguments == R"({"id":null})"));
        CHECK((!is_filled || std::string_view(user) != "Stop it"));
        filled += is_filled ? 1 : 0;
      }
    }
  }
  CHECK(filled > 0);
}

TEST_CASE("what the history's user said can be copied", "[agent]") {
  const auto model = tiny_chat_model();
  auto conversation = model->start({.plan_first = false,
                                    .tools = {kStop},
                                    .rules = {.choice = {.mode = Mode::required}, .calls_max = 1},
                                    .arguments = ArgumentForm::copied,
                                    .history = {{.role = Role::user, .content = "It is song 31."},
                                                {.role = Role::assistant, .content = "Or 32?"}}});
  REQUIRE(conversation);
  REQUIRE((*conversation)->add_user("Stop it"));
  const StepResult step = next_output(**conversation, 1);
  REQUIRE(step.tool_calls.size() == 1);
  CHECK(step.tool_calls[0].arguments == R"({"id":31})");
}

TEST_CASE("tools that are declared later copy too", "[agent]") {
  const auto model = tiny_chat_model();
  const auto conversation = start(*model, {kStop});
  REQUIRE(conversation->add_user("So What"));
  REQUIRE(conversation->check_tools({kPlay}));
  const ToolSpec broken{.name = "b", .parameters = R"({"properties":{"a":{"type":"x"}}})"};
  CHECK_FALSE(conversation->check_tools({broken}));
  CHECK_FALSE(conversation->declare({broken}));
  REQUIRE(conversation->declare({kPlay}));
  REQUIRE(conversation->add_user("Again"));
  const StepResult step = next_output(*conversation, 2);
  INFO(step.raw);
  REQUIRE_FALSE(step.tool_calls.empty());
  CHECK(is_copied(step.tool_calls[0], {.said = {"So What", "Again"}}));
}

TEST_CASE("a plan begins with a tool that can be called", "[agent]") {
  const auto model = tiny_chat_model();
  const engine::Tokenizer& tokenizer = model->engine().tokenizer();
  grammar::CopySource source;
  source.add_text("no figures");
  const auto takes = [&](std::vector<ToolSpec> tools, Mode mode, const char* plan) {
    ConversationSpec spec{.tools = std::move(tools), .rules = {.choice = {.mode = mode}}};
    spec.rules.values.copies = &source;
    auto limits = limit_turns(spec, true, model->dialect(), model->constraints(), tokenizer);
    INFO((limits ? "" : limits.error().message));
    REQUIRE(limits);
    REQUIRE(limits->plans);
    for (const engine::TokenId id : tokenizer.encode(plan)) {
      if (!limits->first->accept(id)) return false;
    }
    return true;
  };
  CHECK(takes({kPlay, kStop}, Mode::automatic, "Plan: play, stop.\n"));
  CHECK(takes({kPlay, kStop}, Mode::automatic, "Plan: answer.\n"));
  CHECK(takes({kPlay, kStop}, Mode::automatic, "Plan: play (no), answer.\nWhich one"));
  CHECK_FALSE(takes({kPlay, kStop}, Mode::automatic, "Plan: play (no).\n"));
  CHECK_FALSE(takes({kPlay, kStop}, Mode::automatic, "Plan: stop (no)"));
  CHECK_FALSE(takes({kPlay, kStop}, Mode::required, "Plan: play (no)"));
  CHECK_FALSE(takes({kPlay, kStop}, Mode::automatic, "Plan: stop"));
  CHECK(takes({kPlay, kStop}, Mode::required, "Plan: play.\n"));
  CHECK_FALSE(takes({kPlay, kStop}, Mode::required, "Plan: answer"));
  CHECK(takes({kStop}, Mode::automatic, "Plan: answer.\nWhich one"));
  CHECK(takes({kStop}, Mode::required, "Plan: answer.\nWhich one"));
  CHECK_FALSE(takes({kStop}, Mode::required, "Plan: stop"));
}

TEST_CASE("a resumed run copies from what was said before it ended", "[agent]") {
  const auto model = tiny_chat_model();
  const TempDir dir;
  auto journal = Journal::open(dir.path() / "journal.sqlite");
  REQUIRE(journal);
  const auto arguments_of = [&](bool is_cut) {
    SessionFixture fixture({});
    fixture.add("double", [](const Json& arguments) -> Result<Json> {
      return Json{{"result", 2 * arguments.at("x").get<int>()}};
    });
    fixture.options.arguments = ArgumentForm::copied;
    fixture.options.plan_first = false;
    fixture.options.rules = {.choice = {.mode = Mode::required}, .calls_max = 1};
    fixture.options.sampling = {.temperature = 1.5F, .seed = 5};
    fixture.options.budgets.step_tokens_max = 64;
    fixture.options.budgets.steps_max = is_cut ? 1 : 4;
    const SessionParts parts{.model = model.get(),
                             .registry = &fixture.registry,
                             .executor = &fixture.executor,
                             .clock = &fixture.clock,
                             .journal = journal->get()};
    auto session = Session::open(parts, fixture.options);
    REQUIRE(session);
    RunResult result = (*session)->run("Double 21, 1,000 and -4");
    if (is_cut) {
      REQUIRE(result.finish == RunFinish::limit);
      fixture.options.budgets.steps_max = 4;
      auto again = Session::open(parts, fixture.options);
      REQUIRE(again);
      const auto resumed = (*again)->resume(result.run_id);
      REQUIRE(resumed);
      result = *resumed;
    }
    std::string made;
    for (const CallRecord& record : result.calls) made += record.call.arguments;
    return made + result.answer;
  };
  const std::string whole = arguments_of(false);
  CHECK(whole.starts_with(R"({"x":)"));
  CHECK(arguments_of(true) == whole);
}

TEST_CASE("a message of 2,000 words can be copied from", "[agent]") {
  const auto model = tiny_chat_model();
  const engine::Tokenizer& tokenizer = model->engine().tokenizer();
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "word" + std::to_string(i * 7919 % 2003) + " ";
  grammar::CopySource source;
  source.add_text(text);
  prompts::TurnRules rules{.choice = {.mode = Mode::required}};
  rules.values.copies = &source;
  const auto made =
      make_turn_constraint(model->dialect(), {kPlay}, rules, model->constraints(), tokenizer);
  INFO((made ? "" : made.error().message));
  REQUIRE(made);
  const auto accepts = [&](const std::string& value) {
    const auto constraint = made->constraint->clone();
    const std::string call = "<start_function_call>call:play{title:<escape>" + value + "<escape>";
    for (const Segment& segment : model->dialect().split_output(call)) {
      const bool is_control = segment.kind == Segment::Kind::control;
      const auto ids = is_control
                           ? std::vector<engine::TokenId>{*tokenizer.find_token(segment.text)}
                           : tokenizer.encode(segment.text);
      for (const engine::TokenId id : ids) {
        if (!constraint->accept(id)) return false;
      }
    }
    return true;
  };
  CHECK(accepts("word" + std::to_string(7919 % 2003)));
  CHECK(accepts(text.substr(0, 400).substr(0, text.substr(0, 400).rfind(' '))));
  CHECK_FALSE(accepts("word2003"));
  CHECK_FALSE(accepts("word" + std::to_string(7919 % 2003) + " word0"));  // Not in this order.
}

TEST_CASE("copied arguments are refused where they cannot be kept", "[agent]") {
  SessionFixture fixture({});
  fixture.options.arguments = ArgumentForm::copied;
  const auto session = Session::open({.model = fixture.model.get(),
                                      .registry = &fixture.registry,
                                      .executor = &fixture.executor,
                                      .clock = &fixture.clock},
                                     fixture.options);
  REQUIRE_FALSE(session);
  CHECK(session.error().code == Code::unsupported);
}
