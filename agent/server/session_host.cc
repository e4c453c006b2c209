#include "agent/server/session_host.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace facet::agent {
namespace {

Result<std::vector<Picture>> read_pictures(const SessionHost& host,
                                           const std::vector<RequestPicture>& pictures) {
  std::vector<Picture> out;
  for (const RequestPicture& picture : pictures) {
    auto read = host.read_picture
                    ? host.read_picture(picture)
                    : Result<Picture>(Error{Code::unsupported, "this model reads text only"});
    if (!read) return read.error().with_context("picture " + std::to_string(out.size() + 1));
    out.push_back(*std::move(read));
  }
  return out;
}

/// Owns what a Session borrows for the time of one conversation.
class HostedSession final : public ResponseSession {
 public:
  static Result<std::unique_ptr<ResponseSession>> open(
      const std::shared_ptr<const SessionHost>& host, SessionOptions options) {
    std::unique_ptr<HostedSession> hosted(new HostedSession(host));
    FACET_TRY(hosted->registry_, host->make_registry(hosted->book_));
    FACET_TRY(hosted->session_,
              Session::open({.model = host->model,
                             .registry = &hosted->registry_,
                             .executor = host->executor,
                             .clock = host->clock,
                             .passages = hosted->book_.get(),
                             .journal = host->journal,
                             .pictures = host->pictures,
                             .embedder = host->embedder},
                            std::move(options)));
    return std::unique_ptr<ResponseSession>(std::move(hosted));
  }

  Status show(const std::vector<RequestPicture>& pictures) override {
    FACET_TRY(auto read, read_pictures(*host_, pictures));
    session_->show(std::move(read));
    return ok();
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
  explicit HostedSession(std::shared_ptr<const SessionHost> host) : host_(std::move(host)) {}

  std::shared_ptr<const SessionHost> host_;
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
  if (request.max_tool_calls) {
    options.budgets.tool_calls_max = static_cast<int>(
        std::min<std::int64_t>(options.budgets.tool_calls_max, *request.max_tool_calls));
  }
  if (request.tool_choice) options.rules.choice = *request.tool_choice;
  if (request.tool_choice) options.looks_first = false;
  if (request.parallel_tool_calls && !*request.parallel_tool_calls) options.rules.calls_max = 1;
  if (!request.answer_schema.empty()) options.rules.answer_schema = request.answer_schema;
  if (request.temperature) options.sampling.temperature = static_cast<float>(*request.temperature);
  if (request.top_p) options.sampling.top_p = static_cast<float>(*request.top_p);
  if (request.seed) options.sampling.seed = *request.seed;
  FACET_TRY_STATUS(engine::validate(options.sampling));
  return options;
}

}  // namespace

OpenSession session_opener(SessionHost host) {
  return [host = std::make_shared<const SessionHost>(std::move(host))](
             const CreateRequest& request) -> Result<std::unique_ptr<ResponseSession>> {
    FACET_TRY(SessionOptions options, options_for(request, host->defaults));
    FACET_TRY(options.pictures, read_pictures(*host, request.pictures));
    return HostedSession::open(host, std::move(options));
  };
}

}  // namespace facet::agent
