#include "engine/generate.h"

#include "engine/candidate_wish.h"
#include "engine/sampling/drafts.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace facet::engine {
namespace {

using Time = std::chrono::steady_clock;

bool is_stop(const GenerateRequest& request, TokenId id) {
  return std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end();
}

Status check(const SequenceState& sequence, const GenerateRequest& request) {
  FACET_TRY_STATUS(validate(request.sampling));
  if (request.tokens_max < 0) {
    return Error{Code::invalid_argument,
                 "tokens_max is " + std::to_string(request.tokens_max) + ", expected 0 or more"};
  }
  const int drafts = request.draft_tokens_max.value_or(0);
  if (drafts < 0 || drafts > kDraftTokensMax) {
    return Error{Code::invalid_argument,
                 "draft_tokens_max is " + std::to_string(drafts) + ", expected 0 to " +
                     std::to_string(kDraftTokensMax)};
  }
  if (sequence.tokens().empty()) {
    return Error{Code::invalid_argument, "the sequence is empty: there is nothing to go on from"};
  }
  return ok();
}

/// Why no further token may be sampled, if so.
std::optional<FinishReason> ended(const SequenceState& sequence,
                                  const GenerateRequest& request,
                                  std::size_t sampled,
                                  Time::time_point start) {
  const auto context = static_cast<std::size_t>(sequence.runtime().options().context_tokens_max);
  if (request.stop.stop_requested()) return FinishReason::cancelled;
  if (request.time_max.count() > 0 && Time::now() - start >= request.time_max) {
    return FinishReason::timeout;
  }
  if (sampled >= static_cast<std::size_t>(request.tokens_max)) return FinishReason::length;
  if (sequence.tokens().size() >= context) return FinishReason::length;
  return std::nullopt;
}

/// Tokens that may still come, the next one included.
std::int64_t tokens_left(const SequenceState& sequence,
                         const GenerateRequest& request,
                         std::size_t sampled) {
  const auto context = static_cast<std::int64_t>(sequence.runtime().options().context_tokens_max) -
                       static_cast<std::int64_t>(sequence.tokens().size());
  return std::min(request.tokens_max - static_cast<std::int64_t>(sampled), context);
}

/// Asked best token first, so that the grammar is walked for a few tokens only. When `left` tokens
/// are enough to complete the grammar and to stop, no token is let through that would change that;
/// `is_cut` becomes true when the best token that the grammar allows was one of those.
TokenFilter filter_of(const GenerateRequest& request, std::int64_t left, bool& is_cut) {
  Constraint* const constraint = request.constraint;
  if (constraint == nullptr) return {};
  const bool can_finish = constraint->shortest() < left;
  return [&request, &is_cut, constraint, can_finish, left, is_best = true](TokenId id) mutable {
    if (constraint->is_open() && is_stop(request, id)) return false;
    if (!constraint->allows(id)) return false;
    const bool fits = !can_finish || constraint->fits(id, left - 2);
    if (std::exchange(is_best, false) && !fits) is_cut = true;
    return fits;
  };
}

/// The tokens that come next whatever the model says, at most `left`.
std::vector<TokenId> forced_tokens(const GenerateRequest& request, std::int64_t left) {
  if (request.constraint == nullptr || !request.jump_forward) return {};
  std::vector<TokenId> ids = request.constraint->forced_tokens();
  if (std::ssize(ids) > left) ids.resize(static_cast<std::size_t>(left));
  return ids;
}

/// Rows of the embedding that the tokenizer has no piece for are never sampled.
std::size_t sampled_ids_end(const SequenceState& sequence, const Tokenizer& tokenizer) {
  const auto vocabulary = static_cast<std::size_t>(sequence.runtime().config().vocabulary);
  return std::min(vocabulary, tokenizer.size());
}

int drafts_max(const SequenceState& sequence, const GenerateRequest& request) {
  return request.draft_tokens_max.value_or(sequence.runtime().options().draft_tokens_max);
}

/// The steps of one generation: its tokens, and guesses of what follows checked beside them.
class Steps {
 public:
  Steps(SequenceState& sequence,
        const GenerateRequest& request,
        const Sampler& sampler,
        CandidateWish wish)
      : sequence_(sequence),
        request_(request),
        sampler_(sampler),
        wish_(std::move(wish)),
        budget_(drafts_max(sequence, request)),
        is_drafting_(drafts_max(sequence, request) > 0) {
    if (is_drafting_) drafter_.append(sequence.tokens());
  }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;
  ~Steps() { sequence_.drop_drafts(); }

  /// Appends `ids`, which the constraint has accepted and behind which at most `left` tokens may
  /// come. `is_forced_next`: what comes behind them is certain.
  Status append(std::span<const TokenId> ids, std::int64_t left, bool is_forced_next) {
    const std::size_t confirmed = sequence_.confirm(ids);
    row_ += confirmed;
    accepted_ += static_cast<std::int64_t>(confirmed);
    if (pending_ > 0 && (confirmed < ids.size() || sequence_.drafts_left() == 0)) {
      budget_.resolved(std::exchange(pending_, 0), static_cast<int>(row_));
    }
    if (is_drafting_) drafter_.append(ids);
    const std::span<const TokenId> rest = ids.subspan(confirmed);
    if (rest.empty()) return ok();
    // A device that has begun with this token has no guesses beside it: they wait for the next one,
    // which it then does not begin, for guesses that come true are worth more.
    const bool is_begun = sequence_.cache().ahead() != 0;
    std::vector<TokenId> drafts;
    bool is_foretold = false;
    if (is_drafting_ && rest.size() == 1) {
      const int wanted = held_ > 0 ? std::exchange(held_, 0) : budget_.next();
      drafts = drafter_.draft(static_cast<std::size_t>(std::min<std::int64_t>(wanted, left)));
      is_foretold = !drafts.empty();
      if (is_begun && is_foretold) {
        held_ = wanted;
        drafts.clear();
      }
    }
    std::optional<NextChoice> next;
    if (wish_.is_possible() && rest.size() == 1 && left > 0 && !is_foretold && !is_forced_next) {
      next = sampler_.next_choice();
    }
    // Behind the last token nothing is chosen: whoever goes on finds its logits.
    rows_ = {};
    if (left > 0 && wish_.is_possible()) {
      rows_ = wish_.rows({.before = sequence_.tokens(), .ids = rest, .drafts = drafts},
                         request_.constraint,
                         request_.stop_ids);
    }
    row_ = 0;
    const auto start = Time::now();
    FACET_TRY_STATUS(sequence_.extend(rest, drafts, rows_, next));
    const std::chrono::duration<double> spent = Time::now() - start;
    pending_ = static_cast<int>(sequence_.drafts_left());
    drafted_ += pending_;
    // What is left of a step that was begun before says nothing of its length.
    if (rest.size() == 1 && !is_begun) budget_.took(pending_, spent.count());
    return ok();
  }

  /// What was found of the token that comes next; null: nothing was asked for.
  [[nodiscard]] const CandidateRow* candidates() const {
    return row_ < rows_.size() ? &rows_[row_] : nullptr;
  }

  [[nodiscard]] std::int64_t drafted() const { return drafted_; }
  [[nodiscard]] std::int64_t accepted() const { return accepted_; }

 private:
  SequenceState& sequence_;
  const GenerateRequest& request_;
  const Sampler& sampler_;
  CandidateWish wish_;
  std::span<CandidateRow> rows_;  ///< Of the last pass, for its last token and its drafts.
  std::size_t row_ = 0;           ///< Drafts of the last pass that were confirmed.
  NgramDrafter drafter_;
  DraftBudget budget_;
  bool is_drafting_;
  int held_ = 0;     ///< Guesses that the budget granted and that wait for the next pass.
  int pending_ = 0;  ///< Drafts of the last pass until the budget has heard how they went.
  std::int64_t drafted_ = 0;
  std::int64_t accepted_ = 0;
};

/// Everything that a generation chooses its next token by.
struct Choice {
  const GenerateRequest& request;
  const Tokenizer& tokenizer;
  Sampler& sampler;
  std::int64_t left = 0;
};

/// The next token as the model wants it: from the best few where they were found and are enough,
/// else from all logits; the same one either way.
Result<TokenId> sample(SequenceState& sequence,
                       const Choice& choice,
                       const CandidateRow* found,
                       bool& is_cut) {
  const auto filter = [&] { return filter_of(choice.request, choice.left, is_cut); };
  if (found != nullptr) {
    if (const auto token = choice.sampler.sample_from(*found, filter())) return *token;
  }
  FACET_TRY(const std::span<const float> logits, sequence.logits());
  const auto usable = logits.first(sampled_ids_end(sequence, choice.tokenizer));
  const Constraint* const constraint = choice.request.constraint;
  TokenMaskSource mask;
  if (constraint != nullptr) mask = [constraint] { return constraint->mask(); };
  auto sampled = choice.sampler.sample(usable, sequence.tokens(), filter(), mask);
  if (sampled) return sampled;
  return sampled.error().with_context("token " + std::to_string(sequence.tokens().size()));
}

/// What the steps of a generation ask for; nothing where the request wants all logits.
CandidateWish wish_of(const SequenceState& sequence,
                      const Tokenizer& tokenizer,
                      const GenerateRequest& request,
                      const Sampler& sampler) {
  const CandidateLimits limits = sequence.runtime().backend().candidate_limits();
  return {request.sampling,
          sampler.candidates_wanted(),
          request.candidates ? limits : CandidateLimits{},
          static_cast<std::int64_t>(sampled_ids_end(sequence, tokenizer))};
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
    case FinishReason::timeout:
      return "timeout";
  }
  FACET_CHECK(false && "a FinishReason outside the enumeration");
  return {};
}

Result<GenerateResult> generate(SequenceState& sequence,
                                const Tokenizer& tokenizer,
                                const GenerateRequest& request,
                                const TextSink& sink) {
  FACET_TRY_STATUS(check(sequence, request));
  const auto start = Time::now();
  Sampler sampler(request.sampling);
  StreamDecoder decoder(tokenizer, request.text_with_control);
  Steps steps(sequence, request, sampler, wish_of(sequence, tokenizer, request, sampler));
  GenerateResult result;
  bool listening = static_cast<bool>(sink);
  bool is_cut = false;  // The end was written for want of room, not because the model came to it.
  const auto emit = [&](const std::string& piece, TokenId id) {
    result.text += piece;
    if (listening && !piece.empty()) listening = sink(piece, id);
    return listening || !sink;
  };
  std::vector<TokenId> forced = forced_tokens(request, tokens_left(sequence, request, 0));
  while (true) {
    if (const auto reason = ended(sequence, request, result.ids.size(), start)) {
      result.finish_reason = *reason;
      break;
    }
    const std::int64_t left = tokens_left(sequence, request, result.ids.size());
    std::vector<TokenId> next = std::exchange(forced, {});
    result.forced_tokens += next.size();
    if (next.empty()) {
      const Choice choice{
          .request = request, .tokenizer = tokenizer, .sampler = sampler, .left = left};
      FACET_TRY(const TokenId id, sample(sequence, choice, steps.candidates(), is_cut));
      next.push_back(id);
    }
    for (const TokenId id : next) {
      if (request.constraint != nullptr) FACET_TRY_STATUS(request.constraint->accept(id));
    }
    const bool is_last = is_stop(request, next.back());
    const std::int64_t left_behind = is_last ? 0 : left - std::ssize(next);
    if (!is_last) forced = forced_tokens(request, left_behind);
    FACET_TRY_STATUS(steps.append(next, left_behind, !forced.empty()));
    result.ids.insert(result.ids.end(), next.begin(), next.end());
    if (is_last) {
      result.finish_reason = is_cut ? FinishReason::length : FinishReason::stop;
      break;
    }
    bool is_heard = true;
    for (const TokenId id : next) is_heard = emit(decoder.push(id), id) && is_heard;
    if (!is_heard) {
      result.finish_reason = FinishReason::cancelled;
      break;
    }
  }
  if (!result.ids.empty()) emit(decoder.finish(), result.ids.back());
  result.drafted_tokens = steps.drafted();
  result.accepted_draft_tokens = steps.accepted();
  result.decode_ms = std::chrono::duration<double, std::milli>(Time::now() - start).count();
  return result;
}

}  // namespace facet::engine
