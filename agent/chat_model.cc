#include "agent/chat_model.h"

#include "base/json.h"

#include <nlohmann/json.hpp>

namespace facet::agent {

using nlohmann::ordered_json;

TokenUsage& TokenUsage::operator+=(const TokenUsage& other) {
  prompt_tokens += other.prompt_tokens;
  cached_tokens += other.cached_tokens;
  completion_tokens += other.completion_tokens;
  forced_tokens += other.forced_tokens;
  prefilled_tokens += other.prefilled_tokens;
  return *this;
}

std::string_view answer_form_name(AnswerForm form) {
  switch (form) {
    case AnswerForm::by_model:
      return "by model";
    case AnswerForm::free:
      return "free";
    case AnswerForm::quoted:
      return "quoted";
  }
  return "";
}

std::optional<AnswerForm> answer_form_from_name(std::string_view name) {
  for (const AnswerForm form : {AnswerForm::by_model, AnswerForm::free, AnswerForm::quoted}) {
    if (name == answer_form_name(form)) return form;
  }
  return std::nullopt;
}

Result<bool> is_quoted(AnswerForm form, const ChatModel& model) {
  if (form == AnswerForm::by_model) return model.answer_form() == AnswerForm::quoted;
  if (form == AnswerForm::free || model.takes_answer_grammar()) return form == AnswerForm::quoted;
  return Error{Code::unsupported,
               "answers of model '" + model.name() +
                   "' cannot be held to quotes: in its dialect a call begins like a text"};
}

std::string_view argument_form_name(ArgumentForm form) {
  switch (form) {
    case ArgumentForm::by_model:
      return "by model";
    case ArgumentForm::free:
      return "free";
    case ArgumentForm::copied:
      return "copied";
  }
  return "";
}

std::optional<ArgumentForm> argument_form_from_name(std::string_view name) {
  for (const ArgumentForm form :
       {ArgumentForm::by_model, ArgumentForm::free, ArgumentForm::copied}) {
    if (name == argument_form_name(form)) return form;
  }
  return std::nullopt;
}

Result<bool> is_copied(ArgumentForm form, const ChatModel& model) {
  if (form == ArgumentForm::by_model) form = model.argument_form();
  if (form == ArgumentForm::free || model.takes_argument_form()) {
    return form == ArgumentForm::copied;
  }
  return Error{Code::unsupported,
               "arguments of model '" + model.name() +
                   "' cannot be held to what stands in the conversation"};
}

ordered_json usage_json(const TokenUsage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"cached_tokens", usage.cached_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"forced_tokens", usage.forced_tokens},
          {"prefilled_tokens", usage.prefilled_tokens}};
}

ordered_json step_json(const StepResult& step) {
  ordered_json calls = ordered_json::array();
  for (const ToolCall& call : step.tool_calls) {
    calls.push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  return {{"text", step.text},
          {"tool_calls", std::move(calls)},
          {"raw", step.raw},
          {"stopped_on", step.stopped_on},
          {"parse_error", step.parse_error},
          {"calls_begun", step.calls_begun},
          {"ids", step.ids},
          {"finish_reason", engine::finish_reason_name(step.finish_reason)},
          {"usage", usage_json(step.usage)}};
}

namespace {

Result<engine::FinishReason> finish_reason_from_name(const std::string& name) {
  using engine::FinishReason;
  for (const FinishReason reason :
       {FinishReason::stop, FinishReason::length, FinishReason::cancelled, FinishReason::timeout}) {
    if (engine::finish_reason_name(reason) == name) return reason;
  }
  return Error{Code::invalid_data, "unknown finish reason '" + name + "' in a recorded step"};
}

}  // namespace

Result<StepResult> step_from_json(const ordered_json& json) {
  StepResult step;
  try {
    step.text = json.at("text").get<std::string>();
    for (const auto& call : json.at("tool_calls")) {
      step.tool_calls.push_back({.id = call.at("id").get<std::string>(),
                                 .name = call.at("name").get<std::string>(),
                                 .arguments = call.at("arguments").get<std::string>()});
    }
    step.raw = json.at("raw").get<std::string>();
    step.stopped_on = json.at("stopped_on").get<std::string>();
    step.parse_error = json.at("parse_error").get<std::string>();
    step.calls_begun = json.value("calls_begun", 0);  // Journals of earlier versions: none.
    step.ids = json.at("ids").get<std::vector<engine::TokenId>>();
    FACET_TRY(step.finish_reason,
              finish_reason_from_name(json.at("finish_reason").get<std::string>()));
    const auto& usage = json.at("usage");
    step.usage = {.prompt_tokens = usage.at("prompt_tokens").get<std::int64_t>(),
                  .cached_tokens = usage.at("cached_tokens").get<std::int64_t>(),
                  .completion_tokens = usage.at("completion_tokens").get<std::int64_t>(),
                  // Journals of earlier versions do not have it.
                  .forced_tokens = usage.value("forced_tokens", std::int64_t{0}),
                  .prefilled_tokens = usage.at("prefilled_tokens").get<std::int64_t>()};
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("recorded step: ") + error.what()};
  }
  return step;
}

}  // namespace facet::agent
