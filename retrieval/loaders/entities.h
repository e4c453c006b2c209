// Character references of HTML ("&amp;", "&#8217;", "&#x20AC;"), for the HTML and Markdown loaders.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facet::retrieval {

/// REQUIRES: text starts with '&'. Appends what the reference at its beginning stands for to `out`
/// and returns its length in bytes; a '&' that begins no known reference stands for itself (1).
std::size_t decode_entity(std::string_view text, std::string& out);

/// `text` with all references decoded.
std::string decode_entities(std::string_view text);

}  // namespace facet::retrieval
