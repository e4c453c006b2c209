// Writes a call in the way that a Revision leaves: a beam search over what is open, everything else
// appended as it must be.
#pragma once

#include "agent/repeated_value.h"
#include "agent/slot_model.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/sampling/constraint.h"
#include "prompts/dialect.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

namespace facet::agent {

/// A call, its tokens from the trigger to its end, and the logarithm of their probability, of all
/// that the model could say.
struct WrittenCall {
  ToolCall call;
  std::vector<engine::TokenId> ids;
  double score = 0.0;
};

/// Where a call is written; all references must outlive the search.
struct CallPlace {
  const engine::Engine& engine;
  const prompts::Dialect& dialect;
  const engine::ConstraintFactory& factory;
  std::span<const engine::TokenId> stop_ids;
  const engine::Sequence& sequence;      ///< What stands in front of the call.
  const engine::Constraint& constraint;  ///< The output's, there: the call keeps to it as well.
  std::int64_t tokens_max = 0;           ///< The call's, its stop token not among them.
  std::stop_token stop;
  std::function<bool()> is_late;  ///< Looked at between two tokens.
  std::size_t beams = 4;          ///< Beginnings of a call that are followed at once.
  SlotSource slots;               ///< What arguments are weighed by beside the model.
};

/// The most probable call that `revision` allows, of those that the search finds. Nullopt where it
/// finds none, or there is no room or no time for one, or no grammar of it. invalid_data where the
/// model gives NaN, unavailable when its device failed.
Result<std::optional<WrittenCall>> write_call(const CallPlace& place, const Revision& revision);

}  // namespace facet::agent
