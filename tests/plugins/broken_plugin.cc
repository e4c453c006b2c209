// One plugin per compile definition, each wrong in one way. See CMakeLists.txt.
#include "facet_plugin.h"

#include <cstring>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace {

facet_text text(const char* from) {
  return {from, std::strlen(from)};
}

/// What the tool of this plugin does; the throwing ones break the rules of the interface.
int call(void*, facet_text arguments, const facet_call* call) {
#if defined(FACET_TEST_THROWING)
  throw std::runtime_error("a plugin must not throw");
#elif defined(FACET_TEST_THROWING_INT)
  throw 7;
#elif defined(FACET_TEST_FLOODING)
  const std::string piece(1000, 'x');
  while (call->write(call->host, piece.data(), piece.size()) == 0) {
  }
  return 0;
#elif defined(FACET_TEST_NOT_JSON)
  return call->write(call->host, "{\"a\":", 5);
#elif defined(FACET_TEST_NOT_UTF8)
  return call->write(call->host, "\"\xFF\"", 3);
#elif defined(FACET_TEST_FAILING)
  call->write(call->host, "the disk is full\xFF", 17);
  return 3;
#elif defined(FACET_TEST_SILENT)
  return 1;
#elif defined(FACET_TEST_HANGING)
  // Blocks in the kernel until the test writes to the pipe whose number is the argument "fd".
  const std::string all(arguments.data, arguments.size);
  char byte = 0;
  const auto got = ::read(std::stoi(all.substr(all.find(':') + 1)), &byte, 1);
  return call->write(call->host, got == 1 ? "1" : "0", 1);
#elif defined(FACET_TEST_COOPERATIVE)
  while (call->cancelled(call->host) == 0) {
  }
  return call->write(call->host, "1", 1);
#else
  return call->write(call->host, arguments.data, arguments.size);
#endif
}

facet_tool make_tool() {
  facet_tool tool{};
  tool.struct_size = sizeof(facet_tool);
  tool.name = text("probe");
  tool.description = text("Probes the host.");
  tool.parameters = text(R"({"type":"object"})");
  tool.call = call;
#if defined(FACET_TEST_BAD_SCHEMA)
  tool.parameters = text(R"({"type":"object","properties":{"a":{"type":"strnig"}}})");
#elif defined(FACET_TEST_BAD_NAME)
  tool.name = text("has space");
#elif defined(FACET_TEST_BAD_TEXT)
  tool.description = text("\xC3(");
#elif defined(FACET_TEST_LONG_TEXT)
  static const std::string description(100'000, 'x');
  tool.description = text(description.c_str());
#elif defined(FACET_TEST_NO_TEXT)
  tool.description = {nullptr, 10};
#elif defined(FACET_TEST_NO_CALL)
  tool.call = nullptr;
#elif defined(FACET_TEST_EFFECT)
  tool.effect = 77;
#endif
  return tool;
}

}  // namespace

#if !defined(FACET_TEST_NO_SYMBOL)
extern "C" FACET_PLUGIN_EXPORT const facet_plugin* facet_plugin_v1(void) {
  static const facet_tool tools[2] = {make_tool(), make_tool()};
  static facet_plugin plugin{};
  plugin.magic = FACET_PLUGIN_MAGIC;
  plugin.abi_version = FACET_PLUGIN_ABI_VERSION;
  plugin.struct_size = sizeof(facet_plugin);
  plugin.name = text("broken");
  plugin.version = text("1");
  plugin.tool_count = 1;
  plugin.tool_size = sizeof(facet_tool);
  plugin.tools = tools;
#if defined(FACET_TEST_WRONG_ABI)
  plugin.abi_version = 99;
#elif defined(FACET_TEST_WRONG_MAGIC)
  plugin.magic = 1;
#elif defined(FACET_TEST_SMALL)
  plugin.struct_size = 8;
#elif defined(FACET_TEST_NO_TOOLS)
  plugin.tool_count = 0;
#elif defined(FACET_TEST_MANY_TOOLS)
  plugin.tool_count = static_cast<size_t>(-1);
#elif defined(FACET_TEST_TWICE)
  plugin.tool_count = 2;
#elif defined(FACET_TEST_NULL)
  return nullptr;
#elif defined(FACET_TEST_THROWING_ENTRY)
  throw std::runtime_error("no licence");
#endif
  return &plugin;
}
#endif
