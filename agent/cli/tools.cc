// facet tools list, facet tools call, facet plugin inspect: tools without a model.
#include "agent/cli/commands.h"
#include "agent/cli/paths.h"
#include "agent/cli/workbench.h"
#include "agent/events.h"
#include "agent/policy.h"
#include "base/json.h"
#include "engine/model/model.h"
#include "plugins/loader.h"

#include <nlohmann/json.hpp>

namespace facet::agent::cli {

using nlohmann::ordered_json;

namespace {

ordered_json tool_json(const tools::Tool& tool) {
  return {{"name", tool.spec().name},
          {"description", tool.spec().description},
          {"effect", effect_name(tool.effect())},
          {"parameters", json_or_string(tool.spec().parameters)}};
}

void show_tool(const tools::Tool& tool, Console& console) {
  console.out_line(console.styled(Style::bold, printable(tool.spec().name)) + "  (" +
                   std::string(effect_name(tool.effect())) + ")");
  console.out_line("  " + printable(tool.spec().description));
  console.out_line("  " + printable(tool.spec().parameters));
}

/// The tools of the options. Without a store no tokenizer is needed, and none is looked for.
struct OpenTools {
  std::shared_ptr<const engine::Tokenizer> tokenizer;
  std::unique_ptr<Toolbox> toolbox;
  tools::Registry registry;
};

Status open_tools(const AgentOptions& options, Console& console, OpenTools& open) {
  FACET_TRY(const ToolboxOptions toolbox, toolbox_options(options, console));
  if (toolbox.store) {
    const auto path = find_model(options.model.model, ModelKind::generator);
    if (!path) return as_unavailable(path.error());
    auto tokenizer = engine::load_tokenizer(*path);
    if (!tokenizer) return as_unavailable(tokenizer.error());
    open.tokenizer = *std::move(tokenizer);
  }
  FACET_TRY(open.toolbox, Toolbox::open(toolbox, open.tokenizer));
  FACET_TRY(open.registry, open.toolbox->make_registry(std::make_shared<PassageBook>()));
  return ok();
}

}  // namespace

int run_tools_list(const ToolsOptions& options, Environment environment) {
  Console& console = environment.console;
  OpenTools open;
  if (auto status = open_tools(options.agent, console, open); !status) {
    return console.fail(status.error(), options.json);
  }
  ordered_json list = ordered_json::array();
  for (const ToolSpec& spec : open.registry.specs()) {
    const tools::Tool& tool = *open.registry.find(spec.name);
    if (options.json) {
      list.push_back(tool_json(tool));
    } else {
      show_tool(tool, console);
    }
  }
  if (options.json) console.out_json({{"tools", std::move(list)}});
  return exit_ok;
}

int run_tools_call(const ToolsOptions& options, Environment environment) {
  Console& console = environment.console;
  OpenTools open;
  if (auto status = open_tools(options.agent, console, open); !status) {
    return console.fail(status.error(), options.json);
  }
  const ToolCall call{.id = "call_1", .name = options.name, .arguments = options.arguments};
  const tools::Tool* tool = open.registry.find(call.name);
  if (tool != nullptr && tool->effect() != tools::Effect::read_only && !options.agent.yes) {
    return console.fail({Code::permission_denied,
                         "tool '" + call.name + "' (" + std::string(effect_name(tool->effect())) +
                             ") needs approval: give --yes"},
                        options.json);
  }
  const tools::Executor executor;
  const std::vector<ToolCall> calls = {call};
  const auto outcome = executor.run(open.registry, calls, environment.stop).front();
  if (options.json) {
    console.out_json({{"name", call.name},
                      {"output", json_or_string(outcome.output.content)},
                      {"is_error", outcome.output.is_error},
                      {"outcome", tools::outcome_name(outcome.kind)},
                      {"elapsed_ms", outcome.elapsed.count()}});
  } else {
    console.out_line(printable(outcome.output.content));
  }
  switch (outcome.kind) {
    case tools::CallOutcome::Kind::ok:
      return exit_ok;
    case tools::CallOutcome::Kind::timeout:
      return exit_timeout;
    case tools::CallOutcome::Kind::cancelled:
      return exit_interrupted;
    case tools::CallOutcome::Kind::too_large:
      return exit_limit;
    case tools::CallOutcome::Kind::tool_error:
    case tools::CallOutcome::Kind::invalid_arguments:
    case tools::CallOutcome::Kind::unknown_tool:
      return exit_failed;
  }
  return exit_failed;
}

int run_plugin_inspect(const PluginOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto plugin = plugins::load_plugin(options.file);
  if (!plugin) return console.fail(plugin.error(), options.json);
  ordered_json list = ordered_json::array();
  if (!options.json) {
    console.out_line(printable(plugin->name) + " " + printable(plugin->version) + "  " +
                     printable(plugin->path.string()));
  }
  for (const auto& tool : plugin->tools) {
    if (options.json) {
      list.push_back(tool_json(*tool));
    } else {
      show_tool(*tool, console);
    }
  }
  if (options.json) {
    console.out_json({{"name", plugin->name},
                      {"version", plugin->version},
                      {"path", plugin->path.string()},
                      {"tools", std::move(list)}});
  }
  return exit_ok;
}

}  // namespace facet::agent::cli
