// Tables of every format become lines "header: value; header: value", so that a row found on its
// own still says what its figures mean.
#pragma once

#include "retrieval/loaders/document.h"

#include <string>
#include <vector>

namespace facet::retrieval {

using TableRow = std::vector<std::string>;

/// Appends `rows` to `builder`. Leading rows with a single filled cell are captions; the first row
/// with more is the header, unless one of its cells is a number. A table of one column is a list of
/// paragraphs. Empty cells are left out; cells beyond table_columns_max too.
void append_table(DocumentBuilder& builder,
                  const std::vector<TableRow>& rows,
                  const LoadLimits& limits);

}  // namespace facet::retrieval
