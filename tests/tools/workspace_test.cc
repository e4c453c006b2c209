#include "tools/builtin/workspace.h"

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace {

using facet::Code;
using facet::tools::Workspace;
namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// A workspace `root` beside things that must stay out of reach.
struct House {
  facet::test::TempDir folder;
  fs::path root = folder.path() / "work";

  House() {
    fs::create_directories(root / "sub" / "deep");
    fs::create_directories(folder.path() / "work_evil");
    write(folder.path() / "secret", "secret");
    write(folder.path() / "work_evil" / "file", "evil");
    write(root / "a.txt", "hello");
    write(root / "sub" / "b.txt", "0123456789");
  }

  [[nodiscard]] std::shared_ptr<const Workspace> open(bool walk) const {
    auto workspace = Workspace::open(root.string(), {.force_walk = walk});
    REQUIRE(workspace.has_value());
    return *workspace;
  }
};

std::string content(const Workspace& workspace, const std::string& path) {
  const auto text = workspace.read(path, 0, 100);
  return text ? text->bytes : "error: " + text.error().message;
}

}  // namespace

TEST_CASE("files inside are read, whole and in pieces", "[tools][unit]") {
  const House house;
  const auto workspace = house.open(GENERATE(false, true));
  CHECK(content(*workspace, "a.txt") == "hello");
  CHECK(content(*workspace, "./sub//b.txt") == "0123456789");
  const auto piece = workspace->read("sub/b.txt", 3, 4);
  REQUIRE(piece.has_value());
  CHECK(piece->bytes == "3456");
  CHECK(piece->file_bytes == 10);
  CHECK(workspace->read("sub/b.txt", 10, 4)->bytes.empty());
  CHECK(workspace->read("sub/b.txt", ~std::uint64_t{0}, 4)->bytes.empty());
}

TEST_CASE("paths that could leave the workspace are refused", "[tools][unit]") {
  const House house;
  const auto workspace = house.open(GENERATE(false, true));
  const auto row = GENERATE(table<std::string, Code>({
      {"../secret", Code::invalid_argument},
      {"sub/../../secret", Code::invalid_argument},
      {"sub/../a.txt", Code::invalid_argument},
      {"..", Code::invalid_argument},
      {"/etc/passwd", Code::invalid_argument},
      {"//etc/passwd", Code::invalid_argument},
      {"/proc/self/root/etc/passwd", Code::invalid_argument},
      {std::string("a.txt\0.md", 9), Code::invalid_argument},
      {std::string(5000, 'a'), Code::invalid_argument},
      {"bad\xFFname", Code::invalid_argument},
      {std::string(300, 'a'), Code::invalid_argument},
      {"../work_evil/file", Code::invalid_argument},
      {"none.txt", Code::not_found},
      {"a.txt/x", Code::not_found},
      {"sub", Code::invalid_argument},
      {"", Code::invalid_argument},
  }));
  const auto refused = workspace->read(std::get<0>(row), 0, 100);
  REQUIRE_FALSE(refused.has_value());
  INFO(refused.error().message);
  CHECK(refused.error().code == std::get<1>(row));
}

TEST_CASE("a refused path is named whole", "[tools][unit]") {
  const House house;
  const auto refused = house.open(true)->read("sub/../../secret", 0, 100);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message ==
        R"(the path "sub/../../secret" has "..", which could leave the workspace)");
}

TEST_CASE("links that leave the workspace are refused", "[tools][unit]") {
  const House house;
  fs::create_symlink(house.folder.path() / "secret", house.root / "absolute");
  fs::create_symlink("../secret", house.root / "relative");
  fs::create_directory_symlink("..", house.root / "up");
  fs::create_symlink("loop", house.root / "loop");
  fs::create_symlink("nothing", house.root / "dangling");
  fs::create_symlink("/proc/self/environ", house.root / "magic");
  const bool walk = GENERATE(false, true);
  const auto workspace = house.open(walk);
  for (const std::string name :
       {"absolute", "relative", "up/secret", "loop", "dangling", "magic"}) {
    INFO(name);
    CHECK(content(*workspace, name).find("error: ") == 0);
  }
  CHECK(workspace->read("absolute", 0, 9).error().code == Code::permission_denied);
  CHECK_FALSE(workspace->list("up", 10).has_value());
}

TEST_CASE("a link that stays inside is followed where the kernel resolves it", "[tools][unit]") {
  const House house;
  fs::create_symlink("sub/b.txt", house.root / "inside");
  CHECK(content(*house.open(true), "inside").find("error: ") == 0);
  const std::string found = content(*house.open(false), "inside");
  // A kernel or container without openat2 falls back to the walk, which refuses every link.
  CHECK((found == "0123456789" || found.find("a link that is not followed") != std::string::npos));
}

TEST_CASE("pipes, sockets, devices and hard links are refused without waiting", "[tools][unit]") {
  const House house;
  REQUIRE(::mkfifo((house.root / "pipe").c_str(), 0600) == 0);
  fs::create_hard_link(house.folder.path() / "secret", house.root / "hard");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(fd >= 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = (house.root / "socket").string();
  REQUIRE(name.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  const auto workspace = house.open(GENERATE(false, true));
  for (const std::string path : {"pipe", "socket", "hard"}) {
    const auto refused = workspace->read(path, 0, 10);
    INFO(path);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::permission_denied);
  }
  ::close(fd);
  // The workspace /dev has devices; the kernel's own checks are not what refuses them.
  const auto devices = Workspace::open("/dev");
  REQUIRE(devices.has_value());
  CHECK((*devices)->read("zero", 0, 10).error().code == Code::permission_denied);
}

TEST_CASE("a file of a terabyte of holes gives only what was asked for", "[tools][unit]") {
  const House house;
  write(house.root / "huge", "x");
  fs::resize_file(house.root / "huge", std::uintmax_t{1} << 40U);
  const auto piece = house.open(false)->read("huge", std::uint64_t{1} << 39U, 100);
  REQUIRE(piece.has_value());
  CHECK(piece->bytes == std::string(100, '\0'));
  CHECK(piece->file_bytes == std::uint64_t{1} << 40U);
}

TEST_CASE("listings are sorted, bounded and without links", "[tools][unit]") {
  const House house;
  fs::create_symlink("/etc/passwd", house.root / "link");
  write(house.root / "-rf", "");
  write(house.root / "new\nline", "");
  const auto workspace = house.open(GENERATE(false, true));
  const auto all = workspace->list("", 10);
  REQUIRE(all.has_value());
  REQUIRE(all->entries.size() == 4);
  CHECK(all->entries[0].name == "-rf");
  CHECK(all->entries[1].name == "a.txt");
  CHECK(all->entries[2].name == "new\nline");
  CHECK(all->entries[3].name == "sub");
  CHECK(all->entries[3].is_folder);
  CHECK(all->more == 0);
  const auto some = workspace->list(".", 1);
  REQUIRE(some.has_value());
  CHECK(some->entries.size() == 1);
  CHECK(some->more == 3);
  CHECK(workspace->list("none", 10).error().code == Code::not_found);
  CHECK(workspace->list("a.txt", 10).error().code == Code::not_found);
  const auto few = Workspace::open(house.root.string(), {.entries_scanned_max = 2});
  CHECK((*few)->list("", 10).error().code == Code::limit_exceeded);
}

TEST_CASE("a workspace that is no folder cannot be opened", "[tools][unit]") {
  const House house;
  CHECK(Workspace::open((house.root / "none").string()).error().code == Code::not_found);
  CHECK_FALSE(Workspace::open((house.root / "a.txt").string()).has_value());
}
