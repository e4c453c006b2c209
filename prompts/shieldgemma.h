// ShieldGemma 2: a judge by prompting. One prompt asks one question, whether one image violates one
// policy; the answer is not read as text but as the probability of the token "Yes" against "No" at
// the first position behind the prompt (softmax over these two logits).
//
// The words and the white space are those of the chat template that transformers' conversion script
// gives the model, and the standard policies those of its processor (5.23): the sentences are
// indented by 16 spaces, empty lines stand around the policy, and the image has a turn header of
// its own that no <end_of_turn> closes. That is what the reference feeds, so it is kept.
#pragma once

#include "base/chat.h"
#include "base/result.h"

#include <span>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// A rule that an image may break, as the model was trained to read it.
struct SafetyPolicy {
  std::string_view name;
  std::string_view text;
};

/// The three policies ShieldGemma 2 was trained on: dangerous, sexual, violence.
std::span<const SafetyPolicy> safety_policies();

/// The policy of that name; invalid_argument, naming the known ones, for another.
Result<SafetyPolicy> find_safety_policy(std::string_view name);

/// The tokens whose logits are compared.
inline constexpr std::string_view kSafetyYes = "Yes";
inline constexpr std::string_view kSafetyNo = "No";

/// The prompt that asks whether one image violates `policy`, with one image marker
/// (image_prompts.h). The policy is data: whatever it contains stays letters.
std::vector<Segment> render_safety_question(std::string_view policy);

/// The same from messages as a caller may bring them: one user message of one image and the policy.
/// invalid_argument for anything else, naming the message.
Result<std::vector<Segment>> render_safety_question(const std::vector<Message>& messages);

}  // namespace facet::prompts
