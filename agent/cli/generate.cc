// facet generate: one raw prompt through the engine, without an agent around it.
#include "agent/cli/commands.h"
#include "agent/cli/output_rules.h"
#include "agent/cli/workbench.h"
#include "agent/local_chat_model.h"
#include "agent/output_reader.h"
#include "prompts/translategemma.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace facet::agent::cli {

using engine::TokenId;
using nlohmann::ordered_json;

namespace {

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double per_second(std::size_t tokens, double ms) {
  return ms > 0.0 ? static_cast<double>(tokens) * 1000.0 / ms : 0.0;
}

constexpr std::string_view kTranslator = "translategemma";
constexpr std::string_view kJudge = "shieldgemma";

bool is_translation(const GenerateOptions& options) {
  return !options.from.empty() || !options.to.empty() || options.model.dialect == kTranslator;
}

/// What goes with what; the parser of the command line knows flags one by one only.
Status check_options(const GenerateOptions& options) {
  const auto refuse = [](const std::string& what) { return Error{Code::invalid_argument, what}; };
  if (!is_translation(options)) {
    if (!options.prompt) return refuse("--prompt is required");
    return ok();
  }
  if (options.from.empty() || options.to.empty()) {
    return refuse("a translation needs --from and --to, as in --from de --to en");
  }
  if (!options.model.dialect.empty() && options.model.dialect != kTranslator) {
    return refuse("--from and --to are for the dialect translategemma, not " +
                  options.model.dialect);
  }
  if (options.chat || options.no_control) {
    return refuse("a translation has its own form: no --chat, no --no-control");
  }
  if (options.pictures.files.size() > 1) {
    return refuse("a translation takes one --image, not " +
                  std::to_string(options.pictures.files.size()));
  }
  if (options.pictures.files.empty() != options.prompt.has_value()) {
    return refuse("a translation takes a --prompt or an --image");
  }
  return ok();
}

/// The prompt as tokens: a message rendered by the dialect, or the text itself behind one <bos>.
Result<PromptTokens> prompt_tokens(const GenerateOptions& options,
                                   const std::string& text,
                                   const std::vector<Picture>& pictures,
                                   const std::vector<ToolSpec>& tools,
                                   const prompts::Dialect& dialect,
                                   const engine::Tokenizer& tokenizer) {
  if (is_translation(options)) {
    FACET_TRY(
        const auto segments,
        prompts::render_translation(
            {.from = options.from, .to = options.to, .text = text, .is_image = !pictures.empty()}));
    return tokenize_prompt(tokenizer, segments, pictures);
  }
  if (options.chat) {
    const Message message{
        .role = Role::user, .content = text, .images = static_cast<int>(pictures.size())};
    prompts::RenderInput input{.messages = {message}, .tools = tools};
    const std::string system = system_text(dialect.name(), "", !tools.empty(), false);
    if (!tools.empty() && !system.empty()) {
      input.messages.insert(input.messages.begin(), {.role = Role::system, .content = system});
    }
    FACET_TRY(const auto segments, dialect.render(input));
    return tokenize_prompt(tokenizer, segments, pictures);
  }
  const auto kind = options.no_control ? Segment::Kind::data : Segment::Kind::control;
  const std::vector<Segment> segments = {{.kind = kind, .text = text}};
  FACET_TRY(PromptTokens prompt, tokenize_prompt(tokenizer, segments, pictures));
  std::vector<TokenId>& ids = prompt.ids;
  const bool has_bos = !ids.empty() && ids.front() == tokenizer.bos();
  if (tokenizer.add_bos() && !has_bos) ids.insert(ids.begin(), tokenizer.bos());
  return prompt;
}

struct Output {
  engine::GenerateResult result;
  prompts::ParsedOutput parsed;
  std::string parse_error;
  std::size_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;  ///< Of the prompt, tokens that were not computed here.
  double load_ms = 0.0;
  double prefill_ms = 0.0;
};

ordered_json output_json(const Output& output) {
  ordered_json calls = ordered_json::array();
  for (const ToolCall& call : output.parsed.tool_calls) {
    calls.push_back({{"name", call.name}, {"arguments", json_or_string(call.arguments)}});
  }
  const engine::GenerateResult& result = output.result;
  // Calls are taken out of the text; without any, the text is exactly what was sampled.
  const std::string& text = calls.empty() ? result.text : output.parsed.text;
  ordered_json json = {
      {"text", text},
      {"ids", result.ids},
      {"tool_calls", std::move(calls)},
      {"finish_reason", engine::finish_reason_name(result.finish_reason)},
      {"usage",
       {{"prompt_tokens", output.prompt_tokens},
        {"cached_tokens", output.cached_tokens},
        {"completion_tokens", result.ids.size()},
        {"forced_tokens", result.forced_tokens},
        {"drafted_tokens", result.drafted_tokens},
        {"accepted_draft_tokens", result.accepted_draft_tokens}}},
      {"timings",
       {{"load_ms", output.load_ms},
        {"prefill_ms", output.prefill_ms},
        {"decode_ms", result.decode_ms},
        {"prefill_tokens_per_s", per_second(output.prompt_tokens, output.prefill_ms)},
        {"decode_tokens_per_s", per_second(result.ids.size(), result.decode_ms)}}}};
  if (!output.parse_error.empty()) json["parse_error"] = output.parse_error;
  return json;
}

Result<Output> generate(const LocalChatModel& model,
                        const GenerateOptions& options,
                        const std::string& text,
                        Environment& environment) {
  const engine::Engine& engine = model.engine();
  const prompts::Dialect& dialect = model.dialect();
  const engine::Tokenizer& tokenizer = engine.tokenizer();
  FACET_TRY(const auto tools, read_tools_file(options.rules));
  FACET_TRY(const auto constraint,
            make_output_rules(options.rules, tools, model, environment.console));
  FACET_TRY(const auto pictures, read_pictures(engine, options.pictures, environment.console));
  FACET_TRY(const PromptTokens prompt,
            prompt_tokens(options, text, pictures, tools, dialect, tokenizer));
  Output output{.prompt_tokens = prompt.ids.size()};
  engine::Sequence sequence = engine.new_sequence();
  const auto start = std::chrono::steady_clock::now();
  FACET_TRY_STATUS(
      sequence.append(prompt.ids, {.images = prompt.images, .stop = environment.stop}));
  output.prefill_ms = ms_since(start);
  output.cached_tokens = static_cast<std::int64_t>(prompt.ids.size()) - sequence.computed_tokens();
  const std::vector<TokenId> stops = stop_ids(dialect, tokenizer);
  const engine::GenerateRequest request{.tokens_max = options.tokens_max,
                                        .sampling = options.sampling,
                                        .stop_ids = stops,
                                        .constraint = constraint.get(),
                                        .text_with_control = false,
                                        .stop = environment.stop};
  FACET_TRY(output.result, engine.generate(sequence, request, [&](std::string_view piece, TokenId) {
    if (!options.json) environment.console.out(printable(piece));
    // Tokens take longer than a system call, and who left the pipe needs no more of them.
    return options.json || environment.console.flush();
  }));
  OutputReader reader(dialect, tokenizer);
  for (const TokenId id : output.result.ids) {
    if (std::find(stops.begin(), stops.end(), id) == stops.end()) reader.push(id);
  }
  if (auto parsed = reader.finish()) {
    output.parsed = *std::move(parsed);
  } else {
    output.parse_error = parsed.error().message;
  }
  return output;
}

}  // namespace

int run_generate(const GenerateOptions& options, Environment environment) {
  Console& console = environment.console;
  if (!options.policies.empty() || options.model.dialect == kJudge) {
    return run_judge(options, environment);
  }
  if (auto status = check_options(options); !status) {
    return console.fail(status.error(), options.json);
  }
  if (auto status = engine::validate(options.sampling); !status) {
    return console.fail(status.error(), options.json);
  }
  std::string text = options.prompt.value_or("");
  if (text == "-") {
    auto input = Console::read_stdin(environment.stop);
    if (!input) return console.fail(input.error(), options.json);
    text = *std::move(input);
  }
  const auto start = std::chrono::steady_clock::now();
  const auto engine = load_generator(options.model, console);
  if (!engine) {
    const bool is_usage = engine.error().code == Code::invalid_argument;
    return console.fail(engine.error(), options.json, is_usage ? exit_usage : exit_unavailable);
  }
  const double load_ms = ms_since(start);
  if (is_translation(options)) {
    warn_unless_made_for(kTranslator, options.model, (*engine)->info(), console);
  }
  // What translates answers as Gemma 3 without tools does.
  const std::string dialect = is_translation(options) ? "gemma3" : options.model.dialect;
  const auto model = LocalChatModel::create(*engine, dialect);
  if (!model) return console.fail(model.error(), options.json);
  auto output = generate(**model, options, text, environment);
  if (!output) return console.fail(output.error(), options.json);
  output->load_ms = load_ms;
  if (options.json) {
    console.out_json(output_json(*output));
  } else {
    console.out("\n");
  }
  // A reader that went away also ends the sampling; that is no interrupt.
  const bool is_cut = output->result.finish_reason == engine::FinishReason::cancelled;
  if (is_cut && !console.is_broken()) return exit_interrupted;
  return exit_ok;
}

}  // namespace facet::agent::cli
