// What the dialects ask of messages alike; above all the forms of a tool's result, read into one.
#pragma once

#include "base/chat.h"
#include "base/json.h"
#include "base/result.h"

#include <cstddef>
#include <string>
#include <vector>

namespace facet::prompts {

/// Tools may answer as deep as parse_json reads; a list of mappings stands around that.
inline constexpr JsonLimits kResponseLimits{.nesting_depth_max =
                                                JsonLimits{}.nesting_depth_max + 2};

struct ToolResponse {
  std::string name;
  std::string response;  ///< JSON text of any value.
};

/// Reads message `index` of role tool. Accepted: a text; one mapping with `name` and `response`;
/// any other mapping, or a scalar, with the name in the message; a list of mappings.
/// invalid_argument naming the message for anything else, and where a name is missing.
Result<std::vector<ToolResponse>> read_tool_message(const Message& message, std::size_t index);

/// The responses of outputs[i] to calls[i]. invalid_argument when their numbers differ or there are
/// none; invalid_data when an output is not JSON.
Result<std::vector<ToolResponse>> pair_tool_outputs(const std::vector<ToolCall>& calls,
                                                    const std::vector<ToolOutput>& outputs);

/// A system or developer message in front of a conversation holds text only. invalid_argument
/// otherwise.
Status check_system_message(const Message& message);

/// invalid_argument "message <index>: <rule>".
Error bad_message(std::size_t index, const std::string& rule);

}  // namespace facet::prompts
