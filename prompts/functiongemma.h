// FunctionGemma 270M: declarations, calls and responses between control tokens of their own, all
// inside one model turn. The format is that of Google's chat template; where the template gives
// what no model was trained on, this dialect differs:
//  - a conversation that ends in a call never gets a fresh model turn behind it, whatever
//    add_generation_prompt says; the template would open one after <start_function_response>;
//  - a user or developer message behind a call or a response first closes the model's turn; the
//    template would glue it in;
//  - a top-level schema without a type is declared as OBJECT; the template would leave a brace
//    open.
// Text the model wrote in front of a call stays in front of it, trimmed. A model's own text keeps
// its white space in the sequence (a plan line ends with "\n"), whereas render() trims it as the
// template does: sequences are therefore extended with render_tool_outputs() and
// render_user_turn(), never rendered again.
#pragma once

#include "prompts/dialect.h"

namespace facet::prompts {

/// The dialect "functiongemma". Valid for the whole program.
const Dialect& functiongemma();

std::unique_ptr<StreamParser> make_functiongemma_parser();

/// See Dialect::call_grammar. A call is one of the tools; arguments in dictsort order; a string is
/// any text between two <escape>, as far as its schema lets it. What a schema asks is enforced or
/// refused: see base/grammar/schema_grammar.h.
Result<Grammar> functiongemma_call_grammar(const std::vector<ToolSpec>& tools,
                                           const CallGrammarOptions& options);
Result<TurnGrammar> functiongemma_turn_grammar(const std::vector<ToolSpec>& tools,
                                               const TurnRules& rules);

}  // namespace facet::prompts
