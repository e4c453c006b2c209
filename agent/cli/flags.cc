// The command line of `facet`: the only files that know how flags are parsed are this one and its
// kin (flag_groups.h). They fill plain options; the commands do the rest.
#include "agent/cli/commands.h"
#include "agent/cli/flag_groups.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace facet::agent::cli {

namespace {

constexpr const char* kFooter =
    "Results go to stdout, progress and errors to stderr. With --json a result is one JSON value;\n"
    "an error is then {\"error\": {\"code\", \"message\"}} on stdout as well as a line on stderr.\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 a budget or limit ended the run, 4 approval needed or\n"
    "denied, 5 model or backend unavailable, 124 timeout, 130 interrupted.\n"
    "\n"
    "Environment: FACET_HOME (all paths), XDG_DATA_HOME, FACET_DEVICE (--device), FACET_CPU\n"
    "(amx, avx512, avx2, portable), NO_COLOR; of the hub HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, "
    "HF_HOME,\n"
    "HF_HUB_CACHE, HF_HUB_OFFLINE.";

void add_tools(CLI::App& app, AgentOptions& agent) {
  add_store(app, agent.store, "Store to search in (the default store, if it exists)");
  add_embedder(app, agent.model.embedder);
  app.add_option("--passages", agent.passages_max, "Passages of one search_documents (3)")
      ->check(CLI::Range(1, 20));
  app.add_option("--workspace", agent.workspace, "Folder that list_files and read_file may see");
  // One value each time: what stands behind it is the question.
  app.add_option("--plugin", agent.plugins, "Plugin to load tools from; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--tools", agent.tools, "Offer only these tools, by name: a,b,c")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag("-y,--yes", agent.yes, "Allow calls that change something without asking");
}

void add_agent(CLI::App& app, AgentOptions& agent) {
  add_model(app, agent.model);
  add_tools(app, agent);
  add_sampling(app, agent.sampling);
  app.add_option("--instructions", agent.instructions, "Added to the system text");
  app.add_option("--pictures",
                 agent.result_pictures_max,
                 "Pictures among what searches find that one run shows to a model that sees (1)")
      ->check(CLI::Range(0, 16));
  app.add_flag("--no-plan", agent.no_plan, "Do not ask for a plan first");
  add_answers(app, agent.answers);
  add_arguments(app, agent.arguments);
  app.add_option("--tool-choice",
                 agent.tool_choice,
                 "auto, none, required or a tool's name: what the first output must call (auto; "
                 "required where answers are quoted and the tools search documents and only read)");
  app.add_option(
         "--max-calls", agent.calls_max, "Calls in one output at most (16); 1: no parallel calls")
      ->check(CLI::Range(1, 1024));
  app.add_option("--tool-tokens",
                 agent.tool_tokens_max,
                 "Tokens of tool declarations at most: beyond, the model searches for tools "
                 "(a quarter of the context, 8192 at most)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  add_tools_max(app, agent.tools_max);
  app.add_option(
      "--json-schema", agent.json_schema, "Hold the answer to the JSON Schema in a file");
  Budgets& budgets = agent.budgets;
  app.add_option("--steps-max", budgets.steps_max, "Outputs of the model in one run (8)");
  app.add_option("--tokens-max", budgets.tokens_max, "Sampled tokens in one run (4096)");
  app.add_option("--step-tokens-max", budgets.step_tokens_max, "Sampled tokens in one step (768)");
  app.add_option("--tool-calls-max", budgets.tool_calls_max, "Tool calls in one run (16)");
  app.add_option_function<std::int64_t>(
         "--seconds-max",
         [&budgets](const std::int64_t& value) {
           budgets.seconds_max = std::chrono::seconds(value);
         },
         "Seconds of one run (120)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{86'400}));
}

/// With --resume a run goes on with what is recorded: a flag that would not be used is an error,
/// and the budgets that are given are noted.
void check_resume(const CLI::App& ask, AskOptions& options) {
  constexpr std::array<std::string_view, 17> kUsed{"--resume",
                                                   "--journal",
                                                   "--yes",
                                                   "--rerun",
                                                   "--json",
                                                   "--events",
                                                   "--quiet",
                                                   "--threads",
                                                   "--device",
                                                   "--weights",
                                                   "--deterministic",
                                                   "--context",
                                                   "--activations",
                                                   "--kv-type",
                                                   "--no-huge-pages",
                                                   "--prefix-cache",
                                                   "--draft-max"};
  for (const CLI::Option* option : ask.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || std::find(kUsed.begin(), kUsed.end(), name) != kUsed.end()) {
      continue;
    }
    if (!name.ends_with("-max")) throw CLI::ExcludesError("--resume", name);
    options.budgets_given.push_back(name);
  }
}

void add_ask(CLI::App& app, Command& command) {
  auto options = std::make_shared<AskOptions>();
  CLI::App& ask = *app.add_subcommand("ask", "Answer one question with tools and documents");
  CLI::Option* question = ask.add_option("question", options->question, "The question");
  CLI::Option* resume =
      ask.add_option("--resume",
                     options->resume,
                     "Go on with a run that was killed or cut off: its id, or last. "
                     "Budgets given now stand above the recorded ones");
  question->excludes(resume);
  add_agent(ask, options->agent);
  add_pictures(
      ask, options->pictures, "JPEG, PNG or WebP shown with the question; may be repeated");
  ask.add_option("--journal", options->agent.journal, "Journal of runs (the default journal)");
  ask.add_flag("--no-journal", options->agent.no_journal, "Record nothing")->excludes(resume);
  ask.add_flag("--rerun",
               options->agent.rerun,
               "With --resume: repeat calls that may have happened before the kill");
  add_json(ask, options->json);
  ask.add_flag("--events", options->events, "Print every event as one line of JSON");
  ask.add_flag("-q,--quiet", options->quiet, "Print only the answer and its citations");
  AskOptions* given = options.get();
  bind(ask, command, options, run_ask);
  ask.parse_complete_callback([given, &ask] {
    const bool is_blank = given->question.find_first_not_of(" \t\r\n") == std::string::npos;
    if (is_blank && given->resume.empty()) {
      throw CLI::RequiredError("question");
    }
    if (!given->resume.empty()) check_resume(ask, *given);
  });
}

void add_chat(CLI::App& app, Command& command) {
  auto options = std::make_shared<ChatOptions>();
  CLI::App& chat = *app.add_subcommand(
      "chat", "Answer questions, one per line of stdin, in one conversation (/quit ends it)");
  add_agent(chat, options->agent);
  add_pictures(
      chat, options->pictures, "JPEG, PNG or WebP shown with the first question; may be repeated");
  add_json(chat, options->json);
  bind(chat, command, options, run_chat);
}

void add_journal(CLI::App& app, AgentOptions& agent) {
  app.add_option("--journal", agent.journal, "Journal of runs (the default journal)");
  app.add_flag("--no-journal", agent.no_journal, "Record nothing");
}

void add_run(CLI::App& app, Command& command) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& run = *app.add_subcommand("run", "Run a workflow of agent prompts and tool calls");
  run.add_option("file", options->file, "The workflow, a YAML file")->required();
  run.add_option("--set", options->variables, "name=value: a variable; may be repeated")
      ->allow_extra_args(false);
  add_agent(run, options->agent);
  add_journal(run, options->agent);
  add_json(run, options->json);
  bind(run, command, options, run_workflow_file);
}

void add_serve(CLI::App& app, Command& command) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App& serve =
      *app.add_subcommand("serve", "Serve GET /healthz and the websocket /v1/responses");
  serve.add_option("--host", options->host, "Numeric address to listen on (127.0.0.1)");
  serve.add_option("--port", options->port, "Port; 0: any free one (8080)")
      ->check(CLI::Range(0, 65535));
  serve
      .add_option("--origin", options->origins, "Origin of pages that may connect; may be repeated")
      ->allow_extra_args(false);
  add_agent(serve, options->agent);
  add_journal(serve, options->agent);
  add_json(serve, options->json);
  bind(serve, command, options, run_serve);
}

void add_index(CLI::App& app, Command& command) {
  auto options = std::make_shared<IndexOptions>();
  CLI::App& index = *app.add_subcommand("index", "Bring a store in line with folders and files");
  index.add_option("roots", options->roots, "Folders or files")->required();
  add_store(index, options->store);
  index.add_option("--chunk-tokens", options->chunk_tokens_max, "Tokens of a passage at most (32)")
      ->check(CLI::Range(8, 4096));
  index.add_option("-m,--model", options->model, "Generator whose tokenizer measures chunks");
  add_embedder(index, options->embedder);
  add_device_name(index, options->device);
  add_threads(index, options->threads);
  add_json(index, options->json);
  bind(index, command, options, run_index);
}

void add_search(CLI::App& app, Command& command) {
  auto options = std::make_shared<SearchOptions>();
  CLI::App& search = *app.add_subcommand("search", "Find passages in a store");
  search.add_option("query", options->query, "What to look for")->required();
  add_store(search, options->store);
  search.add_option("--top-k", options->top_k, "How many passages (5)")->check(CLI::Range(1, 100));
  add_embedder(search, options->embedder);
  add_threads(search, options->threads);
  add_json(search, options->json);
  bind(search, command, options, run_search);
}

void add_tool_commands(CLI::App& app, Command& command) {
  CLI::App& tools = *app.add_subcommand("tools", "The tools an agent would have");
  tools.require_subcommand(1);
  auto options = std::make_shared<ToolsOptions>();
  CLI::App& list = *tools.add_subcommand("list", "Names, descriptions and parameters");
  CLI::App& call = *tools.add_subcommand("call", "Run one tool");
  call.add_option("name", options->name, "The tool")->required();
  call.add_option("arguments", options->arguments, "A JSON object")->required();
  for (CLI::App* sub : {&list, &call}) {
    add_tools(*sub, options->agent);
    sub->add_option("-m,--model", options->agent.model.model, "Whose tokenizer packs passages");
    add_json(*sub, options->json);
  }
  bind(list, command, options, run_tools_list);
  bind(call, command, options, run_tools_call);

  CLI::App& plugin = *app.add_subcommand("plugin", "Tool plugins");
  plugin.require_subcommand(1);
  auto plugin_options = std::make_shared<PluginOptions>();
  CLI::App& inspect = *plugin.add_subcommand("inspect", "What a plugin declares");
  inspect.add_option("file", plugin_options->file, "The .so file")->required();
  add_json(inspect, plugin_options->json);
  bind(inspect, command, plugin_options, run_plugin_inspect);
}

void add_pull(CLI::App& app, Command& command) {
  auto options = std::make_shared<PullCommandOptions>();
  CLI::App& pull =
      *app.add_subcommand("pull", "Fetch a model from a hub and print the path for --model");
  pull.add_option("model",
                  options->model,
                  "OWNER/NAME[:FILE]; FILE is a path in the repository or a quantisation (Q4_0)")
      ->required();
  pull.add_option("--revision", options->revision, "Branch, tag or commit (main)");
  pull.add_flag("--mmproj", options->mmproj, "Also fetch the vision tower of a GGUF model");
  pull.add_flag("--dry-run", options->dry_run, "List the files and sizes, fetch nothing");
  pull.add_flag("--allow-http", options->allow_http, "Speak http with other machines too");
  pull.add_option("--connections", options->connections, "Ranges fetched at once (4)")
      ->check(CLI::Range(1, 16));
  pull.add_option("--size-max", options->gibibytes_max, "GiB of all files at most (512)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  add_json(pull, options->json);
  bind(pull, command, options, run_pull);
}

void add_machine_commands(CLI::App& app, Command& command) {
  CLI::App& models = *app.add_subcommand("models", "The models on this machine");
  models.require_subcommand(1);
  auto options = std::make_shared<ModelsOptions>();
  CLI::App& list = *models.add_subcommand("list", "Models in the model folders");
  CLI::App& inspect = *models.add_subcommand("inspect", "Facts about one model");
  inspect.add_option("model", options->model, "A path or a name (pocket)");
  inspect.add_option("-m,--model", options->model, "The same");
  add_mmproj(inspect, options->vision);
  inspect.add_flag("--template", options->chat_template, "Print only the model's chat template");
  add_json(list, options->json);
  add_json(inspect, options->json);
  bind(list, command, options, run_models_list);
  bind(inspect, command, options, run_models_inspect);
  CLI::App& quantize = *models.add_subcommand(
      "quantize", "Write a model as a GGUF file with weights of another type");
  quantize.add_option("in", options->model, "A GGUF file, a model folder or a name")->required();
  quantize.add_option("out", options->out, "The GGUF file to write")->required();
  quantize.add_option("--type", options->type, "F32, F16, BF16, Q8_0 or Q4_0 (Q8_0)");
  add_json(quantize, options->json);
  bind(quantize, command, options, run_models_quantize);

  add_pull(app, command);

  auto doctor = std::make_shared<DoctorOptions>();
  CLI::App& doctor_app = *app.add_subcommand("doctor", "Check what Facet needs on this machine");
  doctor_app.add_option("-m,--model", doctor->agent.model.model, "Generator (pocket)");
  add_embedder(doctor_app, doctor->agent.model.embedder);
  add_store(doctor_app, doctor->agent.store);
  add_mmproj(doctor_app, doctor->agent.model.vision);
  add_device(doctor_app, doctor->agent.model);
  add_json(doctor_app, doctor->json);
  bind(doctor_app, command, doctor, run_doctor);
}

/// Where a command line leads: the innermost command that its first words name.
struct Place {
  const CLI::App* command;
  std::string words;    ///< "facet models".
  std::string unknown;  ///< The word behind them that should name a command and names none.
};

Place place_of(const CLI::App& app, int argc, const char* const* argv) {
  Place place{.command = &app, .words = "facet", .unknown = {}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto commands = place.command->get_subcommands({});
    if (commands.empty() || word.starts_with('-')) break;
    const auto found = std::find_if(commands.begin(), commands.end(), [&](const CLI::App* command) {
      return command->get_name() == word;
    });
    if (found == commands.end()) {
      place.unknown = word;
      break;
    }
    place.command = *found;
    place.words += " " + word;
  }
  return place;
}

/// What is wrong with a command line, by the word that is wrong, and where to read on.
std::string usage_message(const CLI::App& app,
                          int argc,
                          const char* const* argv,
                          const CLI::ParseError& error) {
  const Place place = place_of(app, argc, argv);
  const std::string help = place.words + " --help";
  if (!place.unknown.empty()) {
    return "'" + place.unknown + "' is no command of " + place.words + "; " + help + " lists them";
  }
  const std::vector<std::string> extra = app.remaining(true);
  const auto flag = std::find_if(extra.begin(), extra.end(), [](const std::string& word) {
    return word.size() > 1 && word.starts_with('-') && word != "--";
  });
  if (flag != extra.end()) {
    return "unknown flag '" + flag->substr(0, flag->find('=')) + "'; " + help + " lists the flags";
  }
  if (!place.command->get_subcommands({}).empty()) {
    return place.words + " needs a command; " + help + " lists them";
  }
  const bool has_extra = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extra.empty();
  return has_extra ? "'" + extra.front() + "' is one argument too many; see " + help : error.what();
}

}  // namespace

int run_command_line(int argc, const char* const* argv, Environment environment) {
  CLI::App app("Facet lets Gemma models do work: plan, call tools, search documents, cite.",
               "facet");
  app.set_version_flag("--version", "facet " FACET_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  Command command;
  add_ask(app, command);
  add_chat(app, command);
  add_run(app, command);
  add_serve(app, command);
  add_index(app, command);
  add_search(app, command);
  add_tool_commands(app, command);
  add_engine_commands(app, command);
  add_machine_commands(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help and --version.
    // The flags were not parsed, but who asked for JSON is to get it.
    const bool is_json = std::any_of(argv, argv + argc, [](std::string_view word) {
      return word == "--json" || word == "--events";
    });
    return environment.console.fail({Code::invalid_argument, usage_message(app, argc, argv, error)},
                                    is_json);
  }
  return command(environment);
}

}  // namespace facet::agent::cli
