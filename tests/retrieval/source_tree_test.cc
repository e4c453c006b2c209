#include "retrieval/source_tree.h"

#include "tests/retrieval/fakes.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <sys/stat.h>

namespace facet::retrieval {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using test::write_file;

bool never_known(const fs::path&) {
  return false;
}

SourceTree must_scan(const std::vector<fs::path>& roots, const ScanLimits& limits = {}) {
  auto tree = scan_roots(roots, roots.front() / "store", never_known, limits);
  if (!tree) FAIL(tree.error().message);
  return *std::move(tree);
}

std::vector<std::string> names(const SourceTree& tree) {
  std::vector<std::string> out;
  for (const SourceFile& file : tree.files) out.push_back(file.name);
  return out;
}

TEST_CASE("a scan finds regular files in order and skips hidden ones and the store",
          "[retrieval][unit]") {
  const TempDir temp;
  for (const char* name :
       {"b.txt", "a/c.txt", "a/-rf", "a/new\nline.md", ".git/x", "a/.y", "store/store.sqlite"}) {
    write_file(temp.path() / name, "x");
  }
  const SourceTree tree = must_scan({temp.path()});
  CHECK(names(tree) == std::vector<std::string>{"a/-rf", "a/c.txt", "a/new\nline.md", "b.txt"});
  CHECK(tree.failed.empty());
}

TEST_CASE("a store in the folder that it indexes does not find itself", "[retrieval][unit]") {
  const TempDir temp;
  for (const char* name : {"a.txt",
                           "store.md",
                           "store.sqlite",
                           "store.sqlite-wal",
                           "store.lock",
                           "vectors.faiss",
                           "sub/store.lock"}) {
    write_file(temp.path() / name, "x");
  }
  const auto tree = scan_roots(std::vector<fs::path>{temp.path()}, temp.path(), never_known);
  REQUIRE(tree.has_value());
  CHECK(names(*tree) == std::vector<std::string>{"a.txt", "store.md", "sub/store.lock"});
}

TEST_CASE("links, pipes and names that are not UTF-8 are reported, not read", "[retrieval][unit]") {
  const TempDir temp;
  write_file(temp.path() / "real.txt", "x");
  fs::create_symlink("real.txt", temp.path() / "link.txt");
  fs::create_directory_symlink(temp.path(), temp.path() / "loop");
  fs::create_symlink("nowhere", temp.path() / "dangling.txt");
  REQUIRE(::mkfifo((temp.path() / "pipe.txt").c_str(), 0600) == 0);
  write_file(temp.path() / "\xFF\xFE.txt", "x");
  const SourceTree tree = must_scan({temp.path()});
  CHECK(names(tree) == std::vector<std::string>{"real.txt"});
  CHECK(tree.failed.size() == 5);
  CHECK(read_source(temp.path() / "pipe.txt", 100).error().code == Code::unsupported);
  CHECK(read_source(temp.path() / "loop", 100).has_value() == false);
}

TEST_CASE("a root may be a file, and overlapping roots give each file once", "[retrieval][unit]") {
  const TempDir temp;
  write_file(temp.path() / "a/b.txt", "x");
  CHECK(names(must_scan({temp.path() / "a/b.txt"})) == std::vector<std::string>{"b.txt"});
  CHECK(names(must_scan({temp.path(), temp.path() / "a"})) == std::vector<std::string>{"a/b.txt"});
  CHECK(names(must_scan({temp.path() / "a/", temp.path()})) == std::vector<std::string>{"b.txt"});
}

TEST_CASE("scanning stops at its limits", "[retrieval][unit]") {
  const TempDir temp;
  for (int i = 0; i < 5; ++i) write_file(temp.path() / (std::to_string(i) + ".txt"), "x");
  CHECK(scan_roots(std::vector<fs::path>{temp.path()}, {}, never_known, {.files_max = 3})
            .error()
            .code == Code::limit_exceeded);
  write_file(temp.path() / "a/b/c/deep.txt", "x");
  const SourceTree tree = must_scan({temp.path()}, {.depth_max = 2});
  CHECK(tree.files.size() == 5);
  REQUIRE(tree.failed.size() == 1);
  CHECK(tree.failed[0].error.code == Code::limit_exceeded);
  // What the store knows below an unread folder has not vanished.
  REQUIRE(tree.unreadable.size() == 1);
  CHECK(is_within(temp.path() / "a/b/c/deep.txt", fs::canonical(tree.unreadable[0])));
}

TEST_CASE("a missing root is an error unless it was known", "[retrieval][unit]") {
  const TempDir temp;
  const std::vector<fs::path> roots = {temp.path() / "gone"};
  CHECK(scan_roots(roots, {}, never_known).error().code == Code::not_found);
  const auto tree = scan_roots(roots, {}, [](const fs::path&) { return true; });
  REQUIRE(tree.has_value());
  CHECK(tree->files.empty());
  CHECK(tree->roots.size() == 1);
}

TEST_CASE("reading keeps to its limit", "[retrieval][unit]") {
  const TempDir temp;
  write_file(temp.path() / "a.txt", "12345");
  CHECK(read_source(temp.path() / "a.txt", 5)->bytes == "12345");
  CHECK(read_source(temp.path() / "a.txt", 4).error().code == Code::limit_exceeded);
  CHECK(read_source(temp.path() / "b.txt", 4).error().code == Code::not_found);
  // /proc files have the size 0 and more to read than that.
  CHECK(read_source("/proc/self/maps", 4).error().code == Code::limit_exceeded);
}

TEST_CASE("within is about whole path parts", "[retrieval][unit]") {
  CHECK(is_within("/home/a", "/home"));
  CHECK(is_within("/home", "/home"));
  CHECK_FALSE(is_within("/home_evil", "/home"));
  CHECK_FALSE(is_within("/", "/home"));
}

}  // namespace
}  // namespace facet::retrieval
