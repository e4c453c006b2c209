#include "plugins/loader.h"

#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"
#include "tools/executor.h"

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace {

using facet::Code;
using facet::ToolCall;
using facet::plugins::load_plugin;
using facet::plugins::load_plugins;
using facet::plugins::Plugin;
using facet::tools::CallContext;
using facet::tools::CallOutcome;
using facet::tools::Executor;
using facet::tools::Registry;
namespace fs = std::filesystem;

fs::path test_plugin(const std::string& name) {
  return fs::path(FACET_TEST_PLUGINS) / (name + ".so");
}

Plugin loaded(const std::string& name) {
  auto plugin = load_plugin(test_plugin(name));
  if (!plugin) FAIL(plugin.error().message);
  return *std::move(plugin);
}

/// The error of calling the only tool of test plugin `name`.
facet::Error call_error(const std::string& name) {
  const Plugin plugin = loaded(name);
  const auto result = plugin.tools.at(0)->call(nlohmann::ordered_json::object(), CallContext{});
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

CallOutcome run(const Plugin& plugin,
                const std::string& arguments,
                const facet::tools::ExecutorOptions& options) {
  Registry registry;
  REQUIRE(registry.add(plugin.tools.at(0)).has_value());
  const ToolCall call{.id = "", .name = "probe", .arguments = arguments};
  return Executor(options).run(registry, std::span(&call, 1)).at(0);
}

}  // namespace

TEST_CASE("a plugin in C++ and one in C load and answer", "[plugins][unit]") {
  const Plugin good = loaded("good");
  CHECK(good.name == "broken");
  CHECK(good.version == "1");
  REQUIRE(good.tools.size() == 1);
  CHECK(good.tools[0]->spec().name == "probe");
  CHECK(good.tools[0]->effect() == facet::tools::Effect::read_only);
  const auto echoed = good.tools[0]->call({{"a", "\xC3\xBC"}}, {});
  REQUIRE(echoed.has_value());
  CHECK(facet::dump_json(*echoed) == "{\"a\":\"\xC3\xBC\"}");

  const Plugin plain = loaded("plain_c");
  CHECK(plain.tools.at(0)->effect() == facet::tools::Effect::changes_state);
  CHECK(facet::dump_json(*plain.tools[0]->call(nlohmann::ordered_json::object(), {})) ==
        R"({"result":42})");
}

TEST_CASE("a tool keeps its library loaded", "[plugins][unit]") {
  std::shared_ptr<const facet::tools::Tool> tool = loaded("good").tools.at(0);
  const auto echoed = tool->call({{"a", 1}}, {});
  REQUIRE(echoed.has_value());
  CHECK(facet::dump_json(*echoed) == R"({"a":1})");
}

TEST_CASE("plugins that describe themselves wrongly are refused by name", "[plugins][unit]") {
  struct Row {
    const char* name;
    Code code;
    const char* part;
  };
  const Row row = GENERATE(values<Row>({
      {"wrong_abi", Code::unsupported, "speaks ABI version 99; this host speaks 1"},
      {"wrong_magic", Code::invalid_data, "has a wrong magic"},
      {"no_symbol", Code::invalid_data, "does not export facet_plugin_v1"},
      {"small", Code::invalid_data, "structures that are too small"},
      {"no_tools", Code::invalid_data, "has no tools"},
      {"many_tools", Code::limit_exceeded, "18446744073709551615 tools; the limit is 64"},
      {"twice", Code::invalid_argument, "\"probe\" is registered already"},
      {"null", Code::unavailable, "says that it cannot run here"},
      {"throwing_entry", Code::internal, "threw while loading: no licence"},
      {"bad_schema", Code::invalid_argument, "/properties/a/type is not a type"},
      {"bad_name", Code::invalid_argument, "\"has space\" has a name"},
      {"bad_text", Code::invalid_data, "tool description that is not UTF-8"},
      {"long_text", Code::limit_exceeded, "100000 bytes of tool description"},
      {"no_text", Code::invalid_data, "has no text for its tool description"},
      {"no_call", Code::invalid_data, "description is too small"},
  }));
  const auto plugin = load_plugin(test_plugin(row.name));
  REQUIRE_FALSE(plugin.has_value());
  INFO(plugin.error().message);
  CHECK(plugin.error().code == row.code);
  CHECK(plugin.error().message.find(row.part) != std::string::npos);
  CHECK(plugin.error().message.find(std::string(row.name) + ".so") != std::string::npos);
}

TEST_CASE("what a plugin does wrong in a call is an error of the call", "[plugins][unit]") {
  CHECK(call_error("throwing").message == "probe threw an exception: a plugin must not throw");
  CHECK(call_error("throwing_int").message == "probe threw an exception");
  CHECK(call_error("flooding").message == "probe wrote more than the limit of 65536 bytes");
  CHECK(call_error("flooding").code == Code::limit_exceeded);
  CHECK(call_error("not_json").code == Code::invalid_data);
  CHECK(call_error("not_utf8").code == Code::invalid_data);
  CHECK(call_error("failing").message == "the disk is full\xEF\xBF\xBD");
  CHECK(call_error("silent").message == "probe failed without a message");
}

TEST_CASE("an effect that this host does not know is trusted least", "[plugins][unit]") {
  CHECK(loaded("effect").tools.at(0)->effect() == facet::tools::Effect::external);
}

TEST_CASE("a plugin learns of its deadline and may stop", "[plugins][unit]") {
  const auto outcome = run(loaded("cooperative"),
                           "{}",
                           {.tool_timeout = std::chrono::milliseconds(5),
                            .stop_grace = std::chrono::milliseconds(20'000)});
  CHECK(outcome.kind == CallOutcome::Kind::timeout);
  CHECK(outcome.elapsed < std::chrono::milliseconds(20'000));
}

TEST_CASE("a plugin that hangs is abandoned and does not crash when it wakes", "[plugins][unit]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  {
    const auto outcome = run(
        loaded("hanging"),
        "{\"fd\":" + std::to_string(ends[0]) + "}",
        {.tool_timeout = std::chrono::milliseconds(5), .stop_grace = std::chrono::milliseconds(1)});
    CHECK(outcome.kind == CallOutcome::Kind::timeout);
  }
  // Nothing but the abandoned thread owns the library now. It wakes, returns and unloads it.
  REQUIRE(::write(ends[1], "x", 1) == 1);
  const Plugin again = loaded("hanging");
  REQUIRE(::write(ends[1], "x", 1) == 1);
  const auto result = again.tools.at(0)->call({{"fd", ends[0]}}, {});
  REQUIRE(result.has_value());
  CHECK(*result == 1);
  // The end that is read stays open: the abandoned thread may still be inside its read.
  ::close(ends[1]);
}

TEST_CASE("files that are no plugins are refused before any code runs", "[plugins][unit]") {
  const facet::test::TempDir folder;
  const auto code = [&](const fs::path& path, facet::plugins::LoaderLimits limits = {}) {
    const auto plugin = load_plugin(path, limits);
    REQUIRE_FALSE(plugin.has_value());
    INFO(plugin.error().message);
    CHECK(plugin.error().message.find(path.string()) != std::string::npos);
    return plugin.error().code;
  };
  CHECK(code(folder.path() / "none.so") == Code::not_found);
  CHECK(code(folder.path()) == Code::permission_denied);

  std::ofstream(folder.path() / "text.so") << "hello";
  CHECK(code(folder.path() / "text.so") == Code::invalid_data);

  fs::create_symlink(test_plugin("good"), folder.path() / "link.so");
  CHECK(code(folder.path() / "link.so") == Code::permission_denied);

  const fs::path copy = folder.path() / "copy.so";
  fs::copy_file(test_plugin("good"), copy);
  CHECK(code(copy, {.file_bytes_max = 100}) == Code::limit_exceeded);
  fs::permissions(copy, fs::perms::others_write, fs::perm_options::add);
  CHECK(code(copy) == Code::permission_denied);
  fs::permissions(copy, fs::perms::others_write, fs::perm_options::remove);
  CHECK(load_plugin(copy).has_value());

  const fs::path open_folder = folder.path() / "open";
  fs::create_directory(open_folder);
  fs::permissions(open_folder, fs::perms::all);
  fs::copy_file(copy, open_folder / "copy.so");
  CHECK(code(open_folder / "copy.so") == Code::permission_denied);
}

TEST_CASE("truncated libraries are refused at every length", "[plugins][unit]") {
  const facet::test::TempDir folder;
  const fs::path copy = folder.path() / "cut.so";
  fs::copy_file(test_plugin("plain_c"), copy);
  // The segments end before the section headers, which nothing needs at run time.
  for (std::uintmax_t size = 4096; size < 12'000; size += 1024) {
    fs::remove(copy);
    fs::copy_file(test_plugin("plain_c"), copy);
    fs::resize_file(copy, size);
    const auto plugin = load_plugin(copy);
    REQUIRE_FALSE(plugin.has_value());
    CHECK(plugin.error().code == Code::invalid_data);
  }
}

TEST_CASE("a folder gives its good plugins and names the others", "[plugins][unit]") {
  const facet::test::TempDir folder;
  fs::copy_file(test_plugin("good"), folder.path() / "b.so");
  fs::copy_file(test_plugin("plain_c"), folder.path() / "a.so");
  fs::copy_file(test_plugin("wrong_abi"), folder.path() / "c.so");
  std::ofstream(folder.path() / "notes.txt") << "not a plugin";
  const auto found = load_plugins(folder.path());
  REQUIRE(found.has_value());
  REQUIRE(found->plugins.size() == 2);
  CHECK(found->plugins[0].name == "plain_c");
  CHECK(found->plugins[1].name == "broken");
  REQUIRE(found->failures.size() == 1);
  CHECK(found->failures[0].code == Code::unsupported);
  CHECK(load_plugins(folder.path(), {.plugins_max = 2}).error().code == Code::limit_exceeded);
  CHECK(load_plugins(folder.path() / "none").error().code == Code::not_found);
}
