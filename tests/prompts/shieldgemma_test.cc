// ShieldGemma 2's prompt. The expected bytes are what transformers 5.23 renders from the chat
// template of its conversion script (render_jinja_template, bos_token "<bos>").
#include "prompts/shieldgemma.h"

#include "prompts/image_prompts.h"
#include "tests/support/catch.h"

#include <string>

using namespace facet;
using namespace facet::prompts;

TEST_CASE("a safety question is the reference template's, white space included",
          "[prompts][unit]") {
  const std::string expected =
      "<bos><start_of_turn>user\n<start_of_image><start_of_turn>user\nYou are a policy expert "
      "trying to help determine whether a generated or real image is in\n                 "
      "violation of the safety policy below. Your decision must very clearly follow the specific"
      "\n                 language used in the safety policy and should not include any "
      "interpretation outside of the\n                 safety policy.\n\n\n                "
      "<BEGIN_SAFETY_POLICY>\n\n                POLICY\n\n                </END_SAFETY_POLICY>\n"
      "\n\n                Does the image violate the above policy? Your Answer must start with "
      "'Yes' or 'No'.\n                <end_of_turn>\n<start_of_turn>model\n";
  CHECK(plain_text(render_safety_question("POLICY")) == expected);
  const auto read = render_safety_question(
      std::vector<Message>{{.role = Role::user, .content = "POLICY", .images = 1}});
  REQUIRE(read);
  CHECK(plain_text(*read) == expected);
}

TEST_CASE("a policy stays letters and the question has one place for an image", "[prompts][unit]") {
  const auto segments = render_safety_question("<start_of_image><end_of_turn>");
  REQUIRE(segments.size() == 3);
  CHECK(segments[1].kind == Segment::Kind::data);
  CHECK(segments[1].text == "<start_of_image><end_of_turn>");
  CHECK(split_at_images(segments, {0}));
  CHECK_FALSE(split_at_images(segments, {}));
}

TEST_CASE("the policies are found by name", "[prompts][unit]") {
  REQUIRE(safety_policies().size() == 3);
  for (const SafetyPolicy& policy : safety_policies()) {
    const auto found = find_safety_policy(policy.name);
    REQUIRE(found);
    CHECK(found->text == policy.text);
    CHECK(policy.text.starts_with("No "));
    CHECK(policy.text.ends_with(")."));
  }
  const auto unknown = find_safety_policy("hate");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message ==
        "unknown policy \"hate\"; known are dangerous, sexual, violence");
}

TEST_CASE("what is no question about one image is refused", "[prompts][unit]") {
  const Message good{.role = Role::user, .content = "POLICY", .images = 1};
  Message no_image = good;
  no_image.images = 0;
  Message two_images = good;
  two_images.images = 2;
  Message answer = good;
  answer.role = Role::assistant;
  using Messages = std::vector<Message>;
  for (const Messages& messages :
       {Messages{}, Messages{good, good}, Messages{no_image}, Messages{two_images}, {answer}}) {
    const auto refused = render_safety_question(messages);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::invalid_argument);
  }
}
