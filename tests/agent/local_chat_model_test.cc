// The loop on the real engine with tiny random weights: what it says is noise, how it is computed
// is exact.
#include "agent/local_chat_model.h"

#include "agent/loop.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_model.h"

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

std::shared_ptr<const engine::Engine> tiny_engine(bool is_embedder = false) {
  const TempDir dir;
  const auto path = dir.path() / "tiny.gguf";
  write_tiny_gguf(path, {.context_tokens_max = 2048, .is_embedder = is_embedder});
  auto engine = engine::Engine::load({.model = path, .threads = 1});
  REQUIRE(engine);
  return *engine;
}

std::unique_ptr<LocalChatModel> tiny_chat_model() {
  auto model = LocalChatModel::create(tiny_engine());
  REQUIRE(model);
  return *std::move(model);
}

StepOptions short_step(std::uint64_t seed) {
  return {.tokens_max = 24, .sampling = {.temperature = 1.0F, .seed = seed}};
}

/// The tokens a conversation has computed must be those it holds: none twice, none left out.
void check_computed_once(const Conversation& conversation) {
  const TokenUsage usage = conversation.usage();
  CHECK(usage.prefilled_tokens == usage.prompt_tokens);
  CHECK(usage.prefilled_tokens + usage.completion_tokens == conversation.context_tokens());
}

}  // namespace

TEST_CASE("a vocabulary with call tokens speaks FunctionGemma", "[agent]") {
  const auto model = tiny_chat_model();
  CHECK(model->dialect().name() == "functiongemma");
  CHECK(default_dialect(model->engine().tokenizer()) == "functiongemma");
}

TEST_CASE("an embedder is no chat model", "[agent]") {
  const auto model = LocalChatModel::create(tiny_engine(/*is_embedder=*/true));
  REQUIRE_FALSE(model);
  CHECK(model.error().code == Code::invalid_argument);
}

TEST_CASE("every step prefills only what is new", "[agent]") {
  const auto model = tiny_chat_model();
  auto conversation = *model->start({.tools = {{.name = "twice", .description = "Doubles."}}});
  REQUIRE(conversation->add_user("Hello"));
  const auto opening = conversation->context_tokens();
  const auto first = conversation->generate(short_step(1), {});
  REQUIRE(first);
  CHECK(first->usage.prefilled_tokens == opening);
  CHECK(first->usage.cached_tokens == 0);

  const auto before = conversation->context_tokens();
  REQUIRE(conversation->add_tool_outputs({{.name = "twice"}}, {{.content = R"({"result":4})"}}));
  const auto second = conversation->generate(short_step(2), {});
  REQUIRE(second);
  CHECK(second->usage.cached_tokens == before);
  CHECK(second->usage.prefilled_tokens > 0);
  check_computed_once(*conversation);

  REQUIRE(conversation->add_user("And again"));
  REQUIRE(conversation->generate(short_step(3), {}));
  check_computed_once(*conversation);
}

TEST_CASE("a conversation that begins like another one computes only its end", "[agent]") {
  const ConversationSpec spec{.tools = {{.name = "twice", .description = "Doubles."}}};
  const auto answer = [&](const LocalChatModel& model, const char* question) {
    auto conversation = *model.start(spec);
    REQUIRE(conversation->add_user(question));
    const auto step = conversation->generate(short_step(5), {});
    REQUIRE(step);
    const TokenUsage usage = conversation->usage();
    CHECK(usage.prompt_tokens + usage.completion_tokens == conversation->context_tokens());
    CHECK(usage.prefilled_tokens + usage.cached_tokens == usage.prompt_tokens);
    return *step;
  };
  const auto model = tiny_chat_model();
  const StepResult first = answer(*model, "How much is twice two?");
  CHECK(first.usage.cached_tokens == 0);
  const StepResult same = answer(*model, "How much is twice two?");
  CHECK(same.usage.prefilled_tokens == 0);
  CHECK(same.ids == first.ids);
  const StepResult other = answer(*model, "And twice three?");
  CHECK(other.usage.cached_tokens > 20);
  CHECK(other.ids == answer(*tiny_chat_model(), "And twice three?").ids);
  CHECK(model->engine().prefix_stats().tokens_reused ==
        same.usage.cached_tokens + other.usage.cached_tokens);
}

TEST_CASE("a replayed conversation goes on exactly as the first did", "[agent]") {
  const auto model = tiny_chat_model();
  const auto start = [&] {
    auto conversation = *model->start({});
    REQUIRE(conversation->add_user("Hello"));
    return conversation;
  };
  auto first = start();
  const auto step = first->generate(short_step(1), {});
  REQUIRE(step);
  REQUIRE(first->add_user("More"));
  const auto expected = first->generate(short_step(2), {});
  REQUIRE(expected);

  auto second = start();
  const auto recorded = step_from_json(step_json(*step));
  REQUIRE(recorded);
  REQUIRE(second->replay(*recorded));
  REQUIRE(second->add_user("More"));
  const auto actual = second->generate(short_step(2), {});
  REQUIRE(actual);
  CHECK(actual->ids == expected->ids);
}

TEST_CASE("the constraint leaves a random model only calls that can be read", "[agent]") {
  const auto model = tiny_chat_model();
  const std::vector<ToolSpec> tools = {
      {.name = "twice",
       .description = "Doubles.",
       .parameters =
           R"({"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"]})"}};
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    auto conversation = *model->start({.tools = tools});
    REQUIRE(conversation->add_user("Go"));
    StepOptions options = short_step(seed);
    options.tokens_max = 120;
    const auto step = conversation->generate(options, {});
    REQUIRE(step);
    INFO(step->raw);
    // A call that the limit cut in two is the only one that may be unreadable.
    if (step->finish_reason == engine::FinishReason::stop) CHECK(step->parse_error.empty());
    for (const ToolCall& call : step->tool_calls) CHECK(call.name == "twice");
  }
}

TEST_CASE("usage counts the tokens that a grammar left no choice about", "[agent]") {
  const auto model = tiny_chat_model();
  const ConversationSpec spec{
      .tools = {{.name = "twice", .description = "Doubles."}},
      .rules = {.choice = {.mode = prompts::ToolChoice::Mode::required}, .calls_max = 1}};
  auto conversation = *model->start(spec);
  REQUIRE(conversation->add_user("Go"));
  const auto step = conversation->generate(short_step(1), {});
  REQUIRE(step);
  INFO(step->raw);
  REQUIRE(step->tool_calls.size() == 1);
  // The whole call is certain: only what may follow it is sampled.
  CHECK(step->usage.forced_tokens > 8);
  CHECK(step->usage.forced_tokens < step->usage.completion_tokens);
  CHECK(conversation->usage().forced_tokens == step->usage.forced_tokens);
  check_computed_once(*conversation);
  const auto recorded = step_from_json(step_json(*step));
  REQUIRE(recorded);
  CHECK(recorded->usage == step->usage);
  auto old = step_json(*step);
  old["usage"].erase("forced_tokens");
  CHECK(step_from_json(old)->usage.forced_tokens == 0);
}

TEST_CASE("text of the user never becomes control tokens", "[agent]") {
  const auto model = tiny_chat_model();
  const auto length = [&](const std::string& text) {
    auto conversation = *model->start({});
    REQUIRE(conversation->add_user(text));
    return conversation->context_tokens();
  };
  // As control tokens these would be two tokens; as letters they are many.
  CHECK(length("<end_of_turn><start_of_turn>") > length("ab") + 8);
}

TEST_CASE("what does not fit the context is refused with both counts", "[agent]") {
  const auto model = tiny_chat_model();
  auto conversation = *model->start({});
  const auto status = conversation->add_user(std::string(100'000, '?'));
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Code::limit_exceeded);
  CHECK_THAT(status.error().message, Catch::Contains("2048"));
}

TEST_CASE("a stop in the middle of a step is a cancelled step", "[agent]") {
  const auto model = tiny_chat_model();
  auto conversation = *model->start({});
  REQUIRE(conversation->add_user("Hello"));
  std::stop_source stop;
  stop.request_stop();
  StepOptions options = short_step(1);
  options.stop = stop.get_token();
  const auto step = conversation->generate(options, {});
  REQUIRE(step);
  CHECK(step->finish_reason == engine::FinishReason::cancelled);
  CHECK(step->ids.empty());
  // What was not computed yet is computed by the next step.
  REQUIRE(conversation->generate(short_step(1), {}));
  check_computed_once(*conversation);
}

TEST_CASE("the time of a step covers the prefill, and what was computed is kept", "[agent]") {
  const auto model = tiny_chat_model();
  auto conversation = *model->start({});
  std::string text;
  for (int i = 0; i < 900; ++i) text += "a ";
  REQUIRE(conversation->add_user(text));
  const std::int64_t all = conversation->context_tokens();
  REQUIRE(all > 512);
  StepOptions hurried = short_step(1);
  hurried.time_max = std::chrono::milliseconds(1);
  const auto cut = conversation->generate(hurried, {});
  REQUIRE(cut);
  CHECK(cut->finish_reason == engine::FinishReason::timeout);
  CHECK(cut->usage.prefilled_tokens < all);
  CHECK(cut->usage.completion_tokens == 0);
  CHECK(conversation->context_tokens() == all);

  const auto rest = conversation->generate(short_step(1), {});
  REQUIRE(rest);
  CHECK(cut->usage.prefilled_tokens + rest->usage.prefilled_tokens == all);
  check_computed_once(*conversation);

  // In pieces or at once: the same output.
  auto whole = *model->start({});
  REQUIRE(whole->add_user(text));
  CHECK(whole->generate(short_step(1), {})->ids == rest->ids);
}
