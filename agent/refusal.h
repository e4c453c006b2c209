// When a quoted answer is the refusal. A small model finds something to quote more often than the
// passages hold an answer, and what it gives the refusal tells the two apart better than whether
// that is the most of all. So its file may state how much is enough (ModelInfo::refusal_min).
#pragma once

#include "base/result.h"
#include "engine/engine.h"

#include <optional>
#include <stop_token>
#include <string_view>

namespace facet::agent {

/// Whether the model gives `refusal` behind `sequence` at least its refusal_min, and no call
/// (`call_trigger`, where calls begin with a token) a half or more. False where refusal_min is 0,
/// and where there is no room or no time to ask. Errors of log_probability().
Result<bool> is_refused(const engine::Engine& engine,
                        const engine::Sequence& sequence,
                        std::string_view refusal,
                        std::optional<engine::TokenId> call_trigger,
                        const std::stop_token& stop);

}  // namespace facet::agent
