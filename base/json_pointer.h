// JSON pointers (RFC 6901): how schemas, arguments and requests name a place.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace facet {

/// `token` as it stands in a pointer: "~" becomes "~0" and "/" becomes "~1".
std::string pointer_token(std::string_view token);

/// The value at `pointer` in `document`, or null; also for text that is no pointer. Borrowed from
/// `document`.
const nlohmann::ordered_json* resolve_pointer(const nlohmann::ordered_json& document,
                                              std::string_view pointer);

}  // namespace facet
