// Quoted answers: what a model may say about the passages that it was given, where it may say
// nothing of its own. A quoted answer is
//
//   the refusal, or
//   statements, then quotes, in the order in which they stand in the passages, a space between;
//   quote = sentences that follow each other in a paragraph or line, word for word, then " [n]",
//           or one cell of a row of a table ("price: 5 EUR"), then " [n]"
//
// so every citation points at the passage that holds what is said, nothing is said twice, and
// every answer ends. Headings are not quoted; the mark in front of an item of a list is left out,
// and a quote may begin behind a label ("Rome: ").
#pragma once

#include "agent/citations.h"
#include "base/chat.h"
#include "base/grammar.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

/// What is said where the passages do not hold an answer.
inline constexpr std::string_view kRefusal = "The documents do not say.";

/// What of `text` can be quoted, in order.
struct QuotableSentence {
  std::string text;         ///< Without white space around it; line ends inside are spaces.
  std::size_t label = 0;    ///< Bytes of a label that a quote may leave out; 0: there is none.
  bool joins_next = false;  ///< The next one goes on with the same paragraph or line.
  /// Of a row of a table, "column: value; column: value", that is one sentence: each can be quoted
  /// alone. Else empty.
  std::vector<std::string> cells;
  bool operator==(const QuotableSentence&) const = default;
};
/// `text`: UTF-8, a passage. Sentences end as UAX 29 says, and at the end of a line. A long line
/// that ends no sentence goes on in the next one, if that begins in lower case; if it begins
/// otherwise (a name, or another row of a table) they are two that a quote may join.
std::vector<QuotableSentence> quotable_sentences(std::string_view text);

/// All quoted answers. `statements`: whole sentences that are true beside the passages, as
/// "4 * 180 = 720.".
Grammar quoted_answer_grammar(const std::vector<NumberedPassage>& passages,
                              const std::vector<std::string>& statements);

/// What the results of one run let an answer say. Not thread-safe.
class QuotableResults {
 public:
  /// `passages_before`: what the book holds when the run begins.
  explicit QuotableResults(std::size_t passages_before) : passages_before_(passages_before) {}

  /// A result that the model was given.
  void add(const ToolCall& call, const ToolOutput& output);

  /// False where no search succeeded, and where another tool failed or said what is neither a
  /// passage nor a computed value: then an answer cannot be held to quotes.
  [[nodiscard]] bool can_be_quoted() const { return has_searched_ && !has_other_results_; }
  /// The answers, of the passages since the run began; null where they cannot be quoted. A search
  /// that found nothing leaves the refusal.
  [[nodiscard]] std::shared_ptr<const Grammar> grammar(const PassageBook& book) const;

 private:
  std::size_t passages_before_;
  std::vector<std::string> statements_;
  bool has_searched_ = false;
  bool has_other_results_ = false;
};

}  // namespace facet::agent
