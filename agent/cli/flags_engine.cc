// The command lines of what runs on the engine alone.
#include "agent/cli/commands.h"
#include "agent/cli/flag_groups.h"

#include <CLI/CLI.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace facet::agent::cli {

namespace {

void add_output_rules(CLI::App& app, OutputRuleOptions& rules) {
  app.add_option("--tools",
                 rules.tools,
                 "A JSON file with a list of tools: with --chat they are declared, and calls are "
                 "held to them");
  app.add_option("--tool-choice",
                 rules.tool_choice,
                 "auto, none, required, or the name of the tool to call (auto)");
  app.add_option("--max-calls", rules.calls_max, "Calls at most (16); 1: no parallel calls")
      ->check(CLI::Range(1, 1000));
  app.add_option(
      "--json-schema", rules.json_schema, "Hold the output to the JSON Schema in a file");
  app.add_option("--grammar", rules.grammar, "Hold the output to the GBNF grammar in a file");
}

void add_generate(CLI::App& app, Command& command) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App& generate = *app.add_subcommand("generate", "Continue a raw prompt, without an agent");
  add_model(generate, options->model);
  add_sampling(generate, options->sampling);
  generate.add_option("-p,--prompt", options->prompt, "The prompt; - reads stdin");
  generate.add_option("-n,--max-tokens", options->tokens_max, "Tokens to sample at most (256)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  generate.add_flag(
      "--no-control", options->no_control, "Take names of control tokens in the prompt as letters");
  generate.add_flag(
      "--chat", options->chat, "Take the prompt as a user's message and render it in the dialect");
  generate.add_option("--from",
                      options->from,
                      "With --to: translate the prompt, or the text in the image, with a "
                      "TranslateGemma model; a code as de, pt-BR, zh-Hans");
  generate.add_option("--to", options->to, "The language to translate to");
  generate
      .add_option("--policy",
                  options->policies,
                  "Judge the images with a ShieldGemma 2 model: prints the probability that one "
                  "violates the policy dangerous, sexual, violence, or one in your own words; may "
                  "be repeated")
      ->allow_extra_args(false);
  add_pictures(
      generate,
      options->pictures,
      "JPEG, PNG or WebP for each <start_of_image> of the prompt (with --chat: in front of "
      "it); may be repeated");
  add_output_rules(generate, options->rules);
  add_json(generate, options->json);
  bind(generate, command, options, run_generate);
}

/// A file of cases and how many of them count; the option of the file.
template <typename Options>
CLI::Option& add_cases(CLI::App& sub, Options& options, const char* form) {
  sub.add_option("--limit", options.cases_max, "Only the first N cases (0: all)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 32));
  return *sub.add_option("data", options.data, form);
}

/// What `eval calls` and `eval answers` share; the option of their data.
template <typename Options>
CLI::Option& add_scored_cases(CLI::App& sub, Options& options, const char* form) {
  CLI::Option& data = add_cases(sub, options, form);
  add_model(sub, options.model);
  sub.add_flag("--no-plan", options.no_plan, "Do not ask for a plan first");
  sub.add_flag("--wrong", options.wrong, "Also print every case that was wrong");
  add_json(sub, options.json);
  return data;
}

/// The options of `eval calls` that mean something with --format bfcl only.
std::vector<CLI::Option*> add_bfcl(CLI::App& calls, EvalBfclOptions& options) {
  std::vector<CLI::Option*> out;
  const auto add = [&out](CLI::Option* option) { out.push_back(option); };
  add(calls.add_option("--questions", options.questions, "bfcl: the questions, JSON lines"));
  add(calls.add_option("--answers",
                       options.answers,
                       "bfcl: the possible answers, JSON lines; irrelevance needs none"));
  add(calls.add_flag(
      "--constrained,!--free",
      options.constrained,
      "bfcl: hold each turn to the declared functions (the default), or to nothing"));
  add(calls.add_flag("--agent",
                     options.agent,
                     "bfcl: take each turn as an agent does: with a plan, and arguments as the "
                     "model's file says; a call that lacks one is not made"));
  add(calls.add_option("--tool-choice",
                       options.tool_choice,
                       "bfcl: auto, none, required, or the name of the tool to call (auto)"));
  add(calls.add_option("--max-calls", options.calls_max, "bfcl: calls of one turn at most (16)")
          ->check(CLI::Range(1, 1000)));
  add(calls
          .add_option(
              "-n,--max-tokens", options.tokens_max, "bfcl: tokens of one turn at most (512)")
          ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20)));
  const auto before = calls.get_options().size();
  add_sampling(calls, options.sampling);
  const auto all = calls.get_options();
  out.insert(out.end(), all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
  return out;
}

void add_eval_calls(CLI::App& eval, Command& command) {
  auto options = std::make_shared<EvalCallsOptions>();
  CLI::App& calls =
      *eval.add_subcommand("calls", "Calls: right tool, right arguments, nothing else");
  CLI::Option* data =
      &add_scored_cases(calls,
                        *options,
                        "Cases, one a line: {\"id\", \"kind\", \"tools\", \"user\", "
                        "\"steps\": [{\"calls\", \"outputs\"}]}");
  calls
      .add_option("--format",
                  options->format,
                  "cases: the file above; bfcl: the Berkeley leaderboard's files, one turn each, "
                  "matched by its rules (cases)")
      ->check(CLI::IsMember({"cases", "bfcl"}));
  const CLI::Option* arguments = add_arguments(calls, options->arguments);
  const CLI::Option* tools = add_tools_max(calls, options->tools_max);
  const auto of_bfcl = add_bfcl(calls, options->bfcl);
  const EvalCallsOptions* given = options.get();
  bind(calls, command, options, run_eval_calls);
  calls.parse_complete_callback([given, data, arguments, tools, of_bfcl, &calls] {
    const bool is_bfcl = given->format == "bfcl";
    if (!is_bfcl && data->count() == 0) throw CLI::RequiredError("data");
    if (is_bfcl && given->bfcl.questions.empty()) throw CLI::RequiredError("--questions");
    const CLI::Option* plan = calls.get_option("--no-plan");
    const CLI::Option* cases = data;
    for (const CLI::Option* option : {cases, plan, arguments, tools}) {
      if (is_bfcl && option->count() > 0) {
        throw CLI::ExcludesError("--format bfcl", option->get_name());
      }
    }
    for (const CLI::Option* option : of_bfcl) {
      if (!is_bfcl && option->count() > 0) {
        throw CLI::RequiresError(option->get_name(), "--format bfcl");
      }
    }
  });
}

void add_eval(CLI::App& app, Command& command) {
  CLI::App& eval = *app.add_subcommand("eval", "Measure models and search on files of cases");
  eval.require_subcommand(1);
  add_eval_calls(eval, command);
  auto answers_options = std::make_shared<EvalAnswersOptions>();
  CLI::App& answers = *eval.add_subcommand(
      "answers", "Answers from passages: exact match, F1, citations, refusals");
  add_scored_cases(answers,
                   *answers_options,
                   "Cases, one a line: {\"id\", \"kind\", \"question\", \"passages\": "
                   "[{\"source\", \"text\"}], \"answers\", \"citations\"}")
      .required();
  add_answers(answers, answers_options->answers);
  bind(answers, command, answers_options, run_eval_answers);

  auto options = std::make_shared<EvalRetrievalOptions>();
  CLI::App& retrieval =
      *eval.add_subcommand("retrieval", "Search: nDCG@10, recall and MRR on a judged collection");
  retrieval
      .add_option("data",
                  options->data,
                  "A folder of Cranfield's files, a SQuAD or XQuAD .json, or a .jsonl of "
                  "{\"document\": {\"id\", \"title\", \"text\"}} and {\"query\": {\"text\", "
                  "\"relevant\": {id: gain}}}")
      ->required();
  retrieval.add_option("-m,--model", options->model, "Whose tokenizer measures passages (pocket)");
  add_embedder(retrieval, options->embedder);
  retrieval.add_option("--limit", options->queries_max, "Only the first N queries (0: all)")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 32));
  retrieval.add_option("--chunk-tokens", options->chunk_tokens_max, "As in facet index (32)")
      ->check(CLI::Range(8, 4096));
  retrieval.add_option("--threads", options->threads, "Threads of the embedder (0: one per core)")
      ->check(CLI::Range(0, 1024));
  add_json(retrieval, options->json);
  bind(retrieval, command, options, run_eval_retrieval);
}

/// What shows the numbers inside a model.
void add_number_commands(CLI::App& app, Command& command) {
  auto embed = std::make_shared<EmbedOptions>();
  CLI::App& embed_app = *app.add_subcommand("embed", "Vectors of the lines of text on stdin");
  embed_app.add_option(
      "-m,--model", embed->model.model, "Embedder: a GGUF, a folder or a name (pocket)");
  add_device(embed_app, embed->model);
  embed_app.add_option("--prompt-name",
                       embed->prompt_name,
                       "Prompt in front of each text: query, document, Clustering, ... (none)");
  add_activations(embed_app, embed->model.float_activations, kExact);
  embed_app.add_option("--threads", embed->model.threads, "Threads to compute with (one per core)")
      ->check(CLI::Range(0, 256));
  add_json(embed_app, embed->json);
  bind(embed_app, command, embed, run_embed);

  CLI::App& debug = *app.add_subcommand("debug", "Looks inside a model");
  debug.require_subcommand(1);
  auto options = std::make_shared<DebugLogitsOptions>();
  CLI::App& logits = *debug.add_subcommand(
      "logits", "Write the logits after each of some token ids as a NumPy file");
  logits.add_option("-m,--model", options->model, "As in facet generate; needs no tokenizer");
  logits.add_option("--ids", options->ids, "Token ids, as 2,10,20")->required();
  add_pictures(
      logits,
      options->pictures,
      "JPEG, PNG or WebP for each run of image placeholders in the ids (262144 or the config's "
      "image_token_index, 256 times as the reference's processor writes it, or once); repeatable");
  logits.add_option("--mmproj", options->vision, "GGUF with the vision tower of a GGUF model");
  logits.add_option("-o,--out", options->out, "The .npy file: float32, (positions, vocabulary)")
      ->required();
  add_activations(logits, options->float_activations, kExact);
  logits.add_option("--threads", options->threads, "Threads to compute with (one per core)")
      ->check(CLI::Range(0, 256));
  add_json(logits, options->json);
  bind(logits, command, options, run_debug_logits);

  auto plans = std::make_shared<DebugPlansOptions>();
  CLI::App& plans_app = *debug.add_subcommand(
      "plans", "Print what speaks for each first step of the plans for some cases, JSON lines");
  add_cases(plans_app, *plans, "Cases, as of facet eval calls").required();
  add_model(plans_app, plans->model);
  bind(plans_app, command, plans, run_debug_plans);

  auto slots = std::make_shared<DebugSlotsOptions>();
  CLI::App& slots_app = *debug.add_subcommand(
      "slots", "Print the features of what the arguments of some cases may hold, JSON lines");
  add_cases(slots_app, *slots, "Cases, as of facet eval calls").required();
  bind(slots_app, command, slots, run_debug_slots);
}

void add_bench(CLI::App& app, Command& command) {
  constexpr std::int64_t kTokensMax = 1 << 20;
  auto options = std::make_shared<BenchOptions>();
  CLI::App& bench = *app.add_subcommand(
      "bench", "How fast a model reads and writes, beside what this machine allows");
  bench.add_option("-m,--model", options->model.model, "As in facet generate; needs no tokenizer");
  add_device(bench, options->model);
  bench.add_option("-p,--prompt", options->prompt_tokens, "Tokens to read; 0: not tested (512)")
      ->check(CLI::Range(std::int64_t{0}, kTokensMax));
  bench
      .add_option("-n,--decode",
                  options->decode_tokens,
                  "Tokens to write; 0: not tested (64). Of each a device sends the best candidate, "
                  "as in greedy generation")
      ->check(CLI::Range(std::int64_t{0}, kTokensMax));
  bench.add_option("-d,--depth", options->depth, "Tokens that are there before (0)")
      ->check(CLI::Range(std::int64_t{0}, kTokensMax));
  bench
      .add_option("-s,--sequences", options->sequences, "Sequences that write at the same time (1)")
      ->check(CLI::Range(1, 128));
  bench
      .add_option("-t,--threads", options->model.threads, "Threads to compute with (one per core)")
      ->check(CLI::Range(0, 256));
  add_activations(bench, options->model.float_activations, kFast);
  add_kv_type(bench, options->model.kv_type);
  add_huge_pages(bench, options->model.huge_pages);
  bench.add_option("-r,--repeats", options->repeats, "Measured runs of each test (5)")
      ->check(CLI::Range(1, 1000));
  add_json(bench, options->json);
  bind(bench, command, options, run_bench);
}

void add_schema(CLI::App& app, Command& command) {
  CLI::App& schema = *app.add_subcommand("schema", "JSON Schemas as models are held to them");
  schema.require_subcommand(1);
  auto options = std::make_shared<SchemaCheckOptions>();
  CLI::App& check = *schema.add_subcommand(
      "check", "Tell what of a schema can be enforced, and what its grammar narrows");
  check.add_option("file", options->file, "The schema; - reads stdin")->required();
  add_json(check, options->json);
  bind(check, command, options, run_schema_check);
}

void add_text_commands(CLI::App& app, Command& command) {
  auto tokenize = std::make_shared<TokenizeOptions>();
  CLI::App& tokenize_app = *app.add_subcommand("tokenize", "Token ids of the text on stdin");
  tokenize_app.add_option(
      "-m,--model", tokenize->model, "A GGUF, a model folder or a .model file (pocket)");
  tokenize_app.add_flag("--control", tokenize->control, "Let names of control tokens become them");
  tokenize_app.add_flag("--bos", tokenize->bos, "Begin with the <bos> token");
  add_json(tokenize_app, tokenize->json);
  bind(tokenize_app, command, tokenize, run_tokenize);

  CLI::App& prompt = *app.add_subcommand("prompt", "Conversations to prompts and back");
  prompt.require_subcommand(1);
  auto dialect = std::make_shared<PromptOptions>();
  CLI::App& render = *prompt.add_subcommand(
      "render",
      "Print the prompt of {\"messages\", \"tools\", \"add_generation_prompt\"} on stdin");
  render.add_option("--dialect",
                    dialect->dialect,
                    "As in facet ask, or shieldgemma or translategemma (functiongemma)");
  bind(render, command, dialect, run_prompt_render);
  CLI::App& parse = *prompt.add_subcommand(
      "parse", "Print the text and the tool calls in the model output on stdin, as JSON");
  parse.add_option("--dialect", dialect->dialect, "As in facet ask (functiongemma)");
  bind(parse, command, dialect, run_prompt_parse);
}

}  // namespace

void add_engine_commands(CLI::App& app, Command& command) {
  add_text_commands(app, command);
  add_generate(app, command);
  add_schema(app, command);
  add_eval(app, command);
  add_number_commands(app, command);
  add_bench(app, command);
}

}  // namespace facet::agent::cli
