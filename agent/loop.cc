#include "agent/loop.h"

#include "agent/run.h"
#include "base/check.h"
#include "base/json.h"
#include "tools/builtin/search_documents.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::agent {

Status validate(const Budgets& budgets) {
  const auto positive = [](std::int64_t value, std::string_view name) -> Status {
    if (value > 0) return ok();
    return Error{Code::invalid_argument,
                 std::string(name) + " is " + std::to_string(value) + ", it must be positive"};
  };
  FACET_TRY_STATUS(positive(budgets.steps_max, "steps_max"));
  FACET_TRY_STATUS(positive(budgets.tokens_max, "tokens_max"));
  FACET_TRY_STATUS(positive(budgets.step_tokens_max, "step_tokens_max"));
  FACET_TRY_STATUS(positive(budgets.tool_calls_max, "tool_calls_max"));
  FACET_TRY_STATUS(positive(budgets.seconds_max.count(), "seconds_max"));
  return positive(budgets.answer_tokens_reserved, "answer_tokens_reserved");
}

namespace {

Result<std::unique_ptr<ToolCatalog>> make_catalog(const SessionParts& parts,
                                                  const SessionOptions& options) {
  std::vector<ToolCatalog::Entry> tools;
  for (const ToolSpec& spec : parts.registry->specs()) {
    const std::string_view effect = effect_name(parts.registry->find(spec.name)->effect());
    tools.push_back({.spec = spec, .effect = std::string(effect)});
  }
  for (const ToolSpec& spec : options.client_tools) {
    tools.push_back({.spec = spec, .effect = "client"});
  }
  ToolCatalogOptions limits =
      catalog_options(*parts.model, options.tool_tokens_max, options.tools_max);
  limits.always.push_back(options.rules.choice.name);
  limits.embedder = parts.embedder;
  return ToolCatalog::make(std::move(tools), std::move(limits));
}

RunResult never_began(std::string_view run_id, const Error& error, const EventSink& sink) {
  RunResult result;
  result.run_id = run_id;
  result.error = error;
  if (sink) sink(RunFinished{.result = result});
  return result;
}

std::size_t passages_in(const PassageBook* book) {
  return book != nullptr ? book->size() : 0;
}

/// Whether the answers of a session are held to quotes.
Result<bool> quotes_answers(const SessionParts& parts, const SessionOptions& options) {
  const bool has_schema = !options.rules.answer_schema.empty();
  if (has_schema && options.answers == AnswerForm::quoted) {
    return Error{Code::invalid_argument, "an answer is held to a schema or to quotes, not to both"};
  }
  FACET_TRY(const bool quotes, is_quoted(options.answers, *parts.model));
  return quotes && !has_schema && parts.passages != nullptr;
}

/// Whether questions to documents are all that the tools are for.
bool only_look_up(const SessionParts& parts, const SessionOptions& options) {
  const std::vector<ToolSpec> specs = parts.registry->specs();
  return options.client_tools.empty() && parts.registry->find(tools::kSearchDocuments) != nullptr &&
         std::all_of(specs.begin(), specs.end(), [&](const ToolSpec& spec) {
           return parts.registry->find(spec.name)->effect() == tools::Effect::read_only;
         });
}

}  // namespace

Session::Session(const SessionParts& parts, SessionOptions options, State state)
    : parts_(parts),
      options_(std::move(options)),
      state_(std::move(state)),
      has_pictures_(!options_.pictures.empty()) {}

Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::open(const SessionParts& parts, SessionOptions options) {
  FACET_CHECK(parts.model != nullptr && parts.registry != nullptr && parts.executor != nullptr &&
              parts.clock != nullptr);
  FACET_TRY_STATUS(validate(options.budgets));
  FACET_TRY_STATUS(engine::validate(options.sampling));
  State state;
  if (!options.rules.answer_schema.empty()) {
    auto schema = tools::Schema::compile_text(options.rules.answer_schema);
    if (!schema) return schema.error().with_context("the schema of the answer");
    state.answer_schema = *std::move(schema);
  }
  FACET_TRY(state.quotes, quotes_answers(parts, options));
  FACET_TRY_STATUS(is_copied(options.arguments, *parts.model));
  prompts::ToolChoice& choice = options.rules.choice;
  if (state.quotes && options.looks_first && only_look_up(parts, options) &&
      choice.mode == prompts::ToolChoice::Mode::automatic) {
    choice.mode = prompts::ToolChoice::Mode::required;
  }
  FACET_TRY(state.catalog, make_catalog(parts, options));
  std::unique_ptr<Session> session(new Session(parts, std::move(options), std::move(state)));
  const ToolCatalog& catalog = *session->state_.catalog;
  if (!catalog.searches() && !catalog.narrows()) FACET_TRY_STATUS(session->begin());
  return session;
}

Status Session::begin() {
  ConversationSpec spec{.instructions = options_.instructions,
                        .plan_first = options_.plan_first,
                        .tools = state_.catalog->declared(),
                        .rules = options_.rules,
                        .arguments = options_.arguments,
                        .history = options_.history,
                        .pictures = options_.pictures};
  FACET_TRY(conversation_, parts_.model->start(spec));
  state_.relaxed_told = 0;
  state_.training_told = false;
  return ok();
}

/// A conversation that has begun begins anew where `question` asks for a tool that is not declared
/// to a model that is shown few.
Status Session::declare_for(std::string_view question) {
  ToolCatalog& catalog = *state_.catalog;
  if (conversation_ != nullptr) {
    if (!catalog.narrows() || has_pictures_) return ok();
    FACET_TRY(const bool wants_another, catalog.wants_another(question));
    if (!wants_another) return ok();
    waiting_.reset();  // It refers to the conversation.
    conversation_.reset();
  }
  FACET_TRY_STATUS(catalog.choose(question));
  return begin();
}

/// What a conversation that begins anew knows of this run.
void Session::remember(const RunResult& result) {
  if (!state_.catalog->narrows() || result.finish != RunFinish::answered) return;
  options_.history.push_back({.role = Role::user, .content = question_});
  options_.history.push_back({.role = Role::assistant, .content = result.answer});
}

void Session::show(std::vector<Picture> pictures) {
  has_pictures_ = has_pictures_ || !pictures.empty();
  for (Picture& picture : pictures) next_pictures_.push_back(std::move(picture));
}

RunResult Session::run(std::string_view question,
                       const EventSink& sink,
                       const std::stop_token& stop) {
  const RunStarted started{
      .run_id = new_run_id(), .question = std::string(question), .model = parts_.model->name()};
  if (auto status = declare_for(question); !status) {
    return never_began(started.run_id, status.error(), sink);
  }
  question_ = question;
  auto run =
      std::make_unique<Run>(parts_, options_, state_, *conversation_, passages_in(parts_.passages));
  run->show(std::exchange(next_pictures_, {}));
  if (parts_.journal != nullptr) {
    auto lease = parts_.journal->lease(started.run_id);
    if (!lease) return run->fail(lease.error(), sink);
    run->hold(*std::move(lease));
    const auto status = parts_.journal->begin_run({.id = started.run_id,
                                                   .created_ms = parts_.clock->unix_ms(),
                                                   .question = started.question,
                                                   .model = parts_.model->identity(),
                                                   .options = options_.journal_options});
    if (!status) return run->fail(status.error(), sink);
  }
  Recording recording(parts_.journal, started.run_id);
  if (auto status = recording.write_tools(state_.catalog->record()); !status) {
    return run->fail(status.error(), sink);
  }
  RunResult result = run->start(std::move(recording), started, sink, stop);
  remember(result);
  if (result.finish == RunFinish::client_tools) waiting_ = std::move(run);
  return result;
}

RunResult Session::go_on(const std::vector<ToolOutput>& outputs,
                         const EventSink& sink,
                         const std::stop_token& stop) {
  FACET_CHECK(waiting_ != nullptr && waiting_->client_calls() == outputs.size());
  auto run = std::move(waiting_);
  RunResult result = run->go_on(outputs, sink, stop);
  remember(result);
  if (result.finish == RunFinish::client_tools) waiting_ = std::move(run);
  return result;
}

Result<RunResult> Session::resume(std::string_view run_id,
                                  const EventSink& sink,
                                  const std::stop_token& stop) {
  FACET_CHECK(parts_.journal != nullptr);
  FACET_TRY(const RunRecord record, parts_.journal->run(run_id));
  FACET_TRY(RunLease lease, parts_.journal->lease(run_id));
  if (record.model != parts_.model->identity()) {
    return Error{Code::invalid_argument,
                 "run '" + record.id + "' was made with model " + record.model + ", this is " +
                     parts_.model->identity()};
  }
  Recording recording(parts_.journal, record.id);
  const std::size_t passages_before = passages_in(parts_.passages);
  FACET_TRY_STATUS(recording.load(parts_.passages));
  if (!recording.tools().empty()) {
    FACET_TRY(const auto tools, parse_json(recording.tools(), "recorded tools"));
    if (auto status = state_.catalog->restore(tools); !status) {
      return status.error().with_context("run '" + record.id + "'");
    }
    FACET_TRY_STATUS(begin());
  } else if (conversation_ == nullptr) {  // A journal of an earlier version says nothing of tools.
    FACET_TRY_STATUS(state_.catalog->choose(record.question));
    FACET_TRY_STATUS(begin());
  }
  auto run = std::make_unique<Run>(parts_, options_, state_, *conversation_, passages_before);
  run->hold(std::move(lease));
  const RunStarted started{.run_id = record.id,
                           .question = record.question,
                           .model = parts_.model->name(),
                           .is_resumed = true};
  question_ = record.question;
  RunResult result = run->start(std::move(recording), started, sink, stop);
  remember(result);
  if (result.finish == RunFinish::client_tools) waiting_ = std::move(run);
  return result;
}

}  // namespace facet::agent
