// The rules of ARCHITECTURE.md and CONTRIBUTING.md that a machine can hold, as tests over the tree.
#include "tests/support/catch.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = FACET_SOURCE_DIR;

/// Who may include whom: the table of ARCHITECTURE.md.
const std::map<std::string, std::set<std::string>> kMayInclude{
    {"base", {"base"}},
    {"engine", {"engine", "base"}},
    {"prompts", {"prompts", "base"}},
    {"tools", {"tools", "base"}},
    {"retrieval", {"retrieval", "base"}},
    {"plugins", {"plugins", "tools", "base"}},
    {"agent", {"agent", "plugins", "retrieval", "tools", "prompts", "engine", "base"}},
};

struct Source {
  std::string path;  // Relative to the root, with '/'.
  std::string room;
  std::vector<std::string> lines;
};

bool is_source(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".h" || extension == ".hpp" || extension == ".cc" || extension == ".cu" ||
         extension == ".cuh";
}

std::vector<Source> read_sources() {
  std::vector<Source> sources;
  for (const auto& [room, allowed] : kMayInclude) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / room)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      Source source{fs::relative(entry.path(), kRoot).generic_string(), room, {}};
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) source.lines.push_back(line);
      sources.push_back(std::move(source));
    }
  }
  std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) {
    return a.path < b.path;
  });
  return sources;
}

/// The text between quotes or angle brackets of an include line; empty for every other line.
std::string included(std::string_view line) {
  if (line.rfind("#include ", 0) != 0) return {};
  const std::size_t begin = line.find_first_of("\"<");
  const std::size_t end = line.find_last_of("\">");
  if (begin == std::string_view::npos || end <= begin) return {};
  return std::string(line.substr(begin + 1, end - begin - 1));
}

bool starts_with(std::string_view text, std::string_view start) {
  return text.rfind(start, 0) == 0;
}

bool is_header(const std::string& path) {
  return path.ends_with(".h") || path.ends_with(".hpp");
}

}  // namespace

TEST_CASE("a room includes only what the table allows", "[tidy]") {
  std::vector<std::string> wrong;
  for (const Source& source : read_sources()) {
    for (const std::string& line : source.lines) {
      const std::string target = included(line);
      const std::string room = target.substr(0, target.find('/'));
      if (!kMayInclude.contains(room) || target.find('/') == std::string::npos) continue;
      if (!kMayInclude.at(source.room).contains(room))
        wrong.push_back(source.path + " includes " + target);
    }
  }
  CHECK(wrong == std::vector<std::string>{});
}

TEST_CASE("third-party headers stay in the place that owns them", "[tidy]") {
  // Include prefix -> path prefixes of the only files that may name it.
  const std::map<std::string, std::vector<std::string>> owners{
      {"sentencepiece", {"engine/tokenizer/"}},
      {"cuda", {"engine/cuda/"}},
      {"jpeglib.h", {"engine/vision/jpeg.cc"}},
      {"jerror.h", {"engine/vision/jpeg.cc"}},
      {"spng.h", {"engine/vision/png.cc"}},
      {"webp/", {"engine/vision/webp.cc"}},
      {"faiss/", {"retrieval/"}},
      {"sqlite3.h", {"retrieval/", "agent/"}},
      {"archive", {"retrieval/loaders/"}},
      {"pugixml", {"retrieval/loaders/"}},
      {"unicode/", {"retrieval/", "tools/"}},
      {"boost/", {"agent/server/"}},
      {"CLI/", {"agent/cli/"}},
      {"yaml-cpp/", {"agent/workflow/"}},
      {"curl/", {"agent/hub/"}},
      {"openssl/", {"agent/hub/", "retrieval/sha256.cc"}},
      {"dlfcn.h", {"plugins/"}},
      {"catch2/", {}},
  };
  std::vector<std::string> wrong;
  for (const Source& source : read_sources()) {
    for (const std::string& line : source.lines) {
      const std::string target = included(line);
      for (const auto& [prefix, places] : owners) {
        if (!starts_with(target, prefix)) continue;
        const bool owned = std::any_of(places.begin(), places.end(), [&](const std::string& place) {
          return starts_with(source.path, place);
        });
        if (!owned) wrong.push_back(source.path + " includes " + target);
      }
      if (is_header(source.path) && target == "nlohmann/json.hpp") {
        wrong.push_back(source.path + " includes json.hpp in a header");
      }
    }
  }
  CHECK(wrong == std::vector<std::string>{});
}

TEST_CASE("nothing prints but the command line", "[tidy]") {
  const std::vector<std::string> banned{
      "std::cout", "std::cerr", "std::printf", "printf(", "puts("};
  const std::set<std::string> allowed_files{"base/check.cc"};
  std::vector<std::string> wrong;
  for (const Source& source : read_sources()) {
    if (starts_with(source.path, "agent/cli/") || allowed_files.contains(source.path)) continue;
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      for (const std::string& word : banned) {
        const std::size_t at = source.lines[i].find(word);
        if (at == std::string::npos) continue;
        // snprintf and fputs to a file descriptor of a child are formatting, not printing.
        if (at > 0 && (std::isalnum(static_cast<unsigned char>(source.lines[i][at - 1])) != 0 ||
                       source.lines[i][at - 1] == '_')) {
          continue;
        }
        wrong.push_back(source.path + ":" + std::to_string(i + 1) + " has " + word);
      }
    }
  }
  CHECK(wrong == std::vector<std::string>{});
}

TEST_CASE("lines have at most 100 columns and files at most 500 lines", "[tidy]") {
  std::vector<std::string> wrong;
  for (const Source& source : read_sources()) {
    if (source.lines.size() > 500) {
      wrong.push_back(source.path + " has " + std::to_string(source.lines.size()) + " lines");
    }
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      const std::string& line = source.lines[i];
      const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
      });
      // NOLINT comments carry their reason on the same line; raw string tables may be long too.
      if (columns > 100 && line.find("NOLINT") == std::string::npos &&
          line.find("R\"") == std::string::npos) {
        wrong.push_back(source.path + ":" + std::to_string(i + 1) + " has " +
                        std::to_string(columns) + " columns");
      }
    }
  }
  CHECK(wrong == std::vector<std::string>{});
}

TEST_CASE("headers begin with a comment and pragma once, and nobody uses a whole namespace",
          "[tidy]") {
  std::vector<std::string> wrong;
  for (const Source& source : read_sources()) {
    if (source.lines.empty()) {
      wrong.push_back(source.path + " is empty");
      continue;
    }
    const bool is_c_header = source.path == "plugins/facet_plugin.h";
    if (is_header(source.path)) {
      if (!starts_with(source.lines[0], "//") && !starts_with(source.lines[0], "/*")) {
        wrong.push_back(source.path + " does not say what it is in its first line");
      }
      const bool once = std::any_of(source.lines.begin(),
                                    source.lines.end(),
                                    [](const std::string& line) { return line == "#pragma once"; });
      if (!once && !is_c_header) wrong.push_back(source.path + " has no #pragma once");
    }
    for (const std::string& line : source.lines) {
      if (line.find("using namespace") != std::string::npos)
        wrong.push_back(source.path + ": " + line);
    }
  }
  CHECK(wrong == std::vector<std::string>{});
}

TEST_CASE("no source promises work that is not done", "[tidy]") {
  const std::vector<std::string> banned{
      "TODO", "FIXME", "XXX", "HACK", "not implemented", "unimplemented"};
  std::vector<std::string> wrong;
  for (const Source& source : read_sources()) {
    for (std::size_t i = 0; i < source.lines.size(); ++i) {
      for (const std::string& word : banned) {
        if (source.lines[i].find(word) != std::string::npos) {
          wrong.push_back(source.path + ":" + std::to_string(i + 1) + " has " + word);
        }
      }
    }
  }
  CHECK(wrong == std::vector<std::string>{});
}

TEST_CASE("std::regex, which overflows the stack on long input, is never used", "[tidy]") {
  std::vector<std::string> wrong;
  for (const Source& source : read_sources()) {
    for (const std::string& line : source.lines) {
      if (included(line) == "regex") wrong.push_back(source.path);
    }
  }
  CHECK(wrong == std::vector<std::string>{});
}
