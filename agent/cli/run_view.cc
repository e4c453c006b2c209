#include "agent/cli/run_view.h"

#include "base/json.h"
#include "base/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <variant>

namespace facet::agent::cli {

namespace {

constexpr std::size_t kLabelColumns = 8;
constexpr std::size_t kShownBytesMax = 400;

/// "3 passages: travel.md [1], offices.csv [2]" for a search, else the JSON itself.
std::string result_text(const ToolReturned& event) {
  const auto json = parse_json(event.output.content, "result");
  if (json && json->is_object() && json->contains("passages") && json->at("passages").is_array()) {
    const auto& passages = json->at("passages");
    std::string text =
        std::to_string(passages.size()) + (passages.size() == 1 ? " passage" : " passages");
    std::string_view separator = ": ";
    for (const auto& passage : passages) {
      // A tool may call anything passages, so nothing is known of what they hold.
      if (!passage.is_object() || !passage.contains("source") || !passage.contains("id")) continue;
      const auto& source = passage.at("source");
      text += separator;
      text += source.is_string() ? source.get<std::string>() : dump_json(source);
      text += " [" + dump_json(passage.at("id")) + "]";
      separator = ", ";
    }
    return text;
  }
  std::string text(utf8_prefix(event.output.content, kShownBytesMax));
  if (text.size() < event.output.content.size()) text += " ...";
  return text;
}

}  // namespace

std::string citation_line(const Citation& citation) {
  std::string text = "[" + std::to_string(citation.id) + "] ";
  if (!citation.passage) return text + "unresolved: no search of this run gave out this number";
  const retrieval::Passage& passage = *citation.passage;
  text += passage.document;
  if (passage.page > 0) text += ", page " + std::to_string(passage.page);
  if (!passage.heading.empty()) text += ", " + passage.heading;
  text += ", bytes " + std::to_string(passage.byte_begin) + "-" + std::to_string(passage.byte_end);
  if (!citation.is_supported) return text + " (the sentence does not stand there word for word)";
  if (citation.passage_id == citation.id) return text;
  return text + " (quoted from passage " + std::to_string(citation.passage_id) + ")";
}

void RunView::label(std::string_view name, Style style) {
  std::string padded(name);
  padded.resize(std::max(padded.size() + 1, kLabelColumns), ' ');
  console_.out(console_.styled(style, padded));
}

void RunView::line(std::string_view name, Style style, std::string_view text) {
  end_text();
  label(name, style);
  console_.out_line(printable(text));
}

void RunView::end_text() {
  if (!is_in_text_) return;
  is_in_text_ = false;
  console_.out("\n");
}

void RunView::show_text(std::string_view text) {
  if (!is_in_text_) {
    const std::size_t begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return;
    text.remove_prefix(begin);
    if (!is_quiet_) label("answer", Style::green);
    is_in_text_ = true;
  }
  console_.out(printable(text));
}

void RunView::show_result(const ToolReturned& event) {
  std::string text = result_text(event);
  if (event.is_replayed) {
    text += "  (from the journal)";
  } else {
    text += "  (" + std::to_string(event.elapsed.count()) + " ms)";
  }
  line("result", event.output.is_error ? Style::yellow : Style::dim, text);
}

void RunView::show_picture(const PictureFound& event) {
  if (event.not_shown.empty()) {
    line("picture", Style::dim, event.document + "  (shown to the model)");
    return;
  }
  if (event.not_shown == not_shown_) return;
  not_shown_ = event.not_shown;
  line("picture", Style::yellow, event.document + "  (by its words only: " + not_shown_ + ")");
}

void RunView::show_citations(const RunResult& result) {
  if (result.citations.empty()) return;
  console_.out("\n");
  for (const Citation& citation : result.citations) {
    console_.out_line(console_.styled(citation.is_resolved() ? Style::dim : Style::yellow,
                                      printable(citation_line(citation))));
  }
}

void RunView::warn(const Event& event) {
  const std::string text = warning_of(event);
  if (text.empty()) return;
  end_text();
  console_.warn(printable(text));
}

void RunView::show(const Event& event) {
  warn(event);
  if (const auto* text = std::get_if<TextDelta>(&event)) {
    show_text(text->text);
  } else if (const auto* finished = std::get_if<RunFinished>(&event)) {
    end_text();
    show_citations(finished->result);
  } else if (is_quiet_) {
    return;
  } else if (const auto* plan = std::get_if<PlanMade>(&event)) {
    line("plan", Style::cyan, plan->text);
  } else if (const auto* called = std::get_if<ToolCalled>(&event)) {
    line("call", Style::bold, called->call.name + " " + called->call.arguments);
  } else if (const auto* returned = std::get_if<ToolReturned>(&event)) {
    show_result(*returned);
  } else if (const auto* picture = std::get_if<PictureFound>(&event)) {
    show_picture(*picture);
  }
}

}  // namespace facet::agent::cli
