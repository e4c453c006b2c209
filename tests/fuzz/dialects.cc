// What a model writes, in each dialect: it is read the same however it is cut, and the calls that
// are read are read again when they are rendered.
#include "base/check.h"
#include "base/json.h"
#include "prompts/dialect.h"
#include "tests/fuzz/targets.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace facet::fuzz {
namespace {

using prompts::Dialect;

/// `text` as a model emits it: names of the dialect's control tokens are those tokens.
std::vector<Segment> as_tokens(const Dialect& dialect, std::string_view text) {
  const auto names = dialect.control_tokens();
  std::vector<Segment> out;
  while (!text.empty()) {
    const auto name = std::find_if(
        names.begin(), names.end(), [&](const std::string& one) { return text.starts_with(one); });
    const std::size_t size = name == names.end() ? 1 : name->size();
    if (name != names.end()) {
      out.push_back({Segment::Kind::control, std::string(*name)});
    } else if (!out.empty() && out.back().kind == Segment::Kind::data) {
      out.back().text += text.front();
    } else {
      out.push_back({Segment::Kind::data, std::string(text.substr(0, 1))});
    }
    text.remove_prefix(size);
  }
  return out;
}

struct Read {
  std::string text;             ///< Of the events.
  std::vector<ToolCall> calls;  ///< Of the events.
  Result<prompts::ParsedOutput> whole;
};

/// Feeds `segments`, data in pieces of `piece` bytes; 0: whole.
Read read(const Dialect& dialect, const std::vector<Segment>& segments, std::size_t piece) {
  const auto parser = dialect.make_parser();
  std::string text;
  std::vector<ToolCall> calls;
  const auto take = [&](std::string_view part, Segment::Kind kind) {
    for (auto& event : parser->feed(part, kind)) {
      if (event.kind == prompts::ParseEvent::Kind::text) text += event.text;
      if (event.kind == prompts::ParseEvent::Kind::call_finished) calls.push_back(event.call);
    }
  };
  for (const Segment& segment : segments) {
    if (segment.kind == Segment::Kind::control || piece == 0) {
      take(segment.text, segment.kind);
      continue;
    }
    for (std::size_t at = 0; at < segment.text.size(); at += piece) {
      take(std::string_view(segment.text).substr(at, piece), segment.kind);
    }
  }
  return {std::move(text), std::move(calls), parser->finish()};
}

/// The calls of `output`, put into a conversation and read out of it again.
void check_round_trip(const Dialect& dialect, const prompts::ParsedOutput& output) {
  const Message question{.content = "q"};
  const auto head = dialect.render({.messages = {question}});
  FACET_CHECK(head.has_value());
  const auto whole = dialect.render(
      {.messages = {question, {.role = Role::assistant, .tool_calls = output.tool_calls}},
       .add_generation_prompt = false});
  if (!whole) return;  // A name, say, that the dialect cannot write.
  const std::string before = plain_text(*head);
  std::string text = plain_text(*whole);
  FACET_CHECK(text.starts_with(before));
  // Rendered as data and control, it is given back as that.
  std::vector<Segment> tail;
  std::size_t skip = before.size();
  for (const Segment& segment : *whole) {
    const std::size_t cut = std::min(skip, segment.text.size());
    skip -= cut;
    if (cut == segment.text.size()) continue;
    if (segment.kind == Segment::Kind::data) {
      tail.push_back({segment.kind, segment.text.substr(cut)});
      continue;
    }
    for (Segment& part : as_tokens(dialect, std::string_view(segment.text).substr(cut))) {
      tail.push_back(std::move(part));
    }
  }
  const auto again = read(dialect, tail, 0).whole;
  FACET_CHECK(again.has_value());
  FACET_CHECK(again->tool_calls.size() == output.tool_calls.size());
  for (std::size_t i = 0; i < output.tool_calls.size(); ++i) {
    const auto ours = parse_json(output.tool_calls[i].arguments, "arguments");
    const auto theirs = parse_json(again->tool_calls[i].arguments, "arguments");
    FACET_CHECK(ours && theirs);
    FACET_CHECK(again->tool_calls[i].name == output.tool_calls[i].name);
    FACET_CHECK(nlohmann::json(*ours) == nlohmann::json(*theirs));
  }
}

bool check(const char* name, std::span<const std::byte> bytes) {
  const Dialect& dialect = **prompts::find_dialect(name);
  const auto segments =
      as_tokens(dialect, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const Read whole = read(dialect, segments, 0);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}}) {
    const Read cut = read(dialect, segments, piece);
    FACET_CHECK(cut.text == whole.text);
    FACET_CHECK(cut.calls == whole.calls);
    FACET_CHECK(cut.whole.has_value() == whole.whole.has_value());
    if (whole.whole) FACET_CHECK(*cut.whole == *whole.whole);
  }
  if (!whole.whole) {
    check_message(whole.whole.error());
    return false;
  }
  for (const ToolCall& call : whole.whole->tool_calls) {
    const auto arguments = parse_json(call.arguments, "arguments");
    FACET_CHECK(arguments && arguments->is_object());
  }
  if (!whole.whole->tool_calls.empty()) check_round_trip(dialect, *whole.whole);
  return true;
}

}  // namespace

bool functiongemma(std::span<const std::byte> bytes) {
  return check("functiongemma", bytes);
}

bool gemma3_python(std::span<const std::byte> bytes) {
  return check("gemma3-python", bytes);
}

bool gemma3_json(std::span<const std::byte> bytes) {
  return check("gemma3-json", bytes);
}

bool gemma3_tool_code(std::span<const std::byte> bytes) {
  return check("gemma3-tool-code", bytes);
}

bool gemma4(std::span<const std::byte> bytes) {
  return check("gemma4-e2b", bytes);
}

}  // namespace facet::fuzz
