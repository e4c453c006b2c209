// facet chat: questions line by line in one conversation.
#include "agent/cli/commands.h"
#include "agent/cli/run_view.h"
#include "agent/cli/workbench.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <optional>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <utility>

namespace facet::agent::cli {

namespace {

constexpr std::size_t kLineBytesMax = 1U << 20U;
constexpr int kStopPollMs = 100;

/// Lines of stdin, read so that Ctrl-C ends the wait.
class LineReader {
 public:
  /// nullopt at the end of the input or after a stop.
  Result<std::optional<std::string>> next(const std::stop_token& stop) {
    while (true) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return std::optional<std::string>(std::move(line));
      }
      if (is_at_end_ || stop.stop_requested()) return last_line();
      if (buffer_.size() > kLineBytesMax) {
        return Error{Code::limit_exceeded,
                     "a line of more than " + std::to_string(kLineBytesMax) + " bytes on stdin"};
      }
      FACET_TRY_STATUS(read_more());
    }
  }

 private:
  std::optional<std::string> last_line() {
    if (!is_at_end_ || buffer_.empty()) return std::nullopt;
    return std::exchange(buffer_, {});
  }

  Status read_more() {
    pollfd fd{.fd = STDIN_FILENO, .events = POLLIN};
    const int ready = ::poll(&fd, 1, kStopPollMs);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return ok();
    std::array<char, 4096> bytes{};
    const ssize_t got = ready < 0 ? -1 : ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got < 0) return Error{Code::unavailable, "stdin cannot be read"};
    is_at_end_ = got == 0;
    buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    return ok();
  }

  std::string buffer_;
  bool is_at_end_ = false;
};

int chat_loop(Session& session, const ChatOptions& options, Environment& environment) {
  Console& console = environment.console;
  LineReader lines;
  int exit_code = exit_ok;
  while (!environment.stop.stop_requested()) {
    if (!options.json && console.is_stdout_terminal()) console.out("> ");
    const auto line = lines.next(environment.stop);
    if (!line) return console.fail(line.error(), options.json);
    if (!line->has_value()) {
      // Whatever comes next in this terminal is not part of the line of the prompt.
      if (!options.json && console.is_stdout_terminal()) console.out("\n");
      break;
    }
    if (**line == "/quit") break;
    if ((*line)->find_first_not_of(" \t\r") == std::string::npos) continue;
    RunView view(console, /*is_quiet=*/false);
    const RunResult result = session.run(
        **line,
        [&](const Event& event) {
          if (options.json) {
            view.warn(event);
          } else {
            view.show(event);
          }
        },
        environment.stop);
    if (options.json) console.out_json(run_result_json(result));
    // Whoever reads a pipe may wait for this answer before it asks on.
    if (!console.flush()) return exit_failed;
    exit_code = run_exit_code(result);
    if (exit_code != exit_ok) console.fail(result.error, false, exit_code);
    // A budget ends one answer; anything worse ends the conversation.
    if (exit_code != exit_ok && exit_code != exit_limit) return exit_code;
  }
  return environment.stop.stop_requested() ? exit_interrupted : exit_code;
}

}  // namespace

int run_chat(const ChatOptions& options, Environment environment) {
  Console& console = environment.console;
  AgentOptions agent = options.agent;
  agent.no_journal = true;  // A turn cannot be resumed without the conversation before it.
  Failure failure;
  const auto bench = Workbench::open(agent, console, failure);
  if (!bench) return console.fail(failure.error, options.json, failure.exit_code);
  const auto book = std::make_shared<PassageBook>();
  const auto registry = bench->toolbox().make_registry(book);
  if (!registry) return console.fail(registry.error(), options.json);
  auto pictures = read_pictures(bench->model().engine(), options.pictures, console);
  if (!pictures) return console.fail(pictures.error(), options.json);
  SessionOptions session_options = bench->session_options(environment.stop);
  session_options.pictures = *std::move(pictures);
  auto session = Session::open({.model = &bench->model(),
                                .registry = &*registry,
                                .executor = &bench->executor(),
                                .clock = &bench->clock(),
                                .passages = book.get(),
                                .pictures = bench->pictures(),
                                .embedder = bench->toolbox().embedder()},
                               std::move(session_options));
  if (!session) return console.fail(session.error(), options.json);
  return chat_loop(**session, options, environment);
}

}  // namespace facet::agent::cli
