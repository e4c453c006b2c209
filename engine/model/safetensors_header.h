// The JSON header of a safetensors file.
#pragma once

#include "base/result.h"
#include "engine/model/safetensors.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace facet::engine {

/// One entry as written; nothing is checked against the data yet. Numbers are not negative.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Entries in the order of the header, `__metadata__` left out. Never recurses: whatever is nested
/// deeper than the format allows is refused where it begins. invalid_data with the reason,
/// limit_exceeded beyond `limits`.
Result<std::vector<SafetensorsEntry>> parse_safetensors_header(std::string_view text,
                                                               const SafetensorsLimits& limits);

}  // namespace facet::engine
