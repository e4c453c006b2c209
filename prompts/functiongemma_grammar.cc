// From tool declarations to the grammar of legal calls and turns.
#include "prompts/functiongemma.h"
#include "prompts/functiongemma_value.h"
#include "prompts/python_text.h"
#include "prompts/tool_grammar.h"

#include <string>
#include <utility>

namespace facet::prompts {
namespace {

constexpr std::string_view kStartCall = "<start_function_call>";
constexpr std::string_view kEndCall = "<end_function_call>";

CallForm call_form() {
  CallForm form{.values = control_values(kEscape, "None"), .before_name = "call:"};
  form.arguments = form.values.object;
  form.name_fault = [](std::string_view name) -> std::string {
    const bool fits = name.find('{') == std::string_view::npos && strip(name) == name;
    return fits ? "" : "cannot be written in a call";
  };
  return form;
}

}  // namespace

Result<Grammar> functiongemma_call_grammar(const std::vector<ToolSpec>& tools,
                                           const CallGrammarOptions& options) {
  Grammar grammar;
  FACET_TRY(const OneCall call, one_call(call_form(), tools, options, grammar));
  grammar.set_root(grammar.sequence({call.node, grammar.control(kEndCall)}));
  return grammar;
}

Result<TurnGrammar> functiongemma_turn_grammar(const std::vector<ToolSpec>& tools,
                                               const TurnRules& rules) {
  return trigger_turn_grammar(call_form(), kStartCall, kEndCall, tools, rules);
}

}  // namespace facet::prompts
