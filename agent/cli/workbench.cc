#include "agent/cli/workbench.h"

#include "agent/cli/output_rules.h"
#include "agent/cli/paths.h"
#include "base/check.h"
#include "base/json.h"
#include "engine/device.h"
#include "prompts/template_dialect.h"
#include "retrieval/store_files.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace facet::agent::cli {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string device_name(const std::string& device) {
  if (!device.empty()) return device;
  const char* value = std::getenv("FACET_DEVICE");
  return value == nullptr ? "" : value;
}

const engine::cuda::CudaSupport* cuda_of_build() {
#ifdef FACET_HAS_CUDA
  return &engine::cuda::cuda_support();
#else
  return nullptr;
#endif
}

Result<std::string> check_device(const std::string& device) {
  FACET_TRY(const engine::DeviceChoice choice, engine::parse_device(device_name(device)));
  if (!choice.is_cuda) return std::string("cpu");
  const engine::cuda::CudaSupport* cuda = cuda_of_build();
  const Error none{Code::unavailable,
                   "this build computes on the CPU only: build with -DFACET_CUDA=ON for CUDA"};
  const auto info =
      cuda == nullptr ? Result<engine::cuda::DeviceInfo>(none) : cuda->open_device(choice.index);
  if (info) {
    return "cuda:" + std::to_string(info->index) + " (" + info->name + ", " +
           std::to_string(info->free_bytes >> 20) + " of " +
           std::to_string(info->memory_bytes >> 20) + " MiB free)";
  }
  if (choice.falls_back) return "cpu (" + info.error().message + ")";
  return info.error();
}

Result<std::shared_ptr<engine::Engine>> load_engine(const ModelOptions& options,
                                                    const fs::path& path,
                                                    Console& console,
                                                    bool with_tokenizer) {
  auto engine = engine::Engine::load({.model = path,
                                      .vision = options.vision,
                                      .threads = options.threads,
                                      .context_tokens_max = options.context_tokens_max,
                                      .prefix_bytes_max = std::int64_t{options.prefix_mib} << 20,
                                      .draft_tokens_max = options.draft_tokens_max,
                                      .kv_type = options.kv_type,
                                      .huge_pages = options.huge_pages,
                                      .float_activations = options.float_activations,
                                      .with_tokenizer = with_tokenizer,
                                      .device = device_name(options.device),
                                      .cuda = cuda_of_build(),
                                      .device_weights = options.device_weights,
                                      .is_deterministic = options.is_deterministic});
  console.end_progress();
  if (!engine) return engine;
  const engine::ModelInfo& info = (*engine)->info();
  if (!info.device_note.empty()) console.warn("computing on the CPU: " + info.device_note);
  if (!info.weights_note.empty()) {
    console.note("weights stay where the file is mapped: " + info.weights_note);
  }
  const bool is_for_device = options.device_weights != engine::cuda::WeightForm::stored;
  if (engine && (*engine)->info().device == "cpu" && is_for_device) {
    console.warn("--weights fp8 means nothing on the CPU: weights are computed with as stored");
  }
  return engine;
}

void warn_unless_made_for(std::string_view dialect,
                          const ModelOptions& options,
                          const engine::ModelInfo& info,
                          Console& console) {
  if (options.dialect == dialect || prompts::dialect_of_template(info.chat_template) == dialect) {
    return;
  }
  console.warn("model '" + info.name + "' does not say that it is made for " +
               std::string(dialect) + ": its answers may mean nothing");
}

Result<std::shared_ptr<const engine::Engine>> load_generator(const ModelOptions& options,
                                                             Console& console) {
  // A device that cannot serve is said before a model is looked for.
  FACET_TRY_STATUS(check_device(options.device));
  FACET_TRY(const fs::path path, find_model(options.model, ModelKind::generator));
  console.progress(0, 0, "loading " + path.string());
  FACET_TRY(auto engine, load_engine(options, path, console));
  if (!engine->info().vision_note.empty()) console.warn(engine->info().vision_note);
  return std::shared_ptr<const engine::Engine>(std::move(engine));
}

Error as_unavailable(Error error) {
  if (error.code != Code::invalid_argument) error.code = Code::unavailable;
  return error;
}

Result<std::vector<ShownPicture>> read_shown_pictures(const engine::Engine& engine,
                                                      const PictureOptions& options,
                                                      Console& console) {
  std::vector<ShownPicture> out;
  for (const std::string& file : options.files) {
    console.progress(out.size(), options.files.size(), "reading " + file);
    auto picture = read_shown_picture(engine, file, options.pan_and_scan);
    if (!picture) {
      console.end_progress();
      return picture.error();
    }
    out.push_back(*std::move(picture));
  }
  console.end_progress();
  return out;
}

Result<std::vector<Picture>> read_pictures(const engine::Engine& engine,
                                           const PictureOptions& options,
                                           Console& console) {
  FACET_TRY(const auto shown, read_shown_pictures(engine, options, console));
  return pictures_of(shown);
}

std::string with_pictures(const std::string& journal_options,
                          std::span<const ShownPicture> pictures) {
  if (pictures.empty()) return journal_options;
  auto json = parse_json(journal_options, "journal options");
  FACET_CHECK(json && json->is_object());
  (*json)["pictures"] = shown_pictures_json(pictures);
  return dump_json(*json);
}

Result<std::vector<ShownPicture>> recorded_pictures(const engine::Engine& engine,
                                                    const ordered_json& journal_options,
                                                    Console& console) {
  const auto found = journal_options.find("pictures");
  if (found == journal_options.end()) return std::vector<ShownPicture>();
  console.progress(0, 0, "reading the pictures of the run again");
  auto pictures = read_shown_again(engine, *found);
  console.end_progress();
  return pictures;
}

Result<std::optional<fs::path>> choose_embedder(const std::string& name, Console& console) {
  if (name == "none") return std::optional<fs::path>();
  auto path = find_model(name, ModelKind::embedder);
  if (path) return std::optional<fs::path>(*std::move(path));
  if (!name.empty()) return as_unavailable(path.error());
  console.warn("no embedder: search is by words only (" + path.error().message + ")");
  return std::optional<fs::path>();
}

Status check_store(const fs::path& folder) {
  if (retrieval::holds_store(folder)) return ok();
  std::error_code error;
  const std::string problem = fs::exists(folder, error) ? "holds no store" : "does not exist";
  return Error{Code::not_found,
               "store '" + folder.string() + "' " + problem + ": run facet index first"};
}

Result<ToolboxOptions> toolbox_options(const AgentOptions& options, Console& console) {
  ToolboxOptions toolbox{.only = options.tools,
                         .passages_max = options.passages_max,
                         .threads = options.model.threads};
  if (!options.store.empty()) {
    toolbox.store = options.store;
  } else if (const auto store = default_store(); store && check_store(*store)) {
    toolbox.store = *store;
  }
  if (toolbox.store) {
    FACET_TRY_STATUS(check_store(*toolbox.store));
    FACET_TRY(toolbox.embedder, choose_embedder(options.model.embedder, console));
  }
  if (!options.workspace.empty()) toolbox.workspace = options.workspace;
  for (const std::string& plugin : options.plugins) toolbox.plugins.emplace_back(plugin);
  return toolbox;
}

namespace {

std::string absolute(const std::string& path) {
  std::error_code error;
  if (path.empty() || !fs::exists(path, error)) return path;
  const fs::path full = fs::absolute(path, error);
  return error ? path : full.string();
}

/// invalid_argument for a model whose template says that it answers single questions only, unless
/// a dialect is asked for.
Status check_converses(const ModelOptions& options, const engine::ModelInfo& info) {
  if (!options.dialect.empty()) return ok();
  const std::string_view own = prompts::dialect_of_template(info.chat_template);
  if (own != "shieldgemma" && own != "translategemma") return ok();
  const std::string way = own == "shieldgemma" ? "--policy" : "--from and --to";
  return Error{Code::invalid_argument,
               "model '" + info.name + "' is made for " + std::string(own) +
                   ", which holds no conversation: use facet generate with " + way +
                   ", or say --dialect gemma3-json"};
}

/// Questions go to stderr and come back on stdin, so both must be terminals.
bool is_person_there() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
}

bool ask_person(const ApprovalQuestion& question, const std::stop_token& stop) {
  std::string prompt = "facet: run " + question.call.name + " " + question.call.arguments + " (" +
                       std::string(effect_name(question.effect)) + ")";
  if (question.may_have_run) prompt += "; it may have run before the run was killed";
  std::cerr << printable(prompt) << "? [y/N] " << std::flush;
  const auto line = Console::read_line(stop);
  return line && (*line == "y" || *line == "Y" || *line == "yes");
}

}  // namespace

ordered_json agent_options_json(const AgentOptions& options) {
  std::vector<std::string> plugins;
  for (const std::string& plugin : options.plugins) plugins.push_back(absolute(plugin));
  const engine::SamplingOptions& sampling = options.sampling;
  const Budgets& budgets = options.budgets;
  return {{"model", absolute(options.model.model)},
          {"embedder", absolute(options.model.embedder)},
          {"vision", absolute(options.model.vision)},
          {"dialect", options.model.dialect},
          {"store", absolute(options.store)},
          {"workspace", absolute(options.workspace)},
          {"plugins", plugins},
          {"tools", options.tools},
          {"passages_max", options.passages_max},
          {"result_pictures_max", options.result_pictures_max},
          {"instructions", options.instructions},
          {"no_plan", options.no_plan},
          {"answers", answer_form_name(options.answers)},
          {"arguments", argument_form_name(options.arguments)},
          {"tool_choice", options.tool_choice},
          {"calls_max", options.calls_max},
          {"answer_schema", options.answer_schema},
          {"tool_tokens_max", options.tool_tokens_max},
          {"tools_max", options.tools_max},
          {"steps_max", budgets.steps_max},
          {"tokens_max", budgets.tokens_max},
          {"step_tokens_max", budgets.step_tokens_max},
          {"tool_calls_max", budgets.tool_calls_max},
          {"seconds_max", budgets.seconds_max.count()},
          {"temperature", sampling.temperature},
          {"top_k", sampling.top_k},
          {"top_p", sampling.top_p},
          {"min_p", sampling.min_p},
          {"repetition_penalty", sampling.repetition_penalty},
          {"seed", sampling.seed}};
}

Result<AgentOptions> agent_options_from_json(const ordered_json& json) {
  try {
    if (json.contains("made_by")) {
      return Error{Code::unsupported,
                   "it was made by facet " + json.at("made_by").get<std::string>() +
                       ": only its client can go on with it"};
    }
    AgentOptions options;
    options.model.model = json.at("model").get<std::string>();
    options.model.embedder = json.at("embedder").get<std::string>();
    // Journals of earlier versions do not have it.
    options.model.vision = json.value("vision", std::string());
    options.model.dialect = json.at("dialect").get<std::string>();
    options.store = json.at("store").get<std::string>();
    options.workspace = json.at("workspace").get<std::string>();
    options.plugins = json.at("plugins").get<std::vector<std::string>>();
    options.tools = json.at("tools").get<std::vector<std::string>>();
    options.passages_max = json.at("passages_max").get<int>();
    options.result_pictures_max = json.value("result_pictures_max", options.result_pictures_max);
    options.instructions = json.at("instructions").get<std::string>();
    options.no_plan = json.at("no_plan").get<bool>();
    const auto answers = answer_form_from_name(json.value("answers", std::string("by model")));
    if (!answers) return Error{Code::invalid_data, "options of the recorded run: \"answers\""};
    options.answers = *answers;
    const auto arguments =
        argument_form_from_name(json.value("arguments", std::string("by model")));
    if (!arguments) return Error{Code::invalid_data, "options of the recorded run: \"arguments\""};
    options.arguments = *arguments;
    options.tool_choice = json.value("tool_choice", std::string());
    options.calls_max = json.value("calls_max", options.calls_max);
    options.answer_schema = json.value("answer_schema", std::string());
    options.tool_tokens_max = json.value("tool_tokens_max", options.tool_tokens_max);
    options.tools_max = json.value("tools_max", options.tools_max);
    options.budgets.steps_max = json.at("steps_max").get<int>();
    options.budgets.tokens_max = json.at("tokens_max").get<std::int64_t>();
    options.budgets.step_tokens_max = json.at("step_tokens_max").get<std::int64_t>();
    options.budgets.tool_calls_max = json.at("tool_calls_max").get<int>();
    options.budgets.seconds_max = std::chrono::seconds(json.at("seconds_max").get<std::int64_t>());
    options.sampling.temperature = json.at("temperature").get<float>();
    options.sampling.top_k = json.at("top_k").get<std::int32_t>();
    options.sampling.top_p = json.at("top_p").get<float>();
    options.sampling.min_p = json.at("min_p").get<float>();
    options.sampling.repetition_penalty = json.at("repetition_penalty").get<float>();
    options.sampling.seed = json.at("seed").get<std::uint64_t>();
    return options;
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("options of the recorded run: ") + error.what()};
  }
}

Workbench::~Workbench() = default;

Status Workbench::open_journal(const AgentOptions& options, Console& console) {
  if (options.no_journal) return ok();
  if (!options.journal.empty()) {
    FACET_TRY(journal_, Journal::open(options.journal));
    return ok();
  }
  const auto path = default_journal();
  auto journal = path ? Journal::open(*path) : Result<std::unique_ptr<Journal>>(path.error());
  if (journal) {
    journal_ = *std::move(journal);
  } else {
    console.warn("this run is not recorded and cannot be resumed: " + journal.error().message);
  }
  return ok();
}

std::unique_ptr<Workbench> Workbench::open(const AgentOptions& options,
                                           Console& console,
                                           Failure& failure) {
  std::unique_ptr<Workbench> bench(new Workbench());
  bench->options_ = options;
  const auto fail = [&](const Error& error, std::optional<int> exit_code = std::nullopt) {
    failure = {.error = error, .exit_code = exit_code.value_or(exit_code_of(error.code))};
    return nullptr;
  };
  if (!options.json_schema.empty()) {
    auto schema = read_text_file(options.json_schema);
    if (!schema) return fail(schema.error());
    bench->options_.answer_schema = *std::move(schema);
  }
  auto engine = load_generator(options.model, console);
  if (!engine) {
    const bool is_usage = engine.error().code == Code::invalid_argument;
    return fail(engine.error(), is_usage ? exit_usage : exit_unavailable);
  }
  if (auto status = check_converses(options.model, (*engine)->info()); !status) {
    return fail(status.error());
  }
  auto model = LocalChatModel::create(*engine, options.model.dialect);
  if (!model) return fail(model.error());
  bench->model_ = *std::move(model);
  const auto toolbox = toolbox_options(options, console);
  if (!toolbox) return fail(toolbox.error());
  auto opened = Toolbox::open(*toolbox, bench->model_->tokenizer());
  if (!opened) return fail(opened.error());
  bench->toolbox_ = *std::move(opened);
  if (const retrieval::Store* store = bench->toolbox_->store()) {
    bench->pictures_ = std::make_unique<StorePictures>(&bench->model_->engine(), store);
  }
  if (auto status = bench->open_journal(options, console); !status) return fail(status.error());
  constexpr std::chrono::seconds kToolSecondsMax{30};
  bench->executor_ = std::make_unique<tools::Executor>(tools::ExecutorOptions{
      .tool_timeout = std::min(kToolSecondsMax, options.budgets.seconds_max)});
  return bench;
}

SessionOptions Workbench::session_options(const std::stop_token& stop) const {
  SessionOptions session{.instructions = options_.instructions,
                         .plan_first = !options_.no_plan,
                         .result_pictures_max = options_.result_pictures_max,
                         .budgets = options_.budgets,
                         .sampling = options_.sampling,
                         .rules = {.choice = prompts::tool_choice_from_name(options_.tool_choice),
                                   .calls_max = options_.calls_max,
                                   .answer_schema = options_.answer_schema},
                         .answers = options_.answers,
                         .arguments = options_.arguments,
                         .looks_first = options_.tool_choice.empty(),
                         .tool_tokens_max = options_.tool_tokens_max,
                         .tools_max = options_.tools_max,
                         .policy = {.allow_all = options_.yes, .allow_rerun = options_.rerun},
                         .journal_options = dump_json(agent_options_json(options_))};
  if (is_person_there()) {
    session.policy.ask = [stop](const ApprovalQuestion& question) {
      return ask_person(question, stop);
    };
  }
  return session;
}

}  // namespace facet::agent::cli
