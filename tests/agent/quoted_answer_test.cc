// Answers in the words of passages: what can be quoted, all that may be said, and a model without
// sense that is held to it.
#include "agent/quoted_answer.h"

#include "agent/loop.h"
#include "agent/turn_constraint.h"
#include "base/json.h"
#include "tests/agent/session_fixture.h"
#include "tests/agent/tiny_chat_model.h"
#include "tests/support/grammar_texts.h"
#include "tests/support/temp_dir.h"

#include <random>
#include <set>

using namespace facet;
using namespace facet::agent;
using namespace facet::test;

namespace {

std::vector<std::string> texts_of(const std::vector<QuotableSentence>& sentences) {
  std::vector<std::string> out;
  for (const QuotableSentence& sentence : sentences) {
    out.push_back(sentence.text + (sentence.joins_next ? " +" : ""));
  }
  return out;
}

using Texts = std::vector<std::string>;

void fill(PassageBook& book, const Texts& texts) {
  std::vector<retrieval::Passage> passages;
  for (const std::string& text : texts) passages.push_back({.document = "a.md", .text = text});
  book.add(passages);
}

/// The definition, tried out: all quotes, and all sums of them that go forward.
class AllAnswers {
 public:
  AllAnswers(const PassageBook& book, const Texts& statements) {
    for (const std::string& statement : statements) quotes_.push_back({statement, place_++});
    for (const NumberedPassage& entry : book.since(0)) add(entry);
    extend("", 0);
    texts.insert("The documents do not say.");
  }

  std::set<std::string> texts;

 private:
  struct Quote {
    std::string text;
    int first = 0;  ///< Place of its first sentence,
    int last = 0;   ///< and of its last one.
    Quote(std::string said, int place) : Quote(std::move(said), place, place) {}
    Quote(std::string said, int begin, int end) : text(std::move(said)), first(begin), last(end) {}
  };

  void add(const NumberedPassage& entry) {
    const auto sentences = quotable_sentences(entry.passage.text);
    const std::string citation = " [" + std::to_string(entry.id) + "]";
    for (std::size_t i = 0; i < sentences.size(); ++i) {
      for (const std::string& cell : sentences[i].cells) {
        quotes_.push_back({cell + citation, place_ + static_cast<int>(i)});
      }
      for (const std::size_t skipped : std::set<std::size_t>{0, sentences[i].label}) {
        std::string said = sentences[i].text.substr(skipped);
        for (std::size_t j = i;; ++j) {
          quotes_.push_back(
              {said + citation, place_ + static_cast<int>(i), place_ + static_cast<int>(j)});
          if (!sentences[j].joins_next) break;
          said += " " + sentences[j + 1].text;
        }
      }
    }
    place_ += static_cast<int>(sentences.size());
  }

  void extend(const std::string& said, int place) {
    for (const Quote& quote : quotes_) {
      if (quote.first < place) continue;
      const std::string more = said.empty() ? quote.text : said + " " + quote.text;
      texts.insert(more);
      extend(more, quote.last + 1);
    }
  }

  std::vector<Quote> quotes_;
  int place_ = 0;
};

/// A small passage of sentences, items, headings and labels.
std::string random_passage(std::mt19937& random) {
  static const Texts kParts = {"It rains.",
                               "Rome: cats sleep.",
                               "- an item",
                               "# Title",
                               "\n",
                               "Ann asks. Bob says no!",
                               "a; b: c",
                               "a: b; c: d: e",
                               "2. Second.",
                               "no end",
                               "and on it goes.",
                               "A line of many words that is long enough to have been wrapped"};
  std::string out;
  for (auto i = 1 + random() % 3; i > 0; --i) out += kParts[random() % kParts.size()] + "\n";
  return out;
}

}  // namespace

TEST_CASE("what can be quoted are sentences, without headings and marks of lists", "[agent]") {
  const auto quotable = [](const char* text) { return texts_of(quotable_sentences(text)); };
  CHECK(quotable("One. Two!  Three?") == Texts{"One. +", "Two! +", "Three?"});
  CHECK(quotable("# Title\n\nOne.\nTwo.\n") == Texts{"One.", "Two."});
  CHECK(quotable("- An item\n* Another. And on.\n12. Last") ==
        Texts{"An item", "Another. +", "And on.", "Last"});
  CHECK(quotable("12.5 km\n1234. It is a number.") ==
        Texts{"12.5 km", "1234. +", "It is a number."});
  CHECK(quotable("#5 is alive") == Texts{"#5 is alive"});
  CHECK(quotable("") == Texts{});
  CHECK(quotable(" \n\t\n##\n") == Texts{});
}

TEST_CASE("a wrapped paragraph is one, lines that end are several", "[agent]") {
  const std::string wrapped =
      "A trip above 2,000 EUR must be approved by the finance director\n"
      "before it is booked. Others that cost less than that need no\napproval.";
  CHECK(texts_of(quotable_sentences(wrapped)) ==
        Texts{"A trip above 2,000 EUR must be approved by the finance director before it is "
              "booked. +",
              "Others that cost less than that need no approval."});
  CHECK(texts_of(quotable_sentences("item: Lamp; price: 5 EUR\nitem: Desk; price: 90 EUR")) ==
        Texts{"item: Lamp; price: 5 EUR", "item: Desk; price: 90 EUR"});
  const std::string row = "a lamp with a name that makes the row longer than most, 5 EUR";
  CHECK(texts_of(quotable_sentences(row + "\nDesk, 90 EUR\nchair, 80 EUR")) ==
        Texts{row + " +", "Desk, 90 EUR", "chair, 80 EUR"});
}

TEST_CASE("a row of a table is also its cells", "[agent]") {
  const auto cells = [](const char* text) { return quotable_sentences(text)[0].cells; };
  CHECK(cells("item: Lamp; price: 5 EUR") == Texts{"item: Lamp", "price: 5 EUR"});
  CHECK(cells("item: Lamp; note: see: b; price: 5 EUR") ==
        Texts{"item: Lamp", "note: see: b", "price: 5 EUR"});
  CHECK(cells("item: Lamp") == Texts{});
  CHECK(cells("item: Lamp; 5 EUR") == Texts{});
  CHECK(cells("It rains; Rome: cats sleep.") == Texts{});
  CHECK(cells("item: Lamp; note: It is new. It shines.") == Texts{});
}

TEST_CASE("a label in front may be left out", "[agent]") {
  CHECK(quotable_sentences("Rome: up to 90 EUR.")[0].label == 6);
  CHECK(quotable_sentences("Rome:")[0].label == 0);
  CHECK(quotable_sentences("See http://a.b/c for more.")[0].label == 0);
  CHECK(quotable_sentences("This is much longer than any label in front of a text: so.")[0].label ==
        0);
}

TEST_CASE("quoted answers are what the definition says", "[agent]") {
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    PassageBook book;
    fill(book, {random_passage(random), random_passage(random)});
    const Texts statements = random() % 3 == 0 ? Texts{"2 * 3 = 6."} : Texts{};
    const AllAnswers all(book, statements);
    const GrammarTexts grammar(quoted_answer_grammar(book.since(0), statements));
    for (const std::string& text : all.texts) {
      INFO(text);
      CHECK(grammar.accepts(text));
      CHECK_FALSE(grammar.accepts(text + " "));
    }
    for (int i = 0; i < 50; ++i) {
      const std::string text = grammar.random(random, 60);
      INFO(text);
      CHECK(all.texts.count(text) == 1);
    }
  }
}

TEST_CASE("every citation of a quoted answer holds", "[agent]") {
  std::mt19937 random(8);
  for (int round = 0; round < 40; ++round) {
    PassageBook book;
    fill(book, {random_passage(random), random_passage(random)});
    const GrammarTexts grammar(quoted_answer_grammar(book.since(0), {}));
    const std::string text = grammar.random(random, 40);
    INFO(text);
    for (const Citation& citation : resolve_citations(text, book)) {
      CHECK(citation.is_supported);
      CHECK(citation.passage_id == citation.id);
    }
  }
}

TEST_CASE("what tools said decides whether an answer can be held to quotes", "[agent]") {
  PassageBook book;
  fill(book, {"It rains."});
  const ToolCall search{.name = "search_documents"};
  const ToolCall sum{.name = "calculator", .arguments = R"({"expression":"2 * 3"})"};
  QuotableResults nothing(0);
  CHECK(nothing.grammar(book) == nullptr);
  nothing.add(sum, {.content = R"({"result":6})"});
  CHECK(nothing.grammar(book) == nullptr);
  nothing.add(search, {});
  REQUIRE(nothing.grammar(book) != nullptr);
  const GrammarTexts both(*nothing.grammar(book));
  CHECK(both.accepts("2 * 3 = 6. It rains. [1]"));
  CHECK(both.accepts("2 * 3 = 6."));
  CHECK_FALSE(both.accepts("2 * 3 = 7."));
  CHECK_FALSE(both.accepts("It rains. [2]"));

  QuotableResults late(book.size());  // The passage is an earlier question's.
  late.add(search, {});
  REQUIRE(late.grammar(book) != nullptr);
  const GrammarTexts refusal(*late.grammar(book));
  CHECK(refusal.accepts(kRefusal));
  CHECK_FALSE(refusal.accepts("It rains. [1]"));

  QuotableResults failed(0);
  failed.add(search, {.is_error = true});
  CHECK(failed.grammar(book) == nullptr);
  failed.add(search, {});
  failed.add(search, {.is_error = true});  // As a repeated call.
  CHECK(failed.grammar(book) != nullptr);
  for (const ToolCall& call : {ToolCall{.name = "read_file"}, sum}) {
    QuotableResults other(0);
    other.add(search, {});
    other.add(call, {.content = R"({"error":"x"})", .is_error = true});
    CHECK(other.grammar(book) == nullptr);
  }
}

TEST_CASE("a model with random weights quotes", "[agent]") {
  const auto model = tiny_chat_model();
  CHECK(model->answer_form() == AnswerForm::free);
  SessionFixture fixture({});
  fixture.add("search_documents", [&](const Json&) -> Result<Json> {
    fixture.passages.add(
        {{.document = "a.md", .text = "# A\nIt rains. Ann asks.\n- Bob says no."}});
    return Json{{"passages", Json::array()}};
  });
  // The tool only reads, so the first output must call it: SessionOptions::looks_first.
  fixture.options.answers = AnswerForm::quoted;
  fixture.options.budgets.tool_calls_max = 4;
  int answers = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    fixture.options.sampling = {.temperature = 1.5F, .seed = seed};
    fixture.passages.clear();
    auto session = Session::open({.model = model.get(),
                                  .registry = &fixture.registry,
                                  .executor = &fixture.executor,
                                  .clock = &fixture.clock,
                                  .passages = &fixture.passages},
                                 fixture.options);
    REQUIRE(session);
    const RunResult result = (*session)->run("Go");
    INFO("seed " << seed << " " << dump_json(run_result_json(result)));
    REQUIRE(result.finish != RunFinish::failed);
    CHECK(fixture.passages.size() > 0);
    if (result.finish != RunFinish::answered) continue;
    ++answers;
    CHECK(AllAnswers(fixture.passages, {}).texts.count(result.answer) == 1);
    for (const Citation& citation : result.citations) CHECK(citation.is_supported);
  }
  CHECK(answers > 0);
}

TEST_CASE("a model that quotes must look first where no tool changes anything", "[agent]") {
  const auto model = tiny_chat_model();
  const auto first_calls =
      [&](bool looks_first, tools::Effect effect, const char* tool = "search_documents") {
        SessionFixture fixture({});
        fixture.add(
            tool,
            [](const Json&) -> Result<Json> {
              return Json{{"passages", Json::array()}};
            },
            effect);
        fixture.options.answers = AnswerForm::quoted;
        fixture.options.looks_first = looks_first;
        fixture.options.budgets.steps_max = 1;
        auto session = Session::open({.model = model.get(),
                                      .registry = &fixture.registry,
                                      .executor = &fixture.executor,
                                      .clock = &fixture.clock,
                                      .passages = &fixture.passages},
                                     fixture.options);
        REQUIRE(session);
        return (*session)->run("Go").calls.size();
      };
  CHECK(first_calls(true, tools::Effect::read_only) > 0);
  CHECK(first_calls(false, tools::Effect::read_only) == 0);
  CHECK(first_calls(true, tools::Effect::changes_state) == 0);
  // Without documents there may be nothing to look up.
  CHECK(first_calls(true, tools::Effect::read_only, "current_time") == 0);
}

TEST_CASE("a resumed run quotes what was found before it ended", "[agent]") {
  const auto model = tiny_chat_model();
  const TempDir dir;
  auto journal = Journal::open(dir.path() / "journal.sqlite");
  REQUIRE(journal);
  const auto answer = [&](bool is_cut) {
    SessionFixture fixture({});
    fixture.add("search_documents", [&](const Json&) -> Result<Json> {
      fixture.passages.add({{.document = "a.md", .text = "It rains. Ann asks.\n- Bob says no."}});
      return Json{{"passages", Json::array()}};
    });
    fixture.options.answers = AnswerForm::quoted;
    fixture.options.rules.choice = {.mode = prompts::ToolChoice::Mode::required};
    fixture.options.rules.calls_max = 1;
    fixture.options.sampling = {.temperature = 1.5F, .seed = 3};
    fixture.options.budgets.steps_max = is_cut ? 1 : 8;
    const SessionParts parts{.model = model.get(),
                             .registry = &fixture.registry,
                             .executor = &fixture.executor,
                             .clock = &fixture.clock,
                             .passages = &fixture.passages,
                             .journal = journal->get()};
    auto session = Session::open(parts, fixture.options);
    REQUIRE(session);
    const RunResult first = (*session)->run("Go");
    if (!is_cut) return first.answer;
    REQUIRE(first.finish == RunFinish::limit);
    fixture.passages.clear();
    fixture.options.budgets.steps_max = 8;
    auto again = Session::open(parts, fixture.options);
    REQUIRE(again);
    const auto resumed = (*again)->resume(first.run_id);
    REQUIRE(resumed);
    return resumed->answer;
  };
  const std::string whole = answer(false);
  CHECK(whole != kRefusal);
  CHECK(answer(true) == whole);
}

TEST_CASE("a whole context of passages can be quoted", "[agent]") {
  const auto model = tiny_chat_model();
  const engine::Tokenizer& tokenizer = model->engine().tokenizer();
  PassageBook book;
  Texts texts;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int k = 0; k < 20; ++k)
      text += "Line " + std::to_string(i * 20 + k) + " is one of many.\n";
    texts.push_back(text);
  }
  fill(book, texts);
  auto calls = make_turn_constraint(model->dialect(), {}, {}, model->constraints(), tokenizer);
  REQUIRE(calls);
  const auto answer = make_answer_constraint(quoted_answer_grammar(book.since(0), {}),
                                             std::move(calls->constraint),
                                             model->dialect(),
                                             model->constraints(),
                                             tokenizer);
  INFO((answer ? "" : answer.error().message));
  REQUIRE(answer);
  for (const engine::TokenId id : tokenizer.encode("Line 5999 is one of many. [300]")) {
    REQUIRE((*answer)->accept(id));
  }
  CHECK_FALSE((*answer)->is_open());
}

TEST_CASE("quotes are refused where they cannot be kept", "[agent]") {
  const auto model = tiny_chat_model("gemma3-json");
  SessionFixture fixture({});
  fixture.options.answers = AnswerForm::quoted;
  const SessionParts parts{.model = model.get(),
                           .registry = &fixture.registry,
                           .executor = &fixture.executor,
                           .clock = &fixture.clock};
  const auto session = Session::open(parts, fixture.options);
  REQUIRE_FALSE(session);
  CHECK(session.error().code == Code::unsupported);
  fixture.options.rules.answer_schema = R"({"type":"object"})";
  const auto both = Session::open(parts, fixture.options);
  REQUIRE_FALSE(both);
  CHECK(both.error().code == Code::invalid_argument);
}
