#include "agent/retrieval_eval.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace facet;
using namespace facet::agent;
namespace fs = std::filesystem;

namespace {

fs::path write(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  return path;
}

/// Three documents; "apple" ranks a before b (twice in a short text), "cherry" finds c alone.
constexpr const char* kLines =
    R"({"document":{"id":"a","title":"","text":"apple apple"}}
{"document":{"id":"b","title":"","text":"apple and many other words that make it a long text"}}
{"document":{"id":"c/1","title":"Fruit","text":"cherry"}}

{"query":{"text":"apple","relevant":{"b":1}}}
{"query":{"text":"cherry","relevant":{"c/1":2,"a":1}}}
)";

std::string message(const fs::path& path) {
  const auto read = read_collection(path);
  REQUIRE_FALSE(read);
  return read.error().message;
}

}  // namespace

TEST_CASE("full text search over lines is scored by hand", "[agent]") {
  const test::TempDir dir;
  const auto collection = read_collection(write(dir.path() / "c.jsonl", kLines));
  if (!collection) FAIL(collection.error().message);
  CHECK(collection->documents.size() == 3);
  CHECK(collection->documents[2].title == "Fruit");
  const auto rows = score_retrieval(*collection, {});
  if (!rows) FAIL(rows.error().message);
  REQUIRE(rows->size() == 1);
  const RankingQuality& row = rows->front();
  CHECK(row.name == "full text");
  CHECK(row.queries == 2);
  // Query 1: a, b with b relevant: nDCG (1/log2 3) / 1, reciprocal rank 1/2, recall 1.
  // Query 2: c/1 alone, gains 2 and 1: nDCG 2 / (2 + 1/log2 3), reciprocal rank 1, recall 1/2.
  const double second = 1.0 / 1.584962500721156;
  CHECK(row.ndcg_at_10 == Approx((second + 2.0 / (2.0 + second)) / 2));
  CHECK(row.mrr == Approx(0.75));
  CHECK(row.recall_at_5 == Approx(0.75));
  CHECK(row.recall_at_10 == Approx(0.75));
  CHECK(ranking_quality_json(row)["mrr"].get<double>() == Approx(0.75));
}

TEST_CASE("a limit takes the first queries, a stop ends between two", "[agent]") {
  const test::TempDir dir;
  const auto collection = read_collection(write(dir.path() / "c.jsonl", kLines));
  REQUIRE(collection);
  const auto rows = score_retrieval(*collection, {.queries_max = 1});
  REQUIRE(rows);
  CHECK(rows->front().queries == 1);
  CHECK(rows->front().mrr == Approx(0.5));
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = score_retrieval(*collection, {.stop = stop.get_token()});
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Code::cancelled);
}

TEST_CASE("Cranfield's files are read: grades become gains, others are dropped", "[agent]") {
  const test::TempDir dir;
  write(dir.path() / "cran.all.1400",
        ".I 1\n.T\nwings of\nplanes\n.A\nann\n.B\nx\n.W\nwings lift .\n.I 2\n.T\nheat\n.W\nhot\n");
  write(dir.path() / "cran.qry",
        ".I 001\r\n.W\r\nwhat lifts\r\nwings .\r\n.I 004\r\n.W\r\nheat ?\r\n");
  write(dir.path() / "cranqrel", "1 1 1\n1 2 4\n2 2 5\n2 1 -1\n");
  const auto collection = read_collection(dir.path());
  if (!collection) FAIL(collection.error().message);
  REQUIRE(collection->documents.size() == 2);
  CHECK(collection->documents[0].title == "wings of planes");
  CHECK(collection->documents[0].text == "wings lift .\n");
  REQUIRE(collection->queries.size() == 2);
  CHECK(collection->queries[0].text == "what lifts\nwings .\n");
  CHECK(collection->queries[0].relevant == retrieval::Judgements{{"1", 4.0}, {"2", 1.0}});
  CHECK(collection->queries[1].relevant.empty());
  write(dir.path() / "cranqrel", "3 1 1\n");
  CHECK_THAT(message(dir.path()), Catch::Contains("cranqrel:1 is no judgement"));
}

TEST_CASE("SQuAD's form is read: a paragraph is what its questions ask for", "[agent]") {
  const test::TempDir dir;
  const auto collection = read_collection(
      write(dir.path() / "x.json",
            R"({"data":[{"title":"t","paragraphs":[{"context":"One.","qas":[)"
            R"({"question":"which?","answers":[]}]},{"context":"Two.","qas":[]}]}]})"));
  if (!collection) FAIL(collection.error().message);
  REQUIRE(collection->documents.size() == 2);
  CHECK(collection->documents[1].text == "Two.");
  REQUIRE(collection->queries.size() == 1);
  CHECK(collection->queries[0].relevant == retrieval::Judgements{{"1", 1.0}});
}

TEST_CASE("a collection that cannot be meant so names what is wrong", "[agent]") {
  const test::TempDir dir;
  const fs::path path = dir.path() / "c.jsonl";
  const std::string document = R"({"document":{"id":"a","title":"","text":"x"}})";
  const std::string query = R"({"query":{"text":"x","relevant":{"a":1}}})";
  CHECK_THAT(message(path), Catch::Contains("cannot open"));
  CHECK_THAT(message(write(path, document)), Catch::Contains("1 documents and 0 queries"));
  CHECK_THAT(message(write(path, document + "\n" + document + "\n" + query)),
             Catch::Contains("two documents 'a'"));
  CHECK_THAT(message(write(path, document + "\n" + R"({"query":{"text":"x","relevant":{"b":1}}})")),
             Catch::Contains("judges the document 'b'"));
  CHECK_THAT(message(write(path, R"({"query":{"text":"x","relevant":{"b":"1"}}})")),
             Catch::Contains("c.jsonl:1/query/relevant/b is not a number"));
  CHECK_THAT(message(write(path, "{}")), Catch::Contains("neither a document nor a query"));
  CHECK_THAT(message(write(dir.path() / "x.json", "[]")), Catch::Contains("data is missing"));
}
