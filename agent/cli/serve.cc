// facet serve: the agent behind a websocket.
#include "agent/cli/commands.h"
#include "agent/cli/workbench.h"
#include "agent/server/server.h"
#include "agent/server/session_host.h"

#include <nlohmann/json.hpp>

#include <string>

namespace facet::agent::cli {

int run_serve(const ServeOptions& options, Environment environment) {
  Console& console = environment.console;
  Failure failure;
  const auto bench = Workbench::open(options.agent, console, failure);
  if (!bench) return console.fail(failure.error, options.json, failure.exit_code);
  SessionHost host;
  host.model = &bench->model();
  host.make_registry = [&](std::shared_ptr<PassageBook> book) {
    return bench->toolbox().make_registry(std::move(book));
  };
  host.executor = &bench->executor();
  host.clock = &bench->clock();
  host.journal = bench->journal();
  host.defaults = bench->session_options(environment.stop);
  // Nobody sits at the server's terminal: what is not allowed beforehand is refused.
  host.defaults.policy.ask = nullptr;
  // Its history, tools and earlier answers are the client's: nobody else can put the run together.
  host.defaults.journal_options = R"({"made_by":"serve"})";
  ServerOptions server_options;
  server_options.host = options.host;
  server_options.port = options.port;
  server_options.origins = options.origins;
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
