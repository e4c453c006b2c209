#include "prompts/tool_grammar.h"

#include "base/grammar/completable.h"
#include "base/json.h"
#include "prompts/python_text.h"

#include <nlohmann/json.hpp>

#include <deque>
#include <set>
#include <utility>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kToolsMax = 1024;

bool sorts_before(std::string_view a, std::string_view b) {
  return lower(a) < lower(b);
}

Status check_names(const CallForm& form, const std::vector<ToolSpec>& tools) {
  if (tools.empty()) return Error{Code::invalid_argument, "a call grammar needs a tool"};
  if (tools.size() > kToolsMax) {
    return Error{Code::limit_exceeded,
                 std::to_string(tools.size()) + " tools, at most " + std::to_string(kToolsMax) +
                     " can be declared"};
  }
  std::set<std::string_view> names;
  for (const ToolSpec& tool : tools) {
    const std::string fault = tool.name.empty() ? "is empty" : form.name_fault(tool.name);
    if (!fault.empty()) {
      return Error{Code::invalid_argument, "tool " + json_quote(tool.name) + ": the name " + fault};
    }
    if (!names.insert(tool.name).second) {
      return Error{Code::invalid_argument, "two tools have the name " + json_quote(tool.name)};
    }
  }
  return ok();
}

/// `text` of a schema, which the message calls `what`.
Result<Json> read_schema(const std::string& text,
                         const std::string& what,
                         const grammar::SchemaGrammarOptions& limits) {
  if (text.size() > limits.schema_bytes_max) {
    return Error{Code::limit_exceeded,
                 what + ": " + std::to_string(text.size()) + " bytes, at most " +
                     std::to_string(limits.schema_bytes_max) + " are read"};
  }
  auto parsed = parse_json(text, what, {.nesting_depth_max = limits.schema_depth_max});
  if (parsed) return parsed;
  const bool too_deep = parsed.error().code == Code::limit_exceeded;
  return Error{too_deep ? Code::limit_exceeded : Code::invalid_argument, parsed.error().message};
}

Result<Json> parameters_of(const ToolSpec& tool, const grammar::SchemaGrammarOptions& limits) {
  auto parsed = read_schema(tool.parameters, "parameters of tool \"" + tool.name + "\"", limits);
  if (!parsed || parsed->is_object()) return parsed;
  return Error{Code::invalid_argument, "tool \"" + tool.name + "\": the schema is not an object"};
}

}  // namespace

Result<OneCall> one_call(const CallForm& form,
                         const std::vector<ToolSpec>& tools,
                         const CallGrammarOptions& options,
                         Grammar& grammar) {
  FACET_TRY_STATUS(check_names(form, tools));
  if (options.array_items_max < 1 || options.number_digits_max < 1) {
    return Error{Code::invalid_argument, "the limits of a call grammar must be positive"};
  }
  const grammar::SchemaGrammarOptions limits{.array_items_max = options.array_items_max,
                                             .number_digits_max = options.number_digits_max,
                                             .copies = options.copies,
                                             .may_lack = options.may_lack};
  std::deque<Json> schemas;  // Keeps its elements in place: nodes are written from them.
  grammar::SchemaGrammar values(grammar, form.values, limits);
  OneCall out;
  std::vector<Grammar::Node> calls;
  for (const ToolSpec& tool : tools) {
    FACET_TRY(Json schema, parameters_of(tool, limits));
    schemas.push_back(std::move(schema));
    auto arguments = values.object(schemas.back(), form.arguments);
    if (!arguments) return arguments.error().with_context("tool \"" + tool.name + "\"");
    for (std::size_t i = out.notes.size(); i < values.notes().size(); ++i) {
      out.notes.push_back(values.notes()[i]);
      out.notes.back().pointer = tool.name + out.notes.back().pointer;
    }
    if (options.copies != nullptr && !grammar::is_completable(grammar, *arguments)) continue;
    out.callable.push_back(tool.name);
    const std::string name =
        form.written_name != nullptr ? form.written_name(tool.name) : tool.name;
    calls.push_back(grammar.sequence({grammar.literal(form.before_name + name + form.after_name),
                                      *arguments,
                                      grammar.literal(form.after_call)}));
  }
  out.node = calls.size() == 1 ? calls.front() : grammar.choice(std::move(calls));
  return out;
}

Result<Grammar::Node> answer_value(const std::string& schema,
                                   const CallGrammarOptions& options,
                                   Grammar& grammar,
                                   std::vector<grammar::SchemaNote>& notes) {
  const grammar::SchemaGrammarOptions limits{.array_items_max = options.array_items_max,
                                             .number_digits_max = options.number_digits_max};
  FACET_TRY(const Json json, read_schema(schema, "the schema of the answer", limits));
  grammar::SchemaGrammar values(grammar, grammar::ValueSyntax(), limits);
  auto value = values.value(json);
  if (!value) return value.error().with_context("the schema of the answer");
  for (grammar::SchemaNote note : values.notes()) {
    note.pointer = "(answer)" + note.pointer;
    notes.push_back(std::move(note));
  }
  return value;
}

Result<TurnGrammar> trigger_turn_grammar(const CallForm& form,
                                         std::string_view start,
                                         std::string_view end,
                                         const std::vector<ToolSpec>& tools,
                                         const TurnRules& rules) {
  using Mode = ToolChoice::Mode;
  if (rules.calls_max < 1) {
    return Error{Code::invalid_argument,
                 "calls_max is " + std::to_string(rules.calls_max) + ", expected 1 or more"};
  }
  TurnGrammar out;
  Grammar& grammar = out.grammar;
  FACET_TRY(const std::vector<ToolSpec> chosen, chosen_tools(tools, rules.choice));
  OneCall call;
  if (rules.choice.mode != Mode::none && !chosen.empty()) {
    FACET_TRY(call, one_call(form, chosen, rules.values, grammar));
    out.callable = call.callable;
  }
  const bool may_call = !out.callable.empty();
  const bool must_call =
      may_call && (rules.choice.mode == Mode::required || rules.choice.mode == Mode::named);
  std::vector<Grammar::Node> turns;
  if (!rules.answer_schema.empty() && !must_call) {
    FACET_TRY(const Grammar::Node answer,
              answer_value(rules.answer_schema, rules.values, grammar, out.notes));
    turns.push_back(answer);
    out.free_after = false;
  } else if (!may_call) {
    grammar.set_root(grammar.literal(""));
    out.trigger = start;
  }
  out.notes.insert(out.notes.end(), call.notes.begin(), call.notes.end());
  if (!may_call) {
    if (!turns.empty()) grammar.set_root(turns.front());
    return out;
  }
  const Grammar::Node closed = grammar.sequence({call.node, grammar.control(end)});
  if (turns.empty() && !must_call) {
    grammar.set_root(closed);
    out.trigger = start;
    out.entries_max = rules.calls_max;
    return out;
  }
  const Grammar::Node whole = grammar.sequence({grammar.control(start), closed});
  turns.push_back(grammar.repeat(whole, 1, rules.calls_max));
  grammar.set_root(turns.size() == 1 ? turns.front() : grammar.choice(std::move(turns)));
  out.free_after = false;
  return out;
}

Result<std::vector<ToolSpec>> chosen_tools(const std::vector<ToolSpec>& tools,
                                           const ToolChoice& choice) {
  using Mode = ToolChoice::Mode;
  if (choice.mode == Mode::named) {
    for (const ToolSpec& tool : tools) {
      if (tool.name == choice.name) return std::vector<ToolSpec>{tool};
    }
    return Error{Code::not_found, "tool choice: there is no tool " + json_quote(choice.name)};
  }
  if (choice.mode == Mode::required && tools.empty()) {
    return Error{Code::invalid_argument, "tool choice: a call is required and there is no tool"};
  }
  return tools;
}

grammar::ValueSyntax json_values() {
  return {.number_text = [](const Json& number) { return python_scalar(number); }};
}

grammar::ValueSyntax python_values() {
  return {
      .strings = grammar::ValueSyntax::Strings::python,
      .true_word = "True",
      .false_word = "False",
      .null_word = "None",
      .bare_key_start = CodePointSet({{'A', 'Z'}, {'_', '_'}, {'a', 'z'}}),
      .bare_key_part = CodePointSet({{'-', '.'}, {'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}),
      .number_text = [](const Json& number) { return python_scalar(number); }};
}

grammar::ValueSyntax control_values(std::string_view string_control, std::string_view null_word) {
  return {.strings = grammar::ValueSyntax::Strings::control,
          .string_control = std::string(string_control),
          .object = {.keys = grammar::ObjectSyntax::Keys::bare},
          .optional_space = false,
          .null_word = std::string(null_word),
          .key_before = sorts_before,
          .number_text = [](const Json& number) { return python_scalar(number); }};
}

}  // namespace facet::prompts
