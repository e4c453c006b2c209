// Pictures in prompts and conversations, on tiny random weights and, where it is present, with the
// real vocabulary.
#include "agent/pictures.h"

#include "agent/local_chat_model.h"
#include "prompts/gemma3.h"
#include "tests/support/catch.h"
#include "tests/support/reference.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_multimodal.h"

#include <algorithm>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

/// A picture of `images` soft-token blocks of three rows each.
Picture picture_of(int images, std::int64_t width) {
  Picture out;
  for (int i = 0; i < images; ++i) {
    std::vector<float> values(static_cast<std::size_t>(3 * width), 0.5F + static_cast<float>(i));
    out.images.push_back(engine::make_soft_tokens(std::move(values), width));
  }
  return out;
}

struct Fixture {
  TempDir folder;
  std::unique_ptr<LocalChatModel> model;

  Fixture() {
    write_tiny_multimodal_folder(folder.path(), {.context_tokens_max = 1024});
    auto engine = engine::Engine::load({.model = folder.path(), .threads = 1});
    REQUIRE(engine);
    auto made = LocalChatModel::create(*engine, "gemma3");
    REQUIRE(made);
    model = *std::move(made);
  }
  [[nodiscard]] std::unique_ptr<Conversation> start(std::vector<Picture> pictures) const {
    auto conversation = model->start({.pictures = std::move(pictures)});
    REQUIRE(conversation);
    return *std::move(conversation);
  }
};

}  // namespace

TEST_CASE("around an image stand the ids that Gemma 3 was trained on", "[agent][vision]") {
  const auto path = reference_folder() / "tokenizer" / "gemma3.model";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: the Gemma 3 tokenizer is not there");
    return;
  }
  const auto tokenizer = engine::Tokenizer::load_sentencepiece(path);
  REQUIRE(tokenizer);
  const std::vector<Picture> pictures{picture_of(1, 4)};
  const Message user{.role = Role::user, .content = "What is this?", .images = 1};
  const auto opening = prompts::gemma3(prompts::CallStyle::none).render({.messages = {user}});
  REQUIRE(opening);
  const auto ids_of = [&](const std::vector<Segment>& segments) {
    const auto prompt = tokenize_prompt(**tokenizer, segments, pictures);
    REQUIRE(prompt);
    CHECK(prompt->images == pictures[0].images);
    std::vector<engine::TokenId> ids = prompt->ids;
    for (engine::TokenId& id : ids) id = std::max(id, -1);
    return ids;
  };
  // The line end of the turn's header and the two before the image are one token, 109.
  const std::vector<engine::TokenId> begin{2, 105, 2364, 109, 255999, -1, -1, -1, 256000, 108};
  const auto ids = ids_of(*opening);
  REQUIRE(ids.size() > begin.size());
  CHECK(std::equal(begin.begin(), begin.end(), ids.begin()));
  // In the middle of a text they are 108.
  const std::vector<Segment> raw{{.kind = Segment::Kind::control, .text = "a<start_of_image>b"}};
  const std::vector<engine::TokenId> middle{236746, 108, 255999, -1, -1, -1, 256000, 108, 236763};
  CHECK(ids_of(raw) == middle);
}

TEST_CASE("a conversation shows its pictures once, with the first question", "[agent][vision]") {
  const Fixture fixture;
  const auto plain = fixture.start({});
  const auto shown = fixture.start({picture_of(1, 64), picture_of(3, 64)});
  REQUIRE(plain->add_user("Hello"));
  REQUIRE(shown->add_user("Hello"));
  // Four images of three soft tokens, with two tokens around each.
  CHECK(shown->context_tokens() >= plain->context_tokens() + 4 * 5);
  const StepOptions options{.tokens_max = 8};
  const auto step = shown->generate(options, {});
  REQUIRE(step);
  CHECK(step->usage.prompt_tokens + step->usage.completion_tokens == shown->context_tokens());
  const auto first = shown->context_tokens();
  REQUIRE(plain->generate(options, {}));
  const auto first_plain = plain->context_tokens();
  REQUIRE(shown->add_user("And now?"));
  REQUIRE(plain->add_user("And now?"));
  const auto growth = shown->context_tokens() - first;
  CHECK(std::abs(growth - (plain->context_tokens() - first_plain)) <= 1);  // How the answer ended.
  REQUIRE(shown->generate(options, {}));
  CHECK(shown->usage().prefilled_tokens + shown->usage().completion_tokens ==
        shown->context_tokens());
}

TEST_CASE("a stopped prefill with pictures can go on", "[agent][vision]") {
  const Fixture fixture;
  const auto conversation = fixture.start({picture_of(2, 64)});
  REQUIRE(conversation->add_user("Hello"));
  const auto tokens = conversation->context_tokens();
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = conversation->generate({.tokens_max = 4, .stop = stop.get_token()}, {});
  REQUIRE(stopped);
  CHECK(stopped->finish_reason == engine::FinishReason::cancelled);
  CHECK(conversation->context_tokens() == tokens);
  const auto step = conversation->generate({.tokens_max = 4}, {});
  REQUIRE(step);
  CHECK(step->usage.prompt_tokens == tokens);
}

TEST_CASE("a picture of another width is refused when it reaches the model", "[agent][vision]") {
  const Fixture fixture;
  const auto conversation = fixture.start({picture_of(1, 65)});
  REQUIRE(conversation->add_user("Hello"));
  const auto step = conversation->generate({.tokens_max = 4}, {});
  REQUIRE(!step);
  CHECK(step.error().code == Code::invalid_argument);
}

TEST_CASE("a later question and the history may show pictures too", "[agent][vision]") {
  const Fixture fixture;
  const StepOptions options{.tokens_max = 4};
  const auto later = fixture.start({});
  REQUIRE(later->add_user("Hello"));
  REQUIRE(later->generate(options, {}));
  const auto before = later->context_tokens();
  REQUIRE(later->add_user("And this?", {picture_of(1, 64), picture_of(1, 64)}));
  CHECK(later->context_tokens() >= before + 2 * 5);
  REQUIRE(later->generate(options, {}));

  const std::vector<Message> history{{.role = Role::user, .content = "Look", .images = 1},
                                     {.role = Role::assistant, .content = "A cat"}};
  const auto refused = fixture.model->start({.history = history});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::invalid_argument);
  // The same conversation, told in one go: the same prompt, token for token.
  auto told = fixture.model->start(
      {.history = history, .pictures = {picture_of(1, 64), picture_of(2, 64)}});
  REQUIRE(told);
  REQUIRE((*told)->add_user("And this?"));
  auto added = fixture.model->start({.history = history, .pictures = {picture_of(1, 64)}});
  REQUIRE(added);
  REQUIRE((*added)->add_user("And this?", {picture_of(2, 64)}));
  CHECK((*told)->context_tokens() == (*added)->context_tokens());
  const auto one = (*told)->generate(options, {});
  const auto two = (*added)->generate(options, {});
  REQUIRE(one);
  REQUIRE(two);
  CHECK(one->ids == two->ids);
}

TEST_CASE("results of tools may bring pictures where the dialect has a place", "[agent][vision]") {
  const Fixture fixture;
  auto engine = engine::Engine::load({.model = fixture.folder.path(), .threads = 1});
  REQUIRE(engine);
  const auto model = LocalChatModel::create(*engine, "gemma3-json");
  REQUIRE(model);
  auto conversation = (*model)->start({});
  REQUIRE(conversation);
  CHECK((*conversation)->takes_result_pictures());
  CHECK_FALSE(fixture.start({})->takes_result_pictures());
  REQUIRE((*conversation)->add_user("Hello"));
  REQUIRE((*conversation)->generate({.tokens_max = 4}, {}));
  const std::vector<ToolCall> calls{{.name = "search_documents"}};
  const std::vector<ToolOutput> outputs{{.content = "{}"}};
  const std::vector<Picture> pictures{picture_of(1, 64)};
  const auto plain = (*conversation)->count_tool_outputs(calls, outputs);
  const auto with = (*conversation)->count_tool_outputs(calls, outputs, pictures);
  REQUIRE(plain);
  REQUIRE(with);
  CHECK(*with >= *plain + 5);
  const auto before = (*conversation)->context_tokens();
  REQUIRE((*conversation)->add_tool_outputs(calls, outputs, pictures));
  CHECK((*conversation)->context_tokens() == before + *with);
  REQUIRE((*conversation)->generate({.tokens_max = 4}, {}));
}
