#include "plugins/loader.h"

#include "base/json.h"
#include "base/utf8.h"
#include "plugins/facet_plugin.h"
#include "plugins/library.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <limits>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

namespace facet::plugins {
namespace {

using Json = nlohmann::ordered_json;

/// Where the writes of one call go.
struct Output {
  std::string bytes;
  std::size_t bytes_max = 0;
  bool too_large = false;
  const tools::CallContext* context = nullptr;
};

extern "C" {

/// facet_call.write. No exception may pass through the plugin.
static int write_output(void* host, const char* bytes, std::size_t size) noexcept {
  auto& output = *static_cast<Output*>(host);
  if (output.too_large || bytes == nullptr || size > output.bytes_max - output.bytes.size()) {
    output.too_large = output.too_large || bytes != nullptr;
    return bytes == nullptr && size == 0 ? 0 : 1;
  }
  try {
    output.bytes.append(bytes, size);
  } catch (const std::exception&) {
    output.too_large = true;  // No memory for it: too large for this machine.
    return 1;
  }
  return 0;
}

static int is_cancelled(void* host) noexcept {
  return static_cast<const Output*>(host)->context->stop.stop_requested() ? 1 : 0;
}

}  // extern "C"

std::int64_t milliseconds_until(std::chrono::steady_clock::time_point deadline) {
  using std::chrono::steady_clock;
  if (deadline == steady_clock::time_point::max()) return std::numeric_limits<std::int64_t>::max();
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
  return std::max<std::int64_t>(0, left.count());
}

/// One tool of a plugin. Keeps the library loaded.
class PluginTool final : public tools::Tool {
 public:
  PluginTool(std::shared_ptr<const Library> library, const facet_tool& tool, ToolSpec spec)
      : library_(std::move(library)), tool_(tool), spec_(std::move(spec)) {}

  [[nodiscard]] const ToolSpec& spec() const override { return spec_; }
  [[nodiscard]] tools::Effect effect() const override {
    if (tool_.effect == FACET_EFFECT_READ_ONLY) return tools::Effect::read_only;
    if (tool_.effect == FACET_EFFECT_CHANGES_STATE) return tools::Effect::changes_state;
    return tools::Effect::external;  // What is not known is trusted least.
  }

  Result<Json> call(const Json& arguments, const tools::CallContext& context) const override {
    const std::string text = dump_json(arguments);
    Output output{.bytes_max = context.output_bytes_max, .context = &context};
    const facet_call host{.struct_size = sizeof(facet_call),
                          .host = &output,
                          .write = write_output,
                          .cancelled = is_cancelled,
                          .output_bytes_max = context.output_bytes_max,
                          .milliseconds_left = milliseconds_until(context.deadline)};
    int status = 0;
    try {
      status = tool_.call(tool_.user, {text.data(), text.size()}, &host);
    } catch (const std::exception& error) {
      return failed(Code::internal, std::string("threw an exception: ") + error.what());
    } catch (...) {
      return failed(Code::internal, "threw an exception");
    }
    if (output.too_large) {
      return failed(Code::limit_exceeded,
                    "wrote more than the limit of " + std::to_string(output.bytes_max) + " bytes");
    }
    if (status != 0) {
      return Error{Code::unavailable,
                   output.bytes.empty() ? spec_.name + " failed without a message"
                                        : to_valid_utf8(output.bytes)};
    }
    auto result = parse_json(output.bytes, "the result of " + spec_.name);
    if (!result) return result.error();
    return result;
  }

 private:
  [[nodiscard]] Error failed(Code code, const std::string& what) const {
    return {code, spec_.name + " " + to_valid_utf8(what)};
  }

  std::shared_ptr<const Library> library_;
  facet_tool tool_;
  ToolSpec spec_;
};

/// Copies what a plugin says about itself, and checks it.
class Describer {
 public:
  Describer(const std::filesystem::path& path, const LoaderLimits& limits)
      : path_(path), limits_(limits) {}

  [[nodiscard]] Error bad(Code code, const std::string& why) const {
    return {code, "plugin " + path_.string() + " " + why};
  }

  Status check_head(const facet_plugin* plugin) const {
    if (plugin == nullptr) return bad(Code::unavailable, "says that it cannot run here");
    if (plugin->magic != FACET_PLUGIN_MAGIC) return bad(Code::invalid_data, "has a wrong magic");
    if (plugin->abi_version != FACET_PLUGIN_ABI_VERSION) {
      return bad(Code::unsupported,
                 "speaks ABI version " + std::to_string(plugin->abi_version) +
                     "; this host speaks " + std::to_string(FACET_PLUGIN_ABI_VERSION));
    }
    if (plugin->struct_size < sizeof(facet_plugin) || plugin->tool_size < sizeof(facet_tool) ||
        plugin->tool_size % alignof(facet_tool) != 0) {
      return bad(Code::invalid_data, "describes itself in structures that are too small");
    }
    if (plugin->tool_count > limits_.tools_max) {
      return bad(Code::limit_exceeded,
                 "has " + std::to_string(plugin->tool_count) + " tools; the limit is " +
                     std::to_string(limits_.tools_max));
    }
    if (plugin->tool_count == 0 || plugin->tools == nullptr) {
      return bad(Code::invalid_data, "has no tools");
    }
    return ok();
  }

  Result<std::string> text(const facet_text& from, const char* what, std::size_t bytes_max) const {
    if (from.data == nullptr && from.size != 0) {
      return bad(Code::invalid_data, std::string("has no text for its ") + what);
    }
    if (from.size > bytes_max) {
      return bad(Code::limit_exceeded,
                 std::string("has ") + std::to_string(from.size) + " bytes of " + what +
                     "; the limit is " + std::to_string(bytes_max));
    }
    std::string out = from.size == 0 ? std::string() : std::string(from.data, from.size);
    if (!is_utf8(out) || out.find('\0') != std::string::npos) {
      return bad(Code::invalid_data, std::string("has a ") + what + " that is not UTF-8 text");
    }
    return out;
  }

  Result<ToolSpec> spec(const facet_tool& tool) const {
    if (tool.struct_size < sizeof(facet_tool) || tool.call == nullptr) {
      return bad(Code::invalid_data, "has a tool whose description is too small");
    }
    ToolSpec out;
    FACET_TRY(out.name, text(tool.name, "tool name", limits_.name_bytes_max));
    FACET_TRY(out.description,
              text(tool.description, "tool description", limits_.description_bytes_max));
    FACET_TRY(out.parameters,
              text(tool.parameters, "tool parameters", limits_.parameters_bytes_max));
    return out;
  }

 private:
  const std::filesystem::path& path_;
  const LoaderLimits& limits_;
};

/// Calls the entry function, which is foreign code.
Result<const facet_plugin*> enter(const Library& library, const Describer& describer) {
  void* address = library.symbol(FACET_PLUGIN_SYMBOL);
  if (address == nullptr) {
    return describer.bad(Code::invalid_data, "does not export " FACET_PLUGIN_SYMBOL);
  }
  facet_plugin_entry entry = nullptr;
  static_assert(sizeof(entry) == sizeof(address));
  std::memcpy(&entry, &address, sizeof(entry));  // The cast that POSIX promises and C++ lacks.
  try {
    return entry();
  } catch (const std::exception& error) {
    return describer.bad(Code::internal, std::string("threw while loading: ") + error.what());
  } catch (...) {
    return describer.bad(Code::internal, "threw while loading");
  }
}

}  // namespace

Result<Plugin> load_plugin(const std::filesystem::path& path, LoaderLimits limits) {
  FACET_TRY(const std::shared_ptr<const Library> library,
            Library::open(path, limits.file_bytes_max));
  const Describer describer(path, limits);
  FACET_TRY(const facet_plugin* const plugin, enter(*library, describer));
  FACET_TRY_STATUS(describer.check_head(plugin));
  Plugin out{.path = path};
  FACET_TRY(out.name, describer.text(plugin->name, "name", limits.name_bytes_max));
  FACET_TRY(out.version, describer.text(plugin->version, "version", limits.version_bytes_max));
  // A registry of its own applies every rule that a tool must keep, the schema included.
  tools::Registry rules;
  for (std::size_t i = 0; i < plugin->tool_count; ++i) {
    facet_tool tool{};
    std::memcpy(&tool,
                reinterpret_cast<const std::byte*>(plugin->tools) + i * plugin->tool_size,
                sizeof(tool));
    FACET_TRY(ToolSpec spec, describer.spec(tool));
    auto wrapped = std::make_shared<const PluginTool>(library, tool, std::move(spec));
    if (const Status added = rules.add(wrapped); !added) {
      return describer.bad(added.error().code, "has a bad tool: " + added.error().message);
    }
    out.tools.push_back(std::move(wrapped));
  }
  return out;
}

Result<PluginFolder> load_plugins(const std::filesystem::path& folder, LoaderLimits limits) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  std::filesystem::directory_iterator entries(folder, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (entries->path().extension() == ".so") files.push_back(entries->path());
  }
  if (error) {
    return Error{Code::not_found,
                 "the plugin folder " + folder.string() + " cannot be read: " + error.message()};
  }
  if (files.size() > limits.plugins_max) {
    return Error{Code::limit_exceeded,
                 "the plugin folder " + folder.string() + " has " + std::to_string(files.size()) +
                     " plugins; the limit is " + std::to_string(limits.plugins_max)};
  }
  std::sort(files.begin(), files.end());
  PluginFolder out;
  for (const std::filesystem::path& file : files) {
    auto plugin = load_plugin(file, limits);
    if (plugin) {
      out.plugins.push_back(*std::move(plugin));
    } else {
      out.failures.push_back(plugin.error());
    }
  }
  return out;
}

}  // namespace facet::plugins
