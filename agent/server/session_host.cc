#include "agent/server/session_host.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace facet::agent {
namespace {

/// Owns what a Session borrows for the time of one conversation.
class HostedSession final : public ResponseSession {
 public:
  static Result<std::unique_ptr<ResponseSession>> open(const SessionHost& host,
                                                       SessionOptions options) {
    std::unique_ptr<HostedSession> hosted(new HostedSession);
    FACET_TRY(hosted->registry_, host.make_registry(hosted->book_));
    FACET_TRY(hosted->session_,
              Session::open({.model = host.model,
                             .registry = &hosted->registry_,
                             .executor = host.executor,
                             .clock = host.clock,
                             .passages = hosted->book_.get(),
                             .journal = host.journal},
                            std::move(options)));
    return std::unique_ptr<ResponseSession>(std::move(hosted));
  }

  RunResult run(std::string_view question,
                const EventSink& sink,
                const std::stop_token& stop) override {
    return session_->run(question, sink, stop);
  }

  RunResult go_on(const std::vector<ToolOutput>& outputs,
                  const EventSink& sink,
                  const std::stop_token& stop) override {
    return session_->go_on(outputs, sink, stop);
  }

 private:
  HostedSession() = default;

  std::shared_ptr<PassageBook> book_ = std::make_shared<PassageBook>();
  tools::Registry registry_;
  std::unique_ptr<Session> session_;
};

Result<SessionOptions> options_for(const CreateRequest& request, SessionOptions options) {
  if (!request.instructions.empty()) {
    if (!options.instructions.empty()) options.instructions += "\n";
    options.instructions += request.instructions;
  }
  options.history.assign(request.messages.begin(),
                         request.messages.end() - (request.messages.empty() ? 0 : 1));
  options.client_tools = request.tools;
  if (request.max_output_tokens) {
    if (*request.max_output_tokens > options.budgets.tokens_max) {
      return Error{Code::invalid_argument,
                   "\"max_output_tokens\" is " + std::to_string(*request.max_output_tokens) +
                       "; this server allows " + std::to_string(options.budgets.tokens_max)};
    }
    options.budgets.tokens_max = *request.max_output_tokens;
    options.budgets.step_tokens_max =
        std::min(options.budgets.step_tokens_max, *request.max_output_tokens);
  }
  if (request.temperature) options.sampling.temperature = static_cast<float>(*request.temperature);
  if (request.top_p) options.sampling.top_p = static_cast<float>(*request.top_p);
  if (request.seed) options.sampling.seed = *request.seed;
  FACET_TRY_STATUS(engine::validate(options.sampling));
  return options;
}

}  // namespace

OpenSession session_opener(SessionHost host) {
  return [host = std::move(host)](
             const CreateRequest& request) -> Result<std::unique_ptr<ResponseSession>> {
    FACET_TRY(SessionOptions options, options_for(request, host.defaults));
    return HostedSession::open(host, std::move(options));
  };
}

}  // namespace facet::agent
