// The streaming reader of FunctionGemma's and Gemma 4's output. It keeps one call at a time as
// symbols and reads it when its end marker comes; everything else is text, response blocks
// excepted: those are the host's words, and a model that writes one is making its result up.
#include "prompts/argument_stream.h"
#include "prompts/call_tokens.h"
#include "prompts/excerpt.h"
#include "prompts/functiongemma.h"
#include "prompts/functiongemma_value.h"
#include "prompts/python_text.h"
#include "prompts/trimmed_text.h"

#include <optional>
#include <string>
#include <utility>

namespace facet::prompts {
namespace {

constexpr std::size_t kCallBytesMax = 1U << 20U;

class Parser final : public StreamParser {
 public:
  explicit Parser(const CallTokens& tokens) : tokens_(tokens) {}

  std::vector<ParseEvent> feed(std::string_view text, Segment::Kind kind) override {
    std::vector<ParseEvent> events;
    if (kind == Segment::Kind::control) {
      control(text, events);
    } else if (mode_ == Mode::text) {
      add_text(text_.push(text), events);
    } else if (mode_ == Mode::call) {
      call_data(text, events);
    }
    if (arguments_) add_arguments(arguments_->take(), events);
    return events;
  }

  Result<ParsedOutput> finish() override {
    std::vector<ParseEvent> events;
    if (mode_ == Mode::call) close_call(events);
    if (error_) return *error_;
    text_.finish();
    output_.text = text_.text();
    return output_;
  }

 private:
  enum class Mode { text, call, response, thought, ended };

  static void add_text(std::string text, std::vector<ParseEvent>& events) {
    if (text.empty()) return;
    events.push_back({.kind = ParseEvent::Kind::text, .text = std::move(text)});
  }

  void add_arguments(std::string piece, std::vector<ParseEvent>& events) {
    if (piece.empty()) return;
    told_ += piece;
    events.push_back({.kind = ParseEvent::Kind::call_arguments, .text = std::move(piece)});
  }

  void control(std::string_view name, std::vector<ParseEvent>& events) {
    if (mode_ == Mode::ended) return;
    if (mode_ == Mode::call && name == tokens_.string) {
      append(kEscapeSymbol);
      if (arguments_) arguments_->push(kEscapeSymbol);
    } else if (name == tokens_.start_call) {
      if (mode_ == Mode::call) close_call(events);
      mode_ = Mode::call;
      symbols_.clear();
      arguments_.reset();
      told_.clear();
      started_ = false;
    } else if (name == tokens_.end_call) {
      if (mode_ == Mode::call) close_call(events);
    } else if (name == tokens_.start_response) {
      if (mode_ == Mode::call) close_call(events);
      mode_ = Mode::response;
    } else if (name == tokens_.end_response) {
      if (mode_ == Mode::response) mode_ = Mode::text;
    } else if (name == tokens_.end_of_turn || name == "<eos>") {
      if (mode_ == Mode::call) close_call(events);
      mode_ = Mode::ended;
    } else if (!tokens_.start_thought.empty() && name == tokens_.start_thought) {
      if (mode_ == Mode::call) close_call(events);
      mode_ = Mode::thought;
    } else if (!tokens_.start_thought.empty() && name == tokens_.end_thought) {
      if (mode_ == Mode::thought) mode_ = Mode::text;
    } else if (mode_ == Mode::call) {
      fail({Code::invalid_data,
            "control token " + std::string(name) + " inside the function call \"" +
                excerpt(symbols_text(symbols_), symbols_.size()) + "\""});
      mode_ = Mode::text;
    }
    // Any other control token in text is no letter of it and is dropped.
  }

  void call_data(std::string_view text, std::vector<ParseEvent>& events) {
    for (const char c : text) {
      const auto symbol = static_cast<char16_t>(static_cast<unsigned char>(c));
      append(symbol);
      if (mode_ != Mode::call) return;
      if (c == '{' && !started_) start_call(events);
      if (arguments_) arguments_->push(symbol);
    }
  }

  void append(char16_t symbol) {
    if (symbols_.size() >= kCallBytesMax) {
      fail({Code::limit_exceeded,
            "a function call is longer than " + std::to_string(kCallBytesMax) + " bytes"});
      mode_ = Mode::ended;
      return;
    }
    symbols_ += symbol;
  }

  /// The first brace ends the name.
  void start_call(std::vector<ParseEvent>& events) {
    started_ = true;
    const std::string head = symbols_text(symbols_);
    std::string_view name = strip_start(head);
    if (!name.starts_with("call:")) return;
    name.remove_prefix(5);
    name.remove_suffix(1);
    events.push_back({.kind = ParseEvent::Kind::call_started, .text = std::string(strip(name))});
    arguments_.emplace(ArgumentStream::Syntax::control);
  }

  void close_call(std::vector<ParseEvent>& events) {
    mode_ = Mode::text;
    if (arguments_) add_arguments(arguments_->take(), events);
    arguments_.reset();
    auto call = read_call(symbols_);
    if (call && !call->arguments.starts_with(told_)) {
      call = Error{
          Code::invalid_data,
          "function call cannot be read: it does not go on as it began (\"" + call->name + "\")"};
    }
    if (!call) {
      fail(call.error());
      return;
    }
    add_arguments(call->arguments.substr(told_.size()), events);
    output_.tool_calls.push_back(*call);
    events.push_back({.kind = ParseEvent::Kind::call_finished, .call = *std::move(call)});
  }

  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  const CallTokens& tokens_;
  Mode mode_ = Mode::text;
  TrimmedText text_;
  CallSymbols symbols_;
  bool started_ = false;
  std::optional<ArgumentStream> arguments_;  ///< Of the open call, once its name is certain.
  std::string told_;                         ///< Its arguments as far as events have told them.
  ParsedOutput output_;
  std::optional<Error> error_;
};

}  // namespace

std::unique_ptr<StreamParser> make_call_parser(const CallTokens& tokens) {
  return std::make_unique<Parser>(tokens);
}

std::unique_ptr<StreamParser> make_functiongemma_parser() {
  static constexpr CallTokens kTokens{.start_call = "<start_function_call>",
                                      .end_call = "<end_function_call>",
                                      .start_response = "<start_function_response>",
                                      .end_response = "<end_function_response>",
                                      .string = kEscape,
                                      .end_of_turn = "<end_of_turn>"};
  return make_call_parser(kTokens);
}

}  // namespace facet::prompts
