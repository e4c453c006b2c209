#include "retrieval/loaders/loader.h"
#include "retrieval/loaders/markdown_inline.h"
#include "retrieval/loaders/table.h"
#include "retrieval/unicode.h"

#include <algorithm>
#include <utility>

namespace facet::retrieval {
namespace {

std::size_t indent_of(std::string_view line) {
  std::size_t columns = 0;
  for (const char c : line) {
    if (c == ' ') {
      ++columns;
    } else if (c == '\t') {
      columns += 4;
    } else {
      break;
    }
  }
  return columns;
}

/// Level of "## words", or 0.
int atx_level(std::string_view line) {
  const std::size_t marks = std::min(line.find_first_not_of('#'), line.size());
  if (marks == 0 || marks > 6) return 0;
  return marks == line.size() || line[marks] == ' ' || line[marks] == '\t' ? static_cast<int>(marks)
                                                                           : 0;
}

bool is_only(std::string_view line, char mark, std::size_t count_min) {
  const auto count = static_cast<std::size_t>(std::count(line.begin(), line.end(), mark));
  const auto blanks = static_cast<std::size_t>(std::count(line.begin(), line.end(), ' '));
  return count >= count_min && count + blanks == line.size();
}

bool is_thematic_break(std::string_view line) {
  return is_only(line, '-', 3) || is_only(line, '*', 3) || is_only(line, '_', 3);
}

/// Length of "- ", "12. " and the like, or 0.
std::size_t list_marker(std::string_view line) {
  if (line.size() >= 2 && std::string_view("-*+").find(line[0]) != std::string_view::npos &&
      (line[1] == ' ' || line[1] == '\t')) {
    return 2;
  }
  const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  if (digits == 0 || digits > 9 || digits + 1 >= line.size()) return 0;
  const bool closed = line[digits] == '.' || line[digits] == ')';
  return closed && line[digits + 1] == ' ' ? digits + 2 : 0;
}

std::string_view without_prefix(std::string_view line, std::string_view marks) {
  while (!line.empty() && marks.find(line.front()) != std::string_view::npos) line.remove_prefix(1);
  return line;
}

TableRow split_table_row(std::string_view line) {
  line = trimmed(line);
  if (line.starts_with('|')) line.remove_prefix(1);
  if (line.ends_with('|') && !line.ends_with("\\|")) line.remove_suffix(1);
  TableRow row;
  std::string cell;
  bool in_code = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cell += '|';
      ++i;
    } else if (line[i] == '|' && !in_code) {
      row.push_back(plain_markdown_inline(trimmed(std::exchange(cell, {}))));
    } else {
      if (line[i] == '`') in_code = !in_code;
      cell += line[i];
    }
  }
  row.push_back(plain_markdown_inline(trimmed(cell)));
  return row;
}

/// "|---|:--:|": the line under a table's header.
bool is_table_rule(std::string_view line) {
  line = trimmed(line);
  return line.find('-') != std::string_view::npos && line.find('|') != std::string_view::npos &&
         line.find_first_not_of("|-: \t") == std::string_view::npos;
}

class MarkdownReader {
 public:
  MarkdownReader(std::string_view text, const LoadLimits& limits)
      : lines_(split_lines(text)), limits_(limits), builder_(limits) {}

  Result<LoadedDocument> read(std::string_view fallback_title) {
    front_matter();
    while (at_ < lines_.size() && !builder_.full()) line();
    flush();
    return std::move(builder_).finish(fallback_title);
  }

 private:
  void front_matter() {
    if (lines_.empty() || trimmed(lines_[0]) != "---") return;
    std::size_t end = 1;
    while (end < lines_.size() && trimmed(lines_[end]) != "---") ++end;
    if (end == lines_.size()) return;
    for (std::size_t i = 1; i < end; ++i) {
      if (!lines_[i].starts_with("title:")) continue;
      std::string_view title = trimmed(lines_[i].substr(6));
      if (title.size() >= 2 && (title.front() == '"' || title.front() == '\'') &&
          title.back() == title.front()) {
        title = title.substr(1, title.size() - 2);
      }
      builder_.set_title(title);
    }
    at_ = end + 1;
  }

  void line() {
    const std::string_view raw = lines_[at_];
    const std::string_view content = without_prefix(trimmed(raw), "> ");
    if (content.empty()) {
      flush();
      ++at_;
    } else if (content.starts_with("```") || content.starts_with("~~~")) {
      fenced_code(content);
    } else if (indent_of(raw) >= 4 && paragraph_.empty() && !in_list_) {
      indented_code();
    } else if (content.starts_with("<!--")) {
      skip_comment();
    } else if (const int level = atx_level(content); level > 0) {
      flush();
      builder_.heading(level, plain_markdown_inline(atx_words(content)));
      in_list_ = false;
      ++at_;
    } else if (setext_heading(content) || table() || is_thematic_break(content)) {
      if (is_thematic_break(content)) flush();
      ++at_;
    } else {
      text_line(raw, content);
      ++at_;
    }
  }

  static std::string_view atx_words(std::string_view content) {
    content = trimmed(without_prefix(content, "#"));
    const std::size_t last = content.find_last_not_of('#');
    const bool closing = last != std::string_view::npos && last + 1 < content.size() &&
                         (content[last] == ' ' || content[last] == '\t');
    return closing ? trimmed(content.substr(0, last)) : content;
  }

  /// The line of === or --- under a paragraph makes it a heading.
  bool setext_heading(std::string_view content) {
    if (paragraph_.empty() || is_item_) return false;
    const bool first = is_only(content, '=', 1);
    if (!first && !(is_only(content, '-', 2) && content.find(' ') == std::string_view::npos)) {
      return false;
    }
    builder_.heading(first ? 1 : 2, plain_markdown_inline(std::exchange(paragraph_, {})));
    return true;
  }

  /// Reads a whole pipe table; leaves at_ on its last line.
  bool table() {
    if (lines_[at_].find('|') == std::string_view::npos || at_ + 1 >= lines_.size() ||
        !is_table_rule(lines_[at_ + 1])) {
      return false;
    }
    flush();
    std::vector<TableRow> rows = {split_table_row(lines_[at_])};
    at_ += 2;
    while (at_ < lines_.size() && lines_[at_].find('|') != std::string_view::npos &&
           !trimmed(lines_[at_]).empty()) {
      rows.push_back(split_table_row(lines_[at_++]));
    }
    append_table(builder_, rows, limits_);
    --at_;
    return true;
  }

  /// A comment that begins a line ends with the line that closes it, over blank lines too, or with
  /// the document (CommonMark 4.6, kind 2): no reader sees it.
  void skip_comment() {
    flush();
    while (at_ < lines_.size() && lines_[at_].find("-->") == std::string_view::npos) ++at_;
    ++at_;
  }

  void fenced_code(std::string_view opening) {
    flush();
    const char mark = opening[0];
    const std::size_t length = std::min(opening.find_first_not_of(mark), opening.size());
    const std::string fence(length, mark);
    std::string code;
    for (++at_; at_ < lines_.size(); ++at_) {
      const std::string_view inside = without_prefix(trimmed(lines_[at_]), "> ");
      if (inside.starts_with(fence) && inside.find_first_not_of(mark) == std::string_view::npos)
        break;
      code += lines_[at_];
      code += '\n';
    }
    ++at_;
    builder_.code(code);
  }

  void indented_code() {
    std::string code;
    while (at_ < lines_.size() && (indent_of(lines_[at_]) >= 4 || trimmed(lines_[at_]).empty())) {
      code += lines_[at_++];
      code += '\n';
    }
    builder_.code(code);
  }

  void text_line(std::string_view raw, std::string_view content) {
    const std::size_t marker = list_marker(content);
    if (marker > 0) {
      flush();
      is_item_ = true;
      in_list_ = true;
    } else if (paragraph_.empty()) {
      in_list_ = in_list_ && indent_of(raw) > 0;
    }
    if (!paragraph_.empty()) paragraph_ += '\n';
    paragraph_ += content;
  }

  void flush() {
    const std::string words = plain_markdown_inline(std::exchange(paragraph_, {}));
    if (std::exchange(is_item_, false)) {
      builder_.list_item(words);
    } else {
      builder_.paragraph(words);
    }
  }

  std::vector<std::string_view> lines_;
  LoadLimits limits_;
  DocumentBuilder builder_;
  std::size_t at_ = 0;
  std::string paragraph_;
  bool is_item_ = false;
  bool in_list_ = false;
};

}  // namespace

Result<LoadedDocument> load_markdown(const std::filesystem::path& name,
                                     std::string_view bytes,
                                     const LoadLimits& limits) {
  FACET_TRY(const std::string text, decode_text(bytes, "its text"));
  return MarkdownReader(text, limits).read(name.stem().string());
}

}  // namespace facet::retrieval
