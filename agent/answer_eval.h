// Measures of answers from passages: does a model search, say what the passages say, cite the one
// that says it, and say so where none does?
//
// A case is one line of JSON:
//   {"id":"7","kind":"fact","question":"...","passages":[{"source":"a.md","text":"..."}],
//    "answers":["Ann approves it."],"citations":[1]}
// Passages are numbered from 1. Any one of `answers` is right; none of them means that the
// passages do not say, and that the right reply is a refusal. `citations` are the passages that
// hold the answer. A field that is not listed here is an error.
#pragma once

#include "agent/chat_model.h"
#include "base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace facet::agent {

struct AnswerCase {
  struct Source {
    std::string name;
    std::string text;
  };
  std::string id;
  std::string kind;  ///< The group it is counted in.
  std::string question;
  std::vector<Source> passages;
  std::vector<std::string> answers;
  std::vector<std::int64_t> citations;

  [[nodiscard]] bool is_answerable() const { return !answers.empty(); }
};

/// invalid_data or invalid_argument naming `what` and the JSON pointer; also for a citation of a
/// passage that is not there, and for one answer or citation without the other.
Result<AnswerCase> read_answer_case(std::string_view json, std::string_view what);

/// `text` as answers are compared: citations, marks and the articles a, an, the removed, letters in
/// lower case, one space between words. The marks of ASCII only, and none between two digits: so
/// "2,000" and "1.5" stay what they are. After SQuAD's (Rajpurkar et al. 2016).
std::string normal_answer(std::string_view text);

/// Harmonic mean of precision and recall over the words of two texts in the form of normal_answer,
/// a word counted as often as it stands in both; 1 for two empty texts.
double word_f1(std::string_view answer, std::string_view expected);

/// Whether `text` says that the documents do not hold the answer, in one of the forms that Facet's
/// own models and instructions use ("The documents do not say").
bool is_refusal(std::string_view text);

/// How one reply went.
struct AnswerScore {
  bool is_answerable = false;
  bool has_searched = false;  ///< It asked for the passages; without that nothing else is right.
  bool is_refusal = false;
  bool is_exact = false;      ///< Equal to one of the answers, as normal_answer gives them.
  bool is_contained = false;  ///< One of the answers stands in it, as whole words.
  double f1 = 0.0;            ///< The best over the answers; 0 for a refusal.
  int cited = 0;              ///< Distinct passages that a person is shown, citations resolved.
  int cited_right = 0;        ///< Of these, such that hold the answer.
  int to_cite = 0;            ///< Passages that hold the answer.
  std::string reply;
};

/// Scores `reply` alone: a pure function.
AnswerScore score_reply(const AnswerCase& test, std::string_view reply);

struct AnswerEvalOptions {
  bool plan_first = true;
  AnswerForm answers = AnswerForm::by_model;  ///< quoted: of a model that takes_answer_grammar().
  int searches_max = 2;                       ///< Every one finds the case's passages.
  std::int64_t step_tokens_max = 256;
  std::stop_token stop;
};

/// Asks `model` in a conversation of its own, with search_documents declared, greedy. A reply that
/// cannot be parsed, calls another tool or searches for ever is wrong; a full context too. Other
/// failures of the model, `cancelled` among them, are errors.
Result<AnswerScore> score_answer_case(const ChatModel& model,
                                      const AnswerCase& test,
                                      const AnswerEvalOptions& options);

/// Sums over cases.
struct AnswerTotals {
  int cases = 0;
  int answerable = 0;
  int searched = 0;
  int exact = 0;
  int contained = 0;
  double f1 = 0.0;
  int cited = 0;
  int cited_right = 0;
  int to_cite = 0;
  int refusals_right = 0;  ///< Refused where the passages do not say.
  int refusals_wrong = 0;  ///< Refused where they do.

  void add(const AnswerScore& score);
};

/// The counts, and the shares in percent, null where there is nothing to divide by: "exact",
/// "contained", "f1" of the answerable cases; "citation_precision" and "citation_recall" over all
/// citations; "refusal_recall" of the cases that want a refusal, "refusal_precision" of the
/// refusals.
nlohmann::ordered_json answer_totals_json(const AnswerTotals& totals);

}  // namespace facet::agent
