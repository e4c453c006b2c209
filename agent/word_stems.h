// Words of requests and tools, so that "delegates" is found in "delegate": a rough cut, for names
// and descriptions in a language like English.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace facet::agent {

/// False of function words, single letters and what has a digit in it.
bool is_content_word(std::string_view word);

/// Of longer words the first five bytes, of others the word without a plural's s.
std::string word_stem(std::string word);

/// The distinct stems of the content words of tool_words(text).
std::set<std::string, std::less<>> content_stems(std::string_view text);

}  // namespace facet::agent
