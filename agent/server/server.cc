#include "agent/server/server.h"

#include "agent/server/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <list>
#include <utility>

namespace facet::agent {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kUseTuple = asio::as_tuple(asio::use_awaitable);
/// How long accepting pauses when the system has no descriptor left.
constexpr std::chrono::milliseconds kAcceptPause{50};

}  // namespace

struct Server::State {
  State(const ServerOptions& options,
        OpenSession open_session,
        std::string model_name,
        const Clock& clock)
      : acceptor(io), shutdown_timer(io) {
    context.options = options;
    context.gate.origins = options.origins;
    context.open_session = std::move(open_session);
    context.model_name = std::move(model_name);
    context.clock = &clock;
    context.io = &io;
  }

  asio::awaitable<void> accept_connections();
  void serve(tcp::socket socket);
  void shut_down();

  asio::io_context io{1};
  tcp::acceptor acceptor;
  asio::steady_timer shutdown_timer;
  ServerContext context;
  std::list<std::weak_ptr<Connection>> connections;
};

asio::awaitable<void> Server::State::accept_connections() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kUseTuple);
    if (!acceptor.is_open()) co_return;
    if (error) {
      // Out of descriptors, or a client that left before it was accepted: later ones must get in.
      asio::steady_timer pause(io, kAcceptPause);
      co_await pause.async_wait(kUseTuple);
      continue;
    }
    connections.remove_if([](const auto& connection) { return connection.expired(); });
    if (connections.size() >= context.options.connections_max) continue;  // Closes the socket.
    serve(std::move(socket));
  }
}

void Server::State::serve(tcp::socket socket) {
  auto connection = std::make_shared<Connection>(std::move(socket), context);
  connections.push_back(connection);
  // An exception of a library ends its connection; the server goes on.
  asio::co_spawn(io, connection->serve(), [connection](const std::exception_ptr& exception) {
    if (exception) connection->shut_down(Connection::ShutDown::internal_error);
  });
}

void Server::State::shut_down() {
  boost::system::error_code ignored;  // Closing is all that can be done with it.
  acceptor.close(ignored);
  bool has_connections = false;
  for (const auto& weak : connections) {
    if (const auto connection = weak.lock()) {
      connection->shut_down(Connection::ShutDown::going_away);
      has_connections = true;
    }
  }
  if (!has_connections) return;
  shutdown_timer.expires_after(context.options.shutdown_timeout);
  shutdown_timer.async_wait([this](boost::system::error_code error) {
    if (!error) io.stop();
  });
}

Result<std::unique_ptr<Server>> Server::listen(const ServerOptions& options,
                                               OpenSession open_session,
                                               std::string model_name,
                                               const Clock& clock) {
  auto state =
      std::make_unique<State>(options, std::move(open_session), std::move(model_name), clock);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (error) {
    return Error{Code::invalid_argument, "host \"" + options.host + "\" is not a numeric address"};
  }
  state->context.gate.is_loopback = address.is_loopback();
  const tcp::endpoint endpoint(address, options.port);
  state->acceptor.open(endpoint.protocol(), error);
  if (!error) state->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) state->acceptor.bind(endpoint, error);
  if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return Error{Code::unavailable,
                 "cannot listen on " + options.host + ":" + std::to_string(options.port) + ": " +
                     error.message()};
  }
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() = default;

std::uint16_t Server::port() const {
  return state_->acceptor.local_endpoint().port();
}

void Server::run(const std::stop_token& stop) {
  State& state = *state_;
  {
    Worker worker(state.context.options.requests_waiting_max);
    state.context.worker = &worker;
    asio::co_spawn(state.io, state.accept_connections(), [](const std::exception_ptr&) {});
    const std::stop_callback on_stop(
        stop, [&state] { asio::post(state.io, [&state] { state.shut_down(); }); });
    state.io.run();
    // The timer may have ended the loop before clients answered: their requests are stopped, so the
    // worker's destructor does not wait long.
  }
  state.context.worker = nullptr;
}

}  // namespace facet::agent
