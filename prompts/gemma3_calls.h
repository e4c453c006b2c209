// How Gemma 3's three documented calling styles show tools, calls and results. None has tokens of
// its own: all of it is text of ordinary turns, so a hostile tool result can imitate the fences; it
// cannot leave its turn. The words are those of Google's documentation.
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "prompts/segment_writer.h"
#include "prompts/text_call_parser.h"
#include "prompts/tool_message.h"

#include <vector>

namespace facet::prompts {

/// The instructions and the tools, with what separates them from the user's words behind.
///  - python_list, json: the form of a call, then the declarations as a JSON list;
///  - tool_code: Python signatures with docstrings. Parameters with a default or not required come
///    last, as Python asks; a description of a parameter goes into an "Args:" section.
/// invalid_argument naming the tool whose parameters are not a JSON object or whose name the parser
/// of the style could not read back ("2fa", "print").
Status write_tools(CallStyle style, const std::vector<ToolSpec>& tools, SegmentWriter& out);

/// The calls as the model is asked to write them. Parameters that are no Python names are passed as
/// `**{"name": value}`. invalid_data naming the call whose arguments are not a JSON object.
Status write_calls(CallStyle style, const std::vector<ToolCall>& calls, SegmentWriter& out);

/// The results as the next user turn says them.
///  - tool_code: one ```tool_output fence per result around its text (a string as it is, any other
///    value as a Python literal), as documented by Google;
///  - python_list, json: no form is documented; one such fence with one line
///    {"name": "f", "response": ...} per result.
/// REQUIRES: JSON text in each response.
Status write_responses(CallStyle style,
                       const std::vector<ToolResponse>& responses,
                       SegmentWriter& out);

}  // namespace facet::prompts
