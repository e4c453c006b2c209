// The JSON forms of a conversation and of parsed output, as the command line reads and writes them.
//
//   {"messages": [...], "tools": [...], "add_generation_prompt": true}
//
// Messages are OpenAI's: role system, developer, user, assistant (or model), tool; content a
// string, null, or a list of {"type":"text","text":..} and {"type":"image"} parts, images first;
// assistant tool_calls [{"id","type","function":{"name","arguments"}}] or [{"name","arguments"}],
// arguments an object or the JSON text of one. A tool message's content is a string, an object or a
// list of objects; without a name it takes the name of the call that its tool_call_id answers.
// Tools are {"type":"function","function":{"name","description","parameters"}} or the inner object
// alone. A field that is not listed here is an error.
#pragma once

#include "base/result.h"
#include "prompts/dialect.h"

#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// invalid_data when `json` is not JSON, limit_exceeded beyond 16 MiB or a nesting of 64,
/// invalid_argument naming the field by JSON pointer for everything else.
Result<RenderInput> read_render_input(std::string_view json);

/// A list of tools alone, or {"tools": [...]}. Errors as read_render_input.
Result<std::vector<ToolSpec>> read_tools(std::string_view json);

/// {"text":"...","tool_calls":[{"name":...,"arguments":{...}}]}. REQUIRES: the arguments are JSON
/// text, as parsers give them.
std::string write_parsed_output(const ParsedOutput& output);

}  // namespace facet::prompts
