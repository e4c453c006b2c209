#include "tools/builtin/files.h"

#include "base/json.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

using facet::tools::CallContext;
using facet::tools::Tool;
using facet::tools::Workspace;
using Json = nlohmann::ordered_json;

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::shared_ptr<const Workspace> open(const facet::test::TempDir& folder) {
  auto workspace = Workspace::open(folder.path().string());
  REQUIRE(workspace.has_value());
  return *workspace;
}

std::string call(const Tool& tool,
                 const Json& arguments,
                 std::size_t output_bytes_max = 1U << 16U) {
  const auto result = tool.call(arguments, {.output_bytes_max = output_bytes_max});
  return result ? facet::dump_json(*result) : "error: " + result.error().message;
}

}  // namespace

TEST_CASE("list_files names files and folders", "[tools][unit]") {
  const facet::test::TempDir folder;
  std::filesystem::create_directory(folder.path() / "sub");
  write(folder.path() / "b.md", "");
  write(folder.path() / "a.md", "");
  write(folder.path() / "sub" / "c.md", "");
  const auto tool = facet::tools::make_list_files(open(folder));
  CHECK(call(*tool, Json::object()) == R"({"files":["a.md","b.md","sub/"]})");
  CHECK(call(*tool, {{"path", "sub"}}) == R"({"files":["c.md"]})");
  CHECK(call(*tool, {{"path", "../"}}).find("error: ") == 0);
  const auto one = facet::tools::make_list_files(open(folder), {.entries_max = 1});
  CHECK(call(*one, Json::object()) == R"({"files":["a.md"],"more":2})");
  // 128 bytes are kept for the frame; one name of 6 bytes with its quotes and comma fits.
  CHECK(call(*tool, Json::object(), 136) == R"({"files":["a.md"],"more":2})");
}

TEST_CASE("read_file gives text in pieces that fit together", "[tools][unit]") {
  const facet::test::TempDir folder;
  const std::string text = "gr\xC3\xBC\xC3\x9F dich \xE2\x82\xAC";
  write(folder.path() / "a.txt", text);
  const auto tool = facet::tools::make_read_file(open(folder));
  CHECK(call(*tool, {{"path", "a.txt"}}) ==
        "{\"text\":\"" + text + "\",\"bytes\":" + std::to_string(text.size()) + "}");
  std::string joined;
  std::int64_t offset = 0;
  for (int i = 0; i < 100 && offset >= 0; ++i) {
    const auto piece =
        tool->call({{"path", "a.txt"}, {"offset", offset}, {"max_bytes", 4}}, CallContext{});
    REQUIRE(piece.has_value());
    joined += (*piece)["text"].get<std::string>();
    offset = piece->value("next_offset", std::int64_t{-1});
  }
  CHECK(joined == text);
}

TEST_CASE("read_file refuses what is not text and repairs what nearly is", "[tools][unit]") {
  const facet::test::TempDir folder;
  write(folder.path() / "binary", std::string("a\0b", 3));
  write(folder.path() / "latin1", "caf\xE9 au lait");
  const auto tool = facet::tools::make_read_file(open(folder));
  CHECK(call(*tool, {{"path", "binary"}}) == "error: \"binary\" is not a text file");
  CHECK(call(*tool, {{"path", "latin1"}}) == "{\"text\":\"caf\xEF\xBF\xBD au lait\",\"bytes\":12}");
  CHECK(call(*tool, {{"path", "none"}}) == "error: there is no \"none\" in the workspace");
}

TEST_CASE("read_file goes on behind bytes that are no text", "[tools][unit]") {
  const facet::test::TempDir folder;
  write(folder.path() / "stray",
        std::string(49'152, '\x80'));  // Three times as long when repaired.
  const auto tool = facet::tools::make_read_file(open(folder));
  const Json first = Json::parse(call(*tool, {{"path", "stray"}, {"max_bytes", 49'152}}));
  REQUIRE(first.contains("next_offset"));
  const auto offset = first["next_offset"].get<int>();
  CHECK(offset > 10'000);
  const Json next =
      Json::parse(call(*tool, {{"path", "stray"}, {"offset", offset}, {"max_bytes", 49'152}}));
  CHECK_FALSE(next["text"].get<std::string>().empty());
}

TEST_CASE("read_file keeps within the output limit of the call", "[tools][unit]") {
  const facet::test::TempDir folder;
  write(folder.path() / "quotes", std::string(5000, '\x01'));  // Each becomes \u0001 in JSON.
  const auto tool = facet::tools::make_read_file(open(folder));
  const std::string result = call(*tool, {{"path", "quotes"}}, 1000);
  CHECK(result.size() <= 1000);
  CHECK(result.find("next_offset") != std::string::npos);
}
