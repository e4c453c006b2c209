#include "retrieval/loaders/loader.h"
#include "retrieval/loaders/table.h"
#include "retrieval/unicode.h"

#include <algorithm>
#include <array>
#include <utility>

namespace facet::retrieval {
namespace {

constexpr std::size_t kSampleBytes = 16U << 10U;
constexpr std::size_t kSampleLines = 20;

/// How many times `separator` stands outside quotes in each of the first lines.
std::vector<std::size_t> separators_per_line(std::string_view text, char separator) {
  std::vector<std::size_t> counts;
  std::size_t count = 0;
  bool quoted = false;
  for (const char c : text.substr(0, kSampleBytes)) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == separator) ++count;
    if (c == '\n') {
      counts.push_back(std::exchange(count, 0));
      if (counts.size() == kSampleLines) return counts;
    }
  }
  if (count > 0 || counts.empty()) counts.push_back(count);
  return counts;
}

/// The separator with the most lines that share its commonest count; comma on a tie.
char detect_separator(std::string_view text) {
  char best = ',';
  std::size_t best_score = 0;
  for (const char separator : {',', ';', '\t'}) {
    std::vector<std::size_t> counts = separators_per_line(text, separator);
    std::sort(counts.begin(), counts.end());
    const std::size_t middle = counts[counts.size() / 2];
    if (middle == 0) continue;
    const auto agreeing =
        static_cast<std::size_t>(std::count(counts.begin(), counts.end(), middle));
    const std::size_t score = agreeing * 1000 + std::min<std::size_t>(middle, 999);
    if (score > best_score) {
      best = separator;
      best_score = score;
    }
  }
  return best;
}

class CsvReader {
 public:
  CsvReader(std::string_view text, char separator) : text_(text), separator_(separator) {}

  /// Reads the next record into `row`; false at the end.
  Result<bool> next(TableRow& row) {
    row.clear();
    if (at_ >= text_.size()) return false;
    for (;;) {
      std::string cell;
      FACET_TRY_STATUS(read_cell(cell));
      row.push_back(std::move(cell));
      if (at_ >= text_.size()) return true;
      if (text_[at_++] == '\n') return true;
    }
  }

 private:
  Status read_cell(std::string& cell) {
    if (at_ < text_.size() && text_[at_] == '"') {
      const std::size_t opened_at = at_++;
      for (;;) {
        const std::size_t quote = text_.find('"', at_);
        if (quote == std::string_view::npos) {
          return Error{Code::invalid_data,
                       "the quote at byte " + std::to_string(opened_at) + " never closes"};
        }
        cell += text_.substr(at_, quote - at_);
        at_ = quote + 1;
        if (at_ >= text_.size() || text_[at_] != '"') break;
        cell += '"';
        ++at_;
      }
    }
    // Letters behind a closing quote break RFC 4180 but are kept, as spreadsheets do.
    const std::array<char, 2> stops = {separator_, '\n'};
    const std::size_t end = std::min(
        text_.find_first_of(std::string_view(stops.data(), stops.size()), at_), text_.size());
    cell += text_.substr(at_, end - at_);
    at_ = end;
    return ok();
  }

  std::string_view text_;
  char separator_;
  std::size_t at_ = 0;
};

}  // namespace

Result<LoadedDocument> load_csv(const std::filesystem::path& name,
                                std::string_view bytes,
                                const LoadLimits& limits) {
  FACET_TRY(const std::string text, decode_text(bytes, "its text"));
  CsvReader reader(text, detect_separator(text));
  std::vector<TableRow> rows;
  std::size_t cells = 0;
  for (;;) {
    TableRow row;
    FACET_TRY(const bool more, reader.next(row));
    if (!more) break;
    cells += row.size();
    if (cells > limits.blocks_max) {
      return Error{Code::limit_exceeded,
                   "it has more than " + std::to_string(limits.blocks_max) + " cells"};
    }
    rows.push_back(std::move(row));
  }
  DocumentBuilder builder(limits);
  append_table(builder, rows, limits);
  return std::move(builder).finish(name.stem().string());
}

}  // namespace facet::retrieval
