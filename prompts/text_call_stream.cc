#include "prompts/text_call_stream.h"

#include "prompts/python_calls.h"

#include <utility>

namespace facet::prompts {
namespace {

using Kind = ParseEvent::Kind;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

void TextCallStream::push(std::string_view text, std::vector<ParseEvent>& events) {
  for (const char c : text) {
    if (is_lost_) return;
    if (arguments_) {
      arguments_->push(static_cast<char16_t>(static_cast<unsigned char>(c)));
      if (arguments_->is_closed()) {
        tell_arguments(arguments_->take(), events);
        arguments_.reset();
        if (style_ != CallStyle::json) finish_call(events);
      } else if (arguments_->is_lost()) {
        tell_arguments(arguments_->take(), events);
        lose();
      }
    } else if (style_ == CallStyle::json) {
      json(c, events);
    } else {
      python(c, events);
    }
  }
  if (arguments_) tell_arguments(arguments_->take(), events);
}

void TextCallStream::begin_call(char bracket, std::vector<ParseEvent>& events) {
  const bool is_json = style_ == CallStyle::json;
  call_ = {.name = std::exchange(word_, {}), .arguments = ""};
  is_open_ = true;
  events.push_back({.kind = Kind::call_started, .text = call_.name});
  arguments_.emplace(is_json ? ArgumentStream::Syntax::json : ArgumentStream::Syntax::python);
  arguments_->push(static_cast<char16_t>(bracket));
}

void TextCallStream::tell_arguments(std::string piece, std::vector<ParseEvent>& events) {
  if (piece.empty()) return;
  call_.arguments += piece;
  events.push_back({.kind = Kind::call_arguments, .text = std::move(piece)});
}

void TextCallStream::finish_call(std::vector<ParseEvent>& events) {
  is_open_ = false;
  finished_.push_back(call_);
  events.push_back({.kind = Kind::call_finished, .call = std::move(call_)});
}

void TextCallStream::python(char c, std::vector<ParseEvent>& events) {
  constexpr std::string_view kBetween = ",;[]";
  if (is_space(c)) {
    is_after_word_ = !word_.empty();
  } else if (c == '(') {
    // print(f()) is f's call.
    if (!is_python_name(word_) || word_ == "print") return lose();
    is_after_word_ = false;
    begin_call(c, events);
  } else if (word_.empty() && kBetween.find(c) != std::string_view::npos) {
    return;
  } else if (is_after_word_ ||
             !is_python_name(word_.empty() ? std::string{c} : std::string{'a', c})) {
    lose();
  } else {
    word_ += c;
  }
}

void TextCallStream::json_word(char c) {
  if (c == '\\') return lose();
  if (c != '"') {
    word_ += c;
    return;
  }
  is_in_word_ = false;
  if (expect_ == Expect::name_key) {
    if (word_ != "name") return lose();
    expect_ = Expect::name_colon;
  } else if (expect_ == Expect::name) {
    call_.name = word_;
    expect_ = Expect::comma;
  } else {
    if (word_ != "parameters" && word_ != "arguments") return lose();
    expect_ = Expect::colon;
  }
}

void TextCallStream::json(char c, std::vector<ParseEvent>& events) {
  if (is_in_word_) return json_word(c);
  if (is_space(c)) return;
  const auto take = [&](char expected, Expect then) {
    if (c != expected) return lose();
    expect_ = then;
  };
  switch (expect_) {
    case Expect::open:
      if (c == '[' && finished_.empty()) return;
      return take('{', Expect::name_key);
    case Expect::name_key:
    case Expect::name:
    case Expect::key:
      if (c != '"') return lose();
      is_in_word_ = true;
      word_.clear();
      return;
    case Expect::name_colon:
      return take(':', Expect::name);
    case Expect::comma:
      return take(',', Expect::key);
    case Expect::colon:
      return take(':', Expect::arguments);
    case Expect::arguments:
      if (c != '{') return lose();
      word_ = call_.name;
      expect_ = Expect::close;
      return begin_call(c, events);
    case Expect::close:
      if (c != '}') return lose();
      finish_call(events);
      expect_ = Expect::next;
      return;
    case Expect::next:
      return c == ']' ? lose() : take(',', Expect::open);
  }
}

Status TextCallStream::settle(const std::vector<ToolCall>& calls, std::vector<ParseEvent>& events) {
  const Error differs{Code::invalid_data,
                      "function call cannot be read: it does not go on as it began (\"" +
                          (finished_.empty() ? call_ : finished_.front()).name + "\")"};
  if (calls.size() < finished_.size() + (is_open_ ? 1 : 0)) return differs;
  for (std::size_t i = 0; i < finished_.size(); ++i) {
    if (calls[i] != finished_[i]) return differs;
  }
  for (std::size_t i = finished_.size(); i < calls.size(); ++i) {
    const ToolCall& call = calls[i];
    if (!std::exchange(is_open_, false)) {
      call_ = {.name = call.name, .arguments = ""};
      events.push_back({.kind = Kind::call_started, .text = call.name});
    }
    if (call.name != call_.name || !call.arguments.starts_with(call_.arguments)) return differs;
    tell_arguments(call.arguments.substr(call_.arguments.size()), events);
    finish_call(events);
  }
  return ok();
}

}  // namespace facet::prompts
