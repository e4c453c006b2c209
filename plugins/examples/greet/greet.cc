#include "facet_plugin.hpp"

namespace fp = facet_plugin_cpp;

static std::string greet(const fp::Arguments& arguments, const fp::Call&) {
  if (arguments.text("name").empty()) throw std::invalid_argument("whom shall I greet?");
  return R"({"greeting":)" + fp::json_text("Hello, " + arguments.text("name") + "!") + "}";
}

FACET_PLUGIN("greetings",
             "1.0",
             {"greet",
              "Greets a person.",
              R"({"type":"object","properties":{"name":{"type":"string"}},"required":["name"]})",
              greet})
