// Runs the program itself, as a person would, and looks at what it prints and how it ends.
#pragma once

#include "base/json.h"
#include "tests/support/catch.h"

#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace facet::test {

struct Finished {
  int exit_code = -1;
  std::string out;
  std::string err;

  [[nodiscard]] nlohmann::ordered_json json() const {
    const auto parsed = parse_json(out, "stdout");
    INFO(out);
    REQUIRE(parsed);
    return *parsed;
  }

  /// One value of each line.
  [[nodiscard]] std::vector<nlohmann::ordered_json> json_lines() const {
    std::vector<nlohmann::ordered_json> lines;
    std::istringstream stream(out);
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(nlohmann::ordered_json::parse(line));
    }
    return lines;
  }
};

/// Whether the model that ships is there; warns where it is not.
inline bool has_pocket() {
  const bool is_there = std::filesystem::exists(std::filesystem::path(FACET_SOURCE_DIR) /
                                                "models/pocket/generator.gguf");
  if (!is_there) WARN("skipped: models/pocket/generator.gguf is not there");
  return is_there;
}

/// `text` as one word of a shell command.
inline std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// `facet <arguments>` with `input` on stdin and everything it keeps under `home`.
inline Finished run_facet(const std::filesystem::path& home,
                          const std::string& arguments,
                          const std::string& input = {}) {
  const auto in = home / "stdin";
  const auto out = home / "stdout";
  const auto err = home / "stderr";
  std::ofstream(in, std::ios::binary) << input;
  const std::string command = "FACET_HOME=" + quoted(home.string()) + " " + quoted(FACET_PROGRAM) +
                              " " + arguments + " <" + quoted(in.string()) + " >" +
                              quoted(out.string()) + " 2>" + quoted(err.string());
  const int status = std::system(command.c_str());
  const auto read = [](const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  };
  Finished finished{.out = read(out), .err = read(err)};
  if (WIFEXITED(status)) finished.exit_code = WEXITSTATUS(status);
  return finished;
}

}  // namespace facet::test
