#include "prompts/gemma4.h"

#include "base/json.h"
#include "prompts/call_tokens.h"
#include "prompts/functiongemma_value.h"
#include "prompts/python_text.h"
#include "prompts/tool_grammar.h"
#include "prompts/tool_message.h"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace facet::prompts {
namespace {

using Json = nlohmann::ordered_json;

constexpr CallTokens kTokens{.start_call = "<|tool_call>",
                             .end_call = "<tool_call|>",
                             .start_response = "<|tool_response>",
                             .end_response = "<tool_response|>",
                             .string = kGemma4Quote,
                             .end_of_turn = "<turn|>",
                             .start_thought = "<|channel>",
                             .end_thought = "<channel|>"};
constexpr std::string_view kEndOfTurn = "<turn|>\n";
constexpr JsonLimits kJsonLimits{.nesting_depth_max = kNestingDepthMax};

bool is_system(Role role) {
  return role == Role::system || role == Role::developer;
}

std::string_view turn_name(Role role) {
  return role == Role::assistant ? "model" : role_name(role);
}

/// What a model thought in earlier turns is not shown to it again.
std::string without_thoughts(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t start = text.find(kTokens.start_thought);
    out += text.substr(0, start);
    if (start == std::string_view::npos) break;
    const std::size_t end = text.find(kTokens.end_thought, start);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + kTokens.end_thought.size());
  }
  return std::string(strip(out));
}

Status write_call(const ToolCall& call, SegmentWriter& out) {
  const std::string what = "arguments of call \"" + call.name + "\"";
  FACET_TRY(const Json arguments, parse_json(call.arguments, what, kJsonLimits));
  if (!arguments.is_object()) {
    return Error{Code::invalid_argument, what + " are not a JSON object"};
  }
  out.control(kTokens.start_call);
  out.control("call:");
  out.data(call.name);
  out.control("{");
  write_gemma4_members(arguments, out);
  out.control("}");
  out.control(kTokens.end_call);
  return ok();
}

/// Behind the token that opens it; what is no mapping becomes `value`.
Status write_response(const ToolResponse& response, SegmentWriter& out) {
  const std::string what = "response of tool \"" + response.name + "\"";
  FACET_TRY(const Json value, parse_json(response.response, what, kResponseLimits));
  out.control("response:");
  out.data(response.name);
  out.control("{");
  if (value.is_object()) {
    write_gemma4_members(value, out);
  } else {
    out.control("value:");
    write_gemma4_value(value, false, out);
  }
  out.control("}");
  out.control(kTokens.end_response);
  return ok();
}

/// Writes messages one after the other and knows how the last one left the model's turn.
class TurnWriter {
 public:
  explicit TurnWriter(SegmentWriter& out) : out_(out) {}

  Status message(const Message& message, std::size_t index) {
    if (message.role == Role::tool) {
      FACET_TRY(const auto responses, read_tool_message(message, index));
      for (const ToolResponse& response : responses) {
        out_.control(kTokens.start_response);
        FACET_TRY_STATUS(write_response(response, out_));
      }
      left_ = Left::response;
      return ok();
    }
    const bool is_model = message.role == Role::assistant;
    if (!is_model && !message.tool_calls.empty()) {
      return bad_message(index, "only an assistant message may call tools");
    }
    // Messages of the model in a row are one turn; its text stands behind its calls' results.
    if (is_model && left_ != Left::closed) {
      FACET_TRY_STATUS(flush());
    } else {
      FACET_TRY_STATUS(close());
      out_.control("<|turn>");
      out_.control(turn_name(message.role));
      out_.control("\n");
    }
    for (int i = 0; i < message.images; ++i) out_.control("<|image|>");
    for (const ToolCall& call : message.tool_calls) {
      auto written = write_call(call, out_);
      if (!written) return bad_message(index, written.error().message);
    }
    held_ = is_model ? without_thoughts(message.content) : std::string(strip(message.content));
    left_ = message.tool_calls.empty() ? Left::text : Left::call;
    if (!is_model) return close();
    return ok();
  }

  /// Ends the prompt: whether a new turn of the model is to be opened.
  Result<bool> end() {
    if (left_ == Left::call) {
      out_.control(kTokens.start_response);
      return false;
    }
    if (left_ == Left::response && held_.empty()) return false;
    FACET_TRY_STATUS(close());
    return true;
  }

 private:
  enum class Left { closed, text, call, response };

  Status flush() {
    out_.data(std::exchange(held_, {}));
    return ok();
  }

  Status close() {
    if (left_ == Left::closed) return ok();
    FACET_TRY_STATUS(flush());
    out_.control(kEndOfTurn);
    left_ = Left::closed;
    return ok();
  }

  SegmentWriter& out_;
  Left left_ = Left::closed;
  std::string held_;  ///< Text of the last message that has not been written yet.
};

CallForm call_form() {
  CallForm form{.values = control_values(kGemma4Quote, "null"), .before_name = "call:"};
  form.arguments = form.values.object;
  form.name_fault = [](std::string_view name) -> std::string {
    const bool fits = name.find('{') == std::string_view::npos && strip(name) == name;
    return fits ? "" : "cannot be written in a call";
  };
  return form;
}

class Gemma4 final : public Dialect {
 public:
  Gemma4(std::string_view name, Gemma4Size size) : name_(name), size_(size) {}

  [[nodiscard]] std::string_view name() const override { return name_; }

  [[nodiscard]] Result<std::vector<Segment>> render(const RenderInput& input) const override {
    const std::vector<Message>& messages = input.messages;
    if (messages.empty()) {
      return Error{Code::invalid_argument, "a conversation needs at least one message"};
    }
    SegmentWriter out;
    out.control("<bos>");
    const bool has_system = is_system(messages.front().role);
    if (has_system || !input.tools.empty()) {
      out.control("<|turn>system\n");
      if (has_system) {
        FACET_TRY_STATUS(check_system_message(messages.front()));
        out.data(strip(messages.front().content));
      }
      for (const ToolSpec& tool : input.tools) {
        FACET_TRY_STATUS(write_gemma4_declaration(tool, out));
      }
      out.control(kEndOfTurn);
    }
    TurnWriter turns(out);
    for (std::size_t i = has_system ? 1 : 0; i < messages.size(); ++i) {
      FACET_TRY_STATUS(turns.message(messages[i], i));
    }
    FACET_TRY(const bool opens, turns.end());
    if (opens && input.add_generation_prompt) open_turn(out);
    return out.take();
  }

  [[nodiscard]] Result<std::vector<Segment>> render_tool_outputs(
      const std::vector<ToolCall>& calls,
      const std::vector<ToolOutput>& outputs,
      std::string_view stopped_on,
      int images) const override {
    if (images > 0) {
      return Error{Code::unsupported, "results in gemma4 are text: they bring no images"};
    }
    FACET_TRY(const auto responses, pair_tool_outputs(calls, outputs));
    SegmentWriter out;
    const bool turn_ended = !stopped_on.empty() && stopped_on != kTokens.start_response;
    if (turn_ended) out.control("\n<|turn>model\n");
    bool opened = stopped_on == kTokens.start_response;  // By the model, for the first response.
    for (const ToolResponse& response : responses) {
      if (!std::exchange(opened, false)) out.control(kTokens.start_response);
      FACET_TRY_STATUS(write_response(response, out));
    }
    return out.take();
  }

  [[nodiscard]] Result<std::vector<Segment>> render_user_turn(std::string_view text,
                                                              std::string_view stopped_on,
                                                              int images) const override {
    SegmentWriter out;
    out.control(stopped_on == kTokens.end_of_turn ? "\n" : kEndOfTurn);
    out.control("<|turn>user\n");
    for (int i = 0; i < images; ++i) out.control("<|image|>");
    out.data(strip(text));
    out.control(kEndOfTurn);
    open_turn(out);
    return out.take();
  }

  [[nodiscard]] std::unique_ptr<StreamParser> make_parser() const override {
    return make_call_parser(kTokens);
  }

  [[nodiscard]] std::vector<std::string> stop_tokens() const override {
    return {std::string(kTokens.end_of_turn), "<eos>", std::string(kTokens.start_response)};
  }

  [[nodiscard]] std::vector<std::string> control_tokens() const override {
    return {"<bos>",
            "<eos>",
            "<|turn>",
            "<turn|>",
            "<|tool>",
            "<tool|>",
            std::string(kTokens.start_call),
            std::string(kTokens.end_call),
            std::string(kTokens.start_response),
            std::string(kTokens.end_response),
            std::string(kTokens.start_thought),
            std::string(kTokens.end_thought),
            "<|think|>",
            "<|image|>",
            std::string(kGemma4Quote)};
  }

  [[nodiscard]] std::string_view call_trigger() const override { return kTokens.start_call; }

  [[nodiscard]] Result<Grammar> call_grammar(const std::vector<ToolSpec>& tools,
                                             const CallGrammarOptions& options) const override {
    Grammar grammar;
    FACET_TRY(const OneCall call, one_call(call_form(), tools, options, grammar));
    grammar.set_root(grammar.sequence({call.node, grammar.control(kTokens.end_call)}));
    return grammar;
  }

  [[nodiscard]] Result<TurnGrammar> turn_grammar(const std::vector<ToolSpec>& tools,
                                                 const TurnRules& rules) const override {
    return trigger_turn_grammar(call_form(), kTokens.start_call, kTokens.end_call, tools, rules);
  }

 private:
  void open_turn(SegmentWriter& out) const {
    out.control("<|turn>model\n");
    if (size_ == Gemma4Size::large) out.control("<|channel>thought\n<channel|>");
  }

  std::string_view name_;
  Gemma4Size size_;
};

}  // namespace

const Dialect& gemma4(Gemma4Size size) {
  static const Gemma4 large("gemma4", Gemma4Size::large);
  static const Gemma4 small("gemma4-e2b", Gemma4Size::small);
  return size == Gemma4Size::large ? large : small;
}

}  // namespace facet::prompts
