// Turns a person's words into a query that FTS5 cannot misread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facet::retrieval {

/// Every distinct word of `query` in double quotes, joined by OR: no operator, column filter or
/// prefix of FTS5 survives. Words without a letter or digit are dropped; so are English function
/// words ("who", "the", "is") where other words are left: in a store of a few documents they are
/// rare enough to look important. Empty when no word is left. At most `words_max` words are kept.
std::string fts_query(std::string_view query, std::size_t words_max = 64);

}  // namespace facet::retrieval
