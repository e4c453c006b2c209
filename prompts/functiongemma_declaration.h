// How FunctionGemma's template declares a tool. Not every JSON Schema keyword has a place there:
// of numbers, integers and booleans it shows description and type only.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "prompts/segment_writer.h"

#include <string_view>

namespace facet::prompts {

/// The template leaves out properties with these names (they are keywords of its own): a tool must
/// name its parameters otherwise.
[[nodiscard]] bool is_reserved_property(std::string_view name);

/// Writes `<start_function_declaration>declaration:name{...}<end_function_declaration>`.
/// invalid_argument naming the tool when its parameters are not a JSON object.
Status write_declaration(const ToolSpec& tool, SegmentWriter& out);

}  // namespace facet::prompts
