#include "agent/turn_writer.h"

#include "agent/output_reader.h"
#include "agent/repeated_value.h"
#include "agent/turn_constraint.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace facet::agent {
namespace {

using engine::TokenId;
using prompts::ParseEvent;
using Clock = std::chrono::steady_clock;

/// Times that one call is written anew.
constexpr int kRevisionsMax = 4;

/// Beginnings of a call that are followed at once while it is written anew.
constexpr std::size_t kBeamWidth = 4;

/// The logarithm of what the exponentials of `logits` sum to.
double log_sum(std::span<const float> logits) {
  const float most = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - most));
  return most + std::log(sum);
}

/// A call, its tokens from the trigger to its end, and the logarithm of their probability, of all
/// that the model could say.
struct WrittenCall {
  ToolCall call;
  std::vector<TokenId> ids;
  double score = 0.0;
};

/// The beginning of such a call.
struct Draft {
  engine::Sequence sequence;
  std::unique_ptr<engine::Constraint> constraint;
  std::vector<TokenId> ids;
  double score = 0.0;
};

/// How a draft may go on, and what it scores then at most.
struct Move {
  std::size_t draft = 0;
  std::vector<TokenId> ids;
  double score = 0.0;
};

class TurnWriter {
 public:
  TurnWriter(const TurnPlace& place,
             engine::Sequence& sequence,
             const StepOptions& options,
             std::chrono::milliseconds time_max,
             const StepSink& sink)
      : place_(place),
        sequence_(sequence),
        options_(options),
        sink_(sink),
        time_max_(time_max),
        before_(sequence.tokens().size()),
        prefix_(place.answer_prefix) {
    const std::string_view trigger = place.dialect.call_trigger();
    if (place.copies != nullptr && !trigger.empty()) {
      trigger_ = place.engine.tokenizer().find_token(trigger);
    }
  }

  Status run(std::unique_ptr<engine::Constraint> constraint, StepResult& step) {
    const auto fresh = trigger_ && constraint ? constraint->clone() : nullptr;
    reader_.emplace(place_.dialect, place_.engine.tokenizer());
    engine::FinishReason reason = engine::FinishReason::stop;
    while (true) {
      const auto sink = [&](std::string_view, TokenId) { return read_on(); };
      FACET_TRY(const engine::GenerateResult result, generate(constraint.get(), sink));
      step.decode_ms += result.decode_ms;
      step.usage.forced_tokens += static_cast<std::int64_t>(result.forced_tokens);
      reason = result.finish_reason;
      // The sequence knows every token, the sink only those that finished some text.
      if (read_on()) break;
      const auto begin = Clock::now();
      FACET_TRY_STATUS(revise());
      step.decode_ms += std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
      if (fresh) {
        constraint = fresh->clone();
        for (const TokenId id : written()) FACET_TRY_STATUS(constraint->accept(id));
      }
    }
    step.finish_reason = reason;
    return finish(step);
  }

 private:
  [[nodiscard]] std::span<const TokenId> written() const {
    return sequence_.tokens().subspan(before_);
  }

  [[nodiscard]] bool is_stop(TokenId id) const {
    return std::find(place_.stop_ids.begin(), place_.stop_ids.end(), id) != place_.stop_ids.end();
  }

  Result<engine::GenerateResult> generate(engine::Constraint* constraint,
                                          const engine::TextSink& sink) {
    engine::GenerateRequest request{
        .tokens_max = std::max<std::int64_t>(options_.tokens_max - std::ssize(written()), 0),
        .sampling = options_.sampling,
        .stop_ids = {place_.stop_ids.begin(), place_.stop_ids.end()},
        .constraint = constraint,
        .stop = options_.stop,
        .time_max = time_max_};
    if (time_max_.count() > 0) {
      const auto used =
          std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_);
      request.time_max = std::max(time_max_ - used, std::chrono::milliseconds(1));
    }
    return place_.engine.generate(sequence_, request, sink);
  }

  /// Reads what is written; false behind a call that is to be written anew.
  bool read_on() {
    while (!broken_ && read_ < written().size()) {
      const TokenId id = written()[read_++];
      if (is_stop(id)) continue;
      if (trigger_ && id == *trigger_) call_at_ = read_ - 1;
      for (ParseEvent& event : reader_->push(id)) take(std::move(event), true);
    }
    return !broken_;
  }

  /// Nobody hears of a call before it is known to stay.
  void take(ParseEvent event, bool checks) {
    if (!prefix_.keeps(event)) return;
    if (!trigger_ || (event.kind == ParseEvent::Kind::text && held_.empty())) return tell(event);
    held_.push_back(std::move(event));
    if (held_.back().kind != ParseEvent::Kind::call_finished) return;
    const ToolCall& call = held_.back().call;
    if (checks && is_repeated(call)) {
      broken_ = call;
      held_.clear();
      return;
    }
    for (const ParseEvent& known : std::exchange(held_, {})) tell(known);
  }

  void tell(const ParseEvent& event) {
    if (sink_) sink_(event);
  }

  [[nodiscard]] const ToolSpec* tool_of(const ToolCall& call) const {
    const auto found = std::find_if(place_.tools.begin(),
                                    place_.tools.end(),
                                    [&](const auto& tool) { return tool.name == call.name; });
    return found == place_.tools.end() ? nullptr : &*found;
  }

  [[nodiscard]] bool is_repeated(const ToolCall& call) const {
    const ToolSpec* tool = tool_of(call);
    return tool != nullptr && repeated_value(*tool, call, *place_.copies).has_value();
  }

  /// Writes the call that was read last anew; what was written behind it is gone.
  Status revise() {
    WrittenCall now{.call = *broken_};
    const auto ids = written().subspan(call_at_, read_ - call_at_);
    now.ids.assign(ids.begin(), ids.end());
    for (int i = 0; i < kRevisionsMax; ++i) {
      FACET_TRY(auto better, best_revision(now.call));
      if (!better) break;
      now = std::move(*better);
      if (!is_repeated(now.call)) break;
    }
    FACET_TRY_STATUS(sequence_.rewind(before_ + call_at_));
    FACET_TRY_STATUS(sequence_.append(now.ids));
    reader_.emplace(place_.dialect, place_.engine.tokenizer());
    broken_.reset();
    for (std::size_t i = 0; i < written().size(); ++i) {
      for (ParseEvent& event : reader_->push(written()[i])) {
        if (i >= call_at_) take(std::move(event), false);
      }
    }
    read_ = written().size();
    return ok();
  }

  /// The most probable of the ways to write `call` anew; nullopt where none leads to a call.
  Result<std::optional<WrittenCall>> best_revision(const ToolCall& call) {
    const ToolSpec& tool = *tool_of(call);
    const auto repeated = repeated_value(tool, call, *place_.copies);
    std::optional<WrittenCall> best;
    for (const Revision& revision : revisions(tool, call, *repeated, *place_.copies)) {
      FACET_TRY(auto other, write(revision));
      if (other && (!best || other->score > best->score)) best = std::move(other);
    }
    return best;
  }

  /// The most probable call that `revision` allows, of those that a beam search finds; nullopt
  /// where there is none, no room for it, or no time.
  Result<std::optional<WrittenCall>> write(const Revision& revision) {
    const prompts::TurnRules rules{
        .choice = {.mode = prompts::ToolChoice::Mode::named, .name = revision.tool.name},
        .calls_max = 1,
        .values = {.copies = &revision.source, .may_lack = revision.may_lack}};
    FACET_TRY(
        const TurnConstraint turn,
        make_turn_constraint(
            place_.dialect, {revision.tool}, rules, place_.factory, place_.engine.tokenizer()));
    if (turn.callable.empty()) return std::optional<WrittenCall>();
    FACET_TRY_STATUS(sequence_.rewind(before_ + call_at_));
    std::vector<Draft> live;
    live.push_back({.sequence = sequence_.fork(), .constraint = turn.constraint->clone()});
    std::optional<Draft> best;
    while (!live.empty()) {
      if (is_over()) return std::optional<WrittenCall>();
      FACET_TRY(const auto moves, moves_of(live, best));
      std::vector<Draft> next;
      for (const Move& move : moves) {
        const Draft& from = live[move.draft];
        Draft draft{.sequence = from.sequence.fork(),
                    .constraint = from.constraint->clone(),
                    .ids = from.ids,
                    .score = from.score};
        FACET_TRY_STATUS(extend(draft, move.ids));
        if (best && draft.score <= best->score) continue;
        if (draft.constraint->is_open()) {
          next.push_back(std::move(draft));
        } else {
          best = std::move(draft);
        }
      }
      live = std::move(next);
    }
    if (!best) return std::optional<WrittenCall>();
    OutputReader reader(place_.dialect, place_.engine.tokenizer());
    for (const TokenId id : best->ids) reader.push(id);
    FACET_TRY(const auto parsed, reader.finish());
    if (parsed.tool_calls.size() != 1) return std::optional<WrittenCall>();
    return std::optional(WrittenCall{parsed.tool_calls.front(), std::move(best->ids), best->score});
  }

  /// What may come next of all drafts: what is certain, and of the rest the kBeamWidth best.
  Result<std::vector<Move>> moves_of(const std::vector<Draft>& live,
                                     const std::optional<Draft>& best) {
    std::vector<Move> out;
    std::vector<Move> choices;
    for (std::size_t i = 0; i < live.size(); ++i) {
      const Draft& draft = live[i];
      if (auto forced = draft.constraint->forced_tokens(); !forced.empty()) {
        if (has_room(draft, forced.size())) out.push_back({i, std::move(forced), draft.score});
        continue;
      }
      if (!has_room(draft, 1)) continue;
      FACET_TRY(const auto logits, draft.sequence.logits());
      const double all = log_sum(logits);
      const auto mask = draft.constraint->mask();
      for (std::size_t id = 0; id < logits.size(); ++id) {
        if ((mask[id / 64] >> (id % 64) & 1U) == 0 || is_stop(static_cast<TokenId>(id))) continue;
        const double score = draft.score + logits[id] - all;
        if (best && score <= best->score) continue;
        choices.push_back({i, {static_cast<TokenId>(id)}, score});
      }
    }
    const auto count = std::min(choices.size(), kBeamWidth);
    std::partial_sort(choices.begin(),
                      choices.begin() + static_cast<std::ptrdiff_t>(count),
                      choices.end(),
                      [](const Move& a, const Move& b) { return a.score > b.score; });
    choices.resize(count);
    std::move(choices.begin(), choices.end(), std::back_inserter(out));
    return out;
  }

  static Status extend(Draft& draft, const std::vector<TokenId>& ids) {
    FACET_TRY(const auto first, draft.sequence.logits());
    draft.score += first[static_cast<std::size_t>(ids.front())] - log_sum(first);
    std::size_t next = 1;
    const auto add = [&](std::span<const float> logits) {
      if (next == ids.size()) return ok();
      draft.score += logits[static_cast<std::size_t>(ids[next++])] - log_sum(logits);
      return ok();
    };
    FACET_TRY_STATUS(draft.sequence.append_scored(ids, add));
    for (const TokenId id : ids) FACET_TRY_STATUS(draft.constraint->accept(id));
    draft.ids.insert(draft.ids.end(), ids.begin(), ids.end());
    return ok();
  }

  /// Whether `count` tokens more keep to what the output and the context may hold.
  [[nodiscard]] bool has_room(const Draft& draft, std::size_t count) const {
    const auto written = static_cast<std::int64_t>(call_at_ + draft.ids.size() + count);
    const auto context = static_cast<std::int64_t>(draft.sequence.tokens().size() + count);
    return written <= options_.tokens_max && context <= place_.engine.info().context_tokens_max;
  }

  [[nodiscard]] bool is_over() const {
    return options_.stop.stop_requested() ||
           (time_max_.count() > 0 && Clock::now() - start_ >= time_max_);
  }

  Status finish(StepResult& step) {
    const auto ids = written();
    step.ids.assign(ids.begin(), ids.end());
    step.usage.completion_tokens = std::ssize(step.ids);
    // Those of a call that was written anew were counted, and are gone.
    step.usage.forced_tokens = std::min(step.usage.forced_tokens, step.usage.completion_tokens);
    if (!ids.empty() && is_stop(ids.back())) {
      step.stopped_on = place_.engine.tokenizer().token_text(ids.back());
    }
    // A call that was cut off is told of too.
    for (const ParseEvent& event : std::exchange(held_, {})) tell(event);
    if (auto parsed = reader_->finish()) {
      step.text = prefix_.without(parsed->text);
      step.tool_calls = parsed->tool_calls;
    } else {
      step.parse_error = parsed.error().message;
    }
    step.raw = reader_->raw();
    return ok();
  }

  const TurnPlace& place_;
  engine::Sequence& sequence_;
  const StepOptions& options_;
  const StepSink& sink_;
  const std::chrono::milliseconds time_max_;
  const Clock::time_point start_ = Clock::now();
  const std::size_t before_;        ///< Tokens in front of the output.
  std::optional<TokenId> trigger_;  ///< Of calls that are checked; nullopt: none are.
  AnswerPrefix prefix_;
  std::optional<OutputReader> reader_;
  std::size_t read_ = 0;     ///< Tokens of the output that were read,
  std::size_t call_at_ = 0;  ///< and of these, those in front of the last call.
  std::vector<ParseEvent> held_;
  std::optional<ToolCall> broken_;  ///< The last call, where it is to be written anew.
};

}  // namespace

Status write_turn(const TurnPlace& place,
                  engine::Sequence& sequence,
                  std::unique_ptr<engine::Constraint> constraint,
                  const StepOptions& options,
                  std::chrono::milliseconds time_max,
                  const StepSink& sink,
                  StepResult& step) {
  return TurnWriter(place, sequence, options, time_max, sink).run(std::move(constraint), step);
}

}  // namespace facet::agent
