// facet schema check: what the grammar of a JSON Schema would hold a model to.
#include "agent/cli/commands.h"
#include "agent/cli/output_rules.h"
#include "base/grammar/schema_grammar.h"
#include "engine/sampling/grammar_analysis.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace facet::agent::cli {
namespace {

using nlohmann::ordered_json;

std::string_view kind_name(grammar::SchemaNote::Kind kind) {
  using Kind = grammar::SchemaNote::Kind;
  switch (kind) {
    case Kind::bound:
      return "bound";
    case Kind::closed:
      return "closed";
    case Kind::narrowed:
      return "narrowed";
    case Kind::relaxed:
      return "relaxed";
  }
  return "";
}

Result<std::string> read_schema(const SchemaCheckOptions& options, const Environment& environment) {
  if (options.file == "-") return Console::read_stdin(environment.stop);
  return read_text_file(options.file);
}

/// The grammar and its notes, when some value satisfies the schema.
Result<grammar::SchemaText> check(std::string_view text) {
  FACET_TRY(grammar::SchemaText schema, grammar::grammar_of_schema(text));
  if (auto analysis = engine::analyze(schema.grammar); !analysis) {
    return Error{analysis.error().code,
                 "no value satisfies the schema: " + analysis.error().message};
  }
  return schema;
}

}  // namespace

int run_schema_check(const SchemaCheckOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto text = read_schema(options, environment);
  if (!text) return console.fail(text.error(), options.json);
  const auto schema = check(*text);
  if (!schema) {
    const std::string file = options.file == "-" ? "stdin" : options.file;
    return console.fail(schema.error().with_context(file), options.json);
  }
  if (options.json) {
    ordered_json notes = ordered_json::array();
    for (const auto& note : schema->notes) {
      notes.push_back(
          {{"kind", kind_name(note.kind)}, {"pointer", note.pointer}, {"message", note.message}});
    }
    console.out_json({{"enforced", true}, {"notes", std::move(notes)}});
    return exit_ok;
  }
  console.out("every keyword is enforced, except where a line says relaxed\n");
  for (const auto& note : schema->notes) {
    console.out(std::string(kind_name(note.kind)) + "  " +
                (note.pointer.empty() ? "/" : printable(note.pointer)) + "  " +
                printable(note.message) + "\n");
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
