#include "agent/citations.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

std::vector<NumberedPassage> PassageBook::add(const std::vector<retrieval::Passage>& passages) {
  const std::lock_guard lock(mutex_);
  std::vector<NumberedPassage> numbered;
  for (const retrieval::Passage& passage : passages) {
    entries_.push_back({.id = static_cast<std::int64_t>(entries_.size()) + 1, .passage = passage});
    numbered.push_back(entries_.back());
  }
  return numbered;
}

std::optional<NumberedPassage> PassageBook::find(std::int64_t id) const {
  const std::lock_guard lock(mutex_);
  if (id < 1 || id > static_cast<std::int64_t>(entries_.size())) return std::nullopt;
  return entries_[static_cast<std::size_t>(id - 1)];
}

std::size_t PassageBook::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::vector<NumberedPassage> PassageBook::since(std::size_t begin) const {
  const std::lock_guard lock(mutex_);
  if (begin >= entries_.size()) return {};
  return {entries_.begin() + static_cast<std::ptrdiff_t>(begin), entries_.end()};
}

void PassageBook::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

Status PassageBook::restore(const NumberedPassage& entry) {
  const std::lock_guard lock(mutex_);
  const auto next = static_cast<std::int64_t>(entries_.size()) + 1;
  if (entry.id != next) {
    return Error{Code::invalid_data,
                 "the journal holds passage " + std::to_string(entry.id) + " where " +
                     std::to_string(next) + " comes next"};
  }
  entries_.push_back(entry);
  return ok();
}

namespace {

constexpr std::size_t kCitationDigitsMax = 9;
constexpr std::size_t kQuoteBytesMin = 12;

/// The numbers of "[1]" or "[1, 2]" at `text[0]` == '['; empty when it is something else.
std::vector<std::int64_t> numbers_in_brackets(std::string_view text) {
  std::vector<std::int64_t> numbers;
  std::size_t at = 1;
  while (at < text.size()) {
    const std::size_t begin = at;
    std::int64_t number = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9' &&
           at - begin < kCitationDigitsMax) {
      number = number * 10 + (text[at] - '0');
      ++at;
    }
    if (at == begin || at == text.size()) return {};
    numbers.push_back(number);
    if (text[at] == ']') return numbers;
    if (text[at] != ',') return {};
    ++at;
    while (at < text.size() && text[at] == ' ') ++at;
  }
  return {};
}

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

std::string collapse_spaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_space(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

/// Points `citation` at the passage that holds `sentence`: the one it names if it does, else the
/// first of the run that does.
void check_quote(std::string_view sentence, const PassageBook& book, Citation& citation) {
  if (sentence.empty()) return;
  const auto holds = [&](const retrieval::Passage& passage) {
    return collapse_spaces(passage.text).find(sentence) != std::string::npos;
  };
  if (citation.passage && holds(*citation.passage)) {
    citation.is_supported = true;
    return;
  }
  // A word or a number stands in many places and proves nothing.
  if (sentence.size() < kQuoteBytesMin) return;
  for (const NumberedPassage& entry : book.since(0)) {
    if (!holds(entry.passage)) continue;
    citation.passage_id = entry.id;
    citation.passage = entry.passage;
    citation.is_supported = true;
    return;
  }
}

}  // namespace

std::string sentence_before(std::string_view text) {
  // Citations beside each other, as in "[1][2]", stand for the same sentence.
  while (true) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    const std::size_t open = text.rfind('[');
    if (open == std::string_view::npos || text.find(']', open) != text.size() - 1) break;
    if (numbers_in_brackets(text.substr(open)).empty()) break;
    text = text.substr(0, open);
  }
  // What stands behind an earlier citation belongs to this one.
  if (const std::size_t bracket = text.rfind(']'); bracket != std::string_view::npos) {
    text.remove_prefix(bracket + 1);
  }
  std::string sentence = collapse_spaces(text);
  for (std::size_t at = sentence.size(); at-- > 1;) {
    const char before = sentence[at - 1];
    const bool is_end = before == '.' || before == '!' || before == '?';
    if (sentence[at] == ' ' && is_end) return sentence.substr(at + 1);
  }
  return sentence;
}

std::vector<Citation> resolve_citations(std::string_view answer, const PassageBook& book) {
  std::vector<Citation> citations;
  for (std::size_t at = answer.find('['); at != std::string_view::npos;
       at = answer.find('[', at + 1)) {
    for (const std::int64_t id : numbers_in_brackets(answer.substr(at))) {
      const bool seen = std::any_of(citations.begin(), citations.end(), [&](const Citation& known) {
        return known.id == id;
      });
      if (seen) continue;
      Citation citation{.id = id, .passage_id = id};
      if (const auto entry = book.find(id)) citation.passage = entry->passage;
      check_quote(sentence_before(answer.substr(0, at)), book, citation);
      citations.push_back(std::move(citation));
    }
  }
  return citations;
}

ordered_json passage_json(const retrieval::Passage& passage) {
  ordered_json json = {{"document", passage.document},
                       {"title", passage.title},
                       {"heading", passage.heading},
                       {"page", nullptr},
                       {"span", {{"begin", passage.byte_begin}, {"end", passage.byte_end}}},
                       {"score", passage.score},
                       {"text", passage.text},
                       {"chunk_id", passage.chunk_id}};
  if (passage.page > 0) json["page"] = passage.page;
  return json;
}

Result<retrieval::Passage> passage_from_json(const ordered_json& json) {
  try {
    retrieval::Passage passage;
    passage.document = json.at("document").get<std::string>();
    passage.title = json.at("title").get<std::string>();
    passage.heading = json.at("heading").get<std::string>();
    passage.page = json.at("page").is_null() ? 0 : json.at("page").get<int>();
    passage.byte_begin = json.at("span").at("begin").get<std::uint64_t>();
    passage.byte_end = json.at("span").at("end").get<std::uint64_t>();
    passage.score = json.at("score").get<double>();
    passage.text = json.at("text").get<std::string>();
    passage.chunk_id = json.at("chunk_id").get<std::int64_t>();
    return passage;
  } catch (const ordered_json::exception& error) {
    return Error{Code::invalid_data, std::string("recorded passage: ") + error.what()};
  }
}

ordered_json citation_json(const Citation& citation) {
  ordered_json json = {{"id", citation.id},
                       {"resolved", citation.is_resolved()},
                       {"supported", citation.is_supported}};
  if (citation.passage) {
    json["passage_id"] = citation.passage_id;
    json.update(passage_json(*citation.passage));
  }
  return json;
}

}  // namespace facet::agent
