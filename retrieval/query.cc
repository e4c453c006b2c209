#include "retrieval/query.h"

#include "base/ascii.h"
#include "base/utf8.h"

#include <algorithm>
#include <array>
#include <vector>

namespace facet::retrieval {
namespace {

// Bounds the search for repeated words, which is quadratic.
constexpr std::size_t kWordsRead = 1024;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Bytes of other letters than ASCII's count as letters; FTS5's tokenizer knows better and drops
/// what is none.
bool is_letter_or_digit(char c) {
  return static_cast<unsigned char>(c) >= 0x80 || is_digit(c) || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

/// True for a mark that holds the letters or digits on its two sides together: figures, dates and
/// times ("2,000", "9:30"), names in programs ("chunk_id"), "don't".
bool joins(char before, char mark, char after) {
  if (std::string_view(".,:/-").find(mark) != std::string_view::npos) {
    return is_digit(before) && is_digit(after);
  }
  return (mark == '_' || mark == '\'') && is_letter_or_digit(before) && is_letter_or_digit(after);
}

/// "company" of "company's", also with a typographic apostrophe: FTS5 would look for an "s" next to
/// it.
std::string_view without_possessive(std::string_view word) {
  for (const std::string_view ending : {"'s", "\xE2\x80\x99s"}) {
    if (word.size() > ending.size() && word.ends_with(ending)) {
      word.remove_suffix(ending.size());
      break;
    }
  }
  return word;
}

/// The distinct words of `text` in lower case, in order.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto close_word = [&] {
    const std::string_view bare = without_possessive(word);
    if (!bare.empty() && words.size() < kWordsRead &&
        std::find(words.begin(), words.end(), bare) == words.end()) {
      words.emplace_back(bare);
    }
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool joined = i > 0 && i + 1 < text.size() && joins(text[i - 1], c, text[i + 1]);
    if (is_letter_or_digit(c) || joined) {
      word += ascii_lower(c);
    } else {
      close_word();
    }
  }
  close_word();
  return words;
}

}  // namespace

bool is_function_word(std::string_view word) {
  constexpr auto kWords = std::to_array<std::string_view>(
      {"a",     "an",    "and",   "any",   "are",  "as",    "at",    "be",   "been", "being",
       "but",   "by",    "can",   "could", "did",  "do",    "does",  "for",  "from", "had",
       "has",   "have",  "he",    "her",   "him",  "his",   "how",   "i",    "if",   "in",
       "into",  "is",    "it",    "its",   "me",   "my",    "no",    "not",  "of",   "on",
       "or",    "our",   "she",   "so",    "some", "such",  "than",  "that", "the",  "their",
       "then",  "there", "these", "they",  "this", "those", "to",    "was",  "we",   "were",
       "what",  "when",  "where", "which", "who",  "whom",  "whose", "why",  "will", "with",
       "would", "you",   "your"});
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

std::string fts_query(std::string_view query, std::size_t words_max) {
  std::vector<std::string> words = words_of(to_valid_utf8(query));
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
