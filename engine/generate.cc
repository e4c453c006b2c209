#include "engine/generate.h"

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

/// The next token as the model wants it.
Result<TokenId> sample(SequenceState& sequence,
                       const Tokenizer& tokenizer,
                       Sampler& sampler,
                       const TokenFilter& filter,
                       const Constraint* constraint) {
  // Rows of the embedding that the tokenizer has no piece for are never sampled.
  FACET_TRY(const std::span<const float> logits, sequence.logits());
  const auto usable = logits.first(std::min(logits.size(), tokenizer.size()));
  TokenMaskSource mask;
  if (constraint != nullptr) mask = [constraint] { return constraint->mask(); };
  auto sampled = sampler.sample(usable, sequence.tokens(), filter, mask);
  if (sampled) return sampled;
  return sampled.error().with_context("token " + std::to_string(sequence.tokens().size()));
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
  GenerateResult result;
  bool listening = static_cast<bool>(sink);
  bool is_cut = false;  // The end was written for want of room, not because the model came to it.
  const auto emit = [&](const std::string& piece, TokenId id) {
    result.text += piece;
    if (listening && !piece.empty()) listening = sink(piece, id);
    return listening || !sink;
  };
  while (true) {
    if (const auto reason = ended(sequence, request, result.ids.size(), start)) {
      result.finish_reason = *reason;
      break;
    }
    const std::int64_t left = tokens_left(sequence, request, result.ids.size());
    std::vector<TokenId> next = forced_tokens(request, left);
    result.forced_tokens += next.size();
    if (next.empty()) {
      const TokenFilter filter = filter_of(request, left, is_cut);
      FACET_TRY(const TokenId id, sample(sequence, tokenizer, sampler, filter, request.constraint));
      next.push_back(id);
    }
    for (const TokenId id : next) {
      if (request.constraint != nullptr) FACET_TRY_STATUS(request.constraint->accept(id));
    }
    FACET_TRY_STATUS(sequence.append(next, {}));
    result.ids.insert(result.ids.end(), next.begin(), next.end());
    if (is_stop(request, next.back())) {
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
  result.decode_ms = std::chrono::duration<double, std::milli>(Time::now() - start).count();
  return result;
}

}  // namespace facet::engine
