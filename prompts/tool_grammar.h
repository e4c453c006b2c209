// From declared tools to the grammar of legal calls: what all dialects have in common. A dialect
// says how a call is framed and how values are written; the schemas say what may stand in it.
#pragma once

#include "base/chat.h"
#include "base/grammar.h"
#include "base/grammar/schema_grammar.h"
#include "base/result.h"
#include "prompts/dialect.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// How a dialect writes a call.
struct CallForm {
  grammar::ValueSyntax values;
  grammar::ObjectSyntax arguments;  ///< The outermost object.
  std::string before_name;          ///< In front of the name.
  std::string after_name;           ///< Between the name and the arguments.
  std::string after_call;
  /// What keeps a name from being written, as the end of a sentence; empty when nothing does.
  std::function<std::string(std::string_view name)> name_fault;
  /// The name as it is written; null: as it is.
  std::string (*written_name)(std::string_view name) = nullptr;
};

/// Of the tools of a grammar: one call of one of them.
struct OneCall {
  Grammar::Node node = -1;
  std::vector<std::string> callable;  ///< TurnGrammar::callable; none: `node` is never().
  /// What the schemas' readers should know, pointers behind the tool's name.
  std::vector<grammar::SchemaNote> notes;
};

/// The grammar of one call of one of `tools`, added to `grammar`. invalid_argument for no tool, two
/// tools of one name and names that cannot be written; limit_exceeded for more than 1024 tools;
/// errors of a schema name its tool.
Result<OneCall> one_call(const CallForm& form,
                         const std::vector<ToolSpec>& tools,
                         const CallGrammarOptions& options,
                         Grammar& grammar);

/// The grammar of one JSON value of the schema in `schema`, added to `grammar`; errors and notes
/// name
/// "(answer)".
Result<Grammar::Node> answer_value(const std::string& schema,
                                   const CallGrammarOptions& options,
                                   Grammar& grammar,
                                   std::vector<grammar::SchemaNote>& notes);

/// The turn of a dialect whose calls stand between two control tokens.
Result<TurnGrammar> trigger_turn_grammar(const CallForm& form,
                                         std::string_view start,
                                         std::string_view end,
                                         const std::vector<ToolSpec>& tools,
                                         const TurnRules& rules);

/// The tools that `choice` lets the model call: all, or the named one. not_found when there is none
/// of that name; invalid_argument when a call is required and there are no tools.
Result<std::vector<ToolSpec>> chosen_tools(const std::vector<ToolSpec>& tools,
                                           const ToolChoice& choice);

/// JSON as Gemma writes it; Python literals; Gemma's own values with strings between two
/// `string_control`.
grammar::ValueSyntax json_values();
grammar::ValueSyntax python_values();
grammar::ValueSyntax control_values(std::string_view string_control, std::string_view null_word);

}  // namespace facet::prompts
