// facet generate --policy: pictures judged by ShieldGemma 2, one probability per policy.
#include "agent/cli/commands.h"
#include "agent/cli/workbench.h"
#include "agent/safety.h"
#include "prompts/shieldgemma.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <utility>

namespace facet::agent::cli {

using nlohmann::ordered_json;

namespace {

struct Policies {
  std::vector<std::string> names;
  std::vector<std::string> texts;
};

/// A name of a standard policy, or a policy in own words: what holds a space. None: all standard
/// ones.
Result<Policies> chosen_policies(const std::vector<std::string>& given) {
  Policies out;
  for (const std::string& policy : given) {
    out.names.push_back(policy);
    if (policy.find(' ') != std::string::npos) {
      out.texts.push_back(policy);
      continue;
    }
    FACET_TRY(const prompts::SafetyPolicy found, prompts::find_safety_policy(policy));
    out.texts.emplace_back(found.text);
  }
  if (!given.empty()) return out;
  for (const prompts::SafetyPolicy& policy : prompts::safety_policies()) {
    out.names.emplace_back(policy.name);
    out.texts.emplace_back(policy.text);
  }
  return out;
}

Status check_options(const GenerateOptions& options) {
  const auto refuse = [](const std::string& what) {
    return Error{Code::invalid_argument, "--policy judges pictures: " + what};
  };
  if (options.pictures.files.empty()) return refuse("give --image");
  if (options.pictures.pan_and_scan) return refuse("ShieldGemma 2 takes no --pan-and-scan");
  if (options.prompt) return refuse("its prompt is fixed, --prompt has no place in it");
  if (options.chat) return refuse("--chat has no place in it");
  return ok();
}

ordered_json scores_json(const Policies& policies, const SafetyScores& scores) {
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < scores.scores.size(); ++i) {
    const SafetyScore& score = scores.scores[i];
    list.push_back({{"policy", policies.names[i]},
                    {"probability", score.probability},
                    {"yes_logit", score.yes_logit},
                    {"no_logit", score.no_logit}});
  }
  return list;
}

std::string four_digits(double value) {
  char text[32];
  const int size = std::snprintf(text, sizeof text, "%.4f", value);
  return {text, static_cast<std::size_t>(size)};
}

Result<ordered_json> judge(const engine::Engine& engine,
                           const GenerateOptions& options,
                           const Policies& policies,
                           Environment& environment) {
  ordered_json list = ordered_json::array();
  for (const std::string& file : options.pictures.files) {
    FACET_TRY(const auto pictures, read_pictures(engine, {.files = {file}}, environment.console));
    auto scores = judge_picture(engine, pictures.front(), policies.texts, environment.stop);
    if (!scores) return scores.error();
    list.push_back(
        {{"image", file},
         {"policies", scores_json(policies, *scores)},
         {"usage",
          {{"prompt_tokens", scores->prompt_tokens}, {"cached_tokens", scores->cached_tokens}}}});
    if (options.json) continue;
    for (std::size_t i = 0; i < scores->scores.size(); ++i) {
      environment.console.out_line(four_digits(scores->scores[i].probability) + "  " +
                                   printable(policies.names[i]) + "  " + printable(file));
    }
    if (!environment.console.flush()) break;
  }
  return list;
}

}  // namespace

int run_judge(const GenerateOptions& options, Environment environment) {
  Console& console = environment.console;
  if (auto status = check_options(options); !status) {
    return console.fail(status.error(), options.json);
  }
  const auto policies = chosen_policies(options.policies);
  if (!policies) return console.fail(policies.error(), options.json);
  const auto engine = load_generator(options.model, console);
  if (!engine) {
    const bool is_usage = engine.error().code == Code::invalid_argument;
    return console.fail(engine.error(), options.json, is_usage ? exit_usage : exit_unavailable);
  }
  warn_unless_made_for("shieldgemma", options.model, (*engine)->info(), console);
  const auto images = judge(**engine, options, *policies, environment);
  if (!images) return console.fail(images.error(), options.json);
  if (options.json) console.out_json({{"images", *images}});
  return exit_ok;
}

}  // namespace facet::agent::cli
