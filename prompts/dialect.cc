#include "prompts/dialect.h"

#include "prompts/functiongemma.h"
#include "prompts/gemma3.h"
#include "prompts/gemma4.h"

#include <array>

namespace facet::prompts {
namespace {

std::array<const Dialect*, 7> dialects() {
  return {&functiongemma(),
          &gemma3(CallStyle::none),
          &gemma3(CallStyle::python_list),
          &gemma3(CallStyle::json),
          &gemma3(CallStyle::tool_code),
          &gemma4(Gemma4Size::large),
          &gemma4(Gemma4Size::small)};
}

}  // namespace

std::vector<Segment> Dialect::split_output(std::string_view output) const {
  const std::vector<std::string> names = control_tokens();
  std::vector<Segment> segments;
  std::size_t text_start = 0;
  const auto add_text = [&](std::size_t end) {
    if (end == text_start) return;
    segments.push_back(
        {Segment::Kind::data, std::string(output.substr(text_start, end - text_start))});
  };
  for (std::size_t at = output.find('<'); at != std::string_view::npos; at = output.find('<', at)) {
    std::string_view token;
    for (const std::string& name : names) {
      if (output.substr(at).starts_with(name)) token = output.substr(at, name.size());
    }
    if (token.empty()) {
      ++at;
      continue;
    }
    add_text(at);
    segments.push_back({Segment::Kind::control, std::string(token)});
    at += token.size();
    text_start = at;
  }
  add_text(output.size());
  return segments;
}

Result<ParsedOutput> Dialect::parse(std::string_view output) const {
  const auto parser = make_parser();
  for (const Segment& segment : split_output(output)) parser->feed(segment.text, segment.kind);
  return parser->finish();
}

ToolChoice tool_choice_from_name(std::string_view name) {
  using Mode = ToolChoice::Mode;
  if (name.empty() || name == "auto") return {};
  if (name == "none") return {.mode = Mode::none};
  if (name == "required") return {.mode = Mode::required};
  return {.mode = Mode::named, .name = std::string(name)};
}

Result<const Dialect*> find_dialect(std::string_view name) {
  if (name == "shieldgemma" || name == "translategemma") {
    return Error{Code::invalid_argument,
                 "the dialect " + std::string(name) +
                     " holds no conversation: facet generate has it, with " +
                     (name == "shieldgemma" ? "--policy" : "--from and --to")};
  }
  std::string known;
  for (const Dialect* dialect : dialects()) {
    if (dialect->name() == name) return dialect;
    known += (known.empty() ? "" : ", ") + std::string(dialect->name());
  }
  return Error{Code::invalid_argument,
               "unknown dialect \"" + std::string(name) + "\"; known are " + known};
}

std::vector<std::string_view> dialect_names() {
  std::vector<std::string_view> names;
  for (const Dialect* dialect : dialects()) names.push_back(dialect->name());
  return names;
}

}  // namespace facet::prompts
