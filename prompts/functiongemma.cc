#include "prompts/functiongemma.h"

#include "base/json.h"
#include "prompts/functiongemma_declaration.h"
#include "prompts/functiongemma_value.h"
#include "prompts/python_text.h"
#include "prompts/segment_writer.h"
#include "prompts/tool_message.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kStartCall = "<start_function_call>";
constexpr std::string_view kStartResponse = "<start_function_response>";
constexpr std::string_view kEndOfTurn = "<end_of_turn>\n";
constexpr JsonLimits kJsonLimits{.nesting_depth_max = kNestingDepthMax};

bool is_developer(Role role) {
  return role == Role::system || role == Role::developer;
}

/// `response:name{members}<end_function_response>`; what is no mapping becomes `value`.
Status write_response(const ToolResponse& response, SegmentWriter& out) {
  const std::string what = "response of tool \"" + response.name + "\"";
  FACET_TRY(const Json value, parse_json(response.response, what, kResponseLimits));
  out.control("response:");
  out.data(strip(response.name));
  out.control("{");
  if (value.is_object()) {
    write_members(value, out);
  } else {
    out.control("value:");
    write_value(value, false, out);
  }
  out.control("}<end_function_response>");
  return ok();
}

Status write_call(const ToolCall& call, SegmentWriter& out) {
  const std::string what = "arguments of call \"" + call.name + "\"";
  FACET_TRY(const Json arguments, parse_json(call.arguments, what, kJsonLimits));
  if (!arguments.is_object()) {
    return Error{Code::invalid_argument, what + " are not a JSON object"};
  }
  out.control(kStartCall);
  out.control("call:");
  out.data(call.name);
  out.control("{");
  write_members(arguments, out);
  out.control("}<end_function_call>");
  return ok();
}

/// Writes the messages one after the other and knows how the last one left the model's turn.
class TurnWriter {
 public:
  explicit TurnWriter(SegmentWriter& out) : out_(out) {}

  Status message(const Message& message, std::size_t index) {
    if (message.role == Role::tool) {
      FACET_TRY(const auto responses, read_tool_message(message, index));
      for (const ToolResponse& response : responses) {
        out_.control(kStartResponse);
        FACET_TRY_STATUS(write_response(response, out_));
      }
      left_ = Left::response;
      return ok();
    }
    const bool is_model = message.role == Role::assistant;
    if (!is_model && !message.tool_calls.empty()) {
      return bad_message(index, "only an assistant message may call tools");
    }
    if (!(is_model && left_ == Left::response)) open_turn(message.role);
    for (int i = 0; i < message.images; ++i) out_.control("<start_of_image>");
    out_.data(strip(message.content));
    for (const ToolCall& call : message.tool_calls) {
      auto written = write_call(call, out_);
      if (!written) return bad_message(index, written.error().message);
    }
    left_ = message.tool_calls.empty() ? Left::closed : Left::call;
    if (left_ == Left::closed) out_.control(kEndOfTurn);
    return ok();
  }

  void end(bool add_generation_prompt) {
    if (left_ == Left::call) {
      out_.control(kStartResponse);
    } else if (left_ == Left::closed && add_generation_prompt) {
      out_.control("<start_of_turn>model\n");
    }
  }

 private:
  enum class Left { closed, call, response };

  void open_turn(Role role) {
    if (left_ != Left::closed) out_.control(kEndOfTurn);
    out_.control("<start_of_turn>");
    out_.control(role == Role::assistant ? "model" : is_developer(role) ? "developer" : "user");
    out_.control("\n");
  }

  SegmentWriter& out_;
  Left left_ = Left::closed;
};

class FunctionGemma final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const override { return "functiongemma"; }

  [[nodiscard]] Result<std::vector<Segment>> render(const RenderInput& input) const override {
    const std::vector<Message>& messages = input.messages;
    if (messages.empty()) {
      return Error{Code::invalid_argument, "a conversation needs at least one message"};
    }
    SegmentWriter out;
    out.control("<bos>");
    const bool has_developer = is_developer(messages.front().role);
    if (has_developer || !input.tools.empty()) {
      out.control("<start_of_turn>developer\n");
      if (has_developer) {
        FACET_TRY_STATUS(check_system_message(messages.front()));
        out.data(strip(messages.front().content));
      }
      for (const ToolSpec& tool : input.tools) FACET_TRY_STATUS(write_declaration(tool, out));
      out.control(kEndOfTurn);
    }
    TurnWriter turns(out);
    for (std::size_t i = has_developer ? 1 : 0; i < messages.size(); ++i) {
      FACET_TRY_STATUS(turns.message(messages[i], i));
    }
    turns.end(input.add_generation_prompt);
    return out.take();
  }

  [[nodiscard]] Result<std::vector<Segment>> render_tool_outputs(
      const std::vector<ToolCall>& calls,
      const std::vector<ToolOutput>& outputs,
      std::string_view stopped_on,
      int images) const override {
    if (images > 0) {
      return Error{Code::unsupported, "results in functiongemma are text: they bring no images"};
    }
    FACET_TRY(const auto responses, pair_tool_outputs(calls, outputs));
    SegmentWriter out;
    const bool turn_ended = !stopped_on.empty() && stopped_on != kStartResponse;
    if (turn_ended) out.control("\n<start_of_turn>model\n");
    bool opened = stopped_on == kStartResponse;  // By the model itself, for the first response.
    for (const ToolResponse& response : responses) {
      if (!std::exchange(opened, false)) out.control(kStartResponse);
      FACET_TRY_STATUS(write_response(response, out));
    }
    return out.take();
  }

  [[nodiscard]] Result<std::vector<Segment>> render_user_turn(std::string_view text,
                                                              std::string_view stopped_on,
                                                              int images) const override {
    SegmentWriter out;
    out.control(stopped_on == "<end_of_turn>" ? "\n" : kEndOfTurn);
    out.control("<start_of_turn>user\n");
    for (int i = 0; i < images; ++i) out.control("<start_of_image>");
    out.data(strip(text));
    out.control(kEndOfTurn);
    out.control("<start_of_turn>model\n");
    return out.take();
  }

  [[nodiscard]] std::unique_ptr<StreamParser> make_parser() const override {
    return make_functiongemma_parser();
  }

  [[nodiscard]] std::vector<std::string> stop_tokens() const override {
    return {"<end_of_turn>", "<eos>", std::string(kStartResponse)};
  }

  [[nodiscard]] std::vector<std::string> control_tokens() const override {
    return {"<bos>",
            "<eos>",
            "<start_of_turn>",
            "<end_of_turn>",
            "<start_of_image>",
            "<start_function_declaration>",
            "<end_function_declaration>",
            std::string(kStartCall),
            "<end_function_call>",
            std::string(kStartResponse),
            "<end_function_response>",
            std::string(kEscape)};
  }

  [[nodiscard]] std::string_view call_trigger() const override { return kStartCall; }

  [[nodiscard]] Result<Grammar> call_grammar(const std::vector<ToolSpec>& tools,
                                             const CallGrammarOptions& options) const override {
    return functiongemma_call_grammar(tools, options);
  }

  [[nodiscard]] Result<TurnGrammar> turn_grammar(const std::vector<ToolSpec>& tools,
                                                 const TurnRules& rules) const override {
    return functiongemma_turn_grammar(tools, rules);
  }
};

}  // namespace

const Dialect& functiongemma() {
  static const FunctionGemma dialect;
  return dialect;
}

}  // namespace facet::prompts
