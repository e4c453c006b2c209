// A call whose arguments are weighed one by one. A model writes the arguments of a call in a given
// order, and what it says of one depends on those before it: the first may take what a later one is
// for (of "a car from 3 May", 3 May as the last day, because that is asked for first), and the
// later one makes do. Asked for each argument as if it were the only one, the model tells what it
// holds without that.
//
// The score of a call is the logarithm of its probability, and for each parameter of the tool that
// of what it holds (null where it is left out), asked for alone. The probabilities are those of all
// that the model could say. Where the model's file has weights for slots, what those make of the
// arguments is added (agent/call_slots.h). Calls near the one that was written are scored so, and
// one that is better by kWeighedMargin takes its place.
#pragma once

#include "agent/revised_call.h"
#include "base/chat.h"
#include "base/grammar/copy_source.h"
#include "base/result.h"

#include <optional>

namespace facet::agent {

/// How much better a call must score than the one that was written (natural logarithm).
constexpr double kWeighedMargin = 1.0;

/// Whether calls of `tool` can be weighed at all: it has two to twelve parameters, or one where the
/// weights of `slots` say something of it, and nothing that chooses among schemas at its root.
bool is_weighed(const ToolSpec& tool, const SlotSource& slots);

/// The best call near `call`, of those whose arguments alone score more than its own, with the
/// logarithm of its probability; nullopt where `call` stays.
/// Near are those in which two arguments are exchanged, or one holds what the model says when asked
/// for it alone and whichever held that gets what is said of it, or nothing, and those whose slots
/// are the most probable ones; none holds twice what stands in `source` once. Only strings,
/// numbers, booleans, lists and objects that must be copied from `source`, or are listed by their
/// schema, are chosen anew. A call stays where is_weighed() says no, and where there is no room or
/// no time for more. Errors of write_call.
Result<std::optional<WrittenCall>> weighed_call(const CallPlace& place,
                                                const ToolSpec& tool,
                                                const ToolCall& call,
                                                const grammar::CopySource& source);

}  // namespace facet::agent
