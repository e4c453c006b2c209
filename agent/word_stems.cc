#include "agent/word_stems.h"

#include "agent/tool_search.h"
#include "retrieval/query.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace facet::agent {
namespace {

/// Where a word is cut: "delegate" and "delegates", "reservation" and "reserve" are one.
constexpr std::size_t kStemBytes = 5;
/// No plural is shorter.
constexpr std::size_t kPluralBytesMin = 4;

}  // namespace

bool is_content_word(std::string_view word) {
  const bool has_digit =
      std::any_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  return word.size() > 1 && !has_digit && !retrieval::is_function_word(word);
}

std::string word_stem(std::string word) {
  if (word.size() > kStemBytes) {
    word.resize(kStemBytes);
  } else if (word.size() >= kPluralBytesMin && word.back() == 's') {
    word.pop_back();
  }
  return word;
}

std::set<std::string, std::less<>> content_stems(std::string_view text) {
  std::set<std::string, std::less<>> out;
  for (std::string& word : tool_words(text)) {
    if (is_content_word(word)) out.insert(word_stem(std::move(word)));
  }
  return out;
}

}  // namespace facet::agent
