#include "retrieval/loaders/loader.h"
#include "retrieval/unicode.h"

#include <algorithm>
#include <vector>

namespace facet::retrieval {
namespace {

constexpr std::size_t kHeadingBytesMax = 80;
constexpr std::size_t kFlowingLineBytesMin = 45;

/// 1 for a line of ===, 2 for a line of ---, 0 otherwise; at least three of them.
int underline_level(std::string_view line) {
  line = trimmed(line);
  if (line.size() < 3 || (line[0] != '=' && line[0] != '-')) return 0;
  if (line.find_first_not_of(line[0]) != std::string_view::npos) return 0;
  return line[0] == '=' ? 1 : 2;
}

bool is_capital_line(std::string_view line) {
  line = trimmed(line);
  std::size_t capitals = 0;
  for (const char c : line) {
    if (c >= 'a' && c <= 'z') return false;
    if (c >= 'A' && c <= 'Z') ++capitals;
  }
  return capitals >= 3 && line.size() <= kHeadingBytesMax;
}

bool begins_list_item(std::string_view line) {
  line = trimmed(line);
  if (line.size() < 2) return false;
  if ((line[0] == '-' || line[0] == '*' || line[0] == '+') && line[1] == ' ') return true;
  const std::size_t digits = line.find_first_not_of("0123456789");
  return digits != std::string_view::npos && digits > 0 && digits < 4 && digits + 1 < line.size() &&
         (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
}

/// Lines that were wrapped at a margin are one flowing paragraph; short or indented ones (verse,
/// addresses, tables) keep their line ends.
bool is_flowing(const std::vector<std::string_view>& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0 && !lines[i].empty() && (lines[i][0] == ' ' || lines[i][0] == '\t')) return false;
    if (i + 1 < lines.size() && lines[i].size() < kFlowingLineBytesMin) return false;
    if (i > 0 && begins_list_item(lines[i])) return false;
  }
  return true;
}

void add_paragraph(DocumentBuilder& builder, const std::vector<std::string_view>& lines) {
  if (lines.empty()) return;
  if (lines.size() == 1 && is_capital_line(lines[0])) {
    builder.heading(2, lines[0]);
    return;
  }
  std::string text;
  for (const std::string_view line : lines) {
    text += line;
    text += '\n';
  }
  if (is_flowing(lines)) {
    builder.paragraph(text);
  } else {
    builder.verbatim_paragraph(text);
  }
}

}  // namespace

Result<LoadedDocument> load_text(const std::filesystem::path& name,
                                 std::string_view bytes,
                                 const LoadLimits& limits) {
  FACET_TRY(const std::string text, decode_text(bytes, "its text"));
  DocumentBuilder builder(limits);
  std::vector<std::string_view> paragraph;
  for (const std::string_view line : split_lines(text)) {
    const int level = underline_level(line);
    if (level > 0 && paragraph.size() == 1 && paragraph[0].size() <= kHeadingBytesMax) {
      builder.heading(level, paragraph[0]);
      paragraph.clear();
    } else if (trimmed(line).empty()) {
      add_paragraph(builder, paragraph);
      paragraph.clear();
    } else {
      paragraph.push_back(line);
    }
    if (builder.full()) break;
  }
  add_paragraph(builder, paragraph);
  return std::move(builder).finish(name.stem().string());
}

}  // namespace facet::retrieval
