// The shared vocabulary of a conversation: what users, models and tools say to each other, before
// any dialect turns it into tokens. Plain values; copy freely; thread-compatible.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace facet {

enum class Role { system, developer, user, assistant, tool };

/// "system", "developer", "user", "assistant", "tool".
std::string_view role_name(Role role);
Result<Role> role_from_name(std::string_view name);

/// One call the model makes. `arguments` is the text of one JSON object, keys in emitted order.
struct ToolCall {
  std::string id;  ///< Unique in the run; empty where the source has none.
  std::string name;
  std::string arguments = "{}";

  bool operator==(const ToolCall&) const = default;
};

/// What a tool gave back. `content` is JSON text (an object, or any JSON value); a failing tool is
/// data for the model: is_error is set and content is {"error": "..."}.
struct ToolOutput {
  std::string content = "{}";
  bool is_error = false;

  bool operator==(const ToolOutput&) const = default;
};

/// The declaration of a tool as the model sees it. `parameters` is the text of a JSON Schema
/// 2020-12 object schema.
struct ToolSpec {
  std::string name;
  std::string description;
  std::string parameters = R"({"type":"object","properties":{}})";

  bool operator==(const ToolSpec&) const = default;
};

/// One message. Which fields matter depends on the role: assistant messages may carry tool_calls,
/// tool messages carry name, tool_call_id and content (JSON text when content_is_json).
struct Message {
  Role role = Role::user;
  std::string content;
  std::vector<ToolCall> tool_calls;
  std::string name;
  std::string tool_call_id;
  bool content_is_json = false;
  int images = 0;  ///< Image markers in front of the text of this message.

  bool operator==(const Message&) const = default;
};

/// A run of prompt text. Only text of kind `control` may become control tokens; `data` is
/// somebody's words (user, tool, document) and stays letters, whatever it contains.
struct Segment {
  enum class Kind { control, data };
  Kind kind = Kind::data;
  std::string text;

  bool operator==(const Segment&) const = default;
};

/// The concatenated text of `segments`: what a person reads; not for tokenizing.
std::string plain_text(const std::vector<Segment>& segments);

}  // namespace facet
