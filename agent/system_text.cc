#include "agent/system_text.h"

namespace facet::agent {

std::string_view default_dialect(const engine::Tokenizer& tokenizer) {
  const auto call = tokenizer.find_token("<start_function_call>");
  return call && tokenizer.is_control(*call) ? "functiongemma" : "gemma3-json";
}

std::string system_text(std::string_view dialect,
                        std::string_view instructions,
                        bool has_tools,
                        bool plan_first) {
  std::string text;
  if (dialect == "functiongemma") {
    // This exact sentence is what FunctionGemma was trained to be switched on by.
    text = "You are a model that can do function calling with the following functions";
    if (plan_first && has_tools) text += ". Plan first.";
  }
  if (!instructions.empty()) {
    if (!text.empty()) text += '\n';
    text += instructions;
  }
  return text;
}

}  // namespace facet::agent
