// The store's promise about crashes, kept by crashing: a child that indexes is killed at random
// moments, then the store must be sound and come to the same content as a clean run.
#include "retrieval/store.h"
#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <random>
#include <unistd.h>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;

constexpr int kDocuments = 24;
constexpr int kKills = 25;

void write_documents(const fs::path& folder, unsigned seed) {
  std::mt19937 random(seed);
  for (int i = 0; i < kDocuments; ++i) {
    std::string text = "# Document " + std::to_string(i) + "\n\n";
    for (auto words = 20 + random() % 60; words > 0; --words) {
      text += "word" + std::to_string(random() % 200) + (random() % 9 == 0 ? ". " : " ");
    }
    test::write_file(folder / ("d" + std::to_string(i) + ".md"), text);
  }
}

std::unique_ptr<Store> must_open(const fs::path& folder, const Embedder& embedder) {
  auto store = Store::open({.folder = folder, .embedder = &embedder, .chunk_tokens_max = 24});
  if (!store) FAIL(store.error().message);
  return *std::move(store);
}

/// Indexes in a child, which writes a byte per document into the pipe, and kills it after
/// `progress_max` bytes. True when the child was still at work.
bool index_and_kill(const fs::path& folder, const fs::path& docs, std::uint64_t progress_max) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const test::FakeEmbedder embedder(16);
    const auto store =
        Store::open({.folder = folder, .embedder = &embedder, .chunk_tokens_max = 24});
    if (!store) ::_exit(1);
    const auto report = (*store)->index(std::vector<fs::path>{docs}, [&](const IndexProgress&) {
      if (::write(ends[1], "x", 1) != 1) ::_exit(2);
    });
    ::_exit(report ? 0 : 3);
  }
  ::close(ends[1]);
  char byte = '\0';
  for (std::uint64_t i = 0; i < progress_max; ++i) {
    if (::read(ends[0], &byte, 1) != 1) break;
  }
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ::close(ends[0]);
  if (WIFEXITED(status)) CHECK(WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

/// Every passage that some words find, without its id, sorted.
std::vector<std::string> content(const Store& store) {
  std::vector<std::string> out;
  for (int word = 0; word < 200; word += 9) {
    const auto found =
        store.search("word" + std::to_string(word), {.top_k = 100, .use_dense = false});
    REQUIRE(found.has_value());
    for (const Passage& passage : *found) {
      out.push_back(passage.document + "|" + std::to_string(passage.byte_begin) + "|" +
                    passage.text);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST_CASE("kill -9 while indexing loses nothing that was stored", "[retrieval][unit]") {
  const test::TempDir temp;
  const fs::path docs = temp.path() / "docs";
  const test::FakeEmbedder embedder(16);
  std::mt19937 random(2024);
  int killed = 0;
  for (int round = 0; round < kKills; ++round) {
    // Every few rounds the documents change, so that updates are interrupted too.
    if (round % 5 == 0) write_documents(docs, static_cast<unsigned>(round));
    if (index_and_kill(temp.path() / "store", docs, 1 + random() % kDocuments)) ++killed;
    const auto store = must_open(temp.path() / "store", embedder);
    const auto sound = store->verify();
    INFO((sound ? "" : sound.error().message));
    REQUIRE(sound.has_value());
  }
  CHECK(killed > 0);
  const auto resumed = must_open(temp.path() / "store", embedder);
  const auto report = resumed->index(std::vector<fs::path>{docs});
  REQUIRE(report.has_value());
  CHECK(report->failed.empty());
  CHECK(report->deleted == 0);

  const auto clean = must_open(temp.path() / "clean", embedder);
  REQUIRE(clean->index(std::vector<fs::path>{docs}).has_value());
  CHECK(content(*resumed) == content(*clean));
  CHECK(resumed->statistics()->chunks == clean->statistics()->chunks);
  CHECK(resumed->statistics()->vectors == clean->statistics()->vectors);
  CHECK(resumed->verify().has_value());
}

}  // namespace
}  // namespace facet::retrieval
