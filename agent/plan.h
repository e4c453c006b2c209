// The plan line: models may begin their first output with "Plan: search_documents, calculator.".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// Behind the name of a tool that was considered but does not fit: "Plan: calculator (no),
/// answer.".
inline constexpr std::string_view kRejectedStep = " (no)";

/// The only step of a plan that needs no tool.
inline constexpr std::string_view kAnswerStep = "answer";

struct PlanSplit {
  std::optional<std::string> plan;  ///< Without "Plan:", trimmed.
  std::string text;                 ///< The rest.

  bool operator==(const PlanSplit&) const = default;
};

/// The plan line at the beginning of `text`, if there is one.
PlanSplit split_plan(std::string_view text);

/// "search_documents, calculator." as names, without those that were considered but do not fit.
std::vector<std::string> plan_steps(std::string_view plan);

/// split_plan for text that streams in: holds back what may still become a plan line. Not
/// thread-safe.
class PlanReader {
 public:
  /// What has become certain with `text`.
  PlanSplit push(std::string_view text);
  /// Ends the text: a held-back line is a plan when it begins like one.
  PlanSplit finish();

 private:
  std::string held_;
  bool decided_ = false;
};

}  // namespace facet::agent
