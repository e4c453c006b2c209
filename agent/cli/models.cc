// facet models list, facet models inspect, facet doctor: what this machine has.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "agent/cli/workbench.h"
#include "engine/cuda/plan.h"
#include "engine/engine.h"
#include "engine/model/quantize.h"
#include "prompts/template_dialect.h"
#include "retrieval/sha256.h"
#include "retrieval/store.h"
#include "retrieval/store_files.h"

#include <nlohmann/json.hpp>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace facet::agent::cli {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

std::string_view kind_name(ModelKind kind) {
  return kind == ModelKind::generator ? "generator" : "embedder";
}

std::string megabytes(std::uintmax_t bytes) {
  const std::uintmax_t tenths = (bytes * 10 + 524'288) / 1'048'576;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

ordered_json tokenizer_json(const engine::Tokenizer& tokenizer) {
  const auto pieces = static_cast<engine::TokenId>(tokenizer.size());
  engine::TokenId control = 0;
  for (engine::TokenId id = 0; id < pieces; ++id) control += tokenizer.is_control(id) ? 1 : 0;
  return {{"kind", "SentencePiece BPE"},
          {"pieces", pieces},
          {"control_pieces", control},
          {"bos", tokenizer.bos()},
          {"eos", tokenizer.eos()},
          {"add_bos", tokenizer.add_bos()},
          {"add_eos", tokenizer.add_eos()}};
}

/// Where the model would run: the instruction set on the CPU, and whether a device is there.
ordered_json devices_json(const engine::ModelInfo& info) {
  const auto cuda = check_device("cuda");
  return {{"cpu", info.cpu_path}, {"cuda", cuda ? *cuda : cuda.error().message}};
}

/// Memory that a model may find on a device.
struct DeviceRoom {
  std::string name;
  std::int64_t bytes = 0;
};

/// Of devices of common sizes, and what is free on those of this machine; the latter only for a
/// model that is on the CPU: one that is on a device has taken its part.
std::vector<DeviceRoom> device_rooms(const engine::Engine& engine) {
  std::vector<DeviceRoom> out;
  for (const std::int64_t size : {8, 12, 16, 24, 48, 80}) {
    out.push_back({std::to_string(size) + " GiB", size << 30});
  }
  const engine::cuda::CudaSupport* cuda = cuda_of_build();
  if (cuda == nullptr || engine.info().device != "cpu") return out;
  const auto devices = cuda->list_devices();
  if (!devices) return out;
  for (const engine::cuda::DeviceInfo& device : *devices) {
    const auto opened = cuda->open_device(device.index);
    if (!opened) continue;  // It cannot serve.
    out.push_back({"free on cuda:" + std::to_string(device.index), opened->free_bytes});
  }
  return out;
}

/// The longest context that fits each of `rooms` beside `taken` bytes.
ordered_json fitting_contexts(const engine::Engine& engine,
                              const engine::cuda::PlanOptions& options,
                              const std::vector<DeviceRoom>& rooms,
                              std::int64_t taken) {
  ordered_json out = ordered_json::object();
  for (const DeviceRoom& room : rooms) {
    out[room.name] = engine.device_context(options, room.bytes - taken);
  }
  return out;
}

/// What the model needs of a CUDA device, and the longest contexts there is room for; keys and
/// values as bf16, and in 8 bits (int8 and fp8 take the same). Pictures are read on the device
/// where its memory also holds the tower, so that is told with it and without.
ordered_json device_memory_json(const engine::Engine& engine, engine::cuda::WeightForm weights) {
  engine::cuda::PlanOptions options{.context_tokens_max = engine.info().context_tokens_max,
                                    .weights = weights};
  const auto plan = engine.device_plan(options);
  const std::vector<DeviceRoom> rooms = device_rooms(engine);
  ordered_json out = {{"weight_bytes", plan.weight_bytes},
                      {"workspace_bytes", plan.workspace_bytes},
                      {"kv_bytes", plan.sequence_bytes},
                      {"needs_bytes", plan.device_bytes_min()},
                      {"vision_bytes", plan.vision_bytes},
                      {"context_tokens", options.context_tokens_max},
                      {"context_tokens_that_fit", fitting_contexts(engine, options, rooms, 0)}};
  if (plan.vision_bytes > 0) {
    out["context_tokens_that_fit_with_vision"] =
        fitting_contexts(engine, options, rooms, plan.vision_bytes);
  }
  options.kv_type = engine::KvType::int8;
  out["context_tokens_that_fit_with_8_bit_kv"] = fitting_contexts(engine, options, rooms, 0);
  return out;
}

/// The chat template in the files, and which dialect its words are those of. Null without one.
ordered_json template_json(const std::string& text) {
  if (text.empty()) return nullptr;
  const std::string_view dialect = prompts::dialect_of_template(text);
  return {{"bytes", text.size()},
          {"sha256", retrieval::sha256_hex(retrieval::sha256(text))},
          {"words_of", dialect.empty() ? ordered_json() : ordered_json(dialect)}};
}

/// The dialect that is used when none is asked for; for the models of single questions, theirs.
std::string_view dialect_of(const engine::ModelInfo& info, const engine::Tokenizer& tokenizer) {
  if (info.is_embedder) return {};
  const std::string_view own = prompts::dialect_of_template(info.chat_template);
  if (own == "shieldgemma" || own == "translategemma") return own;
  return default_dialect(tokenizer);
}

ordered_json info_json(const engine::Engine& engine) {
  const engine::ModelInfo& info = engine.info();
  const engine::Tokenizer& tokenizer = engine.tokenizer();
  return {{"name", info.name},
          {"architecture", info.architecture},
          {"identity", info.identity},
          {"kind", info.is_embedder ? "embedder" : "generator"},
          {"dialect", dialect_of(info, tokenizer)},
          {"chat_template", template_json(info.chat_template)},
          {"image_tokens", info.image_tokens},
          {"parameters", info.parameters},
          {"weight_bytes", info.weight_bytes},
          {"weight_types", info.weight_types},
          {"layers", info.layers},
          {"hidden", info.hidden},
          {"vocabulary", info.vocabulary},
          {"context_tokens_max", info.context_tokens_max},
          {"trained_tokens_max", info.trained_tokens_max},
          {"kv_bytes_per_token", info.kv_bytes_per_token},
          {"kv_bytes_fixed", info.kv_bytes_fixed},
          {"embedding_dim", info.embedding_dim},
          {"cpu_path", info.cpu_path},
          {"devices", devices_json(info)},
          {"device_memory", device_memory_json(engine, engine::cuda::WeightForm::stored)},
          {"tokenizer", tokenizer_json(tokenizer)}};
}

/// Members of an object, one per line, those of objects inside of it one below the other. What is
/// shown is made above and nests three deep.
void show_members(const ordered_json& object, Console& console, const std::string& indent = {}) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && !value.empty()) {
      console.out_line(indent + key);
      show_members(value, console, indent + "  ");
      continue;
    }
    std::string padded = indent + key;
    padded.resize(std::max<std::size_t>(padded.size() + 1, 20), ' ');
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    console.out_line(padded + printable(text));
  }
}

/// The model of a name as doctor shows it: its facts, or why it cannot be used.
ordered_json model_check(const std::string& name,
                         ModelKind kind,
                         const ModelOptions& options,
                         bool& is_usable) {
  is_usable = false;
  const auto path = find_model(name, kind);
  if (!path) return {{"ok", false}, {"reason", path.error().message}};
  const auto engine = engine::Engine::load({.model = *path,
                                            .vision = options.vision,
                                            .context_tokens_max = options.context_tokens_max,
                                            .huge_pages = false,  // Looked at, not run.
                                            .device = device_name(options.device),
                                            .cuda = cuda_of_build(),
                                            .device_weights = options.device_weights,
                                            .is_deterministic = options.is_deterministic});
  if (!engine) {
    return {{"ok", false}, {"path", path->string()}, {"reason", engine.error().message}};
  }
  is_usable = true;
  const engine::ModelInfo& info = (*engine)->info();
  ordered_json out = {{"ok", true},
                      {"path", path->string()},
                      {"parameters", info.parameters},
                      {"weight_types", info.weight_types},
                      {"device", info.device}};
  if (!info.device_note.empty()) out["device_note"] = info.device_note;
  if (!info.vision_note.empty()) out["vision_note"] = info.vision_note;
  out["cpu_path"] = info.cpu_path;
  out["device_memory"] = device_memory_json(**engine, options.device_weights);
  return out;
}

ordered_json store_check(const std::string& given) {
  fs::path folder = given;
  if (given.empty()) {
    const auto path = default_store();
    if (!path) return {{"ok", false}, {"reason", path.error().message}};
    folder = *path;
  }
  if (!retrieval::holds_store(folder)) {
    return {{"ok", false}, {"path", folder.string()}, {"reason", "no store there yet"}};
  }
  const auto store = retrieval::Store::open({.folder = folder});
  if (!store) return {{"ok", false}, {"path", folder.string()}, {"reason", store.error().message}};
  const auto counts = (*store)->statistics();
  if (!counts)
    return {{"ok", false}, {"path", folder.string()}, {"reason", counts.error().message}};
  return {{"ok", true},
          {"path", folder.string()},
          {"documents", counts->documents},
          {"chunks", counts->chunks},
          {"vectors", counts->vectors}};
}

/// Where `program` lies in PATH; empty when it does not.
std::string find_program(const std::string& program) {
  const char* value = std::getenv("PATH");
  std::string_view folders = value == nullptr ? "" : value;
  while (!folders.empty()) {
    const std::size_t colon = folders.find(':');
    const fs::path candidate = fs::path(folders.substr(0, colon)) / program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
    if (colon == std::string_view::npos) break;
    folders.remove_prefix(colon + 1);
  }
  return {};
}

ordered_json machine_json() {
  utsname name{};
  const bool is_known = ::uname(&name) == 0;
  const auto pages = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES));
  const auto page_bytes = static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  ordered_json sets = ordered_json::array();
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) sets.push_back("avx2");
  if (__builtin_cpu_supports("fma") != 0) sets.push_back("fma");
  if (__builtin_cpu_supports("avx512f") != 0) sets.push_back("avx512f");
  if (__builtin_cpu_supports("avx512bw") != 0) sets.push_back("avx512bw");
  if (__builtin_cpu_supports("avx512vnni") != 0) sets.push_back("avx512vnni");
#endif
  return {{"system", is_known ? std::string(name.sysname) + " " + name.release : ""},
          {"processor", is_known ? name.machine : ""},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", pages > 0 && page_bytes > 0 ? pages * page_bytes : 0},
          {"instruction_sets", std::move(sets)}};
}

/// Whether the default journal can be written, by the nearest place of its path that is there.
ordered_json journal_check() {
  const auto path = default_journal();
  if (!path) return {{"ok", false}, {"reason", path.error().message}};
  fs::path nearest = *path;
  std::error_code error;
  while (!fs::exists(nearest, error) && nearest.has_relative_path())
    nearest = nearest.parent_path();
  const bool can_hold = nearest == *path || fs::is_directory(nearest, error);
  if (!can_hold || ::access(nearest.c_str(), W_OK) != 0) {
    return {{"ok", false},
            {"path", path->string()},
            {"reason", "'" + nearest.string() + "' cannot be written: runs are not recorded"}};
  }
  return {{"ok", true}, {"path", path->string()}};
}

ordered_json plugins_check() {
  ordered_json files = ordered_json::array();
  for (const fs::path& plugin : list_plugins()) files.push_back(plugin.string());
  return {{"ok", true}, {"files", std::move(files)}};
}

ordered_json pdftotext_check() {
  const std::string path = find_program("pdftotext");
  if (path.empty()) {
    return {{"ok", false},
            {"reason",
             "pdftotext is not in PATH: PDF documents cannot be indexed (Debian package "
             "poppler-utils)"}};
  }
  return {{"ok", true}, {"path", path}};
}

}  // namespace

int run_models_list(const ModelsOptions& options, Environment environment) {
  Console& console = environment.console;
  ordered_json list = ordered_json::array();
  for (const FoundModel& model : list_models()) {
    if (options.json) {
      list.push_back({{"name", model.name},
                      {"kind", kind_name(model.kind)},
                      {"path", model.path.string()},
                      {"bytes", model.bytes}});
    } else {
      console.out_line(console.styled(Style::bold, printable(model.name)) + "  " +
                       std::string(kind_name(model.kind)) + "  " + megabytes(model.bytes) + "  " +
                       printable(model.path.string()));
    }
  }
  if (options.json) console.out_json({{"models", std::move(list)}});
  return exit_ok;
}

int run_models_inspect(const ModelsOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto path = find_model(options.model, ModelKind::generator);
  if (!path) return console.fail(path.error(), options.json, exit_unavailable);
  const auto engine =
      engine::Engine::load({.model = *path, .vision = options.vision, .huge_pages = false});
  if (!engine) return console.fail(engine.error(), options.json, exit_unavailable);
  if (options.chat_template) {
    const std::string& text = (*engine)->info().chat_template;
    if (text.empty()) {
      const Error error{Code::not_found, "'" + path->string() + "' has no chat template"};
      return console.fail(error, options.json);
    }
    console.out(text);
    return exit_ok;
  }
  const ordered_json info = info_json(**engine);
  if (options.json) {
    console.out_json(info);
  } else {
    show_members(info, console);
  }
  return exit_ok;
}

int run_models_quantize(const ModelsOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto type = engine::dtype_from_name(options.type);
  if (!type || !engine::can_quantize(*type)) {
    const Error error{Code::invalid_argument,
                      "--type: '" + options.type + "' is not written; " +
                          std::string(engine::kQuantizeTypes) + " are"};
    return console.fail(error, options.json);
  }
  const auto path = find_model(options.model, ModelKind::generator);
  if (!path) return console.fail(path.error(), options.json, exit_unavailable);
  const auto counts = engine::quantize_model(*path, options.out, *type);
  if (!counts) return console.fail(counts.error(), options.json);
  if (options.json) {
    console.out_json({{"out", options.out},
                      {"type", options.type},
                      {"quantized", counts->quantized},
                      {"kept", counts->kept},
                      {"left_out", counts->left_out},
                      {"bytes", counts->bytes}});
    return exit_ok;
  }
  console.out_line(printable(options.out) + ": " + std::to_string(counts->quantized) +
                   " tensors changed for " + options.type + ", " + std::to_string(counts->kept) +
                   " in the type they had, " +
                   megabytes(static_cast<std::uintmax_t>(counts->bytes)));
  if (counts->left_out > 0) {
    console.out_line("left out: the vision tower, " + std::to_string(counts->left_out) +
                     " tensors; --mmproj reads it from the folder");
  }
  return exit_ok;
}

int run_doctor(const DoctorOptions& options, Environment environment) {
  Console& console = environment.console;
  bool has_generator = false;
  bool has_embedder = false;
  ordered_json report = {{"version", FACET_VERSION}, {"machine", machine_json()}};
  const auto device = check_device(options.agent.model.device);
  report["device"] = device ? ordered_json{{"ok", true}, {"name", *device}}
                            : ordered_json{{"ok", false}, {"reason", device.error().message}};
  const ModelOptions& model = options.agent.model;
  report["model"] = model_check(model.model, ModelKind::generator, model, has_generator);
  const std::string& embedder = model.embedder;
  const ModelOptions on_cpu{.device = "cpu"};
  report["embedder"] = embedder == "none"
                           ? ordered_json{{"ok", true}, {"reason", "none: search is by words only"}}
                           : model_check(embedder, ModelKind::embedder, on_cpu, has_embedder);
  report["store"] = store_check(options.agent.store);
  report["journal"] = journal_check();
  report["pdftotext"] = pdftotext_check();
  report["plugins"] = plugins_check();
  // Searching by words needs no embedder, and a store can be made: neither is a failure.
  const bool is_ok = has_generator && device.has_value();
  report["ok"] = is_ok;
  if (options.json) {
    console.out_json(report);
  } else {
    show_members(report, console);
  }
  return is_ok ? exit_ok : exit_unavailable;
}

}  // namespace facet::agent::cli
