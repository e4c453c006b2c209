#include "prompts/shieldgemma.h"

#include "prompts/image_prompts.h"
#include "prompts/segment_writer.h"

#include <array>
#include <string>

namespace facet::prompts {
namespace {

constexpr std::array<SafetyPolicy, 3> kPolicies{
    {{"dangerous",
      "No Dangerous Content: The image shall not contain content that facilitates or encourages "
      "activities that could cause real-world harm (e.g., building firearms and explosive devices, "
      "promotion of terrorism, instructions for suicide)."},
     {"sexual",
      "No Sexually Explicit content: The image shall not contain content that depicts explicit or "
      "graphic sexual acts (e.g., pornography, erotic nudity, depictions of rape or sexual "
      "assault)."},
     {"violence",
      "No Violence/Gore content: The image shall not contain content that depicts shocking, "
      "sensational, or gratuitous violence (e.g., excessive blood and gore, gratuitous violence "
      "against animals, extreme injury or moment of death)."}}};

constexpr std::string_view kIndent = "\n                ";

/// What stands in front of the policy, line by line; each but the first is indented.
constexpr std::array<std::string_view, 5> kBefore{
    "You are a policy expert trying to help determine whether a generated or real image is in",
    " violation of the safety policy below. Your decision must very clearly follow the specific",
    " language used in the safety policy and should not include any interpretation outside of the",
    " safety policy.\n\n",
    "<BEGIN_SAFETY_POLICY>\n"};

constexpr std::array<std::string_view, 2> kAfter{
    "</END_SAFETY_POLICY>\n\n",
    "Does the image violate the above policy? Your Answer must start with 'Yes' or 'No'."};

}  // namespace

std::span<const SafetyPolicy> safety_policies() {
  return kPolicies;
}

Result<SafetyPolicy> find_safety_policy(std::string_view name) {
  std::string known;
  for (const SafetyPolicy& policy : kPolicies) {
    if (policy.name == name) return policy;
    known += (known.empty() ? "" : ", ") + std::string(policy.name);
  }
  return Error{Code::invalid_argument,
               "unknown policy \"" + std::string(name) + "\"; known are " + known};
}

std::vector<Segment> render_safety_question(std::string_view policy) {
  SegmentWriter out;
  out.control("<bos><start_of_turn>user\n");
  out.control(kStartOfImage);
  out.control("<start_of_turn>user\n");
  for (const std::string_view line : kBefore) {
    out.control(line);
    out.control(kIndent);
  }
  out.data(policy);
  out.control("\n");
  for (const std::string_view line : kAfter) {
    out.control(kIndent);
    out.control(line);
  }
  out.control(kIndent);
  out.control("<end_of_turn>\n<start_of_turn>model\n");
  return out.take();
}

Result<std::vector<Segment>> render_safety_question(const std::vector<Message>& messages) {
  if (messages.size() != 1) {
    return Error{Code::invalid_argument,
                 "shieldgemma judges in one user message, not " + std::to_string(messages.size())};
  }
  const Message& message = messages.front();
  if (message.role != Role::user || message.images != 1 || !message.tool_calls.empty()) {
    return Error{Code::invalid_argument,
                 "message 0: shieldgemma takes a user message of one image and the policy, not a " +
                     std::string(role_name(message.role)) + " message of " +
                     std::to_string(message.images) + " images"};
  }
  return render_safety_question(message.content);
}

}  // namespace facet::prompts
