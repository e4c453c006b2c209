// CopySource: what stands in a conversation, and what of it may be copied into an argument.
//
//   string = words of one text, in order: a span, or several with others left out between them, as
//            in key words to search for; or arithmetic over the numbers, "(12 + 3) * 100"
//   number = one of the numbers
//
// A word is what stands between white space. A span goes from the beginning of a word to the end of
// a word, in one text. It may begin behind the punctuation that its first word begins with, and end
// in front of the punctuation, or of the 's, that its last word ends with. Inside a word it may
// begin behind, and end in front of, a quote, a bracket and any of = : , ; | / and the like, but
// not between two digits (10:30), nor at an apostrophe between two letters (O'Brien). In scripts
// that put no space between words every character is a word. Where words are left out (no more
// than kSkippedWordsMax in one place, in texts of no more than kSkippingBytesMax) stands a space.
//
// A number is decimal digits with a point or with commas between thousands ("1,200" is 1200), and
// its sign; digits behind a letter (XB12), or behind capitals and a hyphen (EZ-099), are none. A
// date or a version (19.08.2027) is its parts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace facet::grammar {

/// Beginnings of words, those inside of words counted.
inline constexpr int kSkippedWordsMax = 8;
/// Key words are those of a question, not of a document.
inline constexpr std::size_t kSkippingBytesMax = 2000;

/// A text, well-formed UTF-8, and where spans of it begin and end, by offset in bytes; both have
/// text.size() + 1 entries. White space that it begins or ends with may be part of a span, so that
/// the whole of it is one.
struct CopyText {
  std::string text;
  std::vector<bool> begins;
  std::vector<bool> ends;
  bool is_respaced = false;  ///< In front of it stands the same text with single spaces.
  int times = 1;             ///< How often it was said.
};

/// Grows with the conversation; a plain value. What is ill-formed UTF-8 is U+FFFD.
class CopySource {
 public:
  /// What a user says.
  void add_text(std::string_view text);
  /// What a tool gave back, JSON as in ToolOutput::content: its strings are texts, its numbers are
  /// numbers and texts. Content that is no JSON is a text.
  void add_result(std::string_view content);

  /// Each once, in the order in which they came. In front of a text with other white space than
  /// single spaces stands one that has those in their place.
  [[nodiscard]] const std::vector<CopyText>& texts() const { return texts_; }
  /// Texts of JSON numbers, each once: 1200, -3, 19.50.
  [[nodiscard]] const std::vector<std::string>& numbers() const { return numbers_; }

 private:
  void add_spans(std::string_view text);
  void add_number(std::string number);

  std::vector<CopyText> texts_;
  std::vector<std::string> numbers_;
  std::unordered_map<std::string, std::size_t> known_texts_;  ///< Where in texts_.
  std::unordered_set<std::string> known_numbers_;
};

/// A number of a text: as JSON writes it, and its digits, bytes [begin, end) of the text.
struct FoundNumber {
  std::string number;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The numbers of `text` in order.
std::vector<FoundNumber> numbers_in(std::string_view text);

/// `text`, well-formed UTF-8, with a space for each run of white space, and none around it.
std::string single_spaced(std::string_view text);

}  // namespace facet::grammar
