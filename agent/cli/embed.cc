// facet embed: vectors of texts, one text per line of stdin.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "agent/cli/workbench.h"
#include "agent/engine_embedder.h"
#include "prompts/embedding_prompts.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <vector>

namespace facet::agent::cli {

using nlohmann::ordered_json;

namespace {

/// The lines of `text` without their ends. The end of the last one may be missing.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// The shortest decimal that is this float.
std::string shortest(float value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

Result<std::vector<std::vector<float>>> embed_lines(const EngineEmbedder& embedder,
                                                    const std::string& text,
                                                    const EmbedOptions& options,
                                                    Environment& environment) {
  std::vector<std::vector<float>> out;
  const std::vector<std::string_view> lines = lines_of(text);
  for (const std::string_view line : lines) {
    if (environment.stop.stop_requested()) {
      return Error{Code::cancelled,
                   "stopped with " + std::to_string(lines.size() - out.size()) + " texts to go"};
    }
    FACET_TRY(const std::string prompt, prompts::embedding_prompt(options.prompt_name, line));
    if (const std::size_t left_out = embedder.tokens_left_out(prompt); left_out > 0) {
      environment.console.warn("line " + std::to_string(out.size() + 1) +
                               " is too long: its last " + std::to_string(left_out) +
                               " tokens are not in its vector");
    }
    FACET_TRY(std::vector<float> vector, embedder.embed(prompt));
    out.push_back(std::move(vector));
    environment.console.progress(out.size(), lines.size(), "texts");
  }
  environment.console.end_progress();
  return out;
}

}  // namespace

int run_embed(const EmbedOptions& options, Environment environment) {
  Console& console = environment.console;
  if (const auto known = prompts::embedding_prompt(options.prompt_name, ""); !known) {
    return console.fail(known.error(), options.json);
  }
  const ModelOptions& model = options.model;
  if (const auto device = check_device(model.device); !device) {
    return console.fail(device.error(), options.json);
  }
  const auto path = find_model(model.model, ModelKind::embedder);
  if (!path) return console.fail(path.error(), options.json, exit_unavailable);
  const auto engine = load_engine(model, *path, console);
  if (!engine) return console.fail(engine.error(), options.json, exit_unavailable);
  const auto embedder = EngineEmbedder::create(*engine);
  if (!embedder) return console.fail(embedder.error(), options.json);
  const auto text = Console::read_stdin(environment.stop);
  if (!text) return console.fail(text.error(), options.json);
  const auto vectors = embed_lines(**embedder, *text, options, environment);
  if (!vectors) return console.fail(vectors.error(), options.json);
  if (options.json) {
    // Parsed as doubles, these are the floats: nlohmann writes the shortest text of each double.
    console.out_json({{"dimension", (*embedder)->dimension()}, {"vectors", *vectors}});
    return exit_ok;
  }
  for (const std::vector<float>& vector : *vectors) {
    std::string line;
    for (const float value : vector) line += (line.empty() ? "" : " ") + shortest(value);
    console.out_line(line);
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
