// Runs a local model on cases of the Berkeley leaderboard and counts what it was worth: how many of
// its turns are valid, how many are right, and what they cost.
#pragma once

#include "agent/bfcl.h"
#include "agent/local_chat_model.h"
#include "base/result.h"
#include "prompts/dialect.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <stop_token>
#include <string>

namespace facet::agent {

struct BfclOptions {
  bool is_constrained = true;  ///< Turns are held to `rules`; else to nothing.
  /// The turn is an agent's: with a plan, where the model knows that form, and arguments as the
  /// model's file says; a call that lacks an argument is not made. REQUIRES: is_constrained.
  bool is_agents = false;
  prompts::TurnRules rules;  ///< Unconstrained: only whether a call is required.
  std::int64_t tokens_max = 512;
  engine::SamplingOptions sampling{.temperature = 0.0F};
  std::stop_token stop;
};

/// How one turn went.
struct BfclScore {
  /// The turn can be read, calls only declared functions, and what it gives them satisfies their
  /// schemas; where a call is required there is one. Says nothing of whether it is right.
  bool is_valid = false;
  bool is_right = false;  ///< bfcl_match.h. A turn that cannot be read makes no call.
  bool is_cut = false;    ///< tokens_max or the context ended it.
  std::int64_t calls = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t sampled_tokens = 0;  ///< Each needed the model.
  std::int64_t forced_tokens = 0;   ///< Came of themselves, in passes of many.
  double compile_ms = 0.0;          ///< From the tools to the constraint.
  double prefill_ms = 0.0;
  double decode_ms = 0.0;
  std::string got;  ///< The output, control tokens spelled.
  std::string why;  ///< What is invalid or wrong; empty when nothing is.
};

/// One turn in a conversation of its own, without a plan unless it is an agent's. limit_exceeded
/// when the prompt does not fit the context, cancelled on a stop; errors of the dialect for
/// functions it cannot declare or hold.
Result<BfclScore> score_bfcl_case(const LocalChatModel& model,
                                  const BfclCase& test,
                                  const BfclOptions& options);

/// Sums over cases.
struct BfclTotals {
  std::int64_t cases = 0;
  std::int64_t valid = 0;
  std::int64_t right = 0;
  std::int64_t cut = 0;
  std::int64_t calls = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t sampled_tokens = 0;
  std::int64_t forced_tokens = 0;
  double compile_ms = 0.0;
  double prefill_ms = 0.0;
  double decode_ms = 0.0;

  void add(const BfclScore& score);
};

/// {"cases", "valid", "validity_percent", "right", "accuracy_percent", "cut", "calls",
/// "tokens": {"prompt", "sampled", "forced"}, "ms": {"compile", "prefill", "decode"}}; a share is
/// null where there is nothing to divide by.
nlohmann::ordered_json bfcl_totals_json(const BfclTotals& totals);

}  // namespace facet::agent
