// Writes one output of a model: sampled under a constraint, read as it comes, and told to a sink.
//
// Where arguments are copied, a call of which two arguments hold what was said once
// (agent/repeated_value.h) is written anew as soon as it ends: in each of the ways that are left
// (agent/revised_call.h), of which the one stays that the model gives the highest probability, and
// the output goes on behind it. Nobody hears of the first one, so the sink gets a call in one piece
// when it is known to stay. Where no way leads to a call, it stays as it is.
#pragma once

#include "agent/chat_model.h"
#include "agent/slot_model.h"
#include "agent/turn_limits.h"
#include "base/grammar/copy_source.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/sampling/constraint.h"
#include "prompts/dialect.h"

#include <chrono>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace facet::agent {

/// What an output is written with; all references must outlive the call.
struct TurnPlace {
  const engine::Engine& engine;
  const prompts::Dialect& dialect;
  const engine::ConstraintFactory& factory;
  std::span<const engine::TokenId> stop_ids;
  const std::vector<ToolSpec>& tools;
  const grammar::CopySource* copies = nullptr;  ///< Null: arguments are free.
  SlotSource slots;                             ///< CallPlace::slots.
  std::string_view answer_prefix;               ///< TurnConstraints::answer_prefix.
};

/// Appends an output to `sequence` and writes it into `step`: everything but the prefill's part.
/// `constraint` may be null; `time_max` 0: none. Errors of Engine::generate and Sequence::append.
Status write_turn(const TurnPlace& place,
                  engine::Sequence& sequence,
                  std::unique_ptr<engine::Constraint> constraint,
                  const StepOptions& options,
                  std::chrono::milliseconds time_max,
                  const StepSink& sink,
                  StepResult& step);

}  // namespace facet::agent
