#include "prompts/gemma3_grammar.h"

#include "base/check.h"
#include "base/grammar/regex.h"
#include "base/grammar/text_automaton.h"
#include "base/json.h"
#include "prompts/python_calls.h"
#include "prompts/tool_grammar.h"

#include <string>
#include <string_view>
#include <utility>

namespace facet::prompts {
namespace {

using grammar::TextAutomaton;

constexpr std::string_view kSpace = R"([ \t\r\n])";
// JSON behind words on the same line is no call: see find_call_opening.
constexpr std::string_view kAnswerPrefix = "Answer: ";
constexpr std::string_view kFence = R"((?:```[^ \t\r\n\[{]*[ \t\r\n]*)?)";

/// What the parser takes for the beginning of calls, at the start of a line: find_call_opening.
std::string opening_pattern(CallStyle style) {
  const std::string space(kSpace);
  const std::string line = R"((?:^|\n))" + space + "*";
  if (style == CallStyle::tool_code) return line + "```tool_code" + space;
  const std::string fence(kFence);
  if (style == CallStyle::json) {
    return line + fence + R"((?:\{)" + space + R"(*"|\[)" + space + R"(*\{))";
  }
  return line + fence + R"(\[)" + space + R"(*(?:[A-Za-z_]|[^\x00-\x7f])(?:[A-Za-z0-9_.-]|)" +
         R"([^\x00-\x7f])*\()";
}

TextAutomaton read(std::string_view pattern, bool anchored) {
  auto automaton = grammar::regex_automaton(pattern, {.anchored = anchored});
  FACET_CHECK(automaton.has_value());
  return *std::move(automaton);
}

/// Text without a call in it.
TextAutomaton free_text(CallStyle style) {
  if (style == CallStyle::none) return grammar::any_text(CodePointSet::all());
  return grammar::complement(read(opening_pattern(style), false));
}

std::string quoted_name(std::string_view name) {
  return json_quote(name);
}

CallForm call_form(CallStyle style) {
  CallForm form;
  form.values = style == CallStyle::json ? json_values() : python_values();
  form.values.comma = ", ";
  form.values.object.colon = ": ";
  form.values.optional_space = false;
  if (style == CallStyle::json) {
    form.arguments = form.values.object;
    form.before_name = R"({"name": )";
    form.after_name = R"(, "parameters": )";
    form.after_call = "}";
    form.written_name = quoted_name;
    form.name_fault = [](std::string_view /*name*/) { return std::string(); };
    return form;
  }
  form.arguments = {
      .open = "(", .close = ")", .colon = "=", .keys = grammar::ObjectSyntax::Keys::bare};
  form.name_fault = [](std::string_view name) -> std::string {
    const bool fits = is_python_name(name) && name != "print";
    return fits ? "" : "is none that a Python call can spell";
  };
  return form;
}

/// All calls of a turn, framed as write_calls frames them.
Grammar::Node framed(CallStyle style, Grammar::Node call, int calls_max, Grammar& grammar) {
  const bool is_code = style == CallStyle::tool_code;
  const Grammar::Node separator = grammar.literal(is_code ? "\n" : ", ");
  const Grammar::Node list = grammar.sequence(
      {call, grammar.repeat(grammar.sequence({separator, call}), 0, calls_max - 1)});
  const std::string_view open = is_code ? "```tool_code\n" : "[";
  const std::string_view close = is_code ? "\n```" : "]";
  const Grammar::Node framed =
      grammar.sequence({grammar.literal(open), list, grammar.literal(close)});
  if (style != CallStyle::json) return framed;
  return calls_max == 1 ? call : grammar.choice({call, framed});
}

}  // namespace

Result<TurnGrammar> gemma3_turn_grammar(CallStyle style,
                                        const std::vector<ToolSpec>& tools,
                                        const TurnRules& rules) {
  using Mode = ToolChoice::Mode;
  if (rules.calls_max < 1) {
    return Error{Code::invalid_argument,
                 "calls_max is " + std::to_string(rules.calls_max) + ", expected 1 or more"};
  }
  TurnGrammar out{.free_after = false};
  Grammar& grammar = out.grammar;
  FACET_TRY(const std::vector<ToolSpec> chosen, chosen_tools(tools, rules.choice));
  OneCall call;
  if (rules.choice.mode != Mode::none && !chosen.empty()) {
    if (style == CallStyle::none) {
      return Error{Code::unsupported, "the dialect gemma3 has no tool calls"};
    }
    FACET_TRY(call, one_call(call_form(style), chosen, rules.values, grammar));
    out.callable = call.callable;
  }
  const bool may_call = !out.callable.empty();
  const bool has_text = !may_call || rules.choice.mode == Mode::automatic;
  const bool has_schema = has_text && !rules.answer_schema.empty();
  const TextAutomaton text = has_text ? free_text(style) : TextAutomaton{};
  const auto text_node = [&](const TextAutomaton& automaton) {
    return grammar.automaton(grammar::spelled(automaton, grammar::Spelling::raw));
  };
  Grammar::Node answer = -1;
  if (has_schema) {
    if (style == CallStyle::json) out.answer_prefix = kAnswerPrefix;
    FACET_TRY(const Grammar::Node value,
              answer_value(rules.answer_schema, rules.values, grammar, out.notes));
    answer = grammar.sequence({grammar.literal(out.answer_prefix), value});
  }
  out.notes.insert(out.notes.end(), call.notes.begin(), call.notes.end());
  if (!may_call) {
    grammar.set_root(has_schema ? answer : text_node(text));
    return out;
  }
  const Grammar::Node calls = framed(style, call.node, rules.calls_max, grammar);
  if (!has_text || has_schema) {
    grammar.set_root(has_schema ? grammar.choice({calls, answer}) : calls);
    return out;
  }
  // In front of calls: nothing, or whole lines.
  FACET_TRY(const TextAutomaton lines, grammar::intersection(text, read(R"((?:[^\n]*\n)*)", true)));
  grammar.set_root(grammar.choice({text_node(text), grammar.sequence({text_node(lines), calls})}));
  return out;
}

}  // namespace facet::prompts
