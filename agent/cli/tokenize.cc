// facet tokenize, facet prompt render, facet prompt parse: the text side of a model, on stdin.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "engine/model/model.h"
#include "prompts/dialect.h"
#include "prompts/json_io.h"
#include "prompts/shieldgemma.h"
#include "prompts/translategemma.h"

#include <nlohmann/json.hpp>

namespace facet::agent::cli {

namespace {

Result<std::vector<Segment>> render_json(const std::string& dialect, const std::string& text) {
  if (dialect == "translategemma") {
    FACET_TRY(const auto translation, prompts::read_translation(text));
    return prompts::render_translation(translation);
  }
  FACET_TRY(const auto input, prompts::read_render_input(text));
  if (dialect == "shieldgemma") return prompts::render_safety_question(input.messages);
  FACET_TRY(const prompts::Dialect* found, prompts::find_dialect(dialect));
  return found->render(input);
}

bool is_single_question(const std::string& dialect) {
  return dialect == "shieldgemma" || dialect == "translategemma";
}

}  // namespace

int run_tokenize(const TokenizeOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto path = find_model(options.model, ModelKind::generator);
  if (!path) return console.fail(path.error(), options.json, exit_unavailable);
  const auto tokenizer = engine::load_tokenizer(*path);
  if (!tokenizer) return console.fail(tokenizer.error(), options.json, exit_unavailable);
  const auto text = Console::read_stdin(environment.stop);
  if (!text) return console.fail(text.error(), options.json);
  const auto kind = options.control ? Segment::Kind::control : Segment::Kind::data;
  const std::vector<Segment> segments = {{.kind = kind, .text = *text}};
  std::vector<engine::TokenId> ids = (*tokenizer)->encode(segments);
  if (options.bos) ids.insert(ids.begin(), (*tokenizer)->bos());
  if (options.json) {
    console.out_json({{"ids", ids}});
    return exit_ok;
  }
  for (const engine::TokenId id : ids) {
    console.out_line(std::to_string(id) + "\t" +
                     printable(std::string((*tokenizer)->token_text(id))));
  }
  return exit_ok;
}

int run_prompt_render(const PromptOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto dialect = prompts::find_dialect(options.dialect);
  if (!dialect && !is_single_question(options.dialect)) return console.fail(dialect.error(), false);
  const auto text = Console::read_stdin(environment.stop);
  if (!text) return console.fail(text.error(), false);
  const auto segments = render_json(options.dialect, *text);
  if (!segments) return console.fail(segments.error(), false, exit_failed);
  console.out(plain_text(*segments));
  return exit_ok;
}

int run_prompt_parse(const PromptOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto dialect = prompts::find_dialect(options.dialect);
  if (!dialect) return console.fail(dialect.error(), true);
  const auto text = Console::read_stdin(environment.stop);
  if (!text) return console.fail(text.error(), true);
  const auto output = (*dialect)->parse(*text);
  if (!output) return console.fail(output.error(), true);
  console.out_line(prompts::write_parsed_output(*output));
  return exit_ok;
}

}  // namespace facet::agent::cli
