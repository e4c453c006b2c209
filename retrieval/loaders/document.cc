#include "retrieval/loaders/document.h"

#include "base/utf8.h"

#include <algorithm>
#include <utility>

namespace facet::retrieval {
namespace {

constexpr bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

// Terminal escapes and NULs in a document must not travel to a terminal or a prompt.
bool is_unwanted_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
}

std::string cleaned(std::string_view text) {
  std::string out = is_utf8(text) ? std::string(text) : to_valid_utf8(text);
  out.erase(std::remove_if(out.begin(), out.end(), is_unwanted_control), out.end());
  return out;
}

std::string without_line_end_space(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '\n') {
      while (!out.empty() && is_space(out.back()) && out.back() != '\n') out.pop_back();
    }
    out.push_back(c);
  }
  while (!out.empty() && is_space(out.back())) out.pop_back();
  const std::size_t first_text = out.find_first_not_of(" \t\n");
  if (first_text == std::string::npos) return {};
  const std::size_t line_begin = out.rfind('\n', first_text);
  if (line_begin != std::string::npos) out.erase(0, line_begin + 1);
  return out;
}

}  // namespace

std::string collapse_white_space(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (!is_space(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      lines.push_back(text);
      break;
    }
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

void DocumentBuilder::set_title(std::string_view title) {
  document_.title = cleaned(collapse_white_space(title));
}

void DocumentBuilder::heading(int level, std::string_view text) {
  add(BlockKind::heading, std::clamp(level, 1, 6), cleaned(collapse_white_space(text)));
}

void DocumentBuilder::paragraph(std::string_view text) {
  add(BlockKind::paragraph, 0, cleaned(collapse_white_space(text)));
}

void DocumentBuilder::list_item(std::string_view text) {
  add(BlockKind::list_item, 0, cleaned(collapse_white_space(text)));
}

void DocumentBuilder::table_row(std::string_view text) {
  add(BlockKind::table_row, 0, cleaned(collapse_white_space(text)));
}

void DocumentBuilder::verbatim_paragraph(std::string_view text) {
  add(BlockKind::paragraph, 0, without_line_end_space(cleaned(text)));
}

void DocumentBuilder::code(std::string_view text) {
  add(BlockKind::code, 0, without_line_end_space(cleaned(text)));
}

void DocumentBuilder::begin_page(int page) {
  const std::uint64_t at = document_.text.size();
  if (!document_.pages.empty()) document_.pages.back().end = at;
  document_.pages.push_back({page, at, at});
}

void DocumentBuilder::add(BlockKind kind, int level, std::string text) {
  if (text.empty() || full_) return;
  if (document_.text.size() + text.size() + 2 > limits_.text_bytes_max ||
      document_.blocks.size() >= limits_.blocks_max) {
    full_ = true;
    return;
  }
  if (!document_.blocks.empty()) {
    const BlockKind before = document_.blocks.back().kind;
    const bool tight =
        before == kind && (kind == BlockKind::table_row || kind == BlockKind::list_item);
    document_.text += tight ? "\n" : "\n\n";
  }
  const std::uint64_t begin = document_.text.size();
  document_.text += text;
  document_.blocks.push_back({kind, level, begin, document_.text.size()});
}

Result<LoadedDocument> DocumentBuilder::finish(std::string_view fallback_title) && {
  if (full_) {
    return Error{Code::limit_exceeded,
                 "its text exceeds " + std::to_string(limits_.text_bytes_max) + " bytes or " +
                     std::to_string(limits_.blocks_max) + " blocks"};
  }
  if (!document_.pages.empty()) document_.pages.back().end = document_.text.size();
  if (document_.title.empty()) {
    const Block* best = nullptr;
    for (const Block& block : document_.blocks) {
      if (block.kind != BlockKind::heading) continue;
      if (best == nullptr || (best->level > 1 && block.level == 1)) best = &block;
    }
    if (best != nullptr) {
      document_.title = document_.text.substr(best->begin, best->end - best->begin);
    } else {
      set_title(fallback_title);
    }
  }
  return std::move(document_);
}

}  // namespace facet::retrieval
