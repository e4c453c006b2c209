#include "agent/loop_breaker.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

namespace facet::agent {

int LoopBreaker::count(const ToolCall& call) {
  std::string key = call.name + '\n';
  if (const auto arguments = parse_json(call.arguments, "arguments")) {
    // nlohmann::json, unlike ordered_json, sorts the keys of objects, at every depth.
    const nlohmann::json sorted = *arguments;
    key += sorted.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  } else {
    key += call.arguments;
  }
  return ++counts_[key];
}

}  // namespace facet::agent
