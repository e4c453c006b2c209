// What stands around images, as the reference processor (transformers' Gemma3Processor) writes it:
// "\n\n<start_of_image>", the soft tokens, "<end_of_image>\n\n".
#include "prompts/image_prompts.h"

#include "prompts/gemma3.h"
#include "tests/support/catch.h"

using namespace facet;
using namespace facet::prompts;

namespace {

/// The parts as one text, images as "[image]".
std::string spelled(const std::vector<std::vector<Segment>>& parts) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += "[image]";
    out += plain_text(parts[i]);
  }
  return out;
}

std::vector<Segment> opening(int images, const std::string& text) {
  const Message user{.role = Role::user, .content = text, .images = images};
  const auto segments = gemma3(CallStyle::none).render({.messages = {user}});
  REQUIRE(segments);
  return *segments;
}

}  // namespace

TEST_CASE("an image gets its tokens and an empty line on both sides", "[prompts][unit]") {
  const auto parts = split_at_images(opening(1, "What is this?"), {0});
  REQUIRE(parts);
  CHECK(spelled(*parts) ==
        "<bos><start_of_turn>user\n\n\n<start_of_image>[image]<end_of_image>\n\nWhat is this?"
        "<end_of_turn>\n<start_of_turn>model\n");
}

TEST_CASE("an image with crops is introduced in words", "[prompts][unit]") {
  const auto parts = split_at_images(opening(2, "Compare."), {2, 0});
  REQUIRE(parts);
  const std::string image = "\n\n<start_of_image>[image]<end_of_image>\n\n";
  CHECK(spelled(*parts) == "<bos><start_of_turn>user\nHere is the original image " + image +
                               " and here are some crops to help you see better " + image + " " +
                               image + image + "Compare.<end_of_turn>\n<start_of_turn>model\n");
  CHECK(parts->size() == 5);
}

TEST_CASE("a marker that a person writes stays letters", "[prompts][unit]") {
  const auto parts = split_at_images(opening(1, "Say <start_of_image>."), {0});
  REQUIRE(parts);
  REQUIRE(parts->size() == 2);
  const Segment& words = parts->back()[1];
  CHECK(words.kind == Segment::Kind::data);
  CHECK(words.text == "Say <start_of_image>.");
}

TEST_CASE("markers and images must be of one number", "[prompts][unit]") {
  for (const std::vector<int>& crops : std::vector<std::vector<int>>{{}, {0, 0}, {-1}}) {
    const auto parts = split_at_images(opening(1, "q"), crops);
    REQUIRE(!parts);
    CHECK(parts.error().code == Code::invalid_argument);
  }
  const auto none = split_at_images(opening(0, "q"), {0});
  REQUIRE(!none);
  CHECK(none.error().message == "the prompt has 0 places for images, 1 images are given");
}
