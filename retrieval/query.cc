#include "retrieval/query.h"

#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <vector>

namespace facet::retrieval {
namespace {

// Bounds the search for repeated words, which is quadratic.
constexpr std::size_t kWordsRead = 1024;

bool is_letter_or_digit(char c) {
  return static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') ||
         (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_function_word(std::string_view word) {
  constexpr std::array<std::string_view, 48> kWords = {
      "a",     "an",    "and",   "any",  "are",  "as",   "at",    "be",   "been", "by",
      "can",   "could", "do",    "does", "for",  "from", "had",   "has",  "have", "how",
      "i",     "in",    "is",    "it",   "its",  "me",   "my",    "of",   "on",   "or",
      "that",  "the",   "there", "this", "to",   "was",  "we",    "were", "what", "when",
      "where", "which", "who",   "why",  "will", "with", "would", "you"};
  std::string lower;
  for (const char c : word) {
    if (c >= 'A' && c <= 'Z') {
      lower += static_cast<char>(c - 'A' + 'a');
    } else if (c != '?' && c != '.' && c != ',' && c != '!') {
      lower += c;
    }
  }
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

}  // namespace

std::string fts_query(std::string_view query, std::size_t words_max) {
  const std::string text = to_valid_utf8(query);
  std::vector<std::string> words;
  std::string word;
  const auto close_word = [&] {
    const bool useful = std::any_of(word.begin(), word.end(), is_letter_or_digit);
    if (useful && words.size() < kWordsRead &&
        std::find(words.begin(), words.end(), word) == words.end()) {
      words.push_back(word);
    }
    word.clear();
  };
  for (const char c : text) {
    // White space, control bytes and the quote itself end a word; the rest is for the tokenizer.
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\x7f') {
      close_word();
    } else {
      word += c;
    }
  }
  close_word();
  if (!std::all_of(words.begin(), words.end(), is_function_word)) {
    words.erase(std::remove_if(words.begin(), words.end(), is_function_word), words.end());
  }
  words.resize(std::min(words.size(), words_max));
  std::string out;
  for (const std::string& each : words) {
    if (!out.empty()) out += " OR ";
    out += '"' + each + '"';
  }
  return out;
}

}  // namespace facet::retrieval
