#include "prompts/gemma3.h"

#include "prompts/gemma3_calls.h"
#include "prompts/gemma3_grammar.h"
#include "prompts/python_text.h"
#include "prompts/segment_writer.h"
#include "prompts/tool_message.h"

#include <string>
#include <utility>

namespace facet::prompts {
namespace {

constexpr std::string_view kEndOfTurn = "<end_of_turn>\n";
constexpr std::string_view kUserTurn = "<start_of_turn>user\n";
constexpr std::string_view kModelTurn = "<start_of_turn>model\n";

Error not_alternating(std::size_t index) {
  return bad_message(index, "Conversation roles must alternate user/assistant/user/assistant/...");
}

class Gemma3 final : public Dialect {
 public:
  Gemma3(std::string_view name, CallStyle style) : name_(name), style_(style) {}

  [[nodiscard]] std::string_view name() const override { return name_; }

  [[nodiscard]] Result<std::vector<Segment>> render(const RenderInput& input) const override {
    const std::vector<Message>& messages = input.messages;
    const bool has_system = !messages.empty() && (messages[0].role == Role::system ||
                                                  messages[0].role == Role::developer);
    const std::size_t first = has_system ? 1 : 0;
    if (messages.size() == first) {
      return Error{Code::invalid_argument, "a conversation needs at least one user message"};
    }
    if (style_ == CallStyle::none && !input.tools.empty()) {
      return Error{Code::invalid_argument,
                   "the dialect gemma3 has no tools; gemma3-python, gemma3-json and "
                   "gemma3-tool-code have"};
    }
    SegmentWriter out;
    out.control("<bos>");
    bool users_turn = true;
    for (std::size_t i = first; i < messages.size(); users_turn = !users_turn) {
      out.control(users_turn ? kUserTurn : kModelTurn);
      if (i == first) FACET_TRY_STATUS(write_prefix(input, has_system, out));
      FACET_TRY_STATUS(write_turn(messages, users_turn, i, out));
      out.control(kEndOfTurn);
    }
    if (input.add_generation_prompt) out.control(kModelTurn);
    return out.take();
  }

  [[nodiscard]] Result<std::vector<Segment>> render_tool_outputs(
      const std::vector<ToolCall>& calls,
      const std::vector<ToolOutput>& outputs,
      std::string_view stopped_on,
      int images) const override {
    if (style_ == CallStyle::none) {
      return Error{Code::unsupported, "the dialect gemma3 has no tool calls"};
    }
    FACET_TRY(const auto responses, pair_tool_outputs(calls, outputs));
    SegmentWriter out;
    open_next_turn(stopped_on, out);
    write_images(images, out);
    FACET_TRY_STATUS(write_responses(style_, responses, out));
    out.control(kEndOfTurn);
    out.control(kModelTurn);
    return out.take();
  }

  [[nodiscard]] bool takes_result_images() const override { return style_ != CallStyle::none; }

  [[nodiscard]] Result<std::vector<Segment>> render_user_turn(std::string_view text,
                                                              std::string_view stopped_on,
                                                              int images) const override {
    SegmentWriter out;
    open_next_turn(stopped_on, out);
    write_images(images, out);
    out.data(strip(text));
    out.control(kEndOfTurn);
    out.control(kModelTurn);
    return out.take();
  }

  [[nodiscard]] std::unique_ptr<StreamParser> make_parser() const override {
    return make_text_call_parser(style_);
  }

  [[nodiscard]] std::vector<std::string> control_tokens() const override {
    return {"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>"};
  }

  [[nodiscard]] std::vector<std::string> stop_tokens() const override {
    return {"<end_of_turn>", "<eos>"};
  }

  [[nodiscard]] std::string_view call_trigger() const override { return ""; }

  [[nodiscard]] Result<Grammar> call_grammar(const std::vector<ToolSpec>& /*tools*/,
                                             const CallGrammarOptions& /*options*/) const override {
    return Error{Code::unsupported,
                 "the dialect " + std::string(name_) +
                     " has no call grammar: no token marks where a call begins"};
  }

  [[nodiscard]] Result<TurnGrammar> turn_grammar(const std::vector<ToolSpec>& tools,
                                                 const TurnRules& rules) const override {
    return gemma3_turn_grammar(style_, tools, rules);
  }

 private:
  static void open_next_turn(std::string_view stopped_on, SegmentWriter& out) {
    out.control(stopped_on == "<end_of_turn>" ? "\n" : kEndOfTurn);
    out.control(kUserTurn);
  }

  static void write_images(int count, SegmentWriter& out) {
    for (int image = 0; image < count; ++image) out.control("<start_of_image>");
  }

  Status write_prefix(const RenderInput& input, bool has_system, SegmentWriter& out) const {
    if (has_system) {
      FACET_TRY_STATUS(check_system_message(input.messages[0]));
      out.data(input.messages[0].content);
      out.control("\n\n");
    }
    return input.tools.empty() ? ok() : write_tools(style_, input.tools, out);
  }

  /// Writes the message at `i`, or all tool messages from there on, and moves `i` behind.
  Status write_turn(const std::vector<Message>& messages,
                    bool users_turn,
                    std::size_t& i,
                    SegmentWriter& out) const {
    const Message& message = messages[i];
    const bool answers = i > 0 && messages[i - 1].role == Role::assistant;
    if (message.role == Role::tool && users_turn && answers && style_ != CallStyle::none) {
      return write_tool_turn(messages, i, out);
    }
    if (message.role != (users_turn ? Role::user : Role::assistant)) return not_alternating(i);
    if (!message.tool_calls.empty() && (users_turn || style_ == CallStyle::none)) {
      return bad_message(i, "tool calls have no form here");
    }
    write_images(message.images, out);
    const std::string_view text = strip(message.content);
    out.data(text);
    if (!message.tool_calls.empty()) {
      if (!text.empty()) out.control("\n");
      auto written = write_calls(style_, message.tool_calls, out);
      if (!written) return bad_message(i, written.error().message);
    }
    ++i;
    return ok();
  }

  Status write_tool_turn(const std::vector<Message>& messages,
                         std::size_t& i,
                         SegmentWriter& out) const {
    std::vector<ToolResponse> responses;
    int images = 0;
    for (; i < messages.size() && messages[i].role == Role::tool; ++i) {
      Message text = messages[i];
      text.images = 0;  // They stand in front of all results of the turn.
      FACET_TRY(const auto more, read_tool_message(text, i));
      responses.insert(responses.end(), more.begin(), more.end());
      images += messages[i].images;
    }
    write_images(images, out);
    return write_responses(style_, responses, out);
  }

  std::string_view name_;
  CallStyle style_;
};

}  // namespace

const Dialect& gemma3(CallStyle style) {
  static const Gemma3 plain("gemma3", CallStyle::none);
  static const Gemma3 python("gemma3-python", CallStyle::python_list);
  static const Gemma3 json("gemma3-json", CallStyle::json);
  static const Gemma3 tool_code("gemma3-tool-code", CallStyle::tool_code);
  switch (style) {
    case CallStyle::python_list:
      return python;
    case CallStyle::json:
      return json;
    case CallStyle::tool_code:
      return tool_code;
    case CallStyle::none:
      break;
  }
  return plain;
}

}  // namespace facet::prompts
