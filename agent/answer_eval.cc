#include "agent/answer_eval.h"

#include "agent/citations.h"
#include "agent/eval_json.h"
#include "agent/plan.h"
#include "agent/quoted_answer.h"
#include "base/ascii.h"
#include "base/json.h"
#include "tools/builtin/search_documents.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>
#include <utility>

namespace facet::agent {

using nlohmann::ordered_json;

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_mark(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x80 && byte > ' ' && !is_digit(c) && !(c >= 'a' && c <= 'z') &&
         !(c >= 'A' && c <= 'Z');
}

/// `text` without "[1]", "[2, 3]".
std::string without_citations(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '[') {
      std::size_t end = at + 1;
      while (end < text.size() && (is_digit(text[end]) || text[end] == ',' || text[end] == ' ')) {
        ++end;
      }
      if (end < text.size() && text[end] == ']' && end > at + 1) {
        at = end;
        continue;
      }
    }
    out += text[at];
  }
  return out;
}

std::vector<std::string> words_of(std::string_view normal) {
  std::istringstream stream{std::string(normal)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// Whether `part` stands in `whole` between word boundaries; both in normal form.
bool holds_words(const std::string& whole, const std::string& part) {
  return !part.empty() && (" " + whole + " ").find(" " + part + " ") != std::string::npos;
}

Result<std::vector<AnswerCase::Source>> read_passages(const ordered_json& list,
                                                      const std::string& where) {
  std::vector<AnswerCase::Source> passages;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string at = where + "/passages/" + std::to_string(i);
    FACET_TRY_STATUS(json_only_fields(list[i], {"source", "text"}, at));
    AnswerCase::Source passage;
    FACET_TRY(passage.name, json_text(list[i], "source", at));
    FACET_TRY(passage.text, json_text(list[i], "text", at));
    passages.push_back(std::move(passage));
  }
  return passages;
}

Status read_expected(const ordered_json& root, const std::string& where, AnswerCase& test) {
  FACET_TRY(const auto* answers, json_array(root, "answers", where));
  FACET_TRY(const auto* citations, json_array(root, "citations", where));
  for (const ordered_json& answer : *answers) {
    if (!answer.is_string()) {
      return Error{Code::invalid_argument, where + "/answers holds what is no text"};
    }
    test.answers.push_back(answer.get<std::string>());
  }
  for (const ordered_json& number : *citations) {
    const auto count = std::ssize(test.passages);
    if (!number.is_number_integer() || number.get<std::int64_t>() < 1 ||
        number.get<std::int64_t>() > count) {
      return Error{Code::invalid_argument,
                   where + "/citations holds " + dump_json(number) + ", which is none of the " +
                       std::to_string(count) + " passages"};
    }
    test.citations.push_back(number.get<std::int64_t>());
  }
  if (test.answers.empty() != test.citations.empty()) {
    return Error{Code::invalid_argument, where + " has answers or citations, but not both"};
  }
  return ok();
}

ToolOutput found(const AnswerCase& test) {
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < test.passages.size(); ++i) {
    list.push_back(
        {{"id", i + 1}, {"source", test.passages[i].name}, {"text", test.passages[i].text}});
  }
  return {.content = dump_json({{"passages", std::move(list)}})};
}

std::vector<retrieval::Passage> passages_of(const AnswerCase& test) {
  std::vector<retrieval::Passage> out;
  for (const auto& passage : test.passages) {
    out.push_back({.document = passage.name, .text = passage.text});
  }
  return out;
}

/// Declared as the product does; what it finds comes from the case.
ToolSpec search_spec() {
  return tools::make_search_documents(nullptr)->spec();
}

bool are_all_of(const std::vector<ToolCall>& calls, const ToolSpec& tool) {
  return std::all_of(
      calls.begin(), calls.end(), [&](const ToolCall& call) { return call.name == tool.name; });
}

}  // namespace

Result<AnswerCase> read_answer_case(std::string_view json, std::string_view what) {
  FACET_TRY(const ordered_json root, parse_json(json, what));
  const std::string where(what);
  FACET_TRY_STATUS(json_only_fields(
      root, {"id", "kind", "question", "passages", "answers", "citations"}, where));
  AnswerCase test;
  FACET_TRY(test.id, json_text(root, "id", where));
  FACET_TRY(test.kind, json_text(root, "kind", where));
  FACET_TRY(test.question, json_text(root, "question", where));
  FACET_TRY(const auto* passages, json_array(root, "passages", where));
  FACET_TRY(test.passages, read_passages(*passages, where));
  FACET_TRY_STATUS(read_expected(root, where, test));
  return test;
}

std::string normal_answer(std::string_view text) {
  std::string plain = without_citations(text);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const bool in_figure =
        i > 0 && i + 1 < plain.size() && is_digit(plain[i - 1]) && is_digit(plain[i + 1]);
    if (is_mark(plain[i]) && !in_figure) plain[i] = ' ';
    plain[i] = ascii_lower(plain[i]);
  }
  std::string out;
  for (const std::string& word : words_of(plain)) {
    if (word == "a" || word == "an" || word == "the") continue;
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

double word_f1(std::string_view answer, std::string_view expected) {
  const auto left = words_of(normal_answer(answer));
  const auto right = words_of(normal_answer(expected));
  if (left.empty() && right.empty()) return 1.0;
  std::map<std::string, int> counts;
  for (const std::string& word : right) ++counts[word];
  int common = 0;
  for (const std::string& word : left) {
    if (counts[word]-- > 0) ++common;
  }
  return 2.0 * common / static_cast<double>(left.size() + right.size());
}

bool is_refusal(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kForms = {
      "documents do not say", "documents don t say", "passages do not say", "not in documents"};
  const std::string normal = normal_answer(text);
  return std::any_of(kForms.begin(), kForms.end(), [&](std::string_view form) {
    return holds_words(normal, std::string(form));
  });
}

AnswerScore score_reply(const AnswerCase& test, std::string_view reply) {
  AnswerScore score{.is_answerable = test.is_answerable(),
                    .is_refusal = is_refusal(reply),
                    .to_cite = static_cast<int>(test.citations.size()),
                    .reply = std::string(reply)};
  PassageBook book;
  book.add(passages_of(test));
  std::set<std::int64_t> shown;
  for (const Citation& citation : resolve_citations(reply, book)) {
    shown.insert(citation.passage_id);
  }
  score.cited = static_cast<int>(shown.size());
  for (const std::int64_t id : std::set(test.citations.begin(), test.citations.end())) {
    score.cited_right += static_cast<int>(shown.count(id));
  }
  if (score.is_refusal) return score;
  const std::string normal = normal_answer(reply);
  for (const std::string& answer : test.answers) {
    score.is_exact = score.is_exact || normal == normal_answer(answer);
    score.is_contained = score.is_contained || holds_words(normal, normal_answer(answer));
    score.f1 = std::max(score.f1, word_f1(reply, answer));
  }
  return score;
}

Result<AnswerScore> score_answer_case(const ChatModel& model,
                                      const AnswerCase& test,
                                      const AnswerEvalOptions& options) {
  AnswerScore nothing{.is_answerable = test.is_answerable(),
                      .to_cite = static_cast<int>(test.citations.size())};
  const ToolSpec tool = search_spec();
  FACET_TRY(const bool quotes, is_quoted(options.answers, model));
  ConversationSpec spec{.plan_first = options.plan_first, .tools = {tool}};
  // As in a session (SessionOptions::looks_first).
  if (quotes) spec.rules.choice.mode = prompts::ToolChoice::Mode::required;
  FACET_TRY(const auto conversation, model.start(spec));
  FACET_TRY_STATUS(conversation->add_user(test.question));
  PassageBook book;
  QuotableResults results(0);
  for (int searches = 0; searches <= options.searches_max; ++searches) {
    FACET_TRY(const StepResult step,
              conversation->generate({.tokens_max = options.step_tokens_max,
                                      .stop = options.stop,
                                      .answer = quotes ? results.grammar(book) : nullptr,
                                      .refusal = std::string(kRefusal)},
                                     StepSink()));
    if (step.finish_reason == engine::FinishReason::cancelled) {
      return Error{Code::cancelled, "stopped while a case was running"};
    }
    nothing.reply = step.raw;
    nothing.has_searched = searches > 0;
    if (!step.parse_error.empty()) return nothing;
    if (step.tool_calls.empty()) {
      if (searches == 0)
        return nothing;  // What it says without looking is no answer from passages.
      AnswerScore score = score_reply(test, split_plan(step.text).text);
      score.has_searched = true;
      return score;
    }
    if (!are_all_of(step.tool_calls, tool)) return nothing;
    const std::vector<ToolOutput> outputs(step.tool_calls.size(), found(test));
    for (const ToolCall& call : step.tool_calls) results.add(call, outputs.front());
    if (book.size() == 0) book.add(passages_of(test));
    if (auto status = conversation->add_tool_outputs(step.tool_calls, outputs); !status) {
      if (status.error().code != Code::limit_exceeded) return status.error();
      nothing.reply = status.error().message;
      return nothing;
    }
  }
  return nothing;
}

void AnswerTotals::add(const AnswerScore& score) {
  ++cases;
  searched += score.has_searched ? 1 : 0;
  cited += score.cited;
  cited_right += score.cited_right;
  to_cite += score.to_cite;
  if (!score.is_answerable) {
    refusals_right += score.is_refusal ? 1 : 0;
    return;
  }
  ++answerable;
  refusals_wrong += score.is_refusal ? 1 : 0;
  exact += score.is_exact ? 1 : 0;
  contained += score.is_contained ? 1 : 0;
  f1 += score.f1;
}

ordered_json answer_totals_json(const AnswerTotals& totals) {
  const int refusals = totals.refusals_right + totals.refusals_wrong;
  return {{"cases", totals.cases},
          {"answerable", totals.answerable},
          {"searched", totals.searched},
          {"cited", totals.cited},
          {"to_cite", totals.to_cite},
          {"refusals", refusals},
          {"exact_percent", json_percent(totals.exact, totals.answerable)},
          {"contained_percent", json_percent(totals.contained, totals.answerable)},
          {"f1_percent", json_percent(totals.f1, totals.answerable)},
          {"citation_precision_percent", json_percent(totals.cited_right, totals.cited)},
          {"citation_recall_percent", json_percent(totals.cited_right, totals.to_cite)},
          {"refusal_precision_percent", json_percent(totals.refusals_right, refusals)},
          {"refusal_recall_percent",
           json_percent(totals.refusals_right, totals.cases - totals.answerable)}};
}

}  // namespace facet::agent
