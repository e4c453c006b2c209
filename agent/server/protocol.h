// Protocol: what clients say on the websocket, and what they are told (response_stream.h), in the
// shape of the Responses API. Pure functions; no sockets.
//
// Client: {"type":"response.create","input":"..."} or with a list of items (messages,
//   function_call_output), "instructions", "tools" (run by the client), "max_output_tokens",
//   "temperature", "top_p", "seed", "previous_response_id", "tool_choice" ("auto", "none",
//   "required" or {"type":"function","name":...}: what must be called, must be so in the first
//   output; not given: auto, or SessionOptions::looks_first), "parallel_tool_calls",
//   "max_tool_calls", "text":{"format":{"type":"text"} or
//   {"type":"json_schema","name","schema"}}: the schema of the answer; {"type":"response.cancel"},
//   with "response_id" that one only; an error where it is not in progress.
//   "model" is not looked at: the response names the model that made it. The content of a user's
//   message may hold pictures in front of its text:
//   {"type":"input_image","image_url":"data:image/png;base64,
//   ..."}; "detail" is "auto" or "low" (the whole picture) or "high" (pan-and-scan crops too).
//   Nothing is fetched: an image_url of another kind is refused.
// Server: response.created, response.output_item.added, response.output_text.delta,
//   response.output_text.done, response.function_call_arguments.delta and .done,
//   response.output_item.done, response.completed or response.incomplete, error; and, for what only
//   Facet has, facet.plan, facet.tool_result and facet.warning. Every event carries
//   "sequence_number", counted from 0 in each response. A function_call item is added when its name
//   is certain, its arguments are done when the call is whole, and it is done, "completed", when
//   the model's turn is whole: then it counts. In a turn that was cut off or cannot be read it is
//   done as "incomplete". "runs_on" says who answers the call, "server" or "client".
#pragma once

#include "base/chat.h"
#include "base/result.h"
#include "prompts/dialect.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace facet::agent {

struct FunctionCallOutput {
  std::string call_id;
  std::string output;
};

/// Bounds on the pictures of one request; more is limit_exceeded.
inline constexpr std::size_t kPicturesMax = 8;
inline constexpr std::size_t kPictureBytesMax = 8U << 20U;  ///< Each, decoded.

/// A picture of a message: the bytes of a JPEG, PNG or WebP file, not yet looked at.
struct RequestPicture {
  std::string bytes;
  bool pan_and_scan = false;
};

struct CreateRequest {
  std::vector<Message> messages;            ///< User and assistant messages, in order.
  std::vector<RequestPicture> pictures;     ///< Of the messages, in order: Message::images of each.
  std::vector<FunctionCallOutput> outputs;  ///< Results of client tools.
  std::string instructions;
  std::vector<ToolSpec> tools;
  std::string previous_response_id;
  std::optional<std::int64_t> max_output_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::uint64_t> seed;
  std::optional<prompts::ToolChoice> tool_choice;
  std::optional<bool> parallel_tool_calls;
  std::optional<std::int64_t> max_tool_calls;
  std::string answer_schema;  ///< JSON text; empty: the answer is free.
};

struct CancelRequest {
  std::string response_id;  ///< Empty: whichever is in progress.
};

using ClientMessage = std::variant<CreateRequest, CancelRequest>;

/// invalid_argument or invalid_data naming the field for text that is not JSON, an unknown type or
/// field, a wrong type or an out-of-range value.
Result<ClientMessage> parse_client_message(std::string_view text);

/// A conversation keeps what it was begun with. invalid_argument, naming the field, when `next`, a
/// request with previous_response_id, asks for something else than `first`, or brings more than one
/// message: it would be ignored.
Status check_follows(const CreateRequest& first, const CreateRequest& next);

}  // namespace facet::agent
