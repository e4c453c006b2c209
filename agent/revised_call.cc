#include "agent/revised_call.h"

#include "agent/output_reader.h"
#include "agent/scored_text.h"
#include "agent/turn_constraint.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>

namespace facet::agent {
namespace {

using engine::TokenId;

/// The beginning of a call.
struct Candidate {
  engine::Sequence sequence;
  std::unique_ptr<engine::Constraint> inner;  ///< The revision's,
  std::unique_ptr<engine::Constraint> outer;  ///< and the output's.
  std::vector<TokenId> ids;
  double score = 0.0;
};

/// How a candidate may go on, and what it scores behind the first of `ids`.
struct Move {
  std::size_t candidate = 0;
  std::vector<TokenId> ids;
  double score = 0.0;
};

class CallSearch {
 public:
  explicit CallSearch(const CallPlace& place) : place_(place) {}

  Result<std::optional<Candidate>> run(std::unique_ptr<engine::Constraint> inner) {
    live_.push_back({.sequence = place_.sequence.fork(),
                     .inner = std::move(inner),
                     .outer = place_.constraint.clone()});
    while (!live_.empty()) {
      if (place_.stop.stop_requested() || place_.is_late()) return std::optional<Candidate>();
      FACET_TRY(const auto moves, this->moves());
      std::vector<Candidate> next;
      for (const Move& move : moves) {
        FACET_TRY(auto candidate, extended(move));
        if (!candidate || (best_ && candidate->score <= best_->score)) continue;
        if (candidate->inner->is_open()) {
          next.push_back(*std::move(candidate));
        } else {
          best_ = std::move(candidate);
        }
      }
      live_ = std::move(next);
    }
    return std::move(best_);
  }

 private:
  /// Of each candidate what is certain; of all others together the best that may come next.
  Result<std::vector<Move>> moves() const {
    std::vector<Move> out;
    std::vector<Move> choices;
    for (std::size_t i = 0; i < live_.size(); ++i) {
      const Candidate& candidate = live_[i];
      FACET_TRY(const auto logits, candidate.sequence.logits());
      const double all = log_sum(logits);
      if (std::isnan(all)) return Error{Code::invalid_data, "the model gives NaN"};
      const auto score = [&](TokenId id) {
        return candidate.score + logits[static_cast<std::size_t>(id)] - all;
      };
      if (auto forced = candidate.inner->forced_tokens(); !forced.empty()) {
        const double first = score(forced.front());
        out.push_back({i, std::move(forced), first});
        continue;
      }
      const auto inner = candidate.inner->mask();
      const auto outer = candidate.outer->mask();
      // Logits may have rows that no token has.
      const std::size_t count = std::min(logits.size(), place_.engine.tokenizer().size());
      for (std::size_t id = 0; id < count; ++id) {
        if (((inner[id / 64] & outer[id / 64]) >> (id % 64) & 1U) == 0) continue;
        const auto token = static_cast<TokenId>(id);
        if (is_stop(token) || (best_ && score(token) <= best_->score)) continue;
        choices.push_back({i, {token}, score(token)});
      }
    }
    const auto width = static_cast<std::ptrdiff_t>(std::min(choices.size(), place_.beams));
    const auto best_first = [](const Move& a, const Move& b) { return a.score > b.score; };
    std::partial_sort(choices.begin(), choices.begin() + width, choices.end(), best_first);
    choices.resize(static_cast<std::size_t>(width));
    std::move(choices.begin(), choices.end(), std::back_inserter(out));
    return out;
  }

  /// The candidate behind `move`; nullopt where there is no room for it, or the output's constraint
  /// refuses it.
  Result<std::optional<Candidate>> extended(const Move& move) const {
    const Candidate& from = live_[move.candidate];
    const std::size_t length = from.ids.size() + move.ids.size();
    if (static_cast<std::int64_t>(length) > place_.tokens_max) return std::optional<Candidate>();
    std::optional<Candidate> out = Candidate{.sequence = from.sequence.fork(),
                                             .inner = from.inner->clone(),
                                             .outer = from.outer->clone(),
                                             .ids = from.ids,
                                             .score = move.score};
    for (const TokenId id : move.ids) {
      if (!out->inner->accept(id) || !out->outer->accept(id)) return std::optional<Candidate>();
      out->ids.push_back(id);
    }
    std::size_t next = 1;
    const auto add = [&](std::span<const float> logits) {
      if (next == move.ids.size()) return ok();
      out->score += logits[static_cast<std::size_t>(move.ids[next++])] - log_sum(logits);
      return ok();
    };
    const Status status = out->sequence.append_scored(move.ids, add, place_.stop);
    if (status) return out;
    // Stopped, or no memory is left for another sequence.
    const Code code = status.error().code;
    if (code == Code::cancelled || code == Code::limit_exceeded) return std::optional<Candidate>();
    return status.error();
  }

  [[nodiscard]] bool is_stop(TokenId id) const {
    return std::find(place_.stop_ids.begin(), place_.stop_ids.end(), id) != place_.stop_ids.end();
  }

  const CallPlace& place_;
  std::vector<Candidate> live_;
  std::optional<Candidate> best_;
};

}  // namespace

Result<std::optional<WrittenCall>> write_call(const CallPlace& place, const Revision& revision) {
  const prompts::TurnRules rules{
      .choice = {.mode = prompts::ToolChoice::Mode::named, .name = revision.tool.name},
      .calls_max = 1,
      .values = {.copies = &revision.source, .may_lack = revision.may_lack}};
  const engine::Tokenizer& tokenizer = place.engine.tokenizer();
  const auto turn =
      make_turn_constraint(place.dialect, {revision.tool}, rules, place.factory, tokenizer);
  if (!turn || turn->callable.empty()) return std::optional<WrittenCall>();
  FACET_TRY(auto found, CallSearch(place).run(turn->constraint->clone()));
  if (!found) return std::optional<WrittenCall>();
  OutputReader reader(place.dialect, tokenizer);
  for (const TokenId id : found->ids) reader.push(id);
  const auto parsed = reader.finish();
  if (!parsed || parsed->tool_calls.size() != 1) return std::optional<WrittenCall>();
  return std::optional(
      WrittenCall{parsed->tool_calls.front(), std::move(found->ids), found->score});
}

}  // namespace facet::agent
