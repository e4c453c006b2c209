// Reads chosen entries of a zip archive that nobody trusts.
#pragma once

#include "base/result.h"
#include "retrieval/loaders/document.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace facet::retrieval {

/// The contents of those of `names` that `archive` (the bytes of a zip) holds. Everything is read
/// in memory, nothing is written. limit_exceeded by the zip_* caps of `limits`, which count what is
/// unpacked, whatever the headers claim; invalid_data for a damaged archive; unsupported for an
/// encrypted one.
Result<std::map<std::string, std::string>> read_zip_entries(std::string_view archive,
                                                            const std::vector<std::string>& names,
                                                            const LoadLimits& limits);

}  // namespace facet::retrieval
