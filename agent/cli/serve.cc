// facet serve: the agent behind a websocket.
#include "agent/cli/commands.h"
#include "agent/cli/workbench.h"
#include "agent/server/server.h"
#include "agent/server/session_host.h"

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <vector>

namespace facet::agent::cli {

namespace {

/// Pictures come from strangers: less is decoded than of a person's own files.
constexpr engine::ImageLimits kImageLimits{.bytes_max = kPictureBytesMax,
                                           .pixels_max = std::int64_t{24} << 20};

/// Of a message when the model sees: a picture of the largest size in base64, or several smaller
/// ones, and some text. Each connection may hold one, so there are fewer of them.
constexpr std::size_t kMessageBytesMax = 12U << 20U;
constexpr std::size_t kConnectionsMax = 16;

/// What a browser sends as Origin is compared byte by byte: another form would never be let in.
Status check_origins(const std::vector<std::string>& origins) {
  for (const std::string& origin : origins) {
    const std::size_t colon = origin.find("://");
    const bool is_whole = colon != std::string::npos && colon > 0 && colon + 3 < origin.size();
    if (origin == "null" || (is_whole && origin.find('/', colon + 3) == std::string::npos))
      continue;
    return Error{Code::invalid_argument,
                 "--origin '" + origin + "' is no origin: give scheme://host[:port], or null"};
  }
  return ok();
}

}  // namespace

int run_serve(const ServeOptions& options, Environment environment) {
  Console& console = environment.console;
  if (auto status = check_origins(options.origins); !status) {
    return console.fail(status.error(), options.json);
  }
  Failure failure;
  const auto bench = Workbench::open(options.agent, console, failure);
  if (!bench) return console.fail(failure.error, options.json, failure.exit_code);
  SessionHost host;
  host.model = &bench->model();
  host.make_registry = [&](std::shared_ptr<PassageBook> book) {
    return bench->toolbox().make_registry(std::move(book));
  };
  const engine::Engine& engine = bench->model().engine();
  const bool sees = engine.info().image_tokens > 0;
  if (sees) {
    host.read_picture = [&](const RequestPicture& picture) {
      return decode_picture(
          engine, std::as_bytes(std::span(picture.bytes)), picture.pan_and_scan, kImageLimits);
    };
  }
  host.executor = &bench->executor();
  host.clock = &bench->clock();
  host.journal = bench->journal();
  host.pictures = bench->pictures();
  host.embedder = bench->toolbox().embedder();
  host.defaults = bench->session_options(environment.stop);
  // Nobody sits at the server's terminal: what is not allowed beforehand is refused.
  host.defaults.policy.ask = nullptr;
  // Its history, tools and earlier answers are the client's: nobody else can put the run together.
  host.defaults.journal_options = R"({"made_by":"serve"})";
  ServerOptions server_options;
  server_options.host = options.host;
  server_options.port = options.port;
  server_options.origins = options.origins;
  if (sees) {
    server_options.message_bytes_max = kMessageBytesMax;
    server_options.connections_max = kConnectionsMax;
  }
  const auto server =
      Server::listen(server_options, session_opener(host), bench->model().name(), bench->clock());
  if (!server) return console.fail(server.error(), options.json);
  const std::string address = options.host + ":" + std::to_string((*server)->port());
  if (options.json) {
    console.out_json({{"host", options.host}, {"port", (*server)->port()}});
  } else {
    console.out_line("Listening on http://" + address + "/healthz and ws://" + address +
                     "/v1/responses");
  }
  if (!console.flush()) return exit_failed;
  (*server)->run(environment.stop);
  // A server ends by being told to: Ctrl-C is its ordinary end.
  return exit_ok;
}

}  // namespace facet::agent::cli
