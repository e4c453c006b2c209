// The first plugin of plugins/README.md: it is the code in examples/greet, and it works.
#include "base/json.h"
#include "plugins/loader.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>
#include <string>

namespace {

std::string content(const std::string& path) {
  std::ifstream in(std::string(FACET_SOURCE_DIR) + "/" + path);
  REQUIRE(in.good());
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("the first plugin of the manual is the one that is built", "[plugins][unit]") {
  const std::string manual = content("plugins/README.md");
  std::istringstream code(content("plugins/examples/greet/greet.cc"));
  std::string indented;
  for (std::string line; std::getline(code, line);) {
    indented += (line.empty() ? "" : "   ") + line + "\n";
  }
  CHECK(manual.find(indented) != std::string::npos);
}

TEST_CASE("the first plugin of the manual greets", "[plugins][unit]") {
  const auto plugin = facet::plugins::load_plugin(std::string(FACET_TEST_PLUGINS) + "/greet.so");
  if (!plugin) FAIL(plugin.error().message);
  const auto& tool = *plugin->tools.at(0);
  CHECK(facet::dump_json(*tool.call({{"name", "Ada \"A\""}}, {})) ==
        R"({"greeting":"Hello, Ada \"A\"!"})");
  CHECK(tool.call({{"name", ""}}, {}).error().message == "whom shall I greet?");
}
