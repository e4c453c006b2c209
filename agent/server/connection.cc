#include "agent/server/connection.h"

#include "agent/server/response_stream.h"
#include "base/json.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/beast/websocket.hpp>
#include <nlohmann/json.hpp>

#include <utility>

namespace facet::agent {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

constexpr auto kUseTuple = asio::as_tuple(asio::use_awaitable);

constexpr std::string_view kEndOfHeader = "\r\n\r\n";

/// True for an upgrade at the right place; its details are checked by Beast.
bool is_websocket_request(const RequestHead& head) {
  const std::string_view upgrade = head.find("upgrade");
  return head.target == "/v1/responses" && head.method == "GET" &&
         beast::iequals({upgrade.data(), upgrade.size()}, "websocket");
}

/// A complete response; the connection ends after it.
std::string http_answer(std::string_view status, const std::string& body) {
  return "HTTP/1.1 " + std::string(status) +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
         "\r\nConnection: close\r\n\r\n" +
         body;
}

/// Makes `dialogue` ready for `request`: the one it goes on with, or a new one.
Status prepare(const ServerContext& context, const CreateRequest& request, Dialogue& dialogue) {
  if (!request.previous_response_id.empty()) {
    if (!dialogue.session || request.previous_response_id != dialogue.last_response_id) {
      return Error{Code::not_found,
                   "previous_response_id \"" + request.previous_response_id +
                       "\" is not the last response here"};
    }
    FACET_TRY_STATUS(check_follows(dialogue.first_request, request));
    return request.pictures.empty() ? ok() : dialogue.session->show(request.pictures);
  }
  dialogue = Dialogue{};
  if (!request.outputs.empty()) {
    return Error{Code::invalid_argument, "function_call_output needs a previous_response_id"};
  }
  FACET_TRY(dialogue.session, context.open_session(request));
  dialogue.first_request = request;
  dialogue.first_request.messages.clear();  // The session holds them.
  dialogue.first_request.pictures.clear();
  return ok();
}

/// One request, run on the worker's thread. The end of the run is in the result: RunFinished does
/// not go to `stream`, because whoever reads the last event may ask again at once.
Result<RunResult> run_request(const ServerContext& context,
                              const CreateRequest& request,
                              Dialogue& dialogue,
                              ResponseStream& stream,
                              const std::string& response_id,
                              const std::stop_token& stop) {
  FACET_TRY_STATUS(prepare(context, request, dialogue));
  std::vector<ToolOutput> outputs;
  for (const ToolCall& call : dialogue.client_calls) {
    for (const FunctionCallOutput& output : request.outputs) {
      if (output.call_id != call.id) continue;
      // A client may send JSON or plain text; the model is given JSON either way.
      const bool is_json = parse_json(output.output, "output").has_value();
      outputs.push_back({is_json ? output.output : json_quote(output.output), false});
      break;
    }
  }
  if (outputs.size() != dialogue.client_calls.size() || outputs.size() != request.outputs.size()) {
    return Error{Code::invalid_argument,
                 "the last response waits for " + std::to_string(dialogue.client_calls.size()) +
                     " function_call_output items, by call_id"};
  }
  const EventSink sink = [&](const Event& event) {
    if (!std::holds_alternative<RunFinished>(event)) stream.handle(event);
  };
  RunResult result = outputs.empty()
                         ? dialogue.session->run(request.messages.back().content, sink, stop)
                         : dialogue.session->go_on(outputs, sink, stop);
  dialogue.last_response_id = response_id;
  dialogue.client_calls = result.client_calls;
  return result;
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, const ServerContext& context)
    : context_(context), stream_(std::move(socket)) {}

asio::awaitable<void> Connection::serve() {
  const auto self = shared_from_this();
  auto& transport = beast::get_lowest_layer(stream_);
  transport.expires_after(context_.options.handshake_timeout);
  std::string bytes;
  const auto [error, size] = co_await asio::async_read_until(
      transport, asio::dynamic_buffer(bytes, kHeaderBytesMax), kEndOfHeader, kUseTuple);
  // Too large a header is answered; a client that went away or was too slow is not.
  if (error && error != asio::error::not_found) co_return;
  auto head = check_request(bytes, context_.gate);
  if (head && is_websocket_request(*head)) {
    co_await converse(*std::move(head));
    co_return;
  }
  const std::string text = answer(head);
  co_await asio::async_write(transport, asio::buffer(text), kUseTuple);
  beast::error_code ignored;  // The answer is out; what happens to the socket now does not matter.
  transport.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

std::string Connection::answer(const Result<RequestHead>& head) const {
  if (!head) {
    const bool is_forbidden = head.error().code == Code::permission_denied;
    return http_answer(is_forbidden ? "403 Forbidden" : "400 Bad Request",
                       dump_json({{"error", error_json(head.error())}}));
  }
  if (head->target == "/v1/responses") return http_answer("426 Upgrade Required", "");
  if (head->target != "/healthz") return http_answer("404 Not Found", "");
  if (head->method != "GET") return http_answer("405 Method Not Allowed", "");
  return http_answer("200 OK", dump_json({{"status", "ok"}, {"model", context_.model_name}}));
}

asio::awaitable<void> Connection::converse(RequestHead head) {
  beast::http::request<beast::http::empty_body> request{beast::http::verb::get, head.target, 11};
  for (const HeaderField& field : head.fields) request.insert(field.name, field.value);
  beast::get_lowest_layer(stream_).expires_never();
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = context_.options.handshake_timeout;
  timeout.idle_timeout = context_.options.idle_timeout;
  timeout.keep_alive_pings = true;
  stream_.set_option(timeout);
  stream_.read_message_max(context_.options.message_bytes_max);
  const auto [accept_error] = co_await stream_.async_accept(request, kUseTuple);
  if (accept_error) co_return;
  is_open_ = true;
  stream_.text(true);
  beast::flat_buffer buffer;
  while (true) {
    const auto [error, size] = co_await stream_.async_read(buffer, kUseTuple);
    if (error) break;
    if (!stream_.got_text()) {
      close(websocket::close_code::unknown_data);
    } else {
      on_message(beast::buffers_to_string(buffer.data()));
    }
    buffer.consume(buffer.size());
  }
  is_open_ = false;
  stop_.request_stop();
}

void Connection::on_message(std::string_view text) {
  if (is_closing_) return;
  auto message = parse_client_message(text);
  if (!message) return send(error_event(message.error(), 0));
  if (const auto* cancel = std::get_if<CancelRequest>(&*message)) return on_cancel(*cancel);
  if (is_busy_) {
    return send(error_event(
        Error{Code::unavailable, "a response is in progress; cancel it or wait for its end"}, 0));
  }
  start(std::get<CreateRequest>(*std::move(message)));
}

void Connection::on_cancel(const CancelRequest& cancel) {
  if (is_busy_ && (cancel.response_id.empty() || cancel.response_id == response_id_)) {
    stop_.request_stop();
    return;
  }
  const std::string what = cancel.response_id.empty()
                               ? "no response is in progress"
                               : "response '" + cancel.response_id + "' is not in progress";
  send(error_event(Error{Code::not_found, what}, 0));
}

void Connection::start(CreateRequest request) {
  is_busy_ = true;
  response_id_ = new_response_id();
  stop_ = std::stop_source();
  // The job keeps what it needs alive: the connection may be gone before it ends.
  auto job = [self = shared_from_this(),
              dialogue = dialogue_,
              stop = stop_.get_token(),
              id = response_id_,
              request = std::move(request)] {
    const ServerContext& context = self->context_;
    std::vector<std::string> client_tools;
    for (const ToolSpec& tool : request.tools) client_tools.push_back(tool.name);
    ResponseStream stream(id,
                          context.model_name,
                          context.clock->unix_ms() / 1000,
                          std::move(client_tools),
                          [&](std::string text) {
                            asio::post(*context.io, [self, text = std::move(text)]() mutable {
                              self->send(std::move(text));
                            });
                          });
    stream.begin();
    const auto result = run_request(context, request, *dialogue, stream, id, stop);
    // Free before the last event is out: posts run in order.
    asio::post(*context.io, [self] { self->is_busy_ = false; });
    if (result) {
      stream.handle(RunFinished{*result});
    } else {
      stream.fail(result.error());
    }
  };
  if (const Status submitted = context_.worker->submit(std::move(job)); !submitted) {
    is_busy_ = false;
    send(error_event(submitted.error(), 0));
  }
}

void Connection::send(std::string text) {
  if (!is_open_ || is_closing_) return;
  outgoing_bytes_ += text.size();
  outgoing_.push_back(std::move(text));
  if (outgoing_bytes_ > context_.options.outgoing_bytes_max) {
    // The client does not read: a close frame would wait behind what it does not take.
    stop_.request_stop();
    is_open_ = false;
    beast::get_lowest_layer(stream_).close();
    return;
  }
  if (!is_writing_) write_next();
}

void Connection::write_next() {
  is_writing_ = true;
  stream_.async_write(asio::buffer(outgoing_.front()),
                      [self = shared_from_this()](beast::error_code error, std::size_t) {
                        self->is_writing_ = false;
                        self->outgoing_bytes_ -= self->outgoing_.front().size();
                        self->outgoing_.pop_front();
                        if (error) return;
                        if (!self->outgoing_.empty()) return self->write_next();
                        if (self->is_closing_) self->close(self->close_code_);
                      });
}

void Connection::close(websocket::close_code code) {
  is_closing_ = true;
  close_code_ = code;
  if (!is_open_ || is_writing_) return;
  is_open_ = false;
  stream_.async_close(code, [self = shared_from_this()](beast::error_code) {});
}

void Connection::shut_down(ShutDown why) {
  stop_.request_stop();
  if (is_open_) {
    return close(why == ShutDown::going_away ? websocket::close_code::going_away
                                             : websocket::close_code::internal_error);
  }
  beast::get_lowest_layer(stream_).close();
}

}  // namespace facet::agent
