// What a model is spoken to in: its dialect, and the system text that a conversation begins with.
#pragma once

#include "engine/tokenizer/tokenizer.h"

#include <string>
#include <string_view>

namespace facet::agent {

/// The dialect of a model by its vocabulary: "functiongemma" when <start_function_call> is a
/// control token of it, else "gemma3-json".
std::string_view default_dialect(const engine::Tokenizer& tokenizer);

/// The system text that switches `dialect` to calling tools, `instructions` behind it. The planning
/// form asks for a first line "Plan: tool, tool.".
std::string system_text(std::string_view dialect,
                        std::string_view instructions,
                        bool has_tools,
                        bool plan_first);

}  // namespace facet::agent
