// ResponseStream: the events of one run as the events of one response (protocol.h).
#pragma once

#include "agent/events.h"
#include "base/chat.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// {"type":"error","code","message","sequence_number"}: also for what happens outside a response.
std::string error_event(const Error& error, std::int64_t sequence_number);

/// A small state machine; no sockets. Not thread-safe.
class ResponseStream {
 public:
  using Send = std::function<void(std::string text)>;

  /// `created_at` is in seconds since 1970; `client_tools` names the tools the client runs.
  ResponseStream(std::string response_id,
                 std::string model,
                 std::int64_t created_at,
                 std::vector<std::string> client_tools,
                 Send send);

  /// Sends response.created.
  void begin();
  void handle(const Event& event);
  /// Ends a response that never became a run.
  void fail(const Error& error);

 private:
  /// A function_call item that is not done.
  struct OpenCall {
    ToolCall call;  ///< Arguments as far as they have been sent.
    std::size_t index = 0;
    bool has_all_arguments = false;
  };

  void send(nlohmann::ordered_json event);
  std::size_t add_item();
  void finish_item(std::size_t index, const nlohmann::ordered_json& item);
  void add_text(std::string_view delta);
  void close_text();
  OpenCall& open_call(const std::string& id, const std::string& name);
  void add_arguments(OpenCall& open, std::string_view delta);
  void close_arguments(OpenCall& open, const std::string& arguments);
  void finish_call(const ToolCall& call);
  void abandon_calls();
  [[nodiscard]] nlohmann::ordered_json call_item(const OpenCall& open,
                                                 std::string_view status) const;
  [[nodiscard]] std::string_view runs_on(std::string_view tool) const;
  void finish(const RunResult& result);
  [[nodiscard]] nlohmann::ordered_json response_json(std::string_view status) const;

  std::string id_;
  std::string model_;
  std::int64_t created_at_;
  std::vector<std::string> client_tools_;
  Send send_;
  std::vector<std::string> items_;  ///< By output_index: JSON text; empty while it is not done.
  std::string text_;                ///< Of the message item that is open.
  std::optional<std::size_t> text_index_;
  std::vector<OpenCall> open_calls_;
  std::int64_t sequence_ = 0;
};

/// "resp_" and 16 random hexadecimal digits.
std::string new_response_id();

}  // namespace facet::agent
