// The decoding loop behind Engine::generate; see there for what it promises.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "engine/sequence_state.h"
#include "engine/tokenizer/tokenizer.h"

namespace facet::engine {

/// invalid_argument for bad options or an empty sequence; invalid_data when the model gives NaN or
/// the constraint leaves no token. What was sampled before an error stays in the sequence.
Result<GenerateResult> generate(SequenceState& sequence,
                                const Tokenizer& tokenizer,
                                const GenerateRequest& request,
                                const TextSink& sink);

}  // namespace facet::engine
