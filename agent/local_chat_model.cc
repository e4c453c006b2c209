#include "agent/local_chat_model.h"

#include "agent/missing_question.h"
#include "agent/pending_tokens.h"
#include "agent/plan.h"
#include "agent/plan_constraint.h"
#include "agent/refusal.h"
#include "agent/turn_limits.h"
#include "agent/turn_writer.h"
#include "base/check.h"
#include "base/grammar/copy_source.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

namespace facet::agent {

using engine::TokenId;

namespace {

/// Tokens between two looks at the clock. Each piece computes the logits of its last token, which
/// costs a model with a large vocabulary as much as a few tokens: small against 256.
constexpr std::size_t kPrefillPieceTokens = 256;

/// What the prefill has left of the time of a step; 0: no limit.
std::chrono::milliseconds time_left(const StepOptions& options,
                                    std::chrono::steady_clock::time_point start) {
  if (options.time_max.count() <= 0) return std::chrono::milliseconds(0);
  const auto used = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  return std::max(options.time_max - used, std::chrono::milliseconds(1));
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

class LocalConversation final : public Conversation {
 public:
  LocalConversation(std::shared_ptr<const engine::Engine> engine,
                    const prompts::Dialect& dialect,
                    prompts::RenderInput opening,
                    const engine::ConstraintFactory& factory,
                    ConversationSpec spec,
                    bool copies,
                    TurnConstraints constraints)
      : engine_(std::move(engine)),
        dialect_(dialect),
        opening_(std::move(opening)),
        factory_(factory),
        pictures_(std::move(spec.pictures)),
        spec_(std::move(spec)),
        copies_(copies),
        asks_in_words_(copies && engine_->info().copies_arguments &&
                       spec_.rules.answer_schema.empty() && !dialect_.call_trigger().empty()),
        constraints_(std::move(constraints)),
        stop_ids_(stop_ids(dialect, engine_->tokenizer())),
        sequence_(engine_->new_sequence()) {
    for (const Message& message : spec_.history) {
      if (message.role == Role::user) add_source(message.content, Source::text);
    }
  }

  Status add_user(std::string_view text, const std::vector<Picture>& pictures) override {
    std::vector<Segment> segments;
    std::vector<Picture> shown = std::exchange(pictures_, {});
    shown.insert(shown.end(), pictures.begin(), pictures.end());
    if (!opened_) {
      // Those of the history have their place already.
      auto images = static_cast<int>(shown.size());
      for (const Message& message : opening_.messages) images -= message.images;
      opening_.messages.push_back(
          {.role = Role::user, .content = std::string(text), .images = images});
      FACET_TRY(segments, dialect_.render(opening_));
      opened_ = true;
      opening_ = {};
    } else {
      FACET_TRY(segments,
                dialect_.render_user_turn(text, stopped_on_, static_cast<int>(shown.size())));
    }
    is_first_ = true;
    request_ = text;
    asks_once_ = false;
    FACET_TRY_STATUS(extend(segments, shown));
    add_source(text, Source::text);
    return ok();
  }

  Result<StepResult> generate(const StepOptions& options, const StepSink& sink) override {
    FACET_CHECK(opened_);
    StepResult step;
    const auto start = std::chrono::steady_clock::now();
    const std::size_t before = sequence_.tokens().size();
    step.usage.prompt_tokens = static_cast<std::int64_t>(pending_.size());
    if (before == 0) pending_.drop(sequence_.recall(pending_.ids()));
    step.usage.cached_tokens = static_cast<std::int64_t>(sequence_.tokens().size());
    step.usage.prefilled_tokens = static_cast<std::int64_t>(pending_.size());
    FACET_TRY(const auto cut, prefill(options, start));
    step.prefill_ms = ms_since(start);
    if (cut) return cut_in_prefill(std::move(step), before, *cut);
    FACET_TRY_STATUS(hold_to_sources());
    FACET_TRY_STATUS(sample(options, start, sink, step));
    sequence_.remember();
    usage_ += step.usage;
    return step;
  }

  /// What the output that comes may begin its plan with; empty where it does not begin with one.
  Result<std::vector<PlanStep>> plan_steps(const std::stop_token& stop) {
    FACET_TRY(const auto cut, prefill({.stop = stop}, std::chrono::steady_clock::now()));
    if (cut) return Error{Code::cancelled, "stopped in front of a plan"};
    if (!constraints_.plans) return std::vector<PlanStep>();
    return first_steps({.engine = *engine_,
                        .sequence = sequence_,
                        .tools = spec_.tools,
                        .first_steps = constraints_.first_steps,
                        .may_answer = constraints_.may_answer,
                        .stop = stop},
                       request_);
  }

  Status replay(const StepResult& step) override {
    FACET_CHECK(opened_);
    const std::int64_t room = context_tokens_max() - context_tokens();
    if (static_cast<std::int64_t>(step.ids.size()) > room) {
      return Error{Code::limit_exceeded,
                   "a recorded output of " + std::to_string(step.ids.size()) +
                       " tokens does not fit the " + std::to_string(room) +
                       " that are left of the context"};
    }
    const auto vocabulary = static_cast<TokenId>(engine_->tokenizer().size());
    for (const TokenId id : step.ids) {
      if (id < 0 || id >= vocabulary) {
        return Error{Code::invalid_data,
                     "a recorded output holds token id " + std::to_string(id) +
                         " outside of the vocabulary"};
      }
    }
    pending_.add(step.ids);
    stopped_on_ = step.stopped_on;
    is_first_ = false;
    question_ = nullptr;
    return ok();
  }

  Status declare(const std::vector<ToolSpec>& tools) override {
    ConversationSpec more = with_tools(tools);
    FACET_TRY(constraints_, limit(more));
    spec_ = std::move(more);
    has_new_sources_ = copies_;
    return ok();
  }

  [[nodiscard]] Status check_tools(const std::vector<ToolSpec>& tools) const override {
    FACET_TRY_STATUS(limit(with_tools(tools)));
    return ok();
  }

  [[nodiscard]] std::vector<grammar::SchemaNote> relaxed() const override {
    return constraints_.relaxed;
  }

  Status add_tool_outputs(const std::vector<ToolCall>& calls,
                          const std::vector<ToolOutput>& outputs,
                          const std::vector<Picture>& pictures) override {
    const int images = static_cast<int>(pictures.size());
    FACET_TRY(const auto segments,
              dialect_.render_tool_outputs(calls, outputs, stopped_on_, images));
    FACET_TRY_STATUS(extend(segments, pictures));
    for (const ToolOutput& output : outputs) add_source(output.content, Source::result);
    if (asks_in_words_) question_ = question_grammar(spec_.tools, calls);
    return ok();
  }

  [[nodiscard]] Result<std::int64_t> count_tool_outputs(
      const std::vector<ToolCall>& calls,
      const std::vector<ToolOutput>& outputs,
      const std::vector<Picture>& pictures) const override {
    const int images = static_cast<int>(pictures.size());
    FACET_TRY(const auto segments,
              dialect_.render_tool_outputs(calls, outputs, stopped_on_, images));
    FACET_TRY(const PromptTokens prompt, tokenize_prompt(engine_->tokenizer(), segments, pictures));
    return static_cast<std::int64_t>(prompt.ids.size());
  }

  [[nodiscard]] bool takes_result_pictures() const override {
    return engine_->info().image_tokens > 0 && dialect_.takes_result_images();
  }

  [[nodiscard]] std::int64_t context_tokens() const override {
    return static_cast<std::int64_t>(sequence_.tokens().size() + pending_.size());
  }
  [[nodiscard]] std::int64_t context_tokens_max() const override {
    return engine_->info().context_tokens_max;
  }
  [[nodiscard]] TokenUsage usage() const override { return usage_; }

 private:
  [[nodiscard]] ConversationSpec with_tools(const std::vector<ToolSpec>& tools) const {
    ConversationSpec spec{
        .plan_first = spec_.plan_first, .tools = spec_.tools, .rules = spec_.rules};
    spec.tools.insert(spec.tools.end(), tools.begin(), tools.end());
    return spec;
  }

  [[nodiscard]] Result<TurnConstraints> limit(const ConversationSpec& spec) const {
    return limit_turns(spec, engine_->info().plans_first, dialect_, factory_, engine_->tokenizer());
  }

  enum class Source : std::uint8_t { text, result };

  /// From now on `content` may be copied.
  void add_source(std::string_view content, Source source) {
    if (!copies_) return;
    if (source == Source::text) source_.add_text(content);
    if (source == Source::result) source_.add_result(content);
    has_new_sources_ = true;
  }

  /// The limits are those of what stands in the conversation now. The tools were checked with free
  /// arguments when they were declared, so that nothing but the size of the sources can fail here.
  Status hold_to_sources() {
    if (!has_new_sources_) return ok();
    FACET_TRY(constraints_, limit(held_spec()));
    has_new_sources_ = false;
    return ok();
  }

  /// What limits the outputs from here on.
  [[nodiscard]] ConversationSpec held_spec() const {
    ConversationSpec spec = with_tools({});
    if (!copies_) return spec;
    spec.rules.values.copies = &source_;
    spec.rules.values.may_lack = true;
    return spec;
  }

  Status extend(const std::vector<Segment>& segments, const std::vector<Picture>& pictures = {}) {
    FACET_TRY(const PromptTokens prompt, tokenize_prompt(engine_->tokenizer(), segments, pictures));
    const std::int64_t room = context_tokens_max() - context_tokens();
    if (static_cast<std::int64_t>(prompt.ids.size()) >= room) {
      return Error{Code::limit_exceeded,
                   std::to_string(prompt.ids.size()) + " tokens do not fit the " +
                       std::to_string(room) + " that are left of the " +
                       std::to_string(context_tokens_max()) + " of the context"};
    }
    pending_.add(prompt);
    return ok();
  }

  /// Computes what is pending, piece by piece, so that a long prompt keeps the time limit too. Why
  /// it was cut, or nullopt; what is done has left pending_.
  Result<std::optional<engine::FinishReason>> prefill(const StepOptions& options,
                                                      std::chrono::steady_clock::time_point start) {
    const bool has_limit = options.time_max.count() > 0;
    while (!pending_.empty()) {
      const bool is_late = std::chrono::steady_clock::now() - start >= options.time_max;
      if (has_limit && is_late) return std::optional(engine::FinishReason::timeout);
      const std::size_t before = sequence_.tokens().size();
      const std::size_t count = has_limit ? pending_.piece(kPrefillPieceTokens) : pending_.size();
      const std::vector<std::size_t> boundaries = pending_.boundaries(count, stop_ids_);
      const auto status = sequence_.append(
          std::span(pending_.ids()).first(count),
          {.images = pending_.images(count), .boundaries = boundaries, .stop = options.stop});
      pending_.drop(sequence_.tokens().size() - before);
      if (status) continue;
      if (status.error().code != Code::cancelled) return status.error();
      return std::optional(engine::FinishReason::cancelled);
    }
    return std::optional<engine::FinishReason>();
  }

  /// The pieces that were finished stay; the rest stays pending.
  StepResult cut_in_prefill(StepResult step, std::size_t before, engine::FinishReason reason) {
    const std::size_t tokens = sequence_.tokens().size();
    step.usage.prompt_tokens = static_cast<std::int64_t>(tokens - before);
    step.usage.prefilled_tokens = static_cast<std::int64_t>(tokens) - step.usage.cached_tokens;
    step.finish_reason = reason;
    usage_ += step.usage;
    return step;
  }

  Status sample(const StepOptions& options,
                std::chrono::steady_clock::time_point start,
                const StepSink& sink,
                StepResult& step) {
    const engine::Tokenizer& tokenizer = engine_->tokenizer();
    const bool is_first = std::exchange(is_first_, false) && constraints_.first;
    const auto& rules = is_first ? constraints_.first : constraints_.later;
    auto constraint = rules ? rules->clone() : nullptr;
    if (is_first) FACET_TRY_STATUS(weigh_plan(options, constraint));
    // What stands behind a user's message is not yet an answer from passages.
    const auto question = std::exchange(question_, nullptr);
    const Grammar* answer = question ? question.get() : options.answer.get();
    if (answer != nullptr && !is_first) {
      FACET_TRY(
          constraint,
          make_answer_constraint(*answer, std::move(constraint), dialect_, factory_, tokenizer));
      if (!question) FACET_TRY_STATUS(hold_to_refusal(options, constraint));
    }
    const TurnPlace place{.engine = *engine_,
                          .dialect = dialect_,
                          .factory = factory_,
                          .stop_ids = stop_ids_,
                          .tools = spec_.tools,
                          .copies = copies_ ? &source_ : nullptr,
                          .slots = {engine_->info().slot_weights.get(), request_, asks_once_},
                          .answer_prefix = constraints_.answer_prefix};
    FACET_TRY_STATUS(write_turn(
        place, sequence_, std::move(constraint), options, time_left(options, start), sink, step));
    stopped_on_ = step.stopped_on;
    return ok();
  }

  /// Holds the answer to its refusal, where that is enough. A sampled one stays as it was drawn.
  Status hold_to_refusal(const StepOptions& options,
                         std::unique_ptr<engine::Constraint>& constraint) {
    if (options.refusal.empty() || options.sampling.temperature > 0.0F) return ok();
    const engine::Tokenizer& tokenizer = engine_->tokenizer();
    const auto trigger = tokenizer.find_token(dialect_.call_trigger());
    FACET_TRY(const bool refused,
              is_refused(*engine_, sequence_, options.refusal, trigger, options.stop));
    if (!refused) return ok();
    Grammar grammar;
    grammar.set_root(grammar.literal(options.refusal));
    FACET_TRY(constraint, make_output_constraint(grammar, dialect_, factory_, tokenizer));
    return ok();
  }

  /// Holds the plan to its best first step. A sampled plan stays as it was drawn.
  Status weigh_plan(const StepOptions& options, std::unique_ptr<engine::Constraint>& constraint) {
    const auto& weights = engine_->info().plan_weights;
    if (!constraints_.plans || !weights || options.sampling.temperature > 0.0F) return ok();
    FACET_TRY(const auto steps, plan_steps(options.stop));
    asks_once_ = is_one_step(steps);
    const auto best = best_step(steps, *weights);
    if (!best) return ok();
    FACET_TRY(auto calls, behind_step(*best));
    FACET_TRY(constraint, make_plan_constraint(*best, factory_, std::move(calls)));
    return ok();
  }

  /// Behind the plan of one tool no other one is called.
  [[nodiscard]] Result<std::unique_ptr<engine::Constraint>> behind_step(
      const std::string& step) const {
    if (step == kAnswerStep) return constraints_.behind_plan->clone();
    ConversationSpec spec = held_spec();
    std::erase_if(spec.tools, [&](const ToolSpec& tool) { return tool.name != step; });
    FACET_TRY(TurnConstraints held, limit(spec));
    return std::move(held.behind_plan);
  }

  std::shared_ptr<const engine::Engine> engine_;
  const prompts::Dialect& dialect_;
  prompts::RenderInput opening_;
  const engine::ConstraintFactory& factory_;
  std::vector<Picture> pictures_;  ///< Of the opening: the history's, then the question's.
  ConversationSpec spec_;          ///< Its tools grow.
  bool copies_ = false;            ///< Arguments are copied from source_.
  bool asks_in_words_ = false;     ///< The model knows those of missing_question().
  std::shared_ptr<const Grammar> question_;  ///< What the next output asks back; null: nothing.
  grammar::CopySource source_;
  bool has_new_sources_ = false;  ///< constraints_ do not know them yet.
  TurnConstraints constraints_;
  bool is_first_ = false;   ///< The next output is the first of a user's turn.
  std::string request_;     ///< What the user said last.
  bool asks_once_ = false;  ///< As far as its plan says, for one call.
  std::vector<TokenId> stop_ids_;
  engine::Sequence sequence_;
  PendingTokens pending_;
  std::string stopped_on_;
  bool opened_ = false;
  TokenUsage usage_;
};

}  // namespace

LocalChatModel::LocalChatModel(std::shared_ptr<const engine::Engine> engine,
                               const prompts::Dialect* dialect)
    : engine_(std::move(engine)),
      dialect_(dialect),
      constraints_(std::make_unique<engine::ConstraintFactory>(engine_->tokenizer())) {}

Result<std::unique_ptr<LocalChatModel>> LocalChatModel::create(
    std::shared_ptr<const engine::Engine> engine, std::string_view dialect) {
  if (engine->info().is_embedder) {
    return Error{Code::invalid_argument,
                 "model '" + engine->info().name + "' is an embedder, not a generator"};
  }
  if (dialect.empty()) dialect = default_dialect(engine->tokenizer());
  FACET_TRY(const prompts::Dialect* found, prompts::find_dialect(dialect));
  const std::string_view trigger = found->call_trigger();
  if (!trigger.empty() && !engine->tokenizer().find_token(trigger)) {
    return Error{Code::invalid_argument,
                 "dialect '" + std::string(dialect) + "' needs the token " + std::string(trigger) +
                     ", which model '" + engine->info().name + "' lacks"};
  }
  return std::unique_ptr<LocalChatModel>(new LocalChatModel(std::move(engine), found));
}

std::string LocalChatModel::name() const {
  return engine_->info().name;
}

AnswerForm LocalChatModel::answer_form() const {
  const bool quotes = engine_->info().quotes_answers && takes_answer_grammar();
  return quotes ? AnswerForm::quoted : AnswerForm::free;
}

ArgumentForm LocalChatModel::argument_form() const {
  return engine_->info().copies_arguments ? ArgumentForm::copied : ArgumentForm::free;
}

bool LocalChatModel::takes_answer_grammar() const {
  return !dialect_->call_trigger().empty();
}

std::int64_t LocalChatModel::context_tokens_max() const {
  return engine_->info().context_tokens_max;
}

Result<std::int64_t> LocalChatModel::count_tool_tokens(const ToolSpec& tool) const {
  const auto count = [&](const std::vector<ToolSpec>& tools) -> Result<std::int64_t> {
    FACET_TRY(
        const auto segments,
        dialect_->render({.messages = {{.role = Role::user, .content = "?"}}, .tools = tools}));
    FACET_TRY(const PromptTokens prompt, tokenize_prompt(engine_->tokenizer(), segments, {}));
    return static_cast<std::int64_t>(prompt.ids.size());
  };
  FACET_TRY(const std::int64_t with, count({tool}));
  FACET_TRY(const std::int64_t without, count({}));
  return std::max<std::int64_t>(with - without, 1);
}

std::string LocalChatModel::identity() const {
  return engine_->info().identity + "/" + std::string(dialect_->name());
}

Result<std::unique_ptr<Conversation>> LocalChatModel::start(const ConversationSpec& spec) const {
  std::size_t images = 0;
  for (const Message& message : spec.history) images += static_cast<std::size_t>(message.images);
  if (images > spec.pictures.size()) {
    return Error{Code::invalid_argument,
                 "the history shows " + std::to_string(images) + " pictures, " +
                     std::to_string(spec.pictures.size()) + " are given"};
  }
  FACET_TRY(const bool copies, is_copied(spec.arguments, *this));
  FACET_TRY(TurnConstraints constraints,
            limit_turns(
                spec, engine_->info().plans_first, *dialect_, *constraints_, engine_->tokenizer()));
  const bool plans = constraints.plans;
  prompts::RenderInput opening{.tools = spec.tools};
  const std::string system =
      system_text(dialect_->name(), spec.instructions, !spec.tools.empty(), plans);
  if (!system.empty()) opening.messages.push_back({.role = Role::system, .content = system});
  opening.messages.insert(opening.messages.end(), spec.history.begin(), spec.history.end());
  return std::unique_ptr<Conversation>(std::make_unique<LocalConversation>(
      engine_, *dialect_, std::move(opening), *constraints_, spec, copies, std::move(constraints)));
}

Result<std::vector<PlanStep>> LocalChatModel::plan_steps(const ConversationSpec& spec,
                                                         std::string_view request,
                                                         const std::stop_token& stop) const {
  FACET_TRY(const auto conversation, start(spec));
  FACET_TRY_STATUS(conversation->add_user(request));
  return static_cast<LocalConversation&>(*conversation).plan_steps(stop);
}

}  // namespace facet::agent
