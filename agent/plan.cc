#include "agent/plan.h"

#include <utility>

namespace facet::agent {

namespace {

constexpr std::string_view kPrefix = "Plan:";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

PlanSplit split_plan(std::string_view text) {
  if (!text.starts_with(kPrefix)) return {.text = std::string(text)};
  const std::size_t end = text.find('\n');
  PlanSplit split{.plan = std::string(trim(text.substr(kPrefix.size(), end - kPrefix.size())))};
  if (end != std::string_view::npos) split.text = text.substr(end + 1);
  return split;
}

std::vector<std::string> plan_steps(std::string_view plan) {
  std::vector<std::string> steps;
  plan = trim(plan);
  if (plan.ends_with('.')) plan.remove_suffix(1);
  while (!plan.empty()) {
    const std::size_t comma = plan.find(',');
    const std::string_view step = trim(plan.substr(0, comma));
    if (!step.empty() && !step.ends_with(kRejectedStep)) steps.emplace_back(step);
    if (comma == std::string_view::npos) break;
    plan.remove_prefix(comma + 1);
  }
  return steps;
}

PlanSplit PlanReader::push(std::string_view text) {
  if (decided_) return {.text = std::string(text)};
  held_ += text;
  const bool may_be_plan =
      held_.size() < kPrefix.size() ? kPrefix.starts_with(held_) : held_.starts_with(kPrefix);
  const bool line_is_open = held_.find('\n') == std::string::npos;
  if (may_be_plan && line_is_open) return {};
  return finish();
}

PlanSplit PlanReader::finish() {
  decided_ = true;
  return split_plan(std::exchange(held_, {}));
}

}  // namespace facet::agent
