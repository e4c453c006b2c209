// Server: GET /healthz, and a websocket at /v1/responses that speaks agent/server/protocol.h.
//
//   FACET_TRY(auto server, Server::listen({.port = 0}, open_session, "model name", clock));
//   server->run(stop);
#pragma once

#include "agent/events.h"
#include "agent/server/protocol.h"
#include "base/clock.h"
#include "base/result.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< A numeric address.
  std::uint16_t port = 8080;       ///< 0: any free one.
  std::size_t connections_max = 64;
  std::size_t message_bytes_max = 1U << 20U;
  std::size_t outgoing_bytes_max = 8U << 20U;  ///< A client that does not read is dropped.
  std::size_t requests_waiting_max = 16;
  std::chrono::seconds handshake_timeout{10};
  std::chrono::seconds idle_timeout{300};
  std::chrono::milliseconds shutdown_timeout{3000};
  std::vector<std::string> origins;  ///< Allowed beside loopback origins.
};

/// One conversation as the server sees it; used by one thread at a time.
class ResponseSession {
 public:
  ResponseSession() = default;
  ResponseSession(const ResponseSession&) = delete;
  ResponseSession& operator=(const ResponseSession&) = delete;
  virtual ~ResponseSession() = default;

  /// Shows `pictures` with the next question. Errors as SessionHost::read_picture gives them.
  virtual Status show(const std::vector<RequestPicture>& pictures) = 0;
  virtual RunResult run(std::string_view question,
                        const EventSink& sink,
                        const std::stop_token& stop) = 0;
  virtual RunResult go_on(const std::vector<ToolOutput>& outputs,
                          const EventSink& sink,
                          const std::stop_token& stop) = 0;
};

/// Opens the session of a first request: its instructions, history, tools and sampling. Called on
/// the worker's thread.
using OpenSession =
    std::function<Result<std::unique_ptr<ResponseSession>>(const CreateRequest& request)>;

/// One I/O thread (the caller of run) and one worker thread for the model. A connection holds one
/// conversation: a request without previous_response_id begins a new one. Closing a connection
/// cancels its request.
class Server {
 public:
  /// invalid_argument for a host that is no address, unavailable when it cannot be bound.
  /// `clock` is borrowed.
  static Result<std::unique_ptr<Server>> listen(const ServerOptions& options,
                                                OpenSession open_session,
                                                std::string model_name,
                                                const Clock& clock);

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  [[nodiscard]] std::uint16_t port() const;

  /// Serves until a stop is asked for; then no connection is accepted, running requests are
  /// cancelled, clients are told "going away", and it returns, after shutdown_timeout at the
  /// latest.
  void run(const std::stop_token& stop);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace facet::agent
