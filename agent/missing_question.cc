#include "agent/missing_question.h"

#include "tools/missing_arguments.h"

#include <algorithm>

namespace facet::agent {

std::string missing_question(const std::vector<ToolSpec>& tools,
                             const std::vector<ToolCall>& calls) {
  std::vector<std::string> names;
  for (const ToolCall& call : calls) {
    const auto tool = std::find_if(
        tools.begin(), tools.end(), [&](const ToolSpec& known) { return known.name == call.name; });
    if (tool == tools.end()) return "";
    const auto missing = tools::missing_arguments(*tool, call.arguments);
    if (missing.empty()) return "";
    for (const std::string& name : missing) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  if (names.empty()) return "";
  std::string text = "Please give me the " + names.front();
  for (std::size_t i = 1; i < names.size(); ++i) text += " and the " + names[i];
  return text + ".";
}

std::shared_ptr<const Grammar> question_grammar(const std::vector<ToolSpec>& tools,
                                                const std::vector<ToolCall>& calls) {
  const std::string text = missing_question(tools, calls);
  if (text.empty()) return nullptr;
  auto out = std::make_shared<Grammar>();
  out->set_root(out->literal(text));
  return out;
}

}  // namespace facet::agent
