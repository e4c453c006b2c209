#include "retrieval/loaders/table.h"

#include <algorithm>

namespace facet::retrieval {
namespace {

std::size_t filled_cells(const TableRow& row) {
  return static_cast<std::size_t>(std::count_if(
      row.begin(), row.end(), [](const std::string& cell) { return !trimmed(cell).empty(); }));
}

bool is_number(std::string_view cell) {
  cell = trimmed(cell);
  return !cell.empty() && cell.find_first_of("0123456789") != std::string_view::npos &&
         cell.find_first_not_of("0123456789.,+-%$ ") == std::string_view::npos;
}

bool is_header(const TableRow& row) {
  return std::none_of(
      row.begin(), row.end(), [](const std::string& cell) { return is_number(cell); });
}

std::string row_text(const TableRow& header, const TableRow& row, std::size_t columns_max) {
  std::string text;
  for (std::size_t i = 0; i < std::min(row.size(), columns_max); ++i) {
    const std::string cell = collapse_white_space(row[i]);
    if (cell.empty()) continue;
    if (!text.empty()) text += "; ";
    if (i < header.size()) {
      std::string name = collapse_white_space(header[i]);
      while (!name.empty() && name.back() == ':') name.pop_back();
      if (!name.empty()) text += name + ": ";
    }
    text += cell;
  }
  return text;
}

}  // namespace

void append_table(DocumentBuilder& builder,
                  const std::vector<TableRow>& rows,
                  const LoadLimits& limits) {
  std::size_t columns = 0;
  for (const TableRow& row : rows) columns = std::max(columns, filled_cells(row));
  TableRow header;
  bool in_body = columns <= 1;
  for (const TableRow& row : rows) {
    const std::size_t filled = filled_cells(row);
    if (filled == 0) continue;
    if (columns <= 1 || (!in_body && filled == 1)) {
      builder.paragraph(row_text({}, row, limits.table_columns_max));
    } else if (!in_body && rows.size() > 1 && is_header(row)) {
      header = row;
      in_body = true;
    } else {
      in_body = true;
      builder.table_row(row_text(header, row, limits.table_columns_max));
    }
    if (builder.full()) return;
  }
  // A header with nothing below it still holds words.
  if (!header.empty() && filled_cells(rows.back()) > 0 && rows.back() == header) {
    builder.table_row(row_text({}, header, limits.table_columns_max));
  }
}

}  // namespace facet::retrieval
