#include "retrieval/loaders/child_process.h"
#include "retrieval/loaders/loader.h"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kHeadingBytesMax = 80;
constexpr std::ptrdiff_t kHeadingWordsMax = 10;

Result<fs::path> find_pdftotext(const LoadLimits& limits) {
  if (!limits.pdftotext.empty()) {
    if (::access(limits.pdftotext.c_str(), X_OK) == 0) return limits.pdftotext;
  } else {
    for (const char* candidate :
         {"/usr/local/bin/pdftotext", "/usr/bin/pdftotext", "/bin/pdftotext"}) {
      if (::access(candidate, X_OK) == 0) return fs::path(candidate);
    }
  }
  return Error{
      Code::unavailable,
      "reading PDF needs pdftotext, which is not there; install the package poppler-utils"};
}

std::string first_line(std::string_view text) {
  return collapse_white_space(text.substr(0, std::min(text.find('\n'), text.size())));
}

Error pdftotext_error(const ChildOutput& child) {
  if (child.errors.find("assword") != std::string::npos) {
    return {Code::unsupported, "it is protected by a password"};
  }
  if (child.exit_code < 0) {
    return {Code::limit_exceeded,
            "pdftotext was ended by signal " + std::to_string(-child.exit_code) +
                " (its limits are memory and CPU time)"};
  }
  return {Code::invalid_data,
          "pdftotext failed with exit code " + std::to_string(child.exit_code) + ": " +
              first_line(child.errors)};
}

/// A line that could be a heading: short, of a few words, in capital or numbered, without the marks
/// that sentences and "name: value" lines have. Columns of a table are more than two spaces apart
/// and are none.
bool looks_like_heading(std::string_view line) {
  line = trimmed(line);
  if (line.size() < 3 || line.size() > kHeadingBytesMax) return false;
  if (line.find("   ") != std::string_view::npos || line.find(':') != std::string_view::npos) {
    return false;
  }
  if (std::string_view(".,;!?)").find(line.back()) != std::string_view::npos) return false;
  const bool numbered =
      line.front() >= '0' && line.front() <= '9' && line.find(". ") != std::string_view::npos;
  const bool capital = line.front() >= 'A' && line.front() <= 'Z';
  const auto words = std::count(line.begin(), line.end(), ' ') + 1;
  const auto letters = std::count_if(line.begin(), line.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return (numbered || capital) && letters >= 3 && words <= kHeadingWordsMax;
}

/// Runs of spaces, which -layout uses to place columns, shrink to two.
std::string with_narrow_columns(std::string_view line) {
  line = trimmed(line);
  std::string out;
  std::size_t spaces = 0;
  for (const char c : line) {
    if (c == ' ') {
      ++spaces;
      continue;
    }
    if (spaces > 0) out += spaces > 1 ? "  " : " ";
    spaces = 0;
    out += c;
  }
  return out;
}

bool has_columns(std::string_view line) {
  return trimmed(line).find("   ") != std::string_view::npos;
}

class PdfTextReader {
 public:
  explicit PdfTextReader(const LoadLimits& limits) : builder_(limits) {}

  Result<LoadedDocument> read(std::string_view text, std::string_view fallback_title) {
    // pdftotext ends every page with a form feed.
    for (int page = 1; !text.empty() && !builder_.full(); ++page) {
      const std::size_t end = std::min(text.find('\f'), text.size());
      builder_.begin_page(page);
      read_page(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(builder_).finish(fallback_title);
  }

 private:
  void read_page(std::string_view text) {
    for (const std::string_view line : split_lines(text)) {
      if (!trimmed(line).empty()) {
        // Words behind a lone line are what makes it a heading: the last one of a page is none.
        if (lines_.empty()) flush_lone_line(/*more_follows=*/true);
        lines_.push_back(line);
      } else if (lines_.size() == 1) {
        lone_line_ = std::exchange(lines_, {}).front();
      } else {
        flush();
      }
    }
    flush_lone_line(/*more_follows=*/false);
    flush();
  }

  void flush_lone_line(bool more_follows) {
    const std::string_view line = std::exchange(lone_line_, {});
    if (line.empty()) return;
    if (more_follows && looks_like_heading(line)) {
      // The first words of a document are its title; all later headings are one level below.
      builder_.heading(seen_any_ ? 2 : 1, line);
    } else {
      builder_.paragraph(line);
    }
    seen_any_ = true;
  }

  void flush() {
    if (lines_.empty()) return;
    if (std::any_of(lines_.begin(), lines_.end(), has_columns)) {
      std::string text;
      for (const std::string_view line : lines_) text += with_narrow_columns(line) + '\n';
      builder_.verbatim_paragraph(text);
    } else {
      std::string text;
      for (const std::string_view line : lines_) {
        text += line;
        text += '\n';
      }
      builder_.paragraph(text);
    }
    seen_any_ = true;
    lines_.clear();
  }

  DocumentBuilder builder_;
  std::vector<std::string_view> lines_;
  std::string_view lone_line_;
  bool seen_any_ = false;
};

}  // namespace

Result<LoadedDocument> load_pdf(const std::filesystem::path& name,
                                std::string_view bytes,
                                const LoadLimits& limits) {
  FACET_TRY(const fs::path program, find_pdftotext(limits));
  const ChildLimits child_limits = {.seconds_max = limits.pdf_seconds_max,
                                    .memory_bytes_max = limits.pdf_memory_bytes_max,
                                    .output_bytes_max = limits.text_bytes_max};
  FACET_TRY(const ChildOutput child,
            run_child(program, {"-layout", "-enc", "UTF-8", "-", "-"}, bytes, child_limits));
  if (child.exit_code != 0) return pdftotext_error(child);
  return PdfTextReader(limits).read(child.output, name.stem().string());
}

}  // namespace facet::retrieval
