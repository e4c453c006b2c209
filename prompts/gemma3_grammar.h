// The turns of Gemma 3's calling styles as grammars. A call is ordinary text, so in an automatic
// turn the grammar tells text from calls as the parser does: by what a line begins with.
#pragma once

#include "base/result.h"
#include "prompts/dialect.h"
#include "prompts/text_call_parser.h"

#include <vector>

namespace facet::prompts {

/// See Dialect::turn_grammar. In an automatic turn calls come last; text that begins a line like a
/// call (`{"`, `[{`, `[name(`, a fence tool_code) is not offered but as a call of a declared tool.
/// Separators are written as write_calls writes them. unsupported for CallStyle::none where calls
/// are asked for.
Result<TurnGrammar> gemma3_turn_grammar(CallStyle style,
                                        const std::vector<ToolSpec>& tools,
                                        const TurnRules& rules);

}  // namespace facet::prompts
