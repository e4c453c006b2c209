#include "agent/quoted_answer.h"

#include "agent/tool_catalog.h"
#include "base/json.h"
#include "retrieval/unicode.h"
#include "tools/builtin/calculator.h"
#include "tools/builtin/search_documents.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace facet::agent {
namespace {

constexpr std::size_t kLabelBytesMax = 40;
/// A line that is shorter was ended on purpose.
constexpr std::size_t kWrappedBytesMin = 60;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

bool is_heading(std::string_view line) {
  const std::size_t marks = line.find_first_not_of('#');
  return marks != 0 && (marks == std::string_view::npos || line[marks] == ' ');
}

/// Bytes of "- ", "* ", "+ ", "\u2022 ", "12. " or "3) " in front of an item.
std::size_t list_mark(std::string_view line) {
  for (const std::string_view mark : {"- ", "* ", "+ ", "\u2022 "}) {
    if (line.starts_with(mark)) return mark.size();
  }
  constexpr std::size_t kDigitsMax = 3;
  const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  if (digits == 0 || digits > kDigitsMax || digits + 1 >= line.size()) return 0;
  const bool is_mark = (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
  return is_mark ? digits + 2 : 0;
}

std::size_t label_bytes(std::string_view text) {
  const std::size_t colon = text.find(": ");
  const bool is_label = colon != std::string_view::npos && colon > 0 && colon < kLabelBytesMax;
  return is_label && colon + 2 < text.size() ? colon + 2 : 0;
}

/// The cells of "column: value; column: value"; empty where `text` is no row of a table.
std::vector<std::string> cells_of(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const std::size_t end = std::min(text.find("; "), text.size());
    const std::string_view cell = text.substr(0, end);
    if (label_bytes(cell) == 0) return {};
    out.emplace_back(cell);
    if (end == text.size()) break;
    text.remove_prefix(end + 2);
  }
  return out.size() > 1 ? out : std::vector<std::string>();
}

/// Whether a line goes on in the next one.
enum class LineEnd : std::uint8_t { ends, may_go_on, goes_on };
LineEnd end_of(std::string_view line, std::string_view next) {
  const bool is_ended = std::string_view(".!?:;|").find(line.back()) != std::string_view::npos;
  const bool begins_anew = next.empty() || is_heading(next) || list_mark(next) > 0;
  if (line.size() < kWrappedBytesMin || is_ended || begins_anew || label_bytes(next) > 0) {
    return LineEnd::ends;
  }
  return next.front() >= 'a' && next.front() <= 'z' ? LineEnd::goes_on : LineEnd::may_go_on;
}

void add_paragraph(std::string_view text, std::vector<QuotableSentence>& out) {
  const std::size_t first = out.size();
  std::size_t begin = 0;
  for (const std::size_t end : retrieval::sentence_ends(text)) {
    const std::string_view sentence = trimmed(text.substr(begin, end - begin));
    begin = end;
    if (sentence.empty()) continue;
    if (out.size() > first) out.back().joins_next = true;
    out.push_back({.text = std::string(sentence)});
  }
  if (out.size() > first) out[first].label = label_bytes(out[first].text);
  if (out.size() == first + 1) out[first].cells = cells_of(out[first].text);
}

/// One thing that an answer may say, in its place.
struct Piece {
  QuotableSentence sentence;
  std::string citation;  ///< What follows where the quote ends here.
};

/// Right-linear: rule from[i] is what may be said from piece i on, so the grammar grows with the
/// text and a parser needs no way back.
Grammar::Node said(Grammar& grammar, const std::vector<Piece>& pieces) {
  Grammar::Node from = grammar.never();
  Grammar::Node body = grammar.never();  // Of the next piece, whole.
  for (std::size_t i = pieces.size(); i-- > 0;) {
    const Piece& piece = pieces[i];
    const std::string number = std::to_string(i);
    const Grammar::Node more = grammar.sequence({grammar.literal(" "), from});
    std::vector<Grammar::Node> ends = {grammar.sequence(
        {grammar.literal(piece.citation), grammar.choice({grammar.literal(""), more})})};
    if (piece.sentence.joins_next) ends.push_back(grammar.sequence({grammar.literal(" "), body}));
    const Grammar::Node tail = grammar.declare("behind " + number);
    grammar.define(tail, grammar.choice(std::move(ends)));
    body = grammar.declare("piece " + number);
    grammar.define(body, grammar.sequence({grammar.literal(piece.sentence.text), tail}));
    std::vector<Grammar::Node> starts = {body};
    if (piece.sentence.label > 0) {
      starts.push_back(grammar.sequence(
          {grammar.literal(std::string_view(piece.sentence.text).substr(piece.sentence.label)),
           tail}));
    }
    for (const std::string& cell : piece.sentence.cells) {
      starts.push_back(grammar.sequence(
          {grammar.literal(cell + piece.citation), grammar.choice({grammar.literal(""), more})}));
    }
    starts.push_back(from);
    from = grammar.declare("from " + number);
    grammar.define(from, grammar.choice(std::move(starts)));
  }
  return from;
}

}  // namespace

std::vector<QuotableSentence> quotable_sentences(std::string_view text) {
  std::vector<QuotableSentence> out;
  std::string paragraph;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || is_heading(line)) continue;
    const LineEnd line_end = end_of(line, trimmed(text.substr(0, text.find('\n'))));
    if (paragraph.empty()) line.remove_prefix(list_mark(line));
    paragraph += line;
    if (line_end == LineEnd::goes_on) {
      paragraph += ' ';
      continue;
    }
    add_paragraph(paragraph, out);
    if (!out.empty()) out.back().joins_next = line_end == LineEnd::may_go_on;
    paragraph.clear();
  }
  return out;
}

Grammar quoted_answer_grammar(const std::vector<NumberedPassage>& passages,
                              const std::vector<std::string>& statements) {
  std::vector<Piece> pieces;
  pieces.reserve(statements.size());
  for (const std::string& statement : statements) {
    pieces.push_back({.sentence = {.text = statement}});
  }
  for (const NumberedPassage& entry : passages) {
    for (QuotableSentence& sentence : quotable_sentences(entry.passage.text)) {
      pieces.push_back({std::move(sentence), " [" + std::to_string(entry.id) + "]"});
    }
  }
  Grammar grammar;
  grammar.set_root(grammar.choice({grammar.literal(kRefusal), said(grammar, pieces)}));
  return grammar;
}

void QuotableResults::add(const ToolCall& call, const ToolOutput& output) {
  if (call.name == tools::kSearchDocuments) {
    has_searched_ = has_searched_ || !output.is_error;
    return;
  }
  if (call.name == kFindTool) return;
  if (call.name != tools::kCalculator || output.is_error) {
    has_other_results_ = true;
    return;
  }
  const auto arguments = parse_json(call.arguments, "arguments");
  const auto content = parse_json(output.content, "result");
  if (!arguments || !content || !arguments->is_object() || !content->is_object() ||
      !arguments->contains("expression") || !arguments->at("expression").is_string() ||
      !content->contains("result")) {
    has_other_results_ = true;
    return;
  }
  statements_.push_back(arguments->at("expression").get<std::string>() + " = " +
                        dump_json(content->at("result")) + ".");
}

std::shared_ptr<const Grammar> QuotableResults::grammar(const PassageBook& book) const {
  if (!can_be_quoted()) return nullptr;
  return std::make_shared<const Grammar>(
      quoted_answer_grammar(book.since(passages_before_), statements_));
}

}  // namespace facet::agent
