// JSON pointers (RFC 6901), as text and in the fragment of a URI.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace facet::tools {

/// `token` as it stands in a pointer: "~" becomes "~0" and "/" becomes "~1".
std::string pointer_token(std::string_view token);

/// The value at `pointer` in `document`, or null. Borrowed from `document`.
const nlohmann::ordered_json* resolve_pointer(const nlohmann::ordered_json& document,
                                              std::string_view pointer);

/// `text` with "%25" and its like decoded; a "%" without two digits stays.
std::string percent_decoded(std::string_view text);

}  // namespace facet::tools
