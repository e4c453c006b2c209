// Parsing JSON from outside: size and nesting are capped before anything recursive can run, and no
// exception leaves this file.
#pragma once

#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace facet {

struct JsonLimits {
  std::size_t bytes_max = 64U << 20U;
  int nesting_depth_max = 128;
};

/// `text` as one JSON value, object keys in their original order. invalid_data with the byte offset
/// when it is not JSON (duplicate keys: the last wins), limit_exceeded when it is too long or too
/// deep; `what` names the source in the message.
Result<nlohmann::ordered_json> parse_json(std::string_view text,
                                          std::string_view what,
                                          JsonLimits limits = {});

/// Compact text of `value`. Bytes that are not UTF-8 become U+FFFD, so it never fails.
std::string dump_json(const nlohmann::ordered_json& value, int indent = -1);

/// `text` as a quoted JSON string.
std::string json_quote(std::string_view text);

}  // namespace facet
