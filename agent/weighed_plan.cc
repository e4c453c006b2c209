#include "agent/weighed_plan.h"

#include "agent/plan.h"
#include "agent/scored_text.h"
#include "tools/builtin/calculator.h"
#include "tools/builtin/search_documents.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

namespace facet::agent {
namespace {

using engine::TokenId;

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

/// A step, the tokens of the plan that is this step alone, and what comes behind its name.
struct Candidate {
  PlanStep step;
  std::vector<TokenId> ids;
  double log_taken = 0.0;             ///< That the tool is not rejected,
  double log_rejected = kImpossible;  ///< or that it is.
};

/// The logarithm of what the exponentials of the logits of `ids` sum to.
double log_sum_of(std::span<const float> logits, const std::vector<TokenId>& ids) {
  std::vector<float> some;
  some.reserve(ids.size());
  for (const TokenId id : ids) some.push_back(logits[static_cast<std::size_t>(id)]);
  return log_sum(some);
}

class StepScorer {
 public:
  explicit StepScorer(const PlanPlace& place) : place_(place) {
    for (const std::string& name : place.first_steps) add(name);
    if (place.may_answer) add(std::string(kAnswerStep));
  }

  /// The steps but for what they have in common with a request.
  Status run() {
    const std::size_t common = common_ids();
    engine::Sequence front = place_.sequence.fork();
    FACET_TRY_STATUS(front.append(std::span(all_.front().ids).first(common), place_.stop));
    for (Candidate& one : all_) FACET_TRY_STATUS(score(front, common, one));
    hand_over_rejected();
    return ok();
  }

  [[nodiscard]] const std::vector<Candidate>& all() const { return all_; }

 private:
  [[nodiscard]] std::vector<TokenId> encoded(std::string_view step, std::string_view end) const {
    const std::string text = "Plan: " + std::string(step) + std::string(end);
    return place_.engine.tokenizer().encode(std::string_view(text));
  }

  void add(const std::string& name) {
    all_.push_back({.step = {.name = name}, .ids = encoded(name, ".")});
  }

  /// Tokens that all begin with, fewer than any has.
  [[nodiscard]] std::size_t common_ids() const {
    const std::vector<TokenId>& first = all_.front().ids;
    std::size_t count = first.size() - 1;
    for (const Candidate& one : all_) {
      const auto end =
          std::mismatch(first.begin(), first.end(), one.ids.begin(), one.ids.end()).first;
      count = std::min({count, static_cast<std::size_t>(end - first.begin()), one.ids.size() - 1});
    }
    return count;
  }

  /// The tokens that any has behind the first `count` of `one`.
  [[nodiscard]] std::vector<TokenId> next_ids(const Candidate& one, std::size_t count) const {
    std::vector<TokenId> out;
    const auto end = one.ids.begin() + static_cast<std::ptrdiff_t>(count);
    for (const Candidate& other : all_) {
      if (other.ids.size() <= count || !std::equal(one.ids.begin(), end, other.ids.begin()))
        continue;
      if (std::find(out.begin(), out.end(), other.ids[count]) == out.end()) {
        out.push_back(other.ids[count]);
      }
    }
    return out;
  }

  /// What comes in the place of the last token of `one` where `end` follows its name.
  [[nodiscard]] std::optional<TokenId> other_end(const Candidate& one, std::string_view end) const {
    const std::vector<TokenId> ids = encoded(one.step.name, end);
    const std::size_t name = one.ids.size() - 1;
    if (ids.size() <= name || !std::equal(one.ids.begin(), one.ids.end() - 1, ids.begin())) {
      return std::nullopt;
    }
    return ids[name];
  }

  /// Whether the name of `one` is the end of its plan, goes on or is rejected.
  void read_end(std::span<const float> logits, Candidate& one) const {
    const auto at = [&](TokenId id) {
      return static_cast<double>(logits[static_cast<std::size_t>(id)]);
    };
    const auto more = other_end(one, ",");
    const auto rejected = other_end(one, kRejectedStep);
    one.step.goes_on = more && at(*more) > at(one.ids.back());
    std::vector<TokenId> ends = {one.ids.back()};
    if (more) ends.push_back(*more);
    const double taken = log_sum_of(logits, ends);
    if (!rejected) return;
    ends.push_back(*rejected);
    const double sum = log_sum_of(logits, ends);
    one.log_taken = taken - sum;
    one.log_rejected = at(*rejected) - sum;
  }

  Status score(const engine::Sequence& front, std::size_t common, Candidate& one) const {
    std::size_t next = common;
    const auto read = [&](std::span<const float> logits) -> Status {
      one.step.log_p += static_cast<double>(logits[static_cast<std::size_t>(one.ids[next])]) -
                        log_sum_of(logits, next_ids(one, next));
      if (std::isnan(one.step.log_p)) return Error{Code::invalid_data, "the model gives NaN"};
      if (++next == one.ids.size() && one.step.name != kAnswerStep) read_end(logits, one);
      return ok();
    };
    engine::Sequence scored = front.fork();
    FACET_TRY(const auto first, scored.logits());
    FACET_TRY_STATUS(read(first));
    const auto rest = std::span(one.ids).subspan(common);
    return scored.append_scored(rest.first(rest.size() - 1), read, place_.stop);
  }

  /// What a tool that is rejected had is the answer's.
  void hand_over_rejected() {
    if (!place_.may_answer) return;
    PlanStep& answer = all_.back().step;
    double sum = std::exp(answer.log_p);
    for (Candidate& one : all_) {
      if (&one.step == &answer) continue;
      sum += std::exp(one.step.log_p + one.log_rejected);
      one.step.log_p += one.log_taken;
    }
    answer.log_p = std::log(sum);
  }

  const PlanPlace& place_;
  std::vector<Candidate> all_;
};

std::vector<PlanStep>::const_iterator most_probable(const std::vector<PlanStep>& steps) {
  return std::max_element(
      steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.log_p < b.log_p; });
}

bool is_for_all_words(std::string_view tool) {
  return tool == tools::kSearchDocuments || tool == tools::kCalculator;
}

}  // namespace

Result<std::vector<PlanStep>> first_steps(const PlanPlace& place, std::string_view request) {
  std::vector<PlanStep> out;
  const std::size_t count = place.first_steps.size() + (place.may_answer ? 1 : 0);
  if (count < 2 || count > kWeighedStepsMax) return out;
  StepScorer scorer(place);
  if (const Status status = scorer.run(); !status) {
    if (is_no_room(status.error())) return out;
    return status.error();
  }
  const engine::ModelInfo& info = place.engine.info();
  const SlotRequest words(request);
  for (const Candidate& one : scorer.all()) {
    out.push_back(one.step);
    const auto tool = std::find_if(place.tools.begin(), place.tools.end(), [&](const auto& spec) {
      return spec.name == one.step.name;
    });
    if (tool == place.tools.end()) continue;
    out.back().common = common_words(*tool, request, info.thesaurus.get());
    if (info.slot_weights) out.back().fit = slot_fit(words, *info.slot_weights, *tool);
  }
  return out;
}

bool is_one_step(const std::vector<PlanStep>& steps) {
  const auto probable = most_probable(steps);
  return probable != steps.end() && !probable->goes_on;
}

std::optional<std::string> best_step(const std::vector<PlanStep>& steps,
                                     const engine::PlanWeights& weights) {
  const auto probable = most_probable(steps);
  if (probable == steps.end() || probable->goes_on || is_for_all_words(probable->name)) {
    return std::nullopt;
  }
  if (probable->name != kAnswerStep && probable->log_p >= std::log(kSureTool)) return std::nullopt;
  const auto score = [&](const PlanStep& step) {
    const double said = weights.model * step.log_p;
    if (step.name == kAnswerStep) return said + weights.answer;
    return said + weights.words * step.common.words + weights.cover * step.common.cover +
           weights.parameters * step.common.parameters + weights.filled * step.fit.filled +
           weights.open * step.fit.open + (step.fit.leaves_number ? weights.number : 0.0) +
           (step.fit.leaves_name ? weights.name : 0.0) + weights.left * step.fit.left;
  };
  return std::max_element(steps.begin(),
                          steps.end(),
                          [&](const auto& a, const auto& b) { return score(a) < score(b); })
      ->name;
}

}  // namespace facet::agent
