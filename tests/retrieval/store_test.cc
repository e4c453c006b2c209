#include "retrieval/store.h"

#include "tests/retrieval/store_fixture.h"

#include <cmath>
#include <map>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;
using Fixture = test::StoreFixture;
using test::must_search;
using test::read_file;
using test::write_file;

TEST_CASE("indexing a folder finds every document and answers from it", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  const IndexReport report = fixture.index(*store);
  CHECK(report.added == 3);
  CHECK(report.failed.empty());
  CHECK(report.chunks == 4);

  const auto passages = must_search(*store, "Who approves trips over 2,000 EUR?");
  REQUIRE_FALSE(passages.empty());
  CHECK(passages[0].document == "travel.md");
  CHECK(passages[0].heading == "Travel policy > Approval");
  CHECK(passages[0].text == "Trips above 2,000 EUR are approved by the finance director.");
  CHECK(store->verify().has_value());
}

TEST_CASE("every passage resolves to its span of the stored text", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  for (const Passage& passage : must_search(*store, "vacation desk dinner trips", {.top_k = 100})) {
    const auto excerpt = store->excerpt(passage.document, passage.byte_begin, passage.byte_end);
    REQUIRE(excerpt.has_value());
    CHECK(*excerpt == passage.text);
    const auto again = store->passage(passage.chunk_id);
    REQUIRE(again.has_value());
    CHECK(again->text == passage.text);
  }
  CHECK(store->excerpt("nothing.md", 0, 0).error().code == Code::not_found);
  CHECK(store->excerpt("travel.md", 5, 4).error().code == Code::invalid_argument);
  CHECK(store->excerpt("travel.md", 0, 1 << 20).error().code == Code::invalid_argument);
  CHECK(store->passage(999).error().code == Code::not_found);
}

TEST_CASE("a second run leaves equal documents alone", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  // A new time without new content is no change.
  fs::last_write_time(fixture.docs / "prices.csv", fs::file_time_type::clock::now());
  const IndexReport report = fixture.index(*store);
  CHECK(report.unchanged == 3);
  CHECK(report.added + report.updated + report.deleted == 0);
}

TEST_CASE("the dense ranking weighs what the embedder or the caller says", "[retrieval][unit]") {
  Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  // In both rankings the first: the score tells the weight.
  const auto score = [&](SearchOptions options) {
    return must_search(*store, "finance director", options).at(0).score;
  };
  CHECK(score({}) == Approx(2.0 / 61.0));
  CHECK(score({.dense_weight = 0.5}) == Approx(1.5 / 61.0));
  fixture.embedder.weight = 0.25;
  CHECK(score({}) == Approx(1.25 / 61.0));
  CHECK(score({.dense_weight = 0.5}) == Approx(1.5 / 61.0));
  // A weight of 0 leaves it out, as use_dense does; the embedder is then not even asked.
  CHECK(must_search(*store, "xylophone", {.dense_weight = 0.0}).empty());
  CHECK(must_search(*store, "dinner", {.use_bm25 = false, .dense_weight = 0.0}).size() == 4);
  for (const double wrong : {-0.1, 1001.0, std::nan("")}) {
    const auto refused = store->search("dinner", {.dense_weight = wrong});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::invalid_argument);
  }
}

TEST_CASE("a changed document replaces its older version everywhere", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  const auto before = must_search(*store, "vacation");
  REQUIRE(before.size() >= 1);
  write_file(fixture.docs / "sub/leave.txt", "VACATION\n\nEvery employee has 31 days off.\n");
  const IndexReport report = fixture.index(*store);
  CHECK(report.updated == 1);
  CHECK(report.unchanged == 2);
  const auto after = must_search(*store, "vacation days", {.top_k = 1});
  REQUIRE(after.size() == 1);
  CHECK(after[0].text == "Every employee has 31 days off.");
  // The id of a deleted passage is never given to another one.
  CHECK(store->passage(before[0].chunk_id).error().code == Code::not_found);
  CHECK(store->verify().has_value());
}

TEST_CASE("a vanished document leaves rows, index, vectors and file", "[retrieval][unit]") {
  const Fixture fixture;
  write_file(fixture.docs / "secret.txt", "The launch code is xylophone-quagmire.\n");
  auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  const auto vectors_before = store->statistics()->vectors;
  fs::remove(fixture.docs / "secret.txt");
  CHECK(fixture.index(*store).deleted == 1);
  CHECK(must_search(*store, "xylophone", {.use_dense = false}).empty());
  for (const Passage& passage : must_search(*store, "xylophone quagmire", {.top_k = 100})) {
    CHECK(passage.document != "secret.txt");
  }
  CHECK(store->statistics()->vectors == vectors_before - 1);
  CHECK(store->verify().has_value());
  store.reset();
  const std::string bytes = read_file(fixture.folder / "store.sqlite");
  CHECK(bytes.find("xylophone") == std::string::npos);
}

TEST_CASE("only what lies under the given roots can vanish", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  const auto report = store->index(std::vector<fs::path>{fixture.docs / "sub"});
  REQUIRE(report.has_value());
  CHECK(report->unchanged == 1);
  CHECK(report->deleted == 0);
  CHECK(store->statistics()->documents == 3);

  CHECK(store->index(std::vector<fs::path>{fixture.temp.path() / "never"}).error().code ==
        Code::not_found);
  fs::remove_all(fixture.docs);
  const auto gone = store->index(std::vector<fs::path>{fixture.docs});
  REQUIRE(gone.has_value());
  CHECK(gone->deleted == 3);
}

TEST_CASE("equal names under two roots stay apart", "[retrieval][unit]") {
  const Fixture fixture;
  write_file(fixture.temp.path() / "other/travel.md", "# Other\n\nBoats only.\n");
  const auto store = fixture.open();
  const auto report =
      store->index(std::vector<fs::path>{fixture.docs, fixture.temp.path() / "other"});
  REQUIRE(report.has_value());
  CHECK(report->added == 4);
  CHECK(must_search(*store, "boats")[0].document == "other/travel.md");
}

TEST_CASE("a document that fails is reported and its older version stays", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  write_file(fixture.docs / "prices.csv", "Item,\"Price\nDesk,300\n");
  write_file(fixture.docs / "archive.zip", "PK");
  write_file(fixture.docs / ".hidden/notes.txt", "not for the index");
  fs::create_symlink(fixture.docs / "travel.md", fixture.docs / "link.md");
  const IndexReport report = fixture.index(*store);
  REQUIRE(report.failed.size() == 3);
  std::map<std::string, Code> failed;
  for (const FailedDocument& each : report.failed) failed[each.document] = each.error.code;
  CHECK(failed.at("prices.csv") == Code::invalid_data);
  CHECK(failed.at("archive.zip") == Code::unsupported);
  CHECK(failed.at("link.md") == Code::unsupported);
  CHECK(must_search(*store, "chair")[0].text.find("Item: Chair; Price: 120") != std::string::npos);
  CHECK(store->statistics()->documents == 3);
}

TEST_CASE("an embedder's failure is the document's failure", "[retrieval][unit]") {
  Fixture fixture;
  fixture.embedder.poison = "vacation";
  const auto store = fixture.open();
  const IndexReport report = fixture.index(*store);
  REQUIRE(report.failed.size() == 1);
  CHECK(report.failed[0].document == "sub/leave.txt");
  CHECK(report.failed[0].error.message == "sub/leave.txt: the fake embedder was poisoned");
  CHECK(report.added == 2);
}

TEST_CASE("a document above the size limit is refused by its size", "[retrieval][unit]") {
  const Fixture fixture;
  StoreOptions options = fixture.options();
  options.document_bytes_max = 20;
  auto store = Store::open(options);
  REQUIRE(store.has_value());
  const auto report = (*store)->index(std::vector<fs::path>{fixture.docs});
  REQUIRE(report.has_value());
  CHECK(report->added == 0);
  REQUIRE(report->failed.size() == 3);
  CHECK(report->failed[0].error.code == Code::limit_exceeded);
}

TEST_CASE("a stop ends indexing and keeps what is done", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  std::stop_source stop;
  const auto report = store->index(
      std::vector<fs::path>{fixture.docs},
      [&](const IndexProgress& progress) {
        if (progress.done == 1) stop.request_stop();
      },
      stop.get_token());
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().code == Code::cancelled);
  const auto documents = store->statistics()->documents;
  CHECK(documents >= 1);
  CHECK(documents < 3);
  CHECK(fixture.index(*store).unchanged == documents);
}

TEST_CASE("a stop ends indexing in the middle of a document", "[retrieval][unit]") {
  const Fixture fixture;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "This is one of very many sentences of a long text. ";
  write_file(fixture.docs / "long.txt", text);
  /// Asks for the stop as a person would, some time after the work on a document has begun.
  struct StoppingCounter final : TokenCounter {
    [[nodiscard]] std::int64_t count(std::string_view words) const override {
      if (++calls == 500) stop.request_stop();
      return static_cast<std::int64_t>(words.size() / 4);
    }
    mutable int calls = 0;
    mutable std::stop_source stop;
  };
  const StoppingCounter counter;
  StoreOptions options = fixture.options();
  options.counter = &counter;
  const auto store = Store::open(options);
  REQUIRE(store.has_value());
  const auto report = (*store)->index(
      std::vector<fs::path>{fixture.docs / "long.txt"}, {}, counter.stop.get_token());
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().code == Code::cancelled);
  CHECK(counter.calls < 520);
  CHECK((*store)->statistics()->documents == 0);
}

TEST_CASE("queries are words, never operators", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  const char* query = GENERATE("vacation\"",
                               "\"vacation",
                               "vacation AND (",
                               "title: vacation",
                               "vacation*",
                               "NOT vacation",
                               "vacation NEAR/2",
                               "-vacation ^days",
                               "vacation' OR 1=1 --",
                               "vacation \xFF\xFE");
  const auto found = store->search(query, {.use_dense = false});
  REQUIRE(found.has_value());
  REQUIRE_FALSE(found->empty());
  CHECK(found->front().document == "sub/leave.txt");
}

TEST_CASE("searches that cannot be right are refused", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  CHECK(store->search(" \n\t").error().code == Code::invalid_argument);
  CHECK(store->search("x", {.top_k = 0}).error().code == Code::invalid_argument);
  CHECK(store->search("x", {.top_k = 101}).error().code == Code::invalid_argument);
  CHECK(must_search(*store, "x").empty());
  CHECK(must_search(*store, "?!").empty());
}

TEST_CASE("hybrid search ranks what both rankings agree on first", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  const auto both = must_search(*store, "vacation days of every employee");
  REQUIRE_FALSE(both.empty());
  CHECK(both[0].document == "sub/leave.txt");
  CHECK(both[0].score == Approx(2.0 / 61.0));
  const auto again = must_search(*store, "vacation days of every employee");
  REQUIRE(again.size() == both.size());
  for (std::size_t i = 0; i < both.size(); ++i) CHECK(again[i].chunk_id == both[i].chunk_id);
}

}  // namespace
}  // namespace facet::retrieval
