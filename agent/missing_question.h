// The question that a model asks back with, where its calls lack arguments.
#pragma once

#include "base/chat.h"
#include "base/grammar.h"

#include <memory>
#include <string>
#include <vector>

namespace facet::agent {

/// "Please give me the day and the room.": asks for what `calls` lack (tools/missing_arguments.h),
/// in the words that models with the key "facet.copies_arguments" are trained on. Empty where one
/// of the calls lacks nothing, or where there is none.
std::string missing_question(const std::vector<ToolSpec>& tools,
                             const std::vector<ToolCall>& calls);

/// That text alone, for StepOptions::answer; null where it is empty.
std::shared_ptr<const Grammar> question_grammar(const std::vector<ToolSpec>& tools,
                                                const std::vector<ToolCall>& calls);

}  // namespace facet::agent
