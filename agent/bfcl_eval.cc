#include "agent/bfcl_eval.h"

#include "agent/bfcl_match.h"
#include "agent/eval_json.h"
#include "agent/output_reader.h"
#include "agent/pictures.h"
#include "base/check.h"
#include "base/json.h"
#include "tools/missing_arguments.h"
#include "tools/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

using Mode = prompts::ToolChoice::Mode;

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

Result<std::vector<Segment>> prompt_of(const LocalChatModel& model, const BfclCase& test) {
  prompts::RenderInput input{.messages = test.messages, .tools = test.tools};
  const bool has_system = test.messages.front().role == Role::system;
  const std::string given = has_system ? test.messages.front().content : "";
  const std::string system =
      system_text(model.dialect().name(), given, !test.tools.empty(), /*plan_first=*/false);
  if (has_system) {
    input.messages.front().content = system;
  } else if (!system.empty()) {
    input.messages.insert(input.messages.begin(), {.role = Role::system, .content = system});
  }
  return model.dialect().render(input);
}

/// Why a turn that could be read is not valid, or nothing.
Result<std::optional<std::string>> invalid(const BfclCase& test,
                                           const prompts::ToolChoice& choice,
                                           const std::vector<ToolCall>& calls) {
  using Why = std::optional<std::string>;
  const bool must_call = choice.mode == Mode::required || choice.mode == Mode::named;
  if (must_call && calls.empty()) return Why("no call, but one is required");
  for (const ToolCall& call : calls) {
    const auto tool = std::find_if(test.tools.begin(), test.tools.end(), [&](const auto& one) {
      return one.name == call.name;
    });
    if (tool == test.tools.end()) return Why("no function '" + call.name + "' is declared");
    FACET_TRY(const auto schema, tools::Schema::compile_text(tool->parameters));
    const auto arguments = parse_json(call.arguments, "the arguments of " + call.name);
    if (!arguments) return Why(arguments.error().message);
    if (const auto violation = schema.check(*arguments)) {
      return Why(call.name + ": " + violation->text());
    }
  }
  return Why();
}

Status judge(const BfclCase& test,
             const BfclOptions& options,
             const Result<prompts::ParsedOutput>& parsed,
             BfclScore& score) {
  const std::vector<ToolCall> calls = parsed ? parsed->tool_calls : std::vector<ToolCall>();
  score.calls = std::ssize(calls);
  FACET_TRY(const ordered_json functions, parse_json(test.functions, "functions"));
  FACET_TRY(const ordered_json answers, parse_json(test.answers, "answers"));
  const auto wrong = bfcl_mismatch(functions, answers, calls);
  score.is_right = !wrong;
  if (!parsed) {
    score.why = parsed.error().message;
    return ok();
  }
  FACET_TRY(const auto fault, invalid(test, options.rules.choice, calls));
  score.is_valid = !fault;
  score.why = fault ? *fault : wrong.value_or("");
  return ok();
}

Error stopped(const BfclCase& test) {
  return {Code::cancelled, "stopped while case '" + test.id + "' was running"};
}

/// Calls that lack an argument are not made: the agent asks for it.
std::vector<ToolCall> made_calls(const BfclCase& test, std::vector<ToolCall> calls) {
  std::erase_if(calls, [&](const ToolCall& call) {
    return std::any_of(test.tools.begin(), test.tools.end(), [&](const ToolSpec& tool) {
      return tool.name == call.name && !tools::missing_arguments(tool, call.arguments).empty();
    });
  });
  return calls;
}

Result<BfclScore> score_agents_turn(const LocalChatModel& model,
                                    const BfclCase& test,
                                    const BfclOptions& options) {
  FACET_CHECK(options.is_constrained);
  ConversationSpec spec{.tools = test.tools, .rules = options.rules};
  for (const Message& message : test.messages) {
    if (message.role == Role::system) {
      spec.instructions = message.content;
    } else if (&message != &test.messages.back()) {
      spec.history.push_back(message);
    }
  }
  BfclScore score;
  const auto start = std::chrono::steady_clock::now();
  FACET_TRY(const auto conversation, model.start(spec));
  FACET_TRY_STATUS(conversation->add_user(test.messages.back().content));
  score.compile_ms = ms_since(start);
  FACET_TRY(
      StepResult step,
      conversation->generate(
          {.tokens_max = options.tokens_max, .sampling = options.sampling, .stop = options.stop},
          StepSink()));
  if (step.finish_reason == engine::FinishReason::cancelled) return stopped(test);
  score.prefill_ms = step.prefill_ms;
  score.decode_ms = step.decode_ms;
  score.prompt_tokens = step.usage.prompt_tokens;
  score.forced_tokens = step.usage.forced_tokens;
  score.sampled_tokens = step.usage.completion_tokens - step.usage.forced_tokens;
  score.is_cut = step.finish_reason == engine::FinishReason::length;
  score.got = std::move(step.raw);
  Result<prompts::ParsedOutput> parsed = Error{Code::invalid_data, step.parse_error};
  if (step.parse_error.empty()) {
    parsed = prompts::ParsedOutput{.text = std::move(step.text),
                                   .tool_calls = made_calls(test, std::move(step.tool_calls))};
  }
  FACET_TRY_STATUS(judge(test, options, parsed, score));
  return score;
}

}  // namespace

Result<BfclScore> score_bfcl_case(const LocalChatModel& model,
                                  const BfclCase& test,
                                  const BfclOptions& options) {
  if (options.is_agents) return score_agents_turn(model, test, options);
  const engine::Tokenizer& tokenizer = model.engine().tokenizer();
  BfclScore score;
  auto start = std::chrono::steady_clock::now();
  std::unique_ptr<engine::Constraint> constraint;
  if (options.is_constrained) {
    FACET_TRY(TurnConstraint made,
              make_turn_constraint(
                  model.dialect(), test.tools, options.rules, model.constraints(), tokenizer));
    constraint = std::move(made.constraint);
  }
  score.compile_ms = ms_since(start);
  FACET_TRY(const auto segments, prompt_of(model, test));
  FACET_TRY(const PromptTokens prompt, tokenize_prompt(tokenizer, segments, {}));
  score.prompt_tokens = std::ssize(prompt.ids);
  engine::Sequence sequence = model.engine().new_sequence();
  start = std::chrono::steady_clock::now();
  FACET_TRY_STATUS(sequence.append(prompt.ids, options.stop));
  score.prefill_ms = ms_since(start);
  const auto stops = stop_ids(model.dialect(), tokenizer);
  FACET_TRY(const auto result,
            model.engine().generate(sequence,
                                    {.tokens_max = options.tokens_max,
                                     .sampling = options.sampling,
                                     .stop_ids = stops,
                                     .constraint = constraint.get(),
                                     .stop = options.stop},
                                    {}));
  if (result.finish_reason == engine::FinishReason::cancelled) {
    return stopped(test);
  }
  score.decode_ms = result.decode_ms;
  score.forced_tokens = static_cast<std::int64_t>(result.forced_tokens);
  score.sampled_tokens = std::ssize(result.ids) - score.forced_tokens;
  score.is_cut = result.finish_reason == engine::FinishReason::length;
  OutputReader reader(model.dialect(), tokenizer);
  for (const engine::TokenId id : result.ids) {
    if (std::find(stops.begin(), stops.end(), id) == stops.end()) reader.push(id);
  }
  const auto parsed = reader.finish();
  score.got = reader.raw();
  FACET_TRY_STATUS(judge(test, options, parsed, score));
  return score;
}

void BfclTotals::add(const BfclScore& score) {
  ++cases;
  valid += score.is_valid ? 1 : 0;
  right += score.is_right ? 1 : 0;
  cut += score.is_cut ? 1 : 0;
  calls += score.calls;
  prompt_tokens += score.prompt_tokens;
  sampled_tokens += score.sampled_tokens;
  forced_tokens += score.forced_tokens;
  compile_ms += score.compile_ms;
  prefill_ms += score.prefill_ms;
  decode_ms += score.decode_ms;
}

ordered_json bfcl_totals_json(const BfclTotals& totals) {
  const auto share = [&](std::int64_t part) {
    return json_percent(static_cast<double>(part), static_cast<double>(totals.cases));
  };
  return {{"cases", totals.cases},
          {"valid", totals.valid},
          {"validity_percent", share(totals.valid)},
          {"right", totals.right},
          {"accuracy_percent", share(totals.right)},
          {"cut", totals.cut},
          {"calls", totals.calls},
          {"tokens",
           {{"prompt", totals.prompt_tokens},
            {"sampled", totals.sampled_tokens},
            {"forced", totals.forced_tokens}}},
          {"ms",
           {{"compile", totals.compile_ms},
            {"prefill", totals.prefill_ms},
            {"decode", totals.decode_ms}}}};
}

}  // namespace facet::agent
