// facet eval answers: what a model says about passages, and what it cites.
#include "agent/answer_eval.h"
#include "agent/cli/commands.h"
#include "agent/cli/workbench.h"
#include "agent/eval_json.h"
#include "agent/local_chat_model.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace facet::agent::cli {

using nlohmann::ordered_json;

namespace {

struct Tally {
  AnswerTotals all;
  std::map<std::string, AnswerTotals> by_kind;
  ordered_json wrong = ordered_json::array();
};

bool is_right(const AnswerScore& score) {
  return score.is_answerable ? score.is_exact && score.cited_right > 0 : score.is_refusal;
}

Result<Tally> run_cases(const ChatModel& model,
                        const std::vector<AnswerCase>& cases,
                        const EvalAnswersOptions& options,
                        Environment& environment) {
  Tally tally;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const AnswerCase& test = cases[i];
    environment.console.progress(i, cases.size(), test.kind);
    FACET_TRY(const AnswerScore score,
              score_answer_case(model,
                                test,
                                {.plan_first = !options.no_plan,
                                 .answers = options.answers,
                                 .stop = environment.stop}));
    tally.all.add(score);
    tally.by_kind[test.kind].add(score);
    if (!options.wrong || is_right(score)) continue;
    tally.wrong.push_back({{"id", test.id},
                           {"kind", test.kind},
                           {"question", test.question},
                           {"expected", test.answers},
                           {"citations", test.citations},
                           {"got", score.reply}});
  }
  return tally;
}

std::string share(const ordered_json& percent) {
  if (percent.is_null()) return "      -";
  char text[32];
  std::snprintf(text, sizeof text, "%7.1f", percent.get<double>());
  return text;
}

void show_row(const std::string& name, const AnswerTotals& totals, Console& console) {
  const ordered_json json = answer_totals_json(totals);
  char head[64];
  std::snprintf(head, sizeof head, "%-20s %5d", name.c_str(), totals.cases);
  std::string line = head;
  for (const char* key : {"exact_percent",
                          "contained_percent",
                          "f1_percent",
                          "citation_precision_percent",
                          "citation_recall_percent",
                          "refusal_precision_percent",
                          "refusal_recall_percent"}) {
    line += "  " + share(json[key]);
  }
  console.out_line(printable(line));
}

void show(const Tally& tally, Console& console) {
  console.out_line(
      "                                              in %    citations           refusals");
  console.out_line(
      "kind                 cases    exact   contain       F1    precise   recall  precise   "
      "recall");
  for (const auto& [kind, totals] : tally.by_kind) show_row(kind, totals, console);
  show_row("all", tally.all, console);
  for (const ordered_json& wrong : tally.wrong) console.out_json(wrong);
}

}  // namespace

int run_eval_answers(const EvalAnswersOptions& options, Environment environment) {
  Console& console = environment.console;
  const auto cases = read_eval_cases(options.data, options.cases_max, read_answer_case);
  if (!cases) return console.fail(cases.error(), options.json);
  const auto engine = load_generator(options.model, console);
  if (!engine) return console.fail(engine.error(), options.json, exit_unavailable);
  const auto model = LocalChatModel::create(*engine, options.model.dialect);
  if (!model) return console.fail(model.error(), options.json);
  const auto tally = run_cases(**model, *cases, options, environment);
  console.end_progress();
  if (!tally) return console.fail(tally.error(), options.json);
  if (!options.json) {
    show(*tally, console);
    return exit_ok;
  }
  ordered_json kinds = ordered_json::object();
  for (const auto& [kind, totals] : tally->by_kind) kinds[kind] = answer_totals_json(totals);
  ordered_json json = {{"model", (*model)->name()},
                       {"data", options.data},
                       {"all", answer_totals_json(tally->all)},
                       {"kinds", std::move(kinds)}};
  if (options.wrong) json["wrong"] = tally->wrong;
  console.out_json(json);
  return exit_ok;
}

}  // namespace facet::agent::cli
