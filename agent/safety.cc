#include "agent/safety.h"

#include "prompts/shieldgemma.h"

#include <algorithm>
#include <cmath>

namespace facet::agent {
namespace {

using engine::TokenId;

Result<std::size_t> answer_token(const engine::Tokenizer& tokenizer, std::string_view name) {
  const auto id = tokenizer.find_token(name);
  if (id) return static_cast<std::size_t>(*id);
  return Error{Code::unsupported,
               "judging needs the token '" + std::string(name) + "', which the vocabulary lacks"};
}

/// How many ids all of `prompts` begin with, the last id of each left out: something must be left
/// to get logits behind.
std::size_t common_tokens(const std::vector<PromptTokens>& prompts) {
  const std::vector<TokenId>& first = prompts.front().ids;
  std::size_t count = first.size() - 1;
  for (const PromptTokens& prompt : prompts) {
    count = std::min(count, prompt.ids.size() - 1);
    const auto end = first.begin() + static_cast<std::ptrdiff_t>(count);
    count = static_cast<std::size_t>(std::mismatch(first.begin(), end, prompt.ids.begin()).first -
                                     first.begin());
  }
  return count;
}

}  // namespace

Result<SafetyScores> judge_picture(const engine::Engine& engine,
                                   const Picture& picture,
                                   std::span<const std::string> policies,
                                   const std::stop_token& stop) {
  if (picture.images.size() != 1) {
    return Error{Code::invalid_argument,
                 "ShieldGemma 2 judges whole pictures: " + std::to_string(picture.images.size()) +
                     " images are given, not one"};
  }
  if (policies.empty()) return Error{Code::invalid_argument, "no policy to judge by"};
  const engine::Tokenizer& tokenizer = engine.tokenizer();
  FACET_TRY(const std::size_t yes, answer_token(tokenizer, prompts::kSafetyYes));
  FACET_TRY(const std::size_t no, answer_token(tokenizer, prompts::kSafetyNo));
  std::vector<PromptTokens> prompts;
  SafetyScores out;
  for (const std::string& policy : policies) {
    FACET_TRY(PromptTokens prompt,
              tokenize_prompt(tokenizer, prompts::render_safety_question(policy), {&picture, 1}));
    out.prompt_tokens += static_cast<std::int64_t>(prompt.ids.size());
    prompts.push_back(std::move(prompt));
  }
  // The picture stands in front of the policies, so it is in the common part.
  const std::size_t common = common_tokens(prompts);
  out.cached_tokens = static_cast<std::int64_t>(common * (prompts.size() - 1));
  engine::Sequence begin = engine.new_sequence();
  const PromptTokens& first = prompts.front();
  FACET_TRY_STATUS(
      begin.append(std::span(first.ids).first(common), {.images = first.images, .stop = stop}));
  for (const PromptTokens& prompt : prompts) {
    engine::Sequence sequence = begin.fork();
    FACET_TRY_STATUS(sequence.append(std::span(prompt.ids).subspan(common), stop));
    FACET_TRY(const std::span<const float> logits, sequence.logits());
    SafetyScore score{.yes_logit = logits[yes], .no_logit = logits[no]};
    const double margin = static_cast<double>(score.yes_logit) - score.no_logit;
    score.probability = 1.0 / (1.0 + std::exp(-margin));
    if (std::isnan(score.probability)) {
      return Error{Code::invalid_data, "the model gives logits that are not numbers"};
    }
    out.scores.push_back(score);
  }
  return out;
}

}  // namespace facet::agent
