// URI references (RFC 3986), as far as JSON Schema needs them: names of documents, never fetched.
#pragma once

#include <string>
#include <string_view>

namespace facet::tools {

/// `reference` as seen from `base` (RFC 3986, 5.2.2), which may itself be relative or empty. The
/// fragment is that of `reference`.
std::string resolve_uri(std::string_view base, std::string_view reference);

/// `text` with "%25" and its like decoded; a "%" without two digits stays.
std::string percent_decoded(std::string_view text);

}  // namespace facet::tools
