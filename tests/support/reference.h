// Where the optional reference data lies that some tests compare with.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace facet::test {

/// The folder that `variable` names, else `otherwise` relative to the source tree.
inline std::filesystem::path data_folder(const char* variable, const char* otherwise) {
  const char* set = std::getenv(variable);
  if (set != nullptr) return set;
  return std::filesystem::path(FACET_SOURCE_DIR) / otherwise;
}

inline std::filesystem::path reference_folder() {
  return data_folder("FACET_REFERENCE", "../shared/reference");
}

/// The whole file, nullopt when it cannot be opened.
inline std::optional<std::string> read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace facet::test
