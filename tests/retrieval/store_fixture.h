// What the tests of the store share: a store, and the folder of documents that it indexes.
#pragma once

#include "retrieval/store.h"
#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace facet::test {

/// A store and the folder it indexes.
struct StoreFixture {
  TempDir temp;
  FakeEmbedder embedder;
  WordCounter counter;
  std::filesystem::path docs = temp.path() / "docs";
  std::filesystem::path folder = temp.path() / "store";

  StoreFixture() {
    write_file(
        docs / "travel.md",
        "# Travel policy\n\n## Approval\n\nTrips above 2,000 EUR are approved by the finance "
        "director.\n\n## Meals\n\nDinner is paid up to 45 EUR a day.\n");
    write_file(docs / "sub/leave.txt", "VACATION\n\nEvery employee has 28 days of vacation.\n");
    write_file(docs / "prices.csv", "Item,Price\nDesk,300\nChair,120\n");
  }

  [[nodiscard]] retrieval::StoreOptions options() const {
    return {.folder = folder, .embedder = &embedder, .counter = &counter};
  }
  [[nodiscard]] std::unique_ptr<retrieval::Store> open() const {
    auto store = retrieval::Store::open(options());
    if (!store) FAIL(store.error().message);
    return *std::move(store);
  }
  [[nodiscard]] retrieval::IndexReport index(retrieval::Store& store) const {
    auto report = store.index(std::vector<std::filesystem::path>{docs});
    if (!report) FAIL(report.error().message);
    return *std::move(report);
  }
};

inline std::vector<retrieval::Passage> must_search(const retrieval::Store& store,
                                                   std::string_view query,
                                                   retrieval::SearchOptions o = {}) {
  auto found = store.search(query, o);
  if (!found) FAIL(found.error().message);
  return *std::move(found);
}

}  // namespace facet::test
