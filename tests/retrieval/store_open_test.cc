// Opening a store: what is refused, and what is repaired.
#include "retrieval/store.h"
#include "tests/retrieval/store_fixture.h"

#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <vector>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;
using Fixture = test::StoreFixture;
using test::FakeEmbedder;
using test::must_search;
using test::read_file;
using test::write_file;

void run_sql(const fs::path& path, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

TEST_CASE("a store without an embedder searches by words and can get vectors later",
          "[retrieval][unit]") {
  const Fixture fixture;
  StoreOptions plain = fixture.options();
  plain.embedder = nullptr;
  {
    const auto store = Store::open(plain);
    REQUIRE(store.has_value());
    static_cast<void>(fixture.index(**store));
    CHECK((*store)->statistics()->vectors == 0);
    CHECK(must_search(**store, "dinner")[0].document == "travel.md");
  }
  {
    const auto store = fixture.open();
    const IndexReport report = fixture.index(*store);
    CHECK(report.unchanged == 3);
    CHECK(store->statistics()->vectors == report.chunks);
    CHECK(must_search(*store, "dinner", {.use_bm25 = false})[0].document == "travel.md");
  }
  const auto store = Store::open(plain);
  REQUIRE(store.has_value());
  CHECK(must_search(**store, "dinner")[0].document == "travel.md");
  CHECK((*store)->index(std::vector<fs::path>{fixture.docs}).error().code ==
        Code::invalid_argument);
}

TEST_CASE("a new store can be read by its owner only", "[retrieval][unit]") {
  const Fixture fixture;
  const auto store = fixture.open();
  static_cast<void>(fixture.index(*store));
  for (const auto& file : fs::directory_iterator(fixture.folder)) {
    INFO(file.path());
    CHECK((file.status().permissions() & (fs::perms::group_all | fs::perms::others_all)) ==
          fs::perms::none);
  }
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  for (const auto& file : fs::directory_iterator(folder)) {
    out.push_back(file.path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST_CASE("a store is searched where nothing can be written", "[retrieval][unit]") {
  Fixture fixture;
  fixture.folder = fixture.temp.path() / "a store? 100%#1";  // What a URI would stumble over.
  static_cast<void>(fixture.index(*fixture.open()));
  fs::remove(fixture.folder / "store.lock");
  const std::vector<std::string> before = names_in(fixture.folder);
  StoreOptions options = fixture.options();
  options.read_only = true;
  SECTION("it finds what it found, and leaves no trace") {
    const auto store = Store::open(options);
    REQUIRE(store.has_value());
    CHECK(must_search(**store, "dinner")[0].document == "travel.md");
    CHECK((*store)->statistics()->documents == 3);
    const auto report = (*store)->index(std::vector<fs::path>{fixture.docs});
    REQUIRE_FALSE(report.has_value());
    CHECK(report.error().code == Code::permission_denied);
    CHECK(names_in(fixture.folder) == before);
  }
  SECTION("it needs neither an embedder nor the cache of its vectors") {
    options.embedder = nullptr;
    fs::remove(fixture.folder / "vectors.faiss");
    const auto store = Store::open(options);
    REQUIRE(store.has_value());
    CHECK(must_search(**store, "dinner")[0].document == "travel.md");
    CHECK_FALSE(fs::exists(fixture.folder / "vectors.faiss"));
  }
  SECTION("a change by another process ends it") {
    const auto store = Store::open(options);
    REQUIRE(store.has_value());
    write_file(fixture.docs / "new.txt", std::string(20000, 'n'));
    static_cast<void>(fixture.index(*fixture.open()));
    const auto found = (*store)->search("dinner");
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Code::unavailable);
    CHECK(found.error().message.find("open it again") != std::string::npos);
  }
  SECTION("changes that are not merged, an empty file and no file are errors") {
    write_file(fixture.folder / "store.sqlite-wal", "x");
    CHECK(Store::open(options).error().message.find("not merged") != std::string::npos);
    fs::remove(fixture.folder / "store.sqlite-wal");
    write_file(fixture.folder / "store.sqlite", "");
    CHECK(Store::open(options).error().code == Code::invalid_data);
    fs::remove(fixture.folder / "store.sqlite");
    CHECK(Store::open(options).error().code == Code::unavailable);
    CHECK_FALSE(fs::exists(fixture.folder / "store.sqlite"));
  }
}

TEST_CASE("a store of another embedder is refused by both names", "[retrieval][unit]") {
  const Fixture fixture;
  static_cast<void>(fixture.index(*fixture.open()));
  const FakeEmbedder other(64, "fake-2");
  StoreOptions options = fixture.options();
  options.embedder = &other;
  const auto store = Store::open(options);
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().code == Code::unsupported);
  CHECK(store.error().message.find("'fake-1'") != std::string::npos);
  CHECK(store.error().message.find("'fake-2'") != std::string::npos);
}

TEST_CASE("a store of a newer version is refused by its number", "[retrieval][unit]") {
  const Fixture fixture;
  static_cast<void>(fixture.open());
  run_sql(fixture.folder / "store.sqlite", "PRAGMA user_version=7");
  const auto store = Store::open(fixture.options());
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().code == Code::unsupported);
  CHECK(store.error().message.find("version 7") != std::string::npos);
}

TEST_CASE("files that are not a store are refused", "[retrieval][unit]") {
  const Fixture fixture;
  SECTION("no database at all") {
    write_file(fixture.folder / "store.sqlite", std::string(5000, 'x'));
    CHECK(Store::open(fixture.options()).error().code == Code::invalid_data);
  }
  SECTION("somebody else's database") {
    fs::create_directories(fixture.folder);
    run_sql(fixture.folder / "store.sqlite", "CREATE TABLE t(x)");
    CHECK(Store::open(fixture.options()).error().code == Code::invalid_data);
  }
  SECTION("a folder that cannot be made") {
    write_file(fixture.temp.path() / "file", "x");
    StoreOptions options = fixture.options();
    options.folder = fixture.temp.path() / "file" / "store";
    CHECK(Store::open(options).error().code == Code::unavailable);
  }
}

TEST_CASE("a second writer is told that the store is taken", "[retrieval][unit]") {
  const Fixture fixture;
  const auto first = fixture.open();
  const auto second = fixture.open();
  Code seen = Code::internal;
  const auto report = first->index(std::vector<fs::path>{fixture.docs}, [&](const IndexProgress&) {
    const auto other = second->index(std::vector<fs::path>{fixture.docs});
    if (!other) seen = other.error().code;
  });
  REQUIRE(report.has_value());
  CHECK(seen == Code::unavailable);
  // The second one reads what the first has written.
  CHECK(must_search(*second, "vacation")[0].document == "sub/leave.txt");
}

TEST_CASE("a damaged, stale or missing vector cache is rebuilt", "[retrieval][unit]") {
  const Fixture fixture;
  const fs::path cache = fixture.folder / "vectors.faiss";
  static_cast<void>(fixture.index(*fixture.open()));
  const std::string good = read_file(cache);
  REQUIRE(good.size() > 72);
  const auto expected = must_search(*fixture.open(), "finance director", {.use_bm25 = false});

  SECTION("missing") {
    fs::remove(cache);
  }
  SECTION("cut off") {
    write_file(cache, good.substr(0, good.size() / 2));
  }
  SECTION("empty") {
    write_file(cache, "");
  }
  SECTION("one bit of the vectors flipped") {
    std::string bad = good;
    bad[bad.size() - 9] = static_cast<char>(bad[bad.size() - 9] ^ 1);
    write_file(cache, bad);
  }
  SECTION("another generation") {
    std::string bad = good;
    bad[24] = static_cast<char>(bad[24] + 1);
    write_file(cache, bad);
  }
  SECTION("checksum and content replaced together") {
    std::string bad = good;
    bad[40] = static_cast<char>(bad[40] ^ 1);
    write_file(cache, bad);
  }
  const auto store = fixture.open();
  const auto found = must_search(*store, "finance director", {.use_bm25 = false});
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].chunk_id == expected[i].chunk_id);
  }
  CHECK(read_file(cache) == good);
}

TEST_CASE("another chunk size makes documents new", "[retrieval][unit]") {
  const Fixture fixture;
  static_cast<void>(fixture.index(*fixture.open()));
  StoreOptions options = fixture.options();
  options.chunk_tokens_max = 5;
  const auto store = Store::open(options);
  REQUIRE(store.has_value());
  const IndexReport report = fixture.index(**store);
  CHECK(report.updated == 3);
  CHECK(report.chunks > 4);
  CHECK((*store)->verify().has_value());
}

}  // namespace
}  // namespace facet::retrieval
