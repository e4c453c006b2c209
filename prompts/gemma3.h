// Gemma 3's chat template, plain ("gemma3": no tools) and with the three calling styles that Google
// documents ("gemma3-python", "gemma3-json", "gemma3-tool-code"). Turns alternate between user and
// model; a system message is put in front of the first user turn, untrimmed, with an empty line
// between; tools follow it there; results of tools are the next user turn. Where the template drops
// something silently (tools, a conversation of a system message only), this dialect refuses.
#pragma once

#include "prompts/dialect.h"
#include "prompts/text_call_parser.h"

namespace facet::prompts {

/// The dialect of that style. Valid for the whole program.
const Dialect& gemma3(CallStyle style);

}  // namespace facet::prompts
