// Calls written as text: Python call expressions and JSON objects, as Gemma 3 writes them.
#pragma once

#include "base/chat.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::prompts {

/// Reads `[f(a=1), g.h()]`, or calls one after the other on lines of their own; `print(f(a=1))` is
/// f's call. Arguments are by name (`a=1` or `**{"a": 1}`), values Python literals: strings of
/// every quoting but raw, bytes and f-strings, numbers, True, False, None (also JSON's spelling),
/// lists, tuples and dicts with string keys. A missing last bracket of the list is tolerated.
/// invalid_data with the offset for everything else; nesting is capped at 64.
Result<std::vector<ToolCall>> read_python_calls(std::string_view text);

/// Reads {"name": .., "parameters": {..}} (or "arguments"), or a list of such objects. Empty when
/// `text` is JSON but not of that shape, or is no JSON and does not look like a call; invalid_data
/// when it looks like one and cannot be read.
Result<std::optional<std::vector<ToolCall>>> read_json_calls(std::string_view text);

/// A number, True, False or None as JSON; nullopt for what is no value.
std::optional<std::string> python_scalar_json(std::string_view word);

/// Would read_python_calls take `name` for the name of a function or a parameter?
bool is_python_name(std::string_view name);

}  // namespace facet::prompts
