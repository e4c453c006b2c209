// Turns a person's words into a query that FTS5 cannot misread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facet::retrieval {

/// Every distinct word of `query`, in lower case and double quotes, joined by OR: no operator,
/// column filter or prefix of FTS5 survives. A word ends at every mark but those inside figures and
/// names ("2,000", "9:30", "chunk_id"), which FTS5 then wants side by side; a possessive 's is
/// taken off. English function words ("who", "the", "is") are dropped where other words are left:
/// in a store of a few documents they are rare enough to look important. Empty when no word is
/// left. At most `words_max` words are kept.
std::string fts_query(std::string_view query, std::size_t words_max = 64);

/// Whether `word`, in lower case, is one of those function words.
bool is_function_word(std::string_view word);

}  // namespace facet::retrieval
