#include "agent/output_reader.h"

#include <string_view>
#include <utility>

namespace facet::agent {

using engine::TokenId;

OutputReader::OutputReader(const prompts::Dialect& dialect, const engine::Tokenizer& tokenizer)
    : tokenizer_(tokenizer), decoder_(tokenizer), parser_(dialect.make_parser()) {}

std::vector<prompts::ParseEvent> OutputReader::push(TokenId id) {
  using Kind = Segment::Kind;
  if (!tokenizer_.is_control(id)) {
    const std::string text = decoder_.push(id);
    raw_ += text;
    return text.empty() ? std::vector<prompts::ParseEvent>{} : parser_->feed(text, Kind::data);
  }
  // A control token ends any character that was still incomplete.
  const std::string rest = decoder_.finish();
  std::vector<prompts::ParseEvent> events;
  if (!rest.empty()) events = parser_->feed(rest, Kind::data);
  const std::string_view spelled = tokenizer_.token_text(id);
  raw_ += rest;
  raw_ += spelled;
  for (auto& event : parser_->feed(spelled, Kind::control)) events.push_back(std::move(event));
  return events;
}

Result<prompts::ParsedOutput> OutputReader::finish() {
  const std::string rest = decoder_.finish();
  raw_ += rest;
  if (!rest.empty()) parser_->feed(rest, Segment::Kind::data);
  return parser_->finish();
}

}  // namespace facet::agent
