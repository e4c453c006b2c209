// RunView: a run as a person reads it, drawn from its events while they come.
#pragma once

#include "agent/cli/console.h"
#include "agent/events.h"

#include <string>
#include <string_view>

namespace facet::agent::cli {

/// Not thread-safe. With `is_quiet` only the answer and its citations are shown.
class RunView {
 public:
  RunView(Console& console, bool is_quiet) : console_(console), is_quiet_(is_quiet) {}

  void show(const Event& event);
  /// What warning_of() says, on stderr: also where results are JSON.
  void warn(const Event& event);

 private:
  void label(std::string_view name, Style style);
  void line(std::string_view name, Style style, std::string_view text);
  void end_text();
  void show_text(std::string_view text);
  void show_result(const ToolReturned& event);
  void show_picture(const PictureFound& event);
  void show_citations(const RunResult& result);

  Console& console_;
  bool is_quiet_;
  bool is_in_text_ = false;
  std::string not_shown_;  ///< The last reason for a picture not to be shown: said once.
};

/// One line about a passage: `[2] travel.md, page 3, Hotels > Lisbon, bytes 120-240`.
std::string citation_line(const Citation& citation);

}  // namespace facet::agent::cli
