// Removes Markdown's inline markup, for the Markdown loader.
#pragma once

#include <string>
#include <string_view>

namespace facet::retrieval {

/// `text` as a reader sees it: links and images by their words, no emphasis or code marks, no HTML
/// tags or comments, entities and backslash escapes resolved. Runs in linear time.
std::string plain_markdown_inline(std::string_view text);

}  // namespace facet::retrieval
