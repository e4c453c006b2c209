// Flags that several commands share, and how a command line becomes a call. Only for flags*.cc.
#pragma once

#include "agent/cli/commands.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace facet::agent::cli {

/// What a parsed command line will run.
using Command = std::function<int(Environment)>;

/// Binds `options` to `run` when `app` is the command that was given. CLI11 fills the options while
/// it parses, so they must live at an address that stays.
template <typename Options>
void bind(CLI::App& app,
          Command& command,
          std::shared_ptr<Options> options,
          int (*run)(const Options&, Environment)) {
  app.callback([&command, options = std::move(options), run] {
    command = [options, run](Environment environment) { return run(*options, environment); };
  });
}

/// Texts of --activations, by what a command does unless told otherwise.
inline constexpr const char* kFast =
    "fast: rounded to 8 bits for Q4_0 and Q8_0 weights, to bf16 for BF16; float: f32 (fast)";
inline constexpr const char* kExact =
    "float: f32; fast: rounded to 8 bits for Q4_0 and Q8_0 weights, to bf16 for BF16 (float)";

void add_json(CLI::App& app, bool& json);
void add_threads(CLI::App& app, int& threads);
void add_activations(CLI::App& app, bool& is_float, const char* text);
void add_kv_type(CLI::App& app, std::optional<engine::KvType>& kv_type);
/// --device and what belongs to it.
void add_device_name(CLI::App& app, std::string& device);
void add_device(CLI::App& app, ModelOptions& model);
void add_huge_pages(CLI::App& app, bool& huge_pages);
void add_store(CLI::App& app,
               std::string& store,
               const char* text = "Folder of the store (the default store)");
void add_embedder(CLI::App& app, std::string& embedder);
void add_mmproj(CLI::App& app, std::string& vision);
void add_model(CLI::App& app, ModelOptions& model);
void add_answers(CLI::App& app, AnswerForm& answers);
CLI::Option* add_arguments(CLI::App& app, ArgumentForm& arguments);
CLI::Option* add_tools_max(CLI::App& app, int& tools_max);
void add_pictures(CLI::App& app, PictureOptions& pictures, const char* place);
void add_sampling(CLI::App& app, engine::SamplingOptions& sampling);

/// generate, eval, embed, debug, bench, schema, tokenize, prompt: commands on the engine alone.
void add_engine_commands(CLI::App& app, Command& command);

}  // namespace facet::agent::cli
