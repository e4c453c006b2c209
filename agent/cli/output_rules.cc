#include "agent/cli/output_rules.h"

#include "agent/turn_constraint.h"
#include "base/grammar/gbnf.h"
#include "base/grammar/schema_grammar.h"
#include "base/mapped_file.h"
#include "prompts/json_io.h"

#include <string>
#include <string_view>

namespace facet::agent::cli {
namespace {

void tell_relaxed(const std::vector<grammar::SchemaNote>& notes, Console& console) {
  for (const grammar::SchemaNote& note : notes) {
    if (note.kind != grammar::SchemaNote::Kind::relaxed) continue;
    console.warn(note.pointer + ": " + note.message);
  }
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  FACET_TRY(const auto file, MappedFile::open(path));
  const auto bytes = file.bytes();
  std::string text;
  text.reserve(bytes.size());
  for (const auto byte : bytes) text += static_cast<char>(byte);
  return text;
}

Result<std::vector<ToolSpec>> read_tools_file(const OutputRuleOptions& options) {
  if (options.tools.empty()) return std::vector<ToolSpec>();
  FACET_TRY(const std::string text, read_text_file(options.tools));
  auto tools = prompts::read_tools(text);
  if (!tools) return tools.error().with_context(options.tools);
  return tools;
}

Result<std::unique_ptr<engine::Constraint>> make_output_rules(const OutputRuleOptions& options,
                                                              const std::vector<ToolSpec>& tools,
                                                              const LocalChatModel& model,
                                                              Console& console) {
  const auto& tokenizer = model.engine().tokenizer();
  const bool has_tools = !options.tools.empty() || !options.tool_choice.empty();
  const int rules = (has_tools ? 1 : 0) + (options.json_schema.empty() ? 0 : 1) +
                    (options.grammar.empty() ? 0 : 1);
  if (rules > 1) {
    return Error{Code::invalid_argument, "--tools, --json-schema and --grammar exclude each other"};
  }
  if (!options.json_schema.empty()) {
    FACET_TRY(const std::string text, read_text_file(options.json_schema));
    auto schema = grammar::grammar_of_schema(text);
    if (!schema) return schema.error().with_context(options.json_schema);
    tell_relaxed(schema->notes, console);
    return make_output_constraint(schema->grammar, model.dialect(), model.constraints(), tokenizer);
  }
  if (!options.grammar.empty()) {
    FACET_TRY(const std::string text, read_text_file(options.grammar));
    auto grammar = grammar::read_gbnf(text);
    if (!grammar) return grammar.error().with_context(options.grammar);
    return make_output_constraint(*grammar, model.dialect(), model.constraints(), tokenizer);
  }
  if (!has_tools) return std::unique_ptr<engine::Constraint>();
  const prompts::TurnRules turn{.choice = prompts::tool_choice_from_name(options.tool_choice),
                                .calls_max = options.calls_max};
  FACET_TRY(TurnConstraint made,
            make_turn_constraint(model.dialect(), tools, turn, model.constraints(), tokenizer));
  tell_relaxed(made.relaxed, console);
  return std::move(made.constraint);
}

}  // namespace facet::agent::cli
