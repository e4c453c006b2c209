// The server over loopback, in this process, on a scripted model.
#include "agent/server/server.h"

#include "agent/server/session_host.h"
#include "base/json.h"
#include "tests/agent/session_fixture.h"
#include "tests/support/catch.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using facet::test::Json;
using tcp = asio::ip::tcp;
using Client = beast::websocket::stream<tcp::socket>;

const std::string kAnswer = "Hello." + facet::test::kEnd;

/// A server on a free port of loopback, on a thread of its own until the end of the test.
struct RunningServer {
  facet::test::SessionFixture fixture;
  std::unique_ptr<facet::agent::Server> server;
  std::jthread thread;
  asio::io_context io;

  explicit RunningServer(std::vector<std::string> outputs,
                         facet::agent::ServerOptions options = {},
                         facet::agent::ScriptedOptions scripted = {},
                         bool sees = false)
      : fixture(std::move(outputs), std::move(scripted)) {
    fixture.add_double("double");
    facet::agent::SessionHost host;
    host.model = fixture.model.get();
    host.make_registry = [](const std::shared_ptr<facet::agent::PassageBook>&)
        -> facet::Result<facet::tools::Registry> {
      facet::tools::Registry registry;
      FACET_TRY_STATUS(registry.add(std::make_shared<facet::test::LambdaTool>(
          "double", [](const Json& arguments) -> facet::Result<Json> {
            return Json{{"result", 2 * arguments.at("x").get<int>()}};
          })));
      return registry;
    };
    if (sees) {
      host.read_picture =
          [](const facet::agent::RequestPicture& picture) -> facet::Result<facet::agent::Picture> {
        if (picture.bytes == "foo") return facet::agent::Picture{};
        return facet::Error{facet::Code::invalid_data, "it is cut off"};
      };
    }
    host.executor = &fixture.executor;
    host.clock = &fixture.clock;
    options.port = 0;
    auto listening = facet::agent::Server::listen(
        options, facet::agent::session_opener(host), "scripted", fixture.clock);
    if (!listening) FAIL(listening.error().message);
    server = *std::move(listening);
    thread = std::jthread([this](const std::stop_token& stop) { server->run(stop); });
  }

  tcp::socket connect() {
    tcp::socket socket(io);
    socket.connect({asio::ip::make_address("127.0.0.1"), server->port()});
    return socket;
  }

  /// Sends raw bytes and reads until the server closes.
  std::string http(const std::string& bytes) {
    tcp::socket socket = connect();
    asio::write(socket, asio::buffer(bytes));
    std::string answer;
    beast::error_code end;
    asio::read(socket, asio::dynamic_buffer(answer), end);
    return answer;
  }

  Client open_websocket(const std::string& origin = "") {
    Client client(connect());
    client.set_option(
        beast::websocket::stream_base::decorator([&](beast::websocket::request_type& request) {
          if (!origin.empty()) request.set(beast::http::field::origin, origin);
        }));
    client.handshake("127.0.0.1:" + std::to_string(server->port()), "/v1/responses");
    return client;
  }
};

void say(Client& client, const std::string& text) {
  client.write(asio::buffer(text));
}

Json hear(Client& client) {
  beast::flat_buffer buffer;
  client.read(buffer);
  return *facet::parse_json(beast::buffers_to_string(buffer.data()), "event");
}

/// All events up to the one that ends a response.
std::vector<Json> hear_response(Client& client) {
  std::vector<Json> events;
  while (true) {
    events.push_back(hear(client));
    const auto type = events.back().at("type").get<std::string>();
    if (type == "response.completed" || type == "response.incomplete" || type == "error") {
      return events;
    }
  }
}

std::string create(const std::string& input, const std::string& more = "") {
  return R"({"type":"response.create","input":)" + facet::json_quote(input) + more + "}";
}

}  // namespace

TEST_CASE("healthz answers and everything else is refused by name", "[agent][server]") {
  RunningServer running({kAnswer});
  const std::string host = "Host: localhost\r\n\r\n";
  CHECK(running.http("GET /healthz HTTP/1.1\r\n" + host).find("HTTP/1.1 200 OK\r\n") == 0);
  CHECK(running.http("GET /healthz HTTP/1.1\r\n" + host)
            .find(R"({"status":"ok","model":"scripted"})") != std::string::npos);
  CHECK(running.http("GET /nothing HTTP/1.1\r\n" + host).find("HTTP/1.1 404") == 0);
  CHECK(running.http("POST /healthz HTTP/1.1\r\n" + host).find("HTTP/1.1 405") == 0);
  CHECK(running.http("GET /v1/responses HTTP/1.1\r\n" + host).find("HTTP/1.1 426") == 0);
  CHECK(running.http("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n").find("HTTP/1.1 403") ==
        0);
  CHECK(running.http("GET /healthz HTTP/1.1\r\n\r\n").find("HTTP/1.1 400") == 0);
  CHECK(running.http("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a')).find("HTTP/1.1 400") == 0);
  CHECK_THROWS(running.open_websocket("http://evil.example"));
}

TEST_CASE("a response streams its calls, its text and its end", "[agent][server]") {
  RunningServer running(
      {facet::test::call("double", 4) + facet::test::kWait, "It is 8." + facet::test::kEnd});
  Client client = running.open_websocket();
  say(client, create("twice four?"));
  const auto events = hear_response(client);
  CHECK(events.front().at("type") == "response.created");
  std::string text;
  int calls = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    CHECK(events[i].at("sequence_number") == i);
    if (events[i].at("type") == "response.output_text.delta") {
      text += events[i].at("delta").get<std::string>();
    }
    if (events[i].at("type") == "response.function_call_arguments.done") {
      ++calls;
      CHECK(events[i].at("arguments") == R"({"x":4})");
    }
  }
  CHECK(text == "It is 8.");
  CHECK(calls == 1);
  CHECK(events.back().at("type") == "response.completed");
}

TEST_CASE("a client's own tool is handed to the client and its output taken back",
          "[agent][server]") {
  RunningServer running(
      {facet::test::call("ask_user", 1) + facet::test::kWait, "You said 42." + facet::test::kEnd});
  Client client = running.open_websocket();
  say(client, create("ask me", R"(,"tools":[{"type":"function","name":"ask_user","description":"d",
    "parameters":{"type":"object","properties":{"x":{"type":"integer","description":"x"}}}}])"));
  const auto first = hear_response(client);
  REQUIRE(first.back().at("type") == "response.completed");
  const auto& call = first.back().at("response").at("output").back();
  CHECK(call.at("runs_on") == "client");
  const std::string id = first.back().at("response").at("id").get<std::string>();
  say(client, R"({"type":"response.create","previous_response_id":"nobody","input":"x"})");
  CHECK(hear_response(client).back().at("code") == "not_found");
  say(client,
      R"({"type":"response.create","previous_response_id":")" + id +
          R"(","input":[{"type":"function_call_output","call_id":)" +
          facet::json_quote(call.at("call_id").get<std::string>()) +
          R"(,"output":"{\"answer\":42}"}]})");
  const auto second = hear_response(client);
  CHECK(second.back().at("type") == "response.completed");
  CHECK(facet::dump_json(second.back()).find("You said 42.") != std::string::npos);
}

TEST_CASE("messages that cannot be understood get an error and change nothing", "[agent][server]") {
  RunningServer running({kAnswer}, {.message_bytes_max = 4096});
  Client client = running.open_websocket();
  say(client, "{");
  CHECK(hear(client).at("code") == "invalid_data");
  say(client, R"({"type":"response.create","input":"x","n_discard":3})");
  CHECK(hear(client).at("message") == "unknown field \"n_discard\" in response.create");
  say(client, create("x", R"(,"tools":[{"type":5}])"));
  CHECK(hear(client).at("message") == "\"type\" is not a string");
  say(client, create("x", R"(,"temperature":-1)"));
  CHECK(hear_response(client).back().at("code") == "invalid_argument");
  say(client, create("still there?"));
  CHECK(hear_response(client).back().at("type") == "response.completed");

  say(client, std::string(5000, ' '));
  beast::flat_buffer buffer;
  beast::error_code error;
  client.read(buffer, error);
  CHECK(error == beast::websocket::error::closed);
  CHECK(client.reason().code == beast::websocket::close_code::too_big);

  Client binary = running.open_websocket();
  binary.binary(true);
  say(binary, create("x"));
  binary.read(buffer, error);
  CHECK(binary.reason().code == beast::websocket::close_code::unknown_data);
}

TEST_CASE("a response can be cancelled and a second one has to wait", "[agent][server]") {
  // The model stands still inside its first step until the test lets it go.
  std::mutex mutex;
  std::condition_variable changed;
  bool is_inside = false;
  bool may_go_on = false;
  facet::agent::ScriptedOptions scripted;
  scripted.on_generate = [&](int step) {
    if (step != 0) return;
    std::unique_lock lock(mutex);
    is_inside = true;
    changed.notify_all();
    changed.wait(lock, [&] { return may_go_on; });
  };
  RunningServer running(
      {facet::test::call("double", 4) + facet::test::kWait, kAnswer}, {}, scripted);
  Client client = running.open_websocket();
  say(client, R"({"type":"response.cancel"})");  // Nothing to cancel yet.
  CHECK(hear(client).at("code") == "not_found");
  say(client, create("go"));
  const auto created = hear(client);
  CHECK(created.at("type") == "response.created");
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return is_inside; });
  }
  say(client, create("another"));
  CHECK(hear(client).at("code") == "unavailable");
  // A late word about an earlier response does not end this one.
  say(client, R"({"type":"response.cancel","response_id":"resp_0"})");
  const auto other = hear(client);
  CHECK(other.at("code") == "not_found");
  CHECK(other.at("message") == "response 'resp_0' is not in progress");
  const bool by_name = GENERATE(true, false);
  say(client,
      by_name ? R"({"type":"response.cancel","response_id":")" +
                    created.at("response").at("id").get<std::string>() + "\"}"
              : R"({"type":"response.cancel"})");
  // The answer to a broken message proves that the cancel before it has been read.
  say(client, "{");
  CHECK(hear(client).at("code") == "invalid_data");
  {
    const std::lock_guard lock(mutex);
    may_go_on = true;
  }
  changed.notify_all();
  const auto events = hear_response(client);
  CHECK(events.back().at("type") == "response.incomplete");
  CHECK(events.back().at("response").at("incomplete_details").at("reason") == "cancelled");
}

TEST_CASE("who has read the end of a response may ask again at once", "[agent][server]") {
  // The session takes its time to return after its last event, as a busy machine makes it.
  class SlowToReturn final : public facet::agent::ResponseSession {
   public:
    facet::Status show(const std::vector<facet::agent::RequestPicture>& /*pictures*/) override {
      return facet::ok();
    }
    facet::agent::RunResult run(std::string_view /*question*/,
                                const facet::agent::EventSink& sink,
                                const std::stop_token& /*stop*/) override {
      facet::agent::RunResult result;
      result.finish = facet::agent::RunFinish::answered;
      sink(facet::agent::RunFinished{result});
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      return result;
    }
    facet::agent::RunResult go_on(const std::vector<facet::ToolOutput>& /*outputs*/,
                                  const facet::agent::EventSink& sink,
                                  const std::stop_token& stop) override {
      return run("", sink, stop);
    }
  };
  const facet::SystemClock clock;
  auto server = facet::agent::Server::listen(
      {.port = 0},
      [](const auto&) -> facet::Result<std::unique_ptr<facet::agent::ResponseSession>> {
        return std::unique_ptr<facet::agent::ResponseSession>(std::make_unique<SlowToReturn>());
      },
      "slow",
      clock);
  REQUIRE(server);
  const std::jthread thread([&](const std::stop_token& stop) { (*server)->run(stop); });
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect({asio::ip::make_address("127.0.0.1"), (*server)->port()});
  Client client(std::move(socket));
  client.handshake("localhost", "/v1/responses");
  for (int i = 0; i < 3; ++i) {
    say(client, create("again"));
    CHECK(hear_response(client).back().at("type") == "response.completed");
  }
}

TEST_CASE("what a later request would change is refused, not ignored", "[agent][server]") {
  RunningServer running({kAnswer, kAnswer});
  Client client = running.open_websocket();
  say(client, create("hello", R"(,"temperature":0.5,"instructions":"Be kind.")"));
  const auto first = hear_response(client);
  const std::string id = first.back().at("response").at("id").get<std::string>();
  const std::string follow = R"(,"previous_response_id":")" + id + '"';
  say(client, create("more", follow + R"(,"max_output_tokens":7)"));
  const auto refused = hear_response(client);
  CHECK(refused.back().at("code") == "invalid_argument");
  CHECK(refused.back().at("message").get<std::string>().find("max_output_tokens") !=
        std::string::npos);
  say(client, create("more", follow + R"(,"temperature":0.5,"instructions":"Be kind.")"));
  CHECK(hear_response(client).back().at("type") == "response.completed");
}

TEST_CASE("a stop tells clients that the server goes away", "[agent][server]") {
  RunningServer running({kAnswer});
  Client client = running.open_websocket();
  say(client, "{");  // The answer proves that the server has finished the handshake too.
  CHECK(hear(client).at("code") == "invalid_data");
  running.thread.request_stop();
  beast::flat_buffer buffer;
  beast::error_code error;
  client.read(buffer, error);
  CHECK(error == beast::websocket::error::closed);
  CHECK(client.reason().code == beast::websocket::close_code::going_away);
  running.thread.join();
}

TEST_CASE("a taken port and a broken address are typed errors", "[agent][server]") {
  RunningServer running({kAnswer});
  const facet::SystemClock clock;
  const auto taken = facet::agent::Server::listen({.port = running.server->port()}, {}, "m", clock);
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().code == facet::Code::unavailable);
  const auto broken = facet::agent::Server::listen({.host = "not an address"}, {}, "m", clock);
  CHECK(broken.error().code == facet::Code::invalid_argument);
}

TEST_CASE("pictures of a request reach the model, first and later", "[agent][server]") {
  RunningServer running({kAnswer, kAnswer}, {}, {}, /*sees=*/true);
  Client client = running.open_websocket();
  const auto asking = [](const std::string& base64, const std::string& more = "") {
    return R"({"type":"response.create","input":[{"role":"user","content":[{"type":"input_image",)"
           R"("image_url":"data:image/png;base64,)" +
           base64 + R"("},{"type":"input_text","text":"what is it"}]}])" + more + "}";
  };
  say(client, asking("Zm9v"));
  const auto first = hear_response(client);
  REQUIRE(first.back().at("type") == "response.completed");
  CHECK(running.fixture.model->transcript().pictures == 1);
  const auto id = first.back().at("response").at("id").get<std::string>();
  const std::string more = R"(,"previous_response_id":")" + id + "\"";
  say(client, asking("YmFy", more));
  const auto broken = hear_response(client);
  CHECK(broken.back().at("type") == "error");
  CHECK(broken.back().at("message") == "picture 1: it is cut off");
  say(client, asking("Zm9v", more));
  CHECK(hear_response(client).back().at("type") == "response.completed");
  CHECK(running.fixture.model->transcript().pictures == 2);
}

TEST_CASE("a server whose model reads text only refuses pictures", "[agent][server]") {
  RunningServer running({kAnswer});
  Client client = running.open_websocket();
  say(client, R"({"type":"response.create","input":[{"role":"user","content":[
    {"type":"input_image","image_url":"data:image/png;base64,Zm9v"}]}]})");
  const auto events = hear_response(client);
  CHECK(events.back().at("type") == "error");
  CHECK(events.back().at("message") == "picture 1: this model reads text only");
}
