// Connection: one client, from the first byte of its request to the end of its websocket. Lives on
// the I/O thread; only its Dialogue is touched by the worker.
#pragma once

#include "agent/server/http_gate.h"
#include "agent/server/server.h"
#include "agent/server/worker.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <deque>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace facet::agent {

/// What all connections of a server share; outlives them.
struct ServerContext {
  ServerOptions options;
  GateOptions gate;
  OpenSession open_session;
  std::string model_name;
  const Clock* clock = nullptr;
  boost::asio::io_context* io = nullptr;
  Worker* worker = nullptr;
};

/// The conversation behind a connection. The worker owns it while a request runs; requests of one
/// connection never overlap.
struct Dialogue {
  std::unique_ptr<ResponseSession> session;
  CreateRequest first_request;  ///< What the session was opened with, without its messages.
  std::string last_response_id;
  std::vector<ToolCall> client_calls;  ///< What the last response waits for.
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, const ServerContext& context);

  /// Serves the client to the end. Every error ends the connection, none leaves this function.
  boost::asio::awaitable<void> serve();

  enum class ShutDown { going_away, internal_error };
  /// Tells the client why the connection ends, and cancels its request.
  void shut_down(ShutDown why);

 private:
  [[nodiscard]] std::string answer(const Result<RequestHead>& head) const;
  boost::asio::awaitable<void> converse(RequestHead head);
  void on_message(std::string_view text);
  void on_cancel(const CancelRequest& cancel);
  void start(CreateRequest request);
  void send(std::string text);
  void write_next();
  void close(boost::beast::websocket::close_code code);

  const ServerContext& context_;
  boost::beast::websocket::stream<boost::beast::tcp_stream> stream_;
  std::shared_ptr<Dialogue> dialogue_ = std::make_shared<Dialogue>();
  std::stop_source stop_;  ///< Of the request that runs.
  bool is_busy_ = false;
  std::string response_id_;  ///< Of the newest request.
  bool is_open_ = false;     ///< The websocket is.
  bool is_writing_ = false;
  bool is_closing_ = false;
  boost::beast::websocket::close_code close_code_ = boost::beast::websocket::close_code::normal;
  std::deque<std::string> outgoing_;
  std::size_t outgoing_bytes_ = 0;
};

}  // namespace facet::agent
