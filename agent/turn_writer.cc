#include "agent/turn_writer.h"

#include "agent/output_reader.h"
#include "agent/repeated_value.h"
#include "agent/revised_call.h"
#include "agent/weighed_call.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace facet::agent {
namespace {

using engine::TokenId;
using prompts::ParseEvent;
using Clock = std::chrono::steady_clock;

/// Times that one call is written anew: once for each argument too many, within reason.
constexpr int kRevisionsMax = 3;

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
    if (!constraint) trigger_.reset();
    const auto unwritten = trigger_ ? constraint->clone() : nullptr;
    reader_.emplace(place_.dialect, place_.engine.tokenizer());
    while (true) {
      const auto sink = [&](std::string_view, TokenId) { return read_on(); };
      FACET_TRY(const engine::GenerateResult result, generate(constraint.get(), sink));
      step.decode_ms += result.decode_ms;
      step.usage.forced_tokens += static_cast<std::int64_t>(result.forced_tokens);
      step.finish_reason = result.finish_reason;
      // The sequence knows every token, the sink only those that finished some text.
      if (read_on()) return finish(step);
      const auto begin = Clock::now();
      constraint = unwritten->clone();
      for (const TokenId id : written().first(call_at_)) FACET_TRY_STATUS(constraint->accept(id));
      FACET_TRY_STATUS(revise(*constraint));
      for (const TokenId id : written().subspan(call_at_)) {
        FACET_TRY_STATUS(constraint->accept(id));
      }
      step.decode_ms += std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    }
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
    engine::SamplingOptions sampling = options_.sampling;
    // Behind a call that was written anew no random choice comes again.
    sampling.seed += written().size();
    engine::GenerateRequest request{
        .tokens_max = std::max<std::int64_t>(options_.tokens_max - std::ssize(written()), 0),
        .sampling = sampling,
        .stop_ids = {place_.stop_ids.begin(), place_.stop_ids.end()},
        .constraint = constraint,
        .stop = options_.stop,
        .time_max = time_max_};
    if (time_max_.count() > 0) {
      request.time_max = std::max(time_max_ - used(), std::chrono::milliseconds(1));
    }
    return place_.engine.generate(sequence_, request, sink);
  }

  [[nodiscard]] std::chrono::milliseconds used() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_);
  }

  /// Reads what is written; false behind a call that may have to be written anew.
  bool read_on() {
    while (!is_doubted_ && read_ < written().size()) {
      const TokenId id = written()[read_++];
      if (is_stop(id)) continue;
      if (trigger_ && id == *trigger_) call_at_ = read_ - 1;
      for (ParseEvent& event : reader_->push(id)) {
        if (!prefix_.keeps(event)) continue;
        take(std::move(event));
        if (!held_.empty() && held_.back().kind == ParseEvent::Kind::call_finished) {
          is_doubted_ = is_to_weigh(held_.back().call) || is_repeated(held_.back().call);
          if (!is_doubted_) tell_held();
        }
      }
    }
    return !is_doubted_;
  }

  /// Nobody hears of a call before it is known to stay.
  void take(ParseEvent event) {
    if (trigger_ && (event.kind != ParseEvent::Kind::text || !held_.empty())) {
      held_.push_back(std::move(event));
    } else if (sink_) {
      sink_(event);
    }
  }

  void tell_held() {
    for (const ParseEvent& event : std::exchange(held_, {})) {
      if (sink_) sink_(event);
    }
  }

  [[nodiscard]] const ToolSpec* tool_of(const ToolCall& call) const {
    const auto found = std::find_if(place_.tools.begin(),
                                    place_.tools.end(),
                                    [&](const auto& tool) { return tool.name == call.name; });
    return found == place_.tools.end() ? nullptr : &*found;
  }

  [[nodiscard]] bool is_repeated(const ToolCall& call) const {
    const ToolSpec* tool = tool_of(call);
    return tool != nullptr && repeated_value(said_once(*tool, call, *place_.copies)).has_value();
  }

  /// A sampled call is only written anew where it must be: the best one would be no sample.
  [[nodiscard]] bool is_to_weigh(const ToolCall& call) const {
    const ToolSpec* tool = tool_of(call);
    return options_.sampling.temperature == 0.0F && tool != nullptr &&
           is_weighed(*tool, place_.slots);
  }

  /// Writes the call that was read last anew, where there is a better one; what was written behind
  /// it is gone. `constraint`: the output's in front of the call.
  Status revise(const engine::Constraint& constraint) {
    ToolCall call = held_.back().call;
    const auto ids = written().subspan(call_at_, read_ - call_at_);
    const std::vector<TokenId> before(ids.begin(), ids.end());
    std::optional<WrittenCall> found;
    FACET_TRY_STATUS(sequence_.rewind(before_ + call_at_));
    for (int i = 0; i < kRevisionsMax && is_repeated(call); ++i) {
      FACET_TRY(auto better, best_revision(call, constraint));
      if (!better) break;
      call = better->call;
      found = std::move(better);
    }
    if (is_to_weigh(call)) {
      FACET_TRY(auto better,
                weighed_call(place_of(constraint), *tool_of(call), call, *place_.copies));
      if (better) found = std::move(better);
    }
    FACET_TRY_STATUS(sequence_.append(found ? found->ids : before));
    is_doubted_ = false;
    read_ = written().size();
    if (!found) {
      tell_held();
      return ok();
    }
    held_.clear();
    reader_.emplace(place_.dialect, place_.engine.tokenizer());
    for (std::size_t i = 0; i < read_; ++i) {
      for (ParseEvent& event : reader_->push(written()[i])) {
        if (i > call_at_) take(std::move(event));
      }
    }
    tell_held();
    return ok();
  }

  [[nodiscard]] CallPlace place_of(const engine::Constraint& constraint) const {
    const std::int64_t context = place_.engine.info().context_tokens_max;
    return {.engine = place_.engine,
            .dialect = place_.dialect,
            .factory = place_.factory,
            .stop_ids = place_.stop_ids,
            .sequence = sequence_,
            .constraint = constraint,
            .tokens_max = std::min(options_.tokens_max - std::ssize(written()),
                                   context - std::ssize(sequence_.tokens())) -
                          1,
            .stop = options_.stop,
            .is_late = [this] { return time_max_.count() > 0 && used() >= time_max_; },
            .slots = place_.slots};
  }

  /// The most probable of the ways to write `call` anew; nullopt where none leads to a call.
  Result<std::optional<WrittenCall>> best_revision(const ToolCall& call,
                                                   const engine::Constraint& constraint) {
    const ToolSpec& tool = *tool_of(call);
    const auto said = said_once(tool, call, *place_.copies);
    const CallPlace here = place_of(constraint);
    std::optional<WrittenCall> best;
    for (const Revision& way : revisions(tool, call, *repeated_value(said), said, *place_.copies)) {
      if (options_.stop.stop_requested() || here.is_late()) break;
      FACET_TRY(auto other, write_call(here, way));
      if (other && (!best || other->score > best->score)) best = std::move(other);
    }
    return best;
  }

  Status finish(StepResult& step) {
    const auto ids = written();
    step.ids.assign(ids.begin(), ids.end());
    step.usage.completion_tokens = std::ssize(step.ids);
    // Those of a call that was written anew were counted too.
    step.usage.forced_tokens = std::min(step.usage.forced_tokens, step.usage.completion_tokens);
    if (!ids.empty() && is_stop(ids.back())) {
      step.stopped_on = place_.engine.tokenizer().token_text(ids.back());
    }
    // A call that was cut off is told of too.
    tell_held();
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
  std::size_t read_ = 0;          ///< Tokens of the output that were read,
  std::size_t call_at_ = 0;       ///< and of these, those in front of the last call.
  std::vector<ParseEvent> held_;  ///< Of the last call, while nobody has heard of it.
  bool is_doubted_ = false;       ///< That call may have to be written anew.
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
