#include "prompts/text_call_parser.h"

#include "prompts/python_calls.h"
#include "prompts/text_call_stream.h"
#include "prompts/trimmed_text.h"

#include <string>
#include <utility>

namespace facet::prompts {
namespace {

using Verdict = CallOpening::Verdict;

constexpr std::size_t kCallBytesMax = 1U << 20U;
/// An opening that is not decided by then is none; this keeps re-reading it cheap.
constexpr std::size_t kOpeningBytesMax = 256;
/// White space between a call and the fence that closes it.
constexpr std::size_t kFenceSpaceBytesMax = 256;
constexpr std::string_view kFence = "```";
constexpr std::string_view kToolCode = "```tool_code";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

/// A view with a position, for the few symbols of an opening.
CallOpening open_tool_code(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.size() <= kToolCode.size()) {
    return {.verdict = kToolCode.starts_with(rest) ? Verdict::undecided : Verdict::no};
  }
  if (!rest.starts_with(kToolCode) || !is_space(rest[kToolCode.size()])) return {};
  return {.verdict = Verdict::yes, .body = at + kToolCode.size(), .fenced = true};
}

/// `[name(`, from the bracket on.
Verdict open_list(std::string_view text, std::size_t at) {
  if (text[at] != '[') return Verdict::no;
  const std::size_t start = skip_space(text, at + 1);
  std::size_t end = start;
  while (end < text.size() && text[end] != '(' &&
         is_python_name(text.substr(start, end + 1 - start))) {
    ++end;
  }
  if (end == text.size()) return Verdict::undecided;
  return end > start && text[end] == '(' ? Verdict::yes : Verdict::no;
}

/// `{"` or `[{`, from the bracket on.
Verdict open_json(std::string_view text, std::size_t at) {
  if (text[at] != '{' && text[at] != '[') return Verdict::no;
  const std::size_t next = skip_space(text, at + 1);
  if (next == text.size()) return Verdict::undecided;
  return text[next] == (text[at] == '{' ? '"' : '{') ? Verdict::yes : Verdict::no;
}

class Parser final : public StreamParser {
 public:
  explicit Parser(CallStyle style) : style_(style) {}

  std::vector<ParseEvent> feed(std::string_view text, Segment::Kind kind) override {
    std::vector<ParseEvent> events;
    if (ended_) return events;
    if (kind == Segment::Kind::control) {
      ended_ = text == "<end_of_turn>" || text == "<eos>";
    } else {
      held_ += text;
    }
    drain(ended_, events);
    return events;
  }

  Result<ParsedOutput> finish() override {
    std::vector<ParseEvent> events;
    drain(true, events);
    if (error_) return *error_;
    text_.finish();
    output_.text = text_.text();
    return output_;
  }

 private:
  /// Takes from held_ what is decided; everything when the output `is_whole`.
  void drain(bool is_whole, std::vector<ParseEvent>& events) {
    while (!held_.empty()) {
      if (scanner_) {
        if (!take_calls(is_whole, events)) return;
      } else if (at_line_start_) {
        opening_ = find_call_opening(style_, held_);
        if (opening_.verdict == Verdict::undecided && !is_whole) return;
        at_line_start_ = false;
        if (opening_.verdict == Verdict::yes) {
          scanner_.emplace(style_, opening_);
          calls_.emplace(style_);
          told_bytes_ = opening_.body;
        }
      } else {
        const std::size_t line_end = held_.find('\n');
        at_line_start_ = line_end != std::string::npos;
        emit_text(at_line_start_ ? line_end + 1 : held_.size(), events);
      }
    }
  }

  /// False when more must come first.
  bool take_calls(bool is_whole, std::vector<ParseEvent>& events) {
    auto extent = scanner_->find_end(held_, is_whole);
    if (!extent && is_whole) extent = CallScanner::Extent{held_.size(), held_.size()};
    // Asked of the position, not of what is held: the pieces that come in must not decide.
    if ((extent ? extent->body_end : scanner_->position()) > kCallBytesMax) {
      fail({Code::limit_exceeded,
            "a function call is longer than " + std::to_string(kCallBytesMax) + " bytes"});
      held_.clear();
      ended_ = true;
      return false;
    }
    tell(extent ? extent->body_end : scanner_->position(), events);
    if (!extent) return false;
    scanner_.reset();
    const std::string_view body =
        std::string_view(held_).substr(opening_.body, extent->body_end - opening_.body);
    auto calls = read(body);
    if (!calls) {
      fail(calls.error());
      held_.erase(0, extent->end);
    } else if (!*calls && !calls_->has_begun()) {
      emit_text(extent->end, events);  // JSON, but no call.
    } else {
      const std::vector<ToolCall> whole = (*calls).value_or(std::vector<ToolCall>());
      if (auto status = calls_->settle(whole, events); !status) fail(status.error());
      held_.erase(0, extent->end);
      output_.tool_calls.insert(output_.tool_calls.end(), whole.begin(), whole.end());
    }
    return true;
  }

  /// Tells what is certain of the calls in held_ up to `end`.
  void tell(std::size_t end, std::vector<ParseEvent>& events) {
    if (end <= told_bytes_) return;
    calls_->push(std::string_view(held_).substr(told_bytes_, end - told_bytes_), events);
    told_bytes_ = end;
  }

  Result<std::optional<std::vector<ToolCall>>> read(std::string_view body) const {
    if (style_ == CallStyle::json) return read_json_calls(body);
    FACET_TRY(std::vector<ToolCall> calls, read_python_calls(body));
    return std::optional(std::move(calls));
  }

  void emit_text(std::size_t bytes, std::vector<ParseEvent>& events) {
    std::string text = text_.push(std::string_view(held_).substr(0, bytes));
    held_.erase(0, bytes);
    if (!text.empty()) {
      events.push_back({.kind = ParseEvent::Kind::text, .text = std::move(text)});
    }
  }

  void fail(Error error) {
    if (!error_) error_ = std::move(error);
  }

  CallStyle style_;
  std::string held_;
  bool at_line_start_ = true;
  bool ended_ = false;
  CallOpening opening_;
  std::optional<CallScanner> scanner_;
  std::optional<TextCallStream> calls_;  ///< Of what scanner_ looks for the end of.
  std::size_t told_bytes_ = 0;           ///< Of held_, what calls_ has seen.
  TrimmedText text_;
  ParsedOutput output_;
  std::optional<Error> error_;
};

}  // namespace

CallOpening find_call_opening(CallStyle style, std::string_view line) {
  if (style == CallStyle::none) return {};
  const std::string_view text = line.substr(0, kOpeningBytesMax);
  const Verdict too_short = text.size() < kOpeningBytesMax ? Verdict::undecided : Verdict::no;
  std::size_t at = skip_space(text, 0);
  if (at == text.size()) return {.verdict = too_short};
  CallOpening opening;
  if (style == CallStyle::tool_code) {
    opening = open_tool_code(text, at);
  } else {
    const std::string_view rest = text.substr(at);
    opening.fenced = rest.starts_with(kFence);
    if (opening.fenced) {
      at += kFence.size();
      while (at < text.size() && !is_space(text[at]) && text[at] != '[' && text[at] != '{') ++at;
      at = skip_space(text, at);
      if (at == text.size()) return {.verdict = too_short};
    } else if (rest.size() < kFence.size() && kFence.starts_with(rest)) {
      return {.verdict = too_short};
    }
    opening.verdict = style == CallStyle::json ? open_json(text, at) : open_list(text, at);
    opening.body = at;
  }
  if (opening.verdict == Verdict::undecided) opening.verdict = too_short;
  return opening;
}

/// False when the text ends before it is known how a string goes on.
bool CallScanner::skip_string(std::string_view text, bool is_whole) {
  while (at_ < text.size()) {
    if (text[at_] == '\\') {
      if (at_ + 1 == text.size()) return false;
      at_ += 2;
    } else if (text[at_] != quote_) {
      ++at_;
    } else if (quotes_ == 1) {
      ++at_;
      quotes_ = 0;
      return true;
    } else {
      if (at_ + 3 > text.size() && !is_whole) return false;
      const bool closes = text.substr(at_, 3) == std::string(3, quote_);
      at_ += closes ? 3 : 1;
      if (closes) {
        quotes_ = 0;
        return true;
      }
    }
  }
  return false;
}

std::optional<CallScanner::Extent> CallScanner::find_closing_fence(std::string_view text,
                                                                   bool is_whole) {
  const std::size_t end = *body_end_;
  if (!fenced_) return Extent{end, end};
  const std::size_t fence = skip_space(text.substr(0, end + kFenceSpaceBytesMax), end);
  const std::string_view rest = text.substr(fence);
  if (rest.starts_with(kFence)) return Extent{end, fence + kFence.size()};
  if (kFence.starts_with(rest) && !is_whole) return std::nullopt;
  return Extent{end, end};
}

std::optional<CallScanner::Extent> CallScanner::find_end(std::string_view text, bool is_whole) {
  while (!body_end_ && at_ < text.size()) {
    if (quotes_ != 0) {
      if (!skip_string(text, is_whole)) return std::nullopt;
      continue;
    }
    const char c = text[at_];
    if (in_comment_) {
      in_comment_ = c != '\n';
    } else if (c == '"' || (c == '\'' && style_ != CallStyle::json)) {
      const bool may_be_triple = style_ != CallStyle::json && !is_whole;
      if (may_be_triple && at_ + 3 > text.size()) return std::nullopt;
      const bool triple = style_ != CallStyle::json && text.substr(at_, 3) == std::string(3, c);
      quote_ = c;
      quotes_ = triple ? 3 : 1;
      at_ += quotes_ - 1;
    } else if (c == '#' && style_ != CallStyle::json) {
      in_comment_ = true;
    } else if (c == '`' && style_ == CallStyle::tool_code) {
      if (at_ + 3 > text.size() && !is_whole) return std::nullopt;
      if (text.substr(at_).starts_with(kFence)) return Extent{at_, at_ + kFence.size()};
    } else if (c == '[' || c == '{' || c == '(') {
      ++depth_;
    } else if (c == ']' || c == '}' || c == ')') {
      --depth_;
      if (depth_ <= 0 && style_ != CallStyle::tool_code) body_end_ = at_ + 1;
    }
    ++at_;
  }
  if (!body_end_) return std::nullopt;
  return find_closing_fence(text, is_whole);
}

std::unique_ptr<StreamParser> make_text_call_parser(CallStyle style) {
  return std::make_unique<Parser>(style);
}

}  // namespace facet::prompts
