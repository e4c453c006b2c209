// facet debug logits: what a model computes for given tokens, for comparison with other programs.
#include "agent/cli/commands.h"
#include "agent/cli/npy.h"
#include "agent/cli/paths.h"
#include "agent/cli/workbench.h"
#include "agent/pictures.h"
#include "engine/engine.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

namespace facet::agent::cli {

using engine::TokenId;

namespace {

/// "2,10,20" as ids.
Result<std::vector<TokenId>> parse_ids(std::string_view text) {
  std::vector<TokenId> out;
  while (true) {
    const std::string_view number = text.substr(0, text.find(','));
    TokenId id = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id);
    if (number.empty() || error != std::errc() || end != number.data() + number.size()) {
      return Error{Code::invalid_argument,
                   "--ids: '" + std::string(number.substr(0, 40)) +
                       "' is no token id; expected numbers as in 2,10,20"};
    }
    out.push_back(id);
    if (number.size() == text.size()) return out;
    text.remove_prefix(number.size() + 1);
  }
}

/// The ids of the command line with the pictures in their places. Without pictures a placeholder is
/// an id like any other, as it is in the reference.
Result<PromptTokens> prompt_of(const engine::Engine& engine,
                               const DebugLogitsOptions& options,
                               Console& console) {
  FACET_TRY(std::vector<TokenId> ids, parse_ids(options.ids));
  if (options.pictures.files.empty()) return PromptTokens{.ids = std::move(ids)};
  FACET_TRY(const auto pictures, read_pictures(engine, options.pictures, console));
  return place_pictures(engine.info(), ids, pictures);
}

Status write_logits(const engine::Engine& engine,
                    const PromptTokens& prompt,
                    const std::string& path,
                    std::stop_token stop) {
  const std::int64_t vocabulary = engine.info().vocabulary;
  FACET_TRY(NpyWriter file,
            NpyWriter::create(path, static_cast<std::int64_t>(prompt.ids.size()), vocabulary));
  std::int64_t position = 0;
  const auto sink = [&](std::span<const float> logits) -> Status {
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (std::isfinite(logits[i])) continue;
      return Error{Code::invalid_data,
                   "logit " + std::to_string(i) + " at position " + std::to_string(position) +
                       " is " + std::to_string(logits[i])};
    }
    file.append(logits);
    ++position;
    return ok();
  };
  engine::Sequence sequence = engine.new_sequence();
  FACET_TRY_STATUS(
      sequence.append_scored(prompt.ids, {.images = prompt.images, .stop = std::move(stop)}, sink));
  return file.finish();
}

}  // namespace

int run_debug_logits(const DebugLogitsOptions& options, Environment environment) {
  Console& console = environment.console;
  if (const auto ids = parse_ids(options.ids); !ids) {
    return console.fail(ids.error(), options.json);
  }
  const auto path = find_model(options.model, ModelKind::generator);
  if (!path) return console.fail(path.error(), options.json, exit_unavailable);
  const auto engine = engine::Engine::load({.model = *path,
                                            .vision = options.vision,
                                            .threads = options.threads,
                                            .float_activations = options.float_activations,
                                            .with_tokenizer = false});
  if (!engine) return console.fail(engine.error(), options.json, exit_unavailable);
  const engine::ModelInfo& info = (*engine)->info();
  if (info.is_embedder) {
    const Error error{Code::invalid_argument,
                      "model '" + info.name + "' is an embedder: it has no logits"};
    return console.fail(error, options.json);
  }
  const auto prompt = prompt_of(**engine, options, console);
  if (!prompt) return console.fail(prompt.error(), options.json);
  if (auto status = write_logits(**engine, *prompt, options.out, environment.stop); !status) {
    return console.fail(status.error(), options.json);
  }
  if (options.json) {
    console.out_json({{"out", options.out},
                      {"rows", prompt->ids.size()},
                      {"vocabulary", info.vocabulary},
                      {"cpu_path", info.cpu_path}});
  } else {
    console.out_line(printable(options.out) + ": float32 (" + std::to_string(prompt->ids.size()) +
                     ", " + std::to_string(info.vocabulary) + ")");
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
